//! Limits of an app that can be reached only when others are raised.

use super::{reader::Section, settings::LimitSettings, values::bytes_shown};
use crate::domain::limits::{ESCAPED_BYTES, REQUEST_BODY_BYTES_CEILING};

/// Bytes of a message beside what the limits are about.
const ENVELOPE_BYTES: usize = 1_024;

/// Warns of each limit up to which a message may be longer than what may wait for a client, and of what no
/// body and no cache holds. One such message is delivered all the same.
pub(super) fn warn(section: &mut Section<'_>, limits: &LimitSettings, outbound_limit: usize) {
    let mut outbound = |key: &str, what: &str, bytes: usize| {
        let bytes = bytes.saturating_add(ENVELOPE_BYTES);
        if outbound_limit < bytes {
            section.warning(
                key,
                format!(
                    "{what} can be {} long: one may wait for a client, and a second is more than \
                     server.outbound_limit, at which it is closed; set that to {} or more",
                    shown(bytes),
                    shown(bytes.saturating_mul(2))
                ),
            );
        }
    };
    outbound("event_data", "an event", limits.event_data);
    // Of a string in a string each quote is escaped.
    let member = 2 * limits.user_info + 4 * limits.user_id + 16;
    let members = member.saturating_mul(limits.presence_members);
    outbound("presence_members", "the list of a channel's members", members);
    let watched = (limits.user_id + 8).saturating_mul(limits.watchlist);
    outbound("watchlist", "the list of those whom a user watches", watched);
    let batch = (ESCAPED_BYTES * limits.event_data).saturating_mul(limits.batch_events);
    if REQUEST_BODY_BYTES_CEILING < batch {
        section.warning(
            "batch_events",
            format!(
                "a full batch of the longest events can be {} long, of which {} are read",
                shown(batch),
                shown(REQUEST_BODY_BYTES_CEILING)
            ),
        );
    }
    if limits.cached_bytes < limits.event_data.saturating_add(ENVELOPE_BYTES) {
        section.warning(
            "cached_bytes",
            "an event of the length of event_data is not kept, set it higher",
        );
    }
}

/// A number of bytes as a size that the file takes, rounded up.
fn shown(bytes: usize) -> String {
    let unit = if bytes < 1 << 20 { 1 << 10 } else { 1 << 20 };
    bytes_shown(bytes.div_ceil(unit).saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::super::{
        error::Problem,
        limits::limits,
        reader::{self, Findings},
        source::parse,
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
        let tail = "one may wait for a client, and a second is more than server.outbound_limit, at which it is closed";
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
                "limits.watchlist: the list of those whom a user watches can be 2MB long: {tail}; set that to 3MB or more"
            )],
        );
    }

    #[test]
    fn what_no_body_and_no_cache_holds_is_warned_of() {
        check(
            "{event_data: 500KB, batch_events: 100}",
            1 << 20,
            &["limits.batch_events: a full batch of the longest events can be 293MB long, of which 64MB are read"],
        );
        check(
            "{cached_bytes: 10KB}",
            1 << 20,
            &["limits.cached_bytes: an event of the length of event_data is not kept, set it higher"],
        );
    }
}
