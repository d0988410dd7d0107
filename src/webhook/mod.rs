//! From what channels report to what an app's endpoints received.
//!
//! [`Webhooks`], one actor per app, collects windows and sends them to the ledger; what the ledger
//! cuts comes back and goes to an [`Endpoint`], one actor per configured endpoint, which signs,
//! posts and answers to the ledger (DESIGN.md sections 3 and 6). Neither decides what is told.

mod batch;
mod connect;
mod delivery;
mod direct;
mod endpoint;
mod framing;
mod lookups;
pub mod numbers;
mod order;
mod peer;
mod post;
mod retry;
mod tap;
mod tls;
mod url;
mod webhooks;

pub use batch::{Batch, BatchLimits};
pub use connect::TlsFailed;
pub use delivery::{Delivery, Signer, build, build_test};
pub use direct::{Direct, DirectConnector};
pub use endpoint::{Deliver, Endpoint, EndpointSettings, Test};
pub use lookups::Lookups;
pub use retry::{next, retry_after};
pub use tap::{Copied, Heard, Listener, Tap};
pub use tls::{Tls, TlsError, TlsIdentity, TlsParts};
pub use url::{shown, target};
pub use webhooks::{Idle, TestEndpoint, Webhooks};
