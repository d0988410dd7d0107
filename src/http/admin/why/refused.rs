//! What an endpoint refuses, and what other events wait for, in words.

use super::{Endpoint, WaitView, Words};
use crate::domain::counted;

impl Words<'_> {
    /// Says which request the channel's events wait for, if that was attempted already. A request about the
    /// channel itself is left out, since its own attempts are listed.
    pub(super) fn waits(&self, endpoint: &Endpoint, wait: &WaitView) -> Option<String> {
        let is_own = wait.event.channel.as_ref() == Some(self.channel);
        if wait.attempts == 0 || is_own {
            return None;
        }
        let id = &endpoint.id;
        let about = wait.event.channel.as_ref().map_or("a user".into(), ToString::to_string);
        let request = wait.request.map_or(String::new(), |request| format!(" ({request})"));
        let state = if wait.is_aside { "is aside" } else { "was not taken yet" };
        let attempts = counted(wait.attempts as usize, "attempt");
        let error = endpoint.failing.as_ref().filter(|_| !wait.is_aside);
        let error = error.map_or(String::new(), |failing| {
            format!(", the last failure {} ({})", self.ago(failing.last_ms), failing.error)
        });
        Some(format!(
            "What {id} must be told about {} waits behind {} of {about}{request}, which {state}: {attempts}{error}, \
             the next is {}.",
            self.channel,
            wait.event.kind,
            wait.next_ms.map_or("under way".into(), |at| self.within(at))
        ))
    }

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
