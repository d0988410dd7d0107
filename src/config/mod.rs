//! The configuration: what is typed, checked as a whole, becomes [`Settings`].
//!
//! `parse` reads the file into a tree of `source`, `environment` lays the variables over it, `expand` fills
//! in `${NAME}`, and `sections`, `apps` and what is in an app read the tree with the `reader`, which
//! collects every problem instead of stopping at the first. Nothing here reads the process's
//! environment or a file by itself: both come in as [`Surroundings`].

mod admin;
mod apps;
mod doubts;
mod endpoint_url;
mod endpoints;
mod environment;
mod error;
mod expand;
mod files;
mod filters;
mod headers;
mod keys;
mod ledger;
mod limits;
mod load;
mod nearest;
mod parse;
mod places;
mod reach;
mod reader;
mod sections;
mod settings;
mod source;
mod tls;
mod values;
mod webhook_secret;

pub use environment::Environment;
pub use error::{ConfigError, Place, Problem};
pub use load::{ConfigSource, Loaded, ReadFile, Surroundings, from_text, load};
pub(crate) use nearest::nearest;
pub use reader::Provenance;
pub use settings::{
    AdminSettings, AppSettings, BreakerSettings, EndpointSettings, KeySettings, LedgerSettings, LedgerStore,
    LimitSettings, ServerSettings, ServerTls, Settings, TlsIdentity, TlsSettings, WebhookSettings,
};
pub use source::Origin;
pub use tls::identity_problems;
