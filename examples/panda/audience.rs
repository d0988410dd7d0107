//! Which jobs somebody watches, as the webhooks told.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{Failure, api::Api};

/// What was last told of each channel. Shared by the receiver and the farm.
#[derive(Default)]
pub(crate) struct Audience {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    channels: HashMap<String, Told>,
    heard: Vec<Heard>,
}

/// That a channel became occupied or vacant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) occupied: bool,
    /// The number of the change: it rises with every change of the channel.
    pub(crate) seq: u64,
    /// When it happened, by the server's clock.
    pub(crate) at_ms: u64,
}

/// When news of a channel came; kept for the check at the end, and by no real application.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) channel: String,
    pub(crate) at: Instant,
    pub(crate) told: Told,
}

impl Audience {
    // region: audience
    /// Takes in what was told of a channel. Gives whether it is news: what comes again, or comes
    /// late, has no larger number than what is known.
    pub(crate) fn hear(&self, channel: &str, told: Told) -> bool {
        let mut known = self.known();
        if known.channels.get(channel).is_some_and(|last| told.seq <= last.seq) {
            return false;
        }
        known.channels.insert(channel.to_owned(), told);
        known.note(channel, told);
        true
    }

    /// Whether somebody may be listening.
    pub(crate) fn is_there(&self, channel: &str) -> bool {
        self.known().channels.get(channel).is_some_and(|last| last.occupied)
    }
    // endregion: audience

    /// Reads the told list, which is what the webhooks have said so far: so does a program that
    /// starts. Gives the channels that are occupied and were not known to be.
    pub(crate) async fn read_told_list(&self, api: &Api) -> Result<Vec<String>, Failure> {
        let mut news = Vec::new();
        let mut after = String::new();
        loop {
            let parameters: &[(&str, &str)] = if after.is_empty() { &[] } else { &[("after", &after)] };
            let page = api.get("/apps/1/occupancy", parameters).await?;
            for (channel, about) in page["channels"].as_object().into_iter().flatten() {
                let told = Told {
                    occupied: true,
                    seq: about["seq"].as_u64().ok_or("the told list has no seq")?,
                    at_ms: about["since_ms"].as_u64().ok_or("the told list has no since_ms")?,
                };
                if self.hear(channel, told) {
                    news.push(channel.clone());
                }
            }
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return Ok(news),
            }
        }
    }

    /// All news, in the order in which it came.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.known().heard.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, channel: &str, told: Told) {
        self.heard.push(Heard {
            channel: channel.to_owned(),
            at: Instant::now(),
            told,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_newer_is_ignored() {
        let audience = Audience::default();
        let told = |occupied, seq| Told {
            occupied,
            seq,
            at_ms: 0,
        };
        assert!(audience.hear("cache-job-1", told(true, 5)));
        assert!(!audience.hear("cache-job-1", told(false, 5)));
        assert!(!audience.hear("cache-job-1", told(false, 4)));
        assert!(audience.is_there("cache-job-1"));
        assert!(audience.hear("cache-job-1", told(false, 6)));
        assert!(!audience.is_there("cache-job-1"));
        assert_eq!(audience.heard().len(), 2);
    }
}
