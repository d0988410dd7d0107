//! What becomes of apps and endpoints when the configuration changes (DESIGN.md section 5).

use std::sync::Arc;

use super::{App, Endpoint, State, turn::Turn};
use crate::{
    domain::{AppId, EndpointId},
    ledger::{
        breaker::BreakerLimits,
        cut::CutLimits,
        filter::Filter,
        occupancy::Occupancy,
        outbox::{BULK_MAX, Effects, Kept, Outbox},
        store::{AnnouncingRecord, EndpointRecord, Loaded},
        window::{AppRules, EndpointRules},
    },
};

impl Turn<'_> {
    /// Makes the apps those that are given; the first time, as they were kept.
    pub(super) fn configure(&mut self, apps: &[AppRules], loaded: Option<&Loaded>) {
        let loaded = loaded.filter(|_| !self.state.is_configured);
        for rules in apps {
            self.configure_app(rules, loaded);
        }
        let is_gone = |id: &AppId| apps.iter().all(|rules| rules.id != *id);
        let gone: Vec<AppId> = self.state.apps.keys().filter(|id| is_gone(id)).cloned().collect();
        for id in gone {
            self.remove_app(&id);
        }
        if let Some(loaded) = loaded {
            self.restore_leaving(loaded);
            self.drop_unreferenced(loaded);
        }
        self.state.is_configured = true;
    }

    fn configure_app(&mut self, rules: &AppRules, loaded: Option<&Loaded>) {
        let id = &rules.id;
        if self.state.apps.get(id).is_none() {
            let mut occupancy = Occupancy::new(rules.vacated_delay);
            let keys = loaded.into_iter().flat_map(|loaded| &loaded.keys);
            for ((_, key), record) in keys.filter(|((app, _), _)| app == id) {
                occupancy.restore(key.clone(), record);
            }
            let app = App {
                rules: Arc::new(rules.clone()),
                occupancy,
                endpoints: Default::default(),
            };
            self.state.apps.insert(id.clone(), Arc::new(app));
            self.restore_endpoints(rules, loaded);
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
            let mut effects = Effects::default();
            let rules = Arc::new(rules_of_one.clone());
            let outbox = self.restore_outbox(rules, record, app, id, loaded, &mut effects);
            let endpoint = Endpoint {
                outbox,
                filter: record.filter.clone(),
                announcing: record.announcing.clone(),
            };
            if let Some(app) = self.state.app_mut(app) {
                app.endpoints.insert(id.clone(), Arc::new(endpoint));
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
        let is_its = |of_app: &AppId, of_id: &EndpointId| of_app == app && of_id == id;
        let queued = loaded.queued.iter().filter(|((app, id, _), _)| is_its(app, id));
        let requests = loaded.requests.iter().filter(|((app, id, _), _)| is_its(app, id));
        let kept = Kept {
            queued: queued.map(|((_, _, place), record)| (*place, *record)).collect(),
            requests: requests.map(|((_, _, id), record)| (*id, record.clone())).collect(),
        };
        let (outbox, references) = Outbox::restore(rules, record, kept, &loaded.events, self.now, effects);
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
                if endpoint.filter != rules.filter {
                    let before = std::mem::replace(&mut endpoint.filter, rules.filter.clone());
                    endpoint.announcing = (rules.announce && has_occupied).then(|| AnnouncingRecord {
                        before: Some(before),
                        after: None,
                    });
                }
            }
            None => {
                let endpoint = Endpoint {
                    filter: rules.filter.clone(),
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
    fn restore_leaving(&mut self, loaded: &Loaded) {
        for ((app, id), record) in &loaded.endpoints {
            let key = (app.clone(), id.clone());
            if self.state.endpoint(app, id).is_some() && !record.is_removed {
                continue;
            }
            if self.changes.endpoints.contains_key(&key) && record.is_removed {
                // A new one of the same id: what is left of the old one was parked before.
                continue;
            }
            let mut effects = Effects::default();
            let rules = Arc::new(leaving_rules(id, record));
            let outbox = self.restore_outbox(rules, record, app, id, loaded, &mut effects);
            self.absorb(app, id, effects);
            let record = EndpointRecord {
                is_removed: true,
                ..record.clone()
            };
            self.changes.endpoints.insert(key.clone(), Some(record));
            self.state.leaving.insert(key, Arc::new(outbox));
        }
        for ((app, key), record) in &loaded.keys {
            if self.state.apps.contains_key(app) {
                continue;
            }
            let State { leaving_apps, .. } = &mut *self.state;
            let occupancy = leaving_apps
                .entry(app.clone())
                .or_insert_with(|| Occupancy::new(Default::default()));
            occupancy.restore(key.clone(), record);
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
        if let Some(((app, id), _)) = self.state.leaving.get_min().cloned().map(|(key, outbox)| (key, outbox)) {
            self.remove_some_of(&app, &id);
            return;
        }
        let Some((id, _)) = self.state.leaving_apps.get_min().cloned() else {
            return;
        };
        let Some(occupancy) = self.state.leaving_apps.get_mut(&id) else {
            return;
        };
        let forgotten = occupancy.forget_some(BULK_MAX);
        if occupancy.is_empty() {
            self.state.leaving_apps.remove(&id);
        }
        let keys = forgotten.into_iter().map(|key| ((id.clone(), key), None));
        self.changes.keys.extend(keys);
    }

    fn remove_some_of(&mut self, app: &AppId, id: &EndpointId) {
        let key = (app.clone(), id.clone());
        let mut effects = Effects::default();
        let Some(outbox) = self.state.leaving.get_mut(&key) else {
            return;
        };
        if Arc::make_mut(outbox).remove_some(&mut effects) {
            self.state.leaving.remove(&key);
            self.changes.endpoints.insert(key, None);
        }
        self.absorb(app, id, effects);
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
        retry_for: Default::default(),
        lanes: record.lanes,
        compact: false,
        announce: false,
        breaker: BreakerLimits {
            after: 1,
            open_for: Default::default(),
        },
    }
}
