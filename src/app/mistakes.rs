//! A bounded log of clients' mistakes, since strangers can make any number of them.

use std::{collections::HashMap, fmt::Write as _, time::Instant};

use crate::domain::Repeats;

/// Most lines in each [`Repeats::PERIOD`] about one setting, and about all mistakes without one.
const LINES_MAX: u32 = 5;
/// Most logged characters of a reason.
const CHARS_MAX: usize = 300;

/// Something that was refused to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Why it was refused.
    pub reason: String,
    /// The configuration key that decides, like `limits.event_data`.
    pub setting: Option<&'static str>,
}

/// What was logged lately.
#[derive(Debug, Default)]
pub struct Mistakes {
    by_setting: HashMap<Option<&'static str>, Repeats>,
}

impl Mistakes {
    /// Counts a mistake. Gives the line to log, or `None` after too many like it.
    pub fn line(&mut self, mistake: &Mistake, now: Instant) -> Option<String> {
        let repeats = self.by_setting.entry(mistake.setting);
        let count = repeats.or_insert(Repeats::new(LINES_MAX)).count(now)?;
        let mut line = printable(&mistake.reason);
        if let Some(setting) = mistake.setting {
            let _ = write!(line, " ({setting})");
        }
        if 1 < count {
            let _ = write!(line, "; {} more like it were not logged", count - 1);
        }
        Some(line)
    }
}

/// A stranger's text, cut and on one line.
fn printable(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().take(CHARS_MAX) {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if text.chars().nth(CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Now;

    fn mistake(reason: &str, setting: Option<&'static str>) -> Mistake {
        Mistake {
            reason: reason.to_owned(),
            setting,
        }
    }

    #[test]
    fn a_mistake_is_logged_with_its_setting() {
        let mut mistakes = Mistakes::default();
        let now = Now::of_test().instant;
        let line = mistakes.line(&mistake("too long", Some("limits.event_data")), now);
        assert_eq!(line.as_deref(), Some("too long (limits.event_data)"));
        assert_eq!(mistakes.line(&mistake("bad", None), now).as_deref(), Some("bad"));
    }

    #[test]
    fn of_each_setting_five_are_logged_in_ten_seconds_and_then_how_many_were_not() {
        let mut mistakes = Mistakes::default();
        let now = Now::of_test().instant;
        let rate = mistake("too fast", Some("limits.client_events_per_second"));
        let lines = (0..50).filter_map(|_| mistakes.line(&rate, now)).count();
        assert_eq!(lines, 5);
        assert!(mistakes.line(&mistake("bad", None), now).is_some(), "another kind");
        let later = now + Duration::from_secs(10);
        assert_eq!(
            mistakes.line(&rate, later).as_deref(),
            Some("too fast (limits.client_events_per_second); 45 more like it were not logged")
        );
        assert_eq!(
            mistakes.line(&rate, later).as_deref(),
            Some("too fast (limits.client_events_per_second)")
        );
    }

    #[test]
    fn what_a_stranger_sent_makes_one_line_of_a_bounded_length() {
        let mut mistakes = Mistakes::default();
        let line = mistakes.line(&mistake("a\u{1b}[31m\nb\u{9b}", None), Now::of_test().instant);
        assert_eq!(line.as_deref(), Some("a\\u{1b}[31m\\nb\\u{9b}"));
        let long = mistakes.line(&mistake(&"x".repeat(1_000), None), Now::of_test().instant);
        assert_eq!(long.map(|line| line.chars().count()), Some(301));
    }
}
