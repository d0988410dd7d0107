//! What an endpoint refuses, in words.

use super::{Endpoint, Words};

impl Words<'_> {
    /// What of the channel is aside, and what the endpoint takes of a body.
    pub(super) fn refused(&self, endpoint: &Endpoint) -> Vec<String> {
        let id = &endpoint.id;
        let channel = Some(self.channel.to_string());
        let its = endpoint.aside.iter().filter(|aside| aside.event.channel == channel);
        let asides = its.map(|aside| {
            let behind = match aside.waiting {
                0 => String::new(),
                1 => ", and 1 event waits behind it".into(),
                waiting => format!(", and {waiting} events wait behind it"),
            };
            format!(
                "{id} refuses {} of {}: it answered {} at attempt {}. It is aside since {}, so that only what waits \
                 behind it is held up{behind}; the next attempt is {}.",
                aside.event.name,
                self.channel,
                aside.status,
                aside.attempts,
                self.ago(aside.since_ms),
                aside.retry_ms.map_or("under way".into(), |at| self.within(at))
            )
        });
        let too_long = endpoint.body_bytes_max.map(|bytes| {
            format!(
                "{id} answered 413 to a body that was too long for it, and gets {bytes} bytes at most since then: let \
                 it take more, or set webhooks.max_batch_bytes to that."
            )
        });
        asides.chain(too_long).collect()
    }
}
