//! What the stores share about lists that grow at one end: which of the oldest records go, and how
//! a page of one is read.

use super::{
    log::{From, Page},
    store::Trim,
};

/// Most records that one page looks at. Who asks for more goes on from where the page ended, so
/// that no question keeps the ledger's thread for long.
const ROWS_PER_PAGE_MAX: usize = 20_000;

/// Most bytes that one page decodes, but for the last record.
const BYTES_PER_PAGE_MAX: usize = 4 * 1_024 * 1_024;

/// A record that a page looks at.
#[derive(Debug)]
pub(super) struct Row<T> {
    /// Its number.
    pub(super) no: u64,
    /// How many bytes were decoded for it.
    pub(super) bytes: usize,
    /// What it holds, if it is asked for.
    pub(super) contents: Option<T>,
}

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

/// Takes a page from records in its own order; returns what is in it, and the number from which to
/// go on.
pub(super) fn page<T, E>(
    page: Page,
    rows: impl Iterator<Item = Result<Row<T>, E>>,
) -> Result<(Vec<T>, Option<u64>), E> {
    let limit = page.limit.max(1);
    let mut found = Vec::new();
    let (mut last, mut bytes) = (None, 0);
    for (seen, row) in rows.enumerate() {
        if found.len() == limit || seen == ROWS_PER_PAGE_MAX || BYTES_PER_PAGE_MAX <= bytes {
            return Ok((found, last));
        }
        let row = row?;
        found.extend(row.contents);
        last = Some(row.no);
        bytes += row.bytes;
    }
    Ok((found, None))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[track_caller]
    fn check(limit: usize, rows: u64, wanted: impl Fn(u64) -> bool, want: (&[u64], Option<u64>)) {
        check_of_bytes(limit, rows, 100, wanted, want);
    }

    #[track_caller]
    fn check_of_bytes(
        limit: usize,
        rows: u64,
        bytes: usize,
        wanted: impl Fn(u64) -> bool,
        want: (&[u64], Option<u64>),
    ) {
        let row = |no| Row {
            no,
            bytes,
            contents: wanted(no).then_some(no),
        };
        let from = From::After(0);
        let Ok((found, next)) = page(Page { limit, from }, (1..=rows).map(|no| Ok::<_, Infallible>(row(no))));
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
    fn a_page_ends_when_it_has_decoded_4_mb_and_has_one_record_at_least() {
        let mb = 1_024 * 1_024;
        check_of_bytes(9, 9, mb, |_| true, (&[1, 2, 3, 4], Some(4)));
        check_of_bytes(9, 9, 3 * mb, |_| true, (&[1, 2], Some(2)));
        check_of_bytes(9, 9, 5 * mb, |_| true, (&[1], Some(1)));
        check_of_bytes(9, 4, mb, |_| true, (&[1, 2, 3, 4], None));
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
