//! Reading the log and the dead letters page by page.

use crate::ledger::{DeadLetter, DeadQuery, From as PageFrom, LedgerError, LedgerHandle, LogEntry, LogQuery, Page};

/// Entries that are asked for at once.
const PAGE: usize = 1_000;

/// A full page from a place on.
pub(super) const fn from(from: PageFrom) -> Page {
    Page { limit: PAGE, from }
}

/// The next page of lines; none after the last one.
pub(super) async fn entries(ledger: &LedgerHandle, query: &mut LogQuery) -> Result<Option<Vec<LogEntry>>, LedgerError> {
    if query.page.limit == 0 {
        return Ok(None);
    }
    let page = ledger.log(query.clone()).await?;
    query.page = following(query.page, page.next);
    Ok(Some(page.entries))
}

/// The next page of dead letters; none after the last one.
pub(super) async fn letters(
    ledger: &LedgerHandle,
    query: &mut DeadQuery,
) -> Result<Option<Vec<DeadLetter>>, LedgerError> {
    if query.page.limit == 0 {
        return Ok(None);
    }
    let page = ledger.dead_letters(query.clone()).await?;
    query.page = following(query.page, page.next);
    Ok(Some(page.letters))
}

/// The number of the newest dead letter, 0 when there are none: those that are parked later, maybe by what
/// is being done, are not meant.
pub(super) async fn newest_letter(ledger: &LedgerHandle) -> Result<u64, LedgerError> {
    let newest = DeadQuery {
        page: Page {
            limit: 1,
            from: PageFrom::Newest,
        },
        ..DeadQuery::default()
    };
    let page = ledger.dead_letters(newest).await?;
    Ok(page.letters.first().map_or(0, |letter| letter.no))
}

/// The page after `page`. A limit of 0 marks the end.
fn following(page: Page, next: Option<u64>) -> Page {
    let Some(next) = next else {
        return Page { limit: 0, ..page };
    };
    let from = match page.from {
        PageFrom::Newest | PageFrom::Before(_) => PageFrom::Before(next),
        PageFrom::After(_) => PageFrom::After(next),
    };
    Page { from, ..page }
}
