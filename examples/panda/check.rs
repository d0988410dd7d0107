//! Whether every viewer saw what it should have.
//!
//! A viewer has *joined* when it has read the confirmation of its subscription, and it *leaves* from
//! a moment on at which it stays connected and only waits for what is owed. It is owed
//! 1. whatever was published while it was there: the call began after it had joined, and was answered
//!    before it began to leave;
//! 2. a report that was made while it was there, and not published, although `channel_occupied` had
//!    arrived. It had when the last news of the channel was `channel_occupied`; and also when news of
//!    an occupation that began with these very viewers had come, whatever came afterwards.
//!
//! All moments are taken by one clock in one process, each on the safe side of what it stands for, so
//! that no order of threads can make a loss out of nothing, or hide one.

use std::time::Instant;

use crate::{
    audience::Heard,
    journal::{Entry, Fate, Journal, Kind, Note},
    workload::channel,
};

/// A viewer's look at a job, as it was.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) job: usize,
    /// Before it subscribed, by the process's clock and by the wall's.
    pub(crate) came: Instant,
    pub(crate) came_ms: u64,
    /// When it had the confirmation.
    pub(crate) joined: Instant,
    /// When it began to leave.
    pub(crate) left: Instant,
    /// When it was disconnected.
    pub(crate) gone: Instant,
    /// What it was sent.
    pub(crate) seen: Vec<Note>,
}

impl Visit {
    /// Whether something is owed that was published and has not come.
    pub(crate) fn waits_for_something(&self, entries: &[Entry]) -> bool {
        let mut owed = entries.iter().filter(|entry| self.had_published(entry));
        owed.any(|entry| !self.seen.contains(&entry.note))
    }

    /// Whether it was there while this was published.
    fn had_published(&self, entry: &Entry) -> bool {
        matches!(entry.fate, Fate::Published { sent, answered } if self.joined <= sent && answered <= self.left)
    }

    /// Whether it was there when this report was made, which was not published.
    fn had_skipped(&self, entry: &Entry) -> bool {
        matches!(entry.fate, Fate::Skipped) && self.joined <= entry.made && entry.made <= self.left
    }

    /// Whether it came to know of a step, in whatever way.
    fn knows(&self, step: u8) -> bool {
        self.seen.iter().any(|note| step <= note.step)
    }
}

/// What became of the reports.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Events that were sent to viewers.
    pub(crate) delivered: usize,
    /// Reports of a job that were made while a viewer looked at it, for each viewer.
    pub(crate) of_interest: usize,
    /// Of them, those that came before `channel_occupied` had arrived.
    pub(crate) before: usize,
    /// Of these, those that the viewer learned of all the same, by the catch-up.
    pub(crate) caught_up: usize,
    /// What was owed and has not come: one line each.
    pub(crate) lost: Vec<String>,
}

/// Compares what was said and heard in a run with what was seen.
pub(crate) fn judge(visits: &[Visit], journal: &Journal, heard: &[Heard]) -> Verdict {
    let mut verdict = Verdict::default();
    for visit in visits {
        verdict.delivered += visit.seen.len();
        let channel = channel(visit.job);
        let news: Vec<&Heard> = heard.iter().filter(|heard| heard.channel == channel).collect();
        let since_ms = occupied_since_ms(visit, visits);
        for entry in journal.of(visit.job).iter() {
            let was_published = visit.had_published(entry);
            let was_skipped = visit.had_skipped(entry);
            let was_seen = was_published && visit.seen.contains(&entry.note);
            if entry.note.kind == Kind::Report && (was_published || was_skipped) {
                verdict.of_interest += 1;
            }
            if (was_published && !was_seen) || (was_skipped && had_arrived(&news, entry.made, since_ms)) {
                verdict.lost.push(loss(visit, entry));
            } else if was_skipped {
                verdict.before += 1;
                verdict.caught_up += usize::from(visit.knows(entry.note.step));
            }
        }
    }
    verdict
}

/// Whether `channel_occupied` had arrived at a moment, for a channel that has been occupied since.
fn had_arrived(news: &[&Heard], moment: Instant, since_ms: u64) -> bool {
    let before = || news.iter().filter(|heard| heard.at < moment && heard.told.occupied);
    let last = news.iter().rfind(|heard| heard.at < moment);
    last.is_some_and(|last| last.told.occupied) || before().any(|heard| since_ms <= heard.told.at_ms)
}

/// Since when, by the wall's clock, there has been somebody without a pause until this visit.
fn occupied_since_ms(visit: &Visit, visits: &[Visit]) -> u64 {
    let mut first = visit;
    while let Some(earlier) = visits
        .iter()
        .find(|other| other.job == visit.job && other.came < first.came && first.came <= other.gone)
    {
        first = earlier;
    }
    first.came_ms
}

fn loss(visit: &Visit, entry: &Entry) -> String {
    let after = entry.made.saturating_duration_since(visit.joined);
    let how = if matches!(entry.fate, Fate::Skipped) {
        "was not published although channel_occupied had arrived"
    } else {
        "was published and did not come"
    };
    format!(
        "{} {} of job {}, {after:.1?} after the viewer had joined, {how}",
        entry.note.kind.event(),
        entry.note.step,
        visit.job
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audience::Told;

    const REPORT: Note = Note::report(4);

    /// A run of one job, with moments in milliseconds.
    struct Run {
        begin: Instant,
        journal: Journal,
        heard: Vec<Heard>,
    }

    impl Run {
        fn new() -> Self {
            Self {
                begin: Instant::now(),
                journal: Journal::new(),
                heard: Vec::new(),
            }
        }

        fn at(&self, ms: u64) -> Instant {
            self.begin + Duration::from_millis(ms)
        }

        fn published(&self, note: Note, sent: u64, answered: u64) {
            let (sent, answered) = (self.at(sent), self.at(answered));
            self.journal.put(0, note, sent, Fate::Published { sent, answered });
        }

        fn skipped(&self, made: u64) {
            self.journal.put(0, REPORT, self.at(made), Fate::Skipped);
        }

        /// News that comes 50 ms after it happened.
        fn hears(&mut self, occupied: bool, at_ms: u64) {
            let told = Told {
                occupied,
                seq: at_ms,
                at_ms,
            };
            let at = self.at(at_ms + 50);
            self.heard.push(Heard {
                channel: channel(0),
                at,
                told,
            });
        }

        fn visit(&self, came: u64, left: u64, seen: &[Note]) -> Visit {
            Visit {
                job: 0,
                came: self.at(came),
                came_ms: came,
                joined: self.at(came + 10),
                left: self.at(left),
                gone: self.at(left + 10),
                seen: seen.to_vec(),
            }
        }

        fn judge(&self, visits: &[Visit]) -> Verdict {
            judge(visits, &self.journal, &self.heard)
        }

        fn losses(&self, visits: &[Visit]) -> usize {
            self.judge(visits).lost.len()
        }
    }

    #[test]
    fn what_was_published_to_a_viewer_must_have_come() {
        let run = Run::new();
        run.published(REPORT, 200, 210);
        assert_eq!(run.losses(&[run.visit(100, 300, &[REPORT])]), 0);
        let verdict = run.judge(&[run.visit(100, 300, &[])]);
        assert_eq!(
            verdict.lost,
            ["progress 4 of job 0, 90.0ms after the viewer had joined, was published and did not come"]
        );
        assert!(run.visit(100, 300, &[]).waits_for_something(&run.journal.of(0)));
    }

    #[test]
    fn a_catch_up_of_the_same_step_does_not_stand_for_a_report_that_was_published() {
        let run = Run::new();
        run.published(REPORT, 200, 210);
        let catch_up = Note::catch_up(4);
        assert_eq!(run.losses(&[run.visit(100, 300, &[catch_up])]), 1);
    }

    #[test]
    fn nothing_is_owed_before_the_confirmation_or_after_the_beginning_of_the_end() {
        let run = Run::new();
        run.published(REPORT, 109, 120);
        run.published(REPORT, 295, 301);
        assert_eq!(run.losses(&[run.visit(100, 300, &[])]), 0);
    }

    #[test]
    fn what_was_skipped_before_the_webhook_is_missed_and_after_it_lost() {
        let mut run = Run::new();
        run.hears(true, 105);
        run.skipped(154);
        let catch_up = Note::catch_up(4);
        let missed = run.judge(&[run.visit(100, 300, &[])]);
        assert_eq!((missed.before, missed.caught_up, missed.lost.len()), (1, 0, 0));
        let caught_up = run.judge(&[run.visit(100, 300, &[catch_up])]);
        assert_eq!((caught_up.before, caught_up.caught_up, caught_up.lost.len()), (1, 1, 0));
        run.skipped(156);
        assert_eq!(run.losses(&[run.visit(100, 300, &[catch_up])]), 1);
    }

    #[test]
    fn a_channel_that_is_told_vacated_while_somebody_looks_makes_losses() {
        let mut run = Run::new();
        run.hears(true, 105);
        run.hears(false, 200);
        run.skipped(270);
        let (first, second) = (run.visit(100, 260, &[]), run.visit(220, 400, &[]));
        assert_eq!(run.losses(std::slice::from_ref(&first)), 0, "it is gone");
        assert_eq!(
            run.losses(&[first, second]),
            1,
            "the second came while the first was there"
        );
    }

    #[test]
    fn the_webhook_of_viewers_who_are_gone_says_nothing_of_the_next() {
        let mut run = Run::new();
        run.hears(true, 105);
        run.hears(false, 1_200);
        run.skipped(1_260);
        let (first, second) = (run.visit(100, 190, &[]), run.visit(1_210, 1_500, &[]));
        let verdict = run.judge(&[first, second]);
        assert_eq!((verdict.before, verdict.lost.len()), (1, 0));
    }
}
