//! How a number of things is said.

/// `1 event`, `2 events`, of a noun whose plural only adds an `s`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_said_without_an_s() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "event")),
            ["0 events", "1 event", "2 events"]
        );
    }
}
