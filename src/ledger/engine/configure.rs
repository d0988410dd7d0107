//! What becomes of apps and endpoints when the configuration changes (DESIGN.md section 5).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{App, Endpoint, turn::Turn};
use crate::{
    domain::{AppId, EndpointId},
    ledger::{
        breaker::BreakerLimits,
        cut::CutLimits,
        edge::Key,
        filter::Filter,
        occupancy::Occupancy,
        outbox::{BULK_MAX, Effects, Kept, Outbox},
        store::{AnnouncingRecord, EndpointRecord, KeyRecord, Loaded},
        window::{AppRules, EndpointRules, Mode, RequestId},
    },
};

impl Turn<'_> {
    /// Makes the apps those that are given; the first time, as they were kept. Those that there are
    /// already change nothing, also when they were kept: a start writes no record anew.
    pub(super) fn configure(&mut self, apps: &[AppRules], loaded: Option<&Loaded>) {
        let kept = loaded.filter(|_| !self.state.is_configured).map(KeptState::new);
        if let Some(kept) = &kept {
            self.restore_leaving(apps, kept);
        }
        for rules in apps {
            self.configure_app(rules, kept.as_ref());
        }
        let is_gone = |id: &AppId| apps.iter().all(|rules| rules.id != *id);
        let gone: Vec<AppId> = self.state.apps.keys().filter(|id| is_gone(id)).cloned().collect();
        for id in gone {
            self.remove_app(&id);
        }
        if let Some(kept) = &kept {
            self.drop_unreferenced(kept.loaded);
        }
        self.state.is_configured = true;
    }

    fn configure_app(&mut self, rules: &AppRules, kept: Option<&KeptState<'_>>) {
        let id = &rules.id;
        if self.state.apps.get(id).is_none() {
            // Its keys are dropped whole before it comes back with new ones.
            while self.state.leaving_apps.contains_key(id) {
                self.forget_some_of(id);
            }
            let mut occupancy = Occupancy::new(rules.vacated_delay);
            for (key, record) in kept.iter().flat_map(|kept| kept.keys_of(id)) {
                occupancy.restore(key, record);
            }
            let app = App {
                recovery: None,
                rules: Arc::new(rules.clone()),
                occupancy,
                endpoints: Default::default(),
            };
            self.state.apps.insert(id.clone(), Arc::new(app));
            self.restore_endpoints(rules, kept.map(|kept| kept.loaded));
        }
        let Some(app) = self.state.app_mut(id) else { return };
        app.rules = Arc::new(rules.clone());
        app.occupancy.delay(rules.vacated_delay);
        let is_gone = |endpoint: &EndpointId| rules.endpoints.iter().all(|rules| rules.id != *endpoint);
        let gone: Vec<EndpointId> = app
            .endpoints
            .keys()
            .filter(|endpoint| is_gone(endpoint))
            .cloned()
            .collect();
        for endpoint in gone {
            self.remove_endpoint(id, &endpoint);
        }
        for endpoint in &rules.endpoints {
            self.configure_endpoint(id, endpoint);
        }
        if !rules.enabled {
            self.vacate_all(id);
        }
    }

    /// Takes the endpoints of an app as they were kept, those that are configured still.
    fn restore_endpoints(&mut self, rules: &AppRules, loaded: Option<&Loaded>) {
        let Some(loaded) = loaded else { return };
        for rules_of_one in &rules.endpoints {
            let key = (rules.id.clone(), rules_of_one.id.clone());
            let Some(record) = loaded.endpoints.get(&key).filter(|record| !record.is_removed) else {
                continue;
            };
            let (app, id) = &key;
            let mut effects = self.effects();
            let rules = Arc::new(rules_of_one.clone());
            let outbox = self.restore_outbox(rules, record, app, id, loaded, &mut effects);
            let endpoint = Endpoint {
                outbox,
                filter: Arc::new(record.filter.clone()),
                announcing: record.announcing.clone(),
            };
            let is_as_kept = endpoint.record() == *record;
            if let Some(app) = self.state.app_mut(app) {
                app.endpoints.insert(id.clone(), Arc::new(endpoint));
            }
            if !is_as_kept {
                self.keep_endpoint(app, id);
            }
            self.absorb(app, id, effects);
        }
    }

    fn restore_outbox(
        &mut self,
        rules: Arc<EndpointRules>,
        record: &EndpointRecord,
        app: &AppId,
        id: &EndpointId,
        loaded: &Loaded,
        effects: &mut Effects,
    ) -> Outbox {
        let from = |place| (app.clone(), id.clone(), place);
        let queued = loaded.queued.range(from(0)..=from(u64::MAX));
        let from = |request| (app.clone(), id.clone(), RequestId(request));
        let requests = loaded.requests.range(from(0)..=from(u64::MAX));
        let kept = Kept {
            queued: queued.map(|((_, _, place), record)| (*place, *record)).collect(),
            requests: requests.map(|((_, _, id), record)| (*id, record.clone())).collect(),
        };
        let (outbox, references) =
            Outbox::restore(rules, record, kept, &loaded.events, self.now, self.lived_ms, effects);
        for event in references.iter().filter_map(|id| loaded.events.get(id)) {
            self.refer(event);
            // It is kept already.
            self.changes.events.remove(&event.id);
        }
        outbox
    }

    fn configure_endpoint(&mut self, app: &AppId, rules: &EndpointRules) {
        let id = &rules.id;
        while self.state.leaving.contains_key(&(app.clone(), id.clone())) {
            // It comes back as a new one, so the old one has to be gone.
            self.bulk_left = BULK_MAX;
            self.remove_some_of(app, id);
        }
        let before = self.state.endpoint(app, id).map(|endpoint| endpoint.record());
        let was_announcing = before.as_ref().is_some_and(|record| record.announcing.is_some());
        if was_announcing && before.as_ref().is_some_and(|record| record.filter != rules.filter) {
            self.announce(app, id, usize::MAX);
        }
        let rules = Arc::new(rules.clone());
        let Some(app_state) = self.state.app_mut(app) else {
            return;
        };
        let has_occupied = 0 < app_state.occupancy.occupied();
        match app_state.endpoints.get_mut(id).map(Arc::make_mut) {
            Some(endpoint) => {
                endpoint.outbox.configure(Arc::clone(&rules));
                if *endpoint.filter != rules.filter {
                    let before = std::mem::replace(&mut endpoint.filter, Arc::new(rules.filter.clone()));
                    endpoint.announcing = (rules.announce && has_occupied).then(|| AnnouncingRecord {
                        before: Some((*before).clone()),
                        after: None,
                    });
                }
            }
            None => {
                let endpoint = Endpoint {
                    filter: Arc::new(rules.filter.clone()),
                    announcing: (rules.announce && has_occupied).then(|| AnnouncingRecord {
                        before: None,
                        after: None,
                    }),
                    outbox: Outbox::new(rules),
                };
                app_state.endpoints.insert(id.clone(), Arc::new(endpoint));
            }
        }
        let after = self.state.endpoint(app, id).map(|endpoint| endpoint.record());
        if after != before {
            self.keep_endpoint(app, id);
        }
        // At once, so that it comes ahead of what happens later.
        self.announce(app, id, self.bulk_left);
    }

    fn remove_app(&mut self, id: &AppId) {
        let Some(app) = self.state.apps.get(id).cloned() else {
            return;
        };
        for endpoint in app.endpoints.keys() {
            self.remove_endpoint(id, endpoint);
        }
        if let Some(app) = self.state.apps.remove(id) {
            let occupancy = app.occupancy.clone();
            self.state.leaving_apps.insert(id.clone(), occupancy);
        }
    }

    fn remove_endpoint(&mut self, app: &AppId, id: &EndpointId) {
        let Some(endpoint) = self.state.app_mut(app).and_then(|app| app.endpoints.remove(id)) else {
            return;
        };
        let record = EndpointRecord {
            is_removed: true,
            ..endpoint.record()
        };
        let key = (app.clone(), id.clone());
        self.changes.endpoints.insert(key.clone(), Some(record));
        self.state.leaving.insert(key, Arc::new(endpoint.outbox.clone()));
    }

    /// Takes what was kept of endpoints and apps that are configured no more.
    fn restore_leaving(&mut self, apps: &[AppRules], kept: &KeptState<'_>) {
        let is_configured = |app: &AppId, id: &EndpointId| {
            let mut of_app = apps.iter().filter(|rules| rules.id == *app);
            of_app.any(|rules| rules.endpoints.iter().any(|rules| rules.id == *id))
        };
        for ((app, id), record) in &kept.loaded.endpoints {
            if is_configured(app, id) && !record.is_removed {
                continue;
            }
            let key = (app.clone(), id.clone());
            let mut effects = self.effects();
            let rules = Arc::new(leaving_rules(id, record));
            // All of it is parked because it is removed, whatever its mode was.
            let enabled = EndpointRecord {
                mode: Mode::Enabled,
                ..record.clone()
            };
            let outbox = self.restore_outbox(rules, &enabled, app, id, kept.loaded, &mut effects);
            self.absorb(app, id, effects);
            if !record.is_removed {
                let record = EndpointRecord {
                    is_removed: true,
                    ..record.clone()
                };
                self.changes.endpoints.insert(key.clone(), Some(record));
            }
            self.state.leaving.insert(key, Arc::new(outbox));
        }
        for (app, keys) in &kept.keys {
            if apps.iter().any(|rules| rules.id == **app) {
                continue;
            }
            let mut occupancy = Occupancy::new(Duration::ZERO);
            for (key, record) in keys {
                occupancy.restore(key, record);
            }
            self.state.leaving_apps.insert((*app).clone(), occupancy);
        }
    }

    /// Lets go of events that nothing refers to.
    fn drop_unreferenced(&mut self, loaded: &Loaded) {
        for id in loaded.events.keys() {
            if !self.state.references.contains_key(id) {
                self.changes.events.insert(*id, None);
            }
        }
    }

    /// Goes on with endpoints and apps that are configured no more.
    pub(super) fn go_on_leaving(&mut self) {
        if let Some((app, id)) = self.state.leaving.keys().next().cloned() {
            self.remove_some_of(&app, &id);
            return;
        }
        if let Some(id) = self.state.leaving_apps.keys().next().cloned() {
            self.forget_some_of(&id);
        }
    }

    fn forget_some_of(&mut self, id: &AppId) {
        let Some(occupancy) = self.state.leaving_apps.get_mut(id) else {
            return;
        };
        let forgotten = occupancy.forget_some(BULK_MAX);
        self.bulk_left = self.bulk_left.saturating_sub(forgotten.len());
        if occupancy.is_empty() {
            self.state.leaving_apps.remove(id);
        }
        let keys = forgotten.into_iter().map(|key| ((id.clone(), key), None));
        self.changes.keys.extend(keys);
    }

    fn remove_some_of(&mut self, app: &AppId, id: &EndpointId) {
        let key = (app.clone(), id.clone());
        let mut effects = self.effects();
        let Some(outbox) = self.state.leaving.get_mut(&key) else {
            return;
        };
        let is_done = Arc::make_mut(outbox).remove_some(&mut effects);
        if is_done {
            self.state.leaving.remove(&key);
            self.changes.endpoints.insert(key, None);
        }
        self.absorb(app, id, effects);
    }
}

/// What was kept, with the keys of each app together.
struct KeptState<'a> {
    loaded: &'a Loaded,
    keys: BTreeMap<&'a AppId, Vec<(&'a Key, &'a KeyRecord)>>,
}

impl<'a> KeptState<'a> {
    fn new(loaded: &'a Loaded) -> Self {
        let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((app, key), record) in &loaded.keys {
            keys.entry(app).or_default().push((key, record));
        }
        Self { loaded, keys }
    }

    fn keys_of(&self, app: &AppId) -> &[(&'a Key, &'a KeyRecord)] {
        self.keys.get(app).map_or(&[], Vec::as_slice)
    }
}

/// Rules for what is only to be parked.
fn leaving_rules(id: &EndpointId, record: &EndpointRecord) -> EndpointRules {
    EndpointRules {
        id: id.clone(),
        filter: Filter::default(),
        cut: CutLimits {
            events_max: 1,
            body_bytes_max: 1,
            extras: false,
        },
        retry_for: Duration::ZERO,
        lanes: record.lanes,
        compact: false,
        announce: false,
        breaker: BreakerLimits {
            after: 1,
            open_for: Duration::ZERO,
        },
    }
}
