//! Limits of an app that cannot be reached unless another limit is raised.

use super::{reader::Section, settings::LimitSettings, values::bytes_shown};
use crate::domain::limits::{ESCAPED_BYTES, REQUEST_BODY_BYTES_CEILING};

/// Bytes of a message besides those that the limits are about.
const ENVELOPE_BYTES: usize = 1_024;

/// Warns about each limit that allows a message longer than what may wait for a client; one such message is
/// still delivered. Also warns about events that do not fit into a request body or the cache.
pub(super) fn warn(section: &mut Section<'_>, limits: &LimitSettings, outbound_limit: usize) {
    let mut outbound = |key: &str, what: &str, bytes: usize| {
        let bytes = bytes.saturating_add(ENVELOPE_BYTES);
        if outbound_limit < bytes {
            section.warning(
                key,
                format!(
                    "{what} can be {} long: one may wait for a client, but a second exceeds \
                     server.outbound_limit and closes it; set that to {} or more",
                    shown(bytes),
                    shown(bytes.saturating_mul(2))
                ),
            );
        }
    };
    outbound("event_data", "an event", limits.event_data);
    // In a string within a string, each quote is escaped.
    let member = 2 * limits.user_info + 4 * limits.user_id + 16;
    let members = member.saturating_mul(limits.presence_members);
    outbound("presence_members", "the list of a channel's members", members);
    let watched = (limits.user_id + 8).saturating_mul(limits.watchlist);
    outbound("watchlist", "the watchlist of a user", watched);
    let batch = (ESCAPED_BYTES * limits.event_data).saturating_mul(limits.batch_events);
    if REQUEST_BODY_BYTES_CEILING < batch {
        section.warning(
            "batch_events",
            format!(
                "a full batch of the longest events can be {} long, but only {} are read",
                shown(batch),
                shown(REQUEST_BODY_BYTES_CEILING)
            ),
        );
    }
    if limits.cached_bytes < limits.event_data.saturating_add(ENVELOPE_BYTES) {
        section.warning(
            "cached_bytes",
            "an event as long as event_data allows is not cached, set it higher",
        );
    }
}

/// A number of bytes in the notation of the file, rounded up.
fn shown(bytes: usize) -> String {
    let unit = if bytes < 1 << 20 { 1 << 10 } else { 1 << 20 };
    bytes_shown(bytes.div_ceil(unit).saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::super::{
        error::Problem,
        limits::limits,
        parse::parse,
        reader::{self, Findings},
    };

    #[track_caller]
    fn check(yaml: &str, outbound_limit: usize, want: &[&str]) {
        let mut findings = Findings::default();
        let tree = parse(&format!("limits: {yaml}")).expect(yaml);
        reader::read(tree, &mut findings, |app| limits(app, outbound_limit));
        let got: Vec<String> = findings.warnings.iter().map(Problem::to_string).collect();
        assert_eq!(got, want, "{yaml}");
    }

    #[test]
    fn limits_whose_messages_fit_are_not_warned_of() {
        check("{}", 1 << 20, &[]);
        check("{event_data: 500KB}", 1 << 20, &[]);
        check("{presence_members: 300}", 1 << 20, &[]);
        check("{event_data: 1MB}", 3 << 20, &[]);
    }

    #[test]
    fn a_message_that_is_longer_than_what_may_wait_is_warned_of_with_what_to_set() {
        let tail = "one may wait for a client, but a second exceeds server.outbound_limit and closes it";
        check(
            "{event_data: 1MB}",
            1 << 20,
            &[&format!(
                "limits.event_data: an event can be 2MB long: {tail}; set that to 3MB or more"
            )],
        );
        check(
            "{user_info: 64KB}",
            1 << 20,
            &[&format!(
                "limits.presence_members: the list of a channel's members can be 13MB long: {tail}; set that to 26MB or more"
            )],
        );
        check(
            "{watchlist: 10000}",
            1 << 20,
            &[&format!(
                "limits.watchlist: the watchlist of a user can be 2MB long: {tail}; set that to 3MB or more"
            )],
        );
    }

    #[test]
    fn what_no_body_and_no_cache_holds_is_warned_of() {
        check(
            "{event_data: 500KB, batch_events: 100}",
            1 << 20,
            &["limits.batch_events: a full batch of the longest events can be 293MB long, but only 64MB are read"],
        );
        check(
            "{cached_bytes: 10KB}",
            1 << 20,
            &["limits.cached_bytes: an event as long as event_data allows is not cached, set it higher"],
        );
    }
}
