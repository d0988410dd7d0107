//! From what channels report to what an app's endpoints received.
//!
//! [`Webhooks`], one actor per app, collects windows and sends them to the ledger; what the ledger
//! cuts comes back and goes to an [`Endpoint`], one actor per configured endpoint, which signs,
//! posts and answers to the ledger (DESIGN.md sections 3 and 6). Neither decides what is told.

mod batch;
mod delivery;
mod endpoint;
mod retry;
mod webhooks;

pub use batch::{Batch, BatchLimits};
pub use delivery::{Delivery, build};
pub use endpoint::{Deliver, Endpoint, EndpointSettings, shown};
pub use retry::{next, retry_after};
pub use webhooks::{Idle, Webhooks};
