//! How requests are made, signed, batched, retried and parked (PROTOCOL.md section 6.10, DESIGN.md
//! section 6).

mod aside;
mod batching;
mod failures;
mod filters;
mod hostile;
mod isolation;
mod parking;
mod request;
mod tls;
mod verified;

use crate::harness::Delivered;

/// The `webhook-id` of a request.
fn id(request: &Delivered) -> &str {
    request.header("webhook-id").expect("every request has one")
}

/// A webhook that asks for the two events of channels, with these keys besides, for a list.
fn channels_webhook(url: &str, more: &str) -> String {
    format!("{{url: \"{url}\", events: [channel_occupied, channel_vacated]{more}}}")
}
