//! What the handlers of the admin API need.

use std::{collections::HashMap, sync::Arc};

use actix::Addr;

use super::error::AdminError;
use crate::{
    app::{App, Apps, Quota},
    domain::{AppId, EndpointId},
    ledger::{EndpointView, Filter, LedgerHandle},
    webhook::{Tap, Webhooks},
};

/// Most streams at a time; one more is answered 503.
pub const STREAMS_MAX: usize = 64;

/// What the handlers of the admin API need.
pub struct AdminState {
    /// The apps.
    pub(super) apps: Arc<Apps>,
    /// The ledger.
    pub(super) ledger: LedgerHandle,
    /// The webhooks of each app.
    pub(super) webhooks: HashMap<AppId, Addr<Webhooks>>,
    /// Where copies of what they post can be had.
    pub(super) tap: Tap,
    /// The streams that are open.
    pub(super) streams: Arc<Quota>,
    /// The backups that are being made: one at most.
    pub(super) backups: Arc<Quota>,
    endpoints: Vec<EndpointInfo>,
}

/// What the state is made of.
pub struct AdminParts {
    /// The apps.
    pub apps: Arc<Apps>,
    /// The ledger.
    pub ledger: LedgerHandle,
    /// The webhooks of each app.
    pub webhooks: HashMap<AppId, Addr<Webhooks>>,
    /// Where copies of what they post can be had.
    pub tap: Tap,
    /// The endpoints that are configured.
    pub endpoints: Vec<EndpointInfo>,
}

/// What is configured of an endpoint, as far as it may be shown.
#[derive(Debug, Clone)]
pub struct EndpointInfo {
    /// The app.
    pub app: AppId,
    /// Its id in the app.
    pub id: EndpointId,
    /// Where requests go, without user info and query.
    pub url: String,
    /// What it asks for.
    pub filter: Filter,
}

impl AdminState {
    /// The state without a stream.
    #[must_use]
    pub fn new(parts: AdminParts) -> Self {
        Self {
            apps: parts.apps,
            ledger: parts.ledger,
            webhooks: parts.webhooks,
            tap: parts.tap,
            streams: Arc::new(Quota::new(Some(STREAMS_MAX))),
            backups: Arc::new(Quota::new(Some(1))),
            endpoints: parts.endpoints,
        }
    }

    /// The app with an id.
    pub(super) fn app(&self, id: &str) -> Result<&Arc<App>, AdminError> {
        let unknown = || AdminError::NoApp(id.chars().take(64).collect());
        self.apps.by_id(id).ok_or_else(unknown)
    }

    /// What is configured of an endpoint.
    pub(super) fn info(&self, app: &AppId, id: &EndpointId) -> Option<&EndpointInfo> {
        self.endpoints.iter().find(|info| info.app == *app && info.id == *id)
    }

    /// The endpoints that are configured, of an app or of all.
    pub(super) fn infos(&self, app: Option<&AppId>) -> impl Iterator<Item = &EndpointInfo> {
        let app = app.cloned();
        self.endpoints
            .iter()
            .filter(move |info| app.as_ref().is_none_or(|app| info.app == *app))
    }

    /// The endpoint of an id, in the app that is named or in the only one that has it.
    pub(super) fn find(&self, app: Option<&AppId>, id: &EndpointId) -> Result<&EndpointInfo, AdminError> {
        let found: Vec<&EndpointInfo> = self.infos(app).filter(|info| info.id == *id).collect();
        match found.as_slice() {
            [] => Err(AdminError::NoEndpoint(id.to_string())),
            [one] => Ok(one),
            several => Err(AdminError::SeveralEndpoints {
                endpoint: id.to_string(),
                apps: several.iter().map(|info| info.app.to_string()).collect(),
            }),
        }
    }

    /// What the ledger knows of one endpoint.
    pub(super) async fn view(&self, app: &str, id: &str) -> Result<EndpointView, AdminError> {
        let views = self.ledger.endpoints().await?;
        let view = views
            .into_iter()
            .find(|view| view.app.as_str() == app && view.id.as_str() == id);
        view.ok_or_else(|| AdminError::no_endpoint(app, id))
    }
}
