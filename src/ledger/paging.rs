//! What the stores share about lists that grow at one end: which of the oldest records go, and how
//! a page of one is read.

use super::{
    log::{From, Page},
    store::Trim,
};

/// Most records that one page looks at. Who asks for more goes on from where the page ended, so
/// that no question keeps the ledger's thread for long.
pub(super) const ROWS_PER_PAGE_MAX: usize = 20_000;

impl Trim {
    /// Tells whether the oldest record goes, when so many are gone already, it was written at this
    /// time, and it and all later ones are so many bytes together.
    pub(super) const fn takes(&self, gone: usize, at_ms: u64, bytes: u64) -> bool {
        gone < self.rows_max && (at_ms < self.before_ms || self.bytes_max < bytes)
    }
}

impl From {
    /// The numbers that a page may hold: all after the first and before the second.
    pub(super) const fn bounds(self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::Newest => (None, None),
            Self::Before(no) => (None, Some(no)),
            Self::After(no) => (Some(no), None),
        }
    }

    /// Tells whether the page goes forward in time.
    pub(super) const fn is_forward(self) -> bool {
        match self {
            Self::Newest | Self::Before(_) => false,
            Self::After(_) => true,
        }
    }
}

/// Takes a page from records in its own order, each with its number, and with its contents if it is
/// asked for; returns what is in it, and the number from which to go on.
pub(super) fn page<T, E>(
    page: Page,
    rows: impl Iterator<Item = Result<(u64, Option<T>), E>>,
) -> Result<(Vec<T>, Option<u64>), E> {
    let limit = page.limit.max(1);
    let mut found = Vec::new();
    let mut last = None;
    for (seen, row) in rows.enumerate() {
        if found.len() == limit || seen == ROWS_PER_PAGE_MAX {
            return Ok((found, last));
        }
        let (no, contents) = row?;
        found.extend(contents);
        last = Some(no);
    }
    Ok((found, None))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[track_caller]
    fn check(limit: usize, rows: u64, wanted: impl Fn(u64) -> bool, want: (&[u64], Option<u64>)) {
        let from = From::After(0);
        let rows = (1..=rows).map(|no| Ok::<_, Infallible>((no, wanted(no).then_some(no))));
        let Ok((found, next)) = page(Page { limit, from }, rows);
        assert_eq!((found.as_slice(), next), want);
    }

    #[test]
    fn a_page_ends_at_its_limit_and_says_where_to_go_on() {
        check(2, 3, |_| true, (&[1, 2], Some(2)));
        check(2, 6, |no| no % 2 == 0, (&[2, 4], Some(4)));
        check(0, 2, |_| true, (&[1], Some(1)));
    }

    #[test]
    fn the_last_page_says_that_there_is_no_more() {
        check(2, 0, |_| true, (&[], None));
        check(2, 2, |_| true, (&[1, 2], None));
        check(2, 3, |no| no == 1, (&[1], None));
    }

    #[test]
    fn a_page_that_finds_nothing_ends_after_20_000_records() {
        check(1, 20_000, |_| false, (&[], None));
        check(1, 20_001, |_| false, (&[], Some(20_000)));
    }

    #[test]
    fn the_oldest_goes_when_it_is_too_old_or_all_are_too_many_and_only_so_many_at_once() {
        let trim = Trim {
            rows_max: 2,
            before_ms: 10,
            bytes_max: 100,
        };
        assert!(trim.takes(0, 9, 0) && trim.takes(1, 10, 101));
        assert!(!trim.takes(0, 10, 100) && !trim.takes(2, 9, 101));
        assert!(!Trim::default().takes(0, 0, u64::MAX));
    }
}
