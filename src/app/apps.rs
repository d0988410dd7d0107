//! All apps, by id and by key.

use std::{collections::HashMap, sync::Arc};

use ahash::RandomState;

use super::app::App;

/// The apps of a server. Ids and keys are unique; the configuration sees to it.
#[derive(Default)]
pub struct Apps {
    by_id: HashMap<Box<str>, Arc<App>, RandomState>,
    by_key: HashMap<Box<str>, Arc<App>, RandomState>,
}

impl Apps {
    /// Adds an app.
    pub fn add(&mut self, app: &Arc<App>) {
        self.by_id.insert(app.id().as_str().into(), Arc::clone(app));
        for key in app.keys().iter() {
            self.by_key.insert(key.key.as_str().into(), Arc::clone(app));
        }
    }

    /// The app with an id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<App>> {
        self.by_id.get(id)
    }

    /// The app with a key, live or not.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Option<&Arc<App>> {
        self.by_key.get(key)
    }

    /// Every app.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<App>> {
        self.by_id.values()
    }
}
