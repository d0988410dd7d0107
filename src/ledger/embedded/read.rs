//! Reading pages of the log and of the dead letters.

use std::ops::Bound;

use redb::{AccessGuard, Database, ReadableDatabase, ReadableTable, StorageError};

use super::{
    failure::Failure,
    load,
    record::RecordError,
    tables::{self, Table},
};
use crate::ledger::{log::Page, paging};

type Pair<'a> = (AccessGuard<'a, &'static [u8]>, AccessGuard<'a, &'static [u8]>);

/// A page of a table whose keys are numbers; `read` gives the contents of those that are asked for.
pub(super) fn page<T>(
    database: &Database,
    table: Table,
    page: Page,
    read: impl Fn(u64, &[u8]) -> Result<Option<T>, RecordError>,
) -> Result<(Vec<T>, Option<u64>), Failure> {
    let Some(rows) = load::table(&database.begin_read()?, table)? else {
        return Ok((Vec::new(), None));
    };
    let (after, before) = page.from.bounds();
    let (after, before) = (after.map(tables::number_key), before.map(tables::number_key));
    let range = ReadableTable::range::<&[u8]>(&rows, (exclusive(after.as_ref()), exclusive(before.as_ref())))?;
    let contents = |row: Result<Pair<'_>, StorageError>| {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        let row = || {
            let no = tables::read_number(key)?;
            Ok(paging::Row {
                no,
                bytes: value.len(),
                contents: read(no, value)?,
            })
        };
        row().map_err(|error| Failure::of_record(table, error))
    };
    if page.from.is_forward() {
        paging::page(page, range.map(contents))
    } else {
        paging::page(page, range.rev().map(contents))
    }
}

fn exclusive(key: Option<&[u8; 8]>) -> Bound<&[u8]> {
    key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_slice()))
}
