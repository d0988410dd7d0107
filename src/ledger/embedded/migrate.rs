//! Bringing a file of an older format to this version's, one step per format, each in one
//! transaction.

use redb::{Database, ReadableTable, WriteTransaction};

use super::{
    failure::Failure,
    record::{self, RecordError},
    tables::{self, FORMAT, FORMAT_KEY, Table},
};

/// Brings a file of this format to [`FORMAT`].
pub(super) fn migrate(database: &Database, format: u64) -> Result<(), Failure> {
    for from in format..FORMAT {
        log::info!("the ledger is brought from format {from} to {}", from + 1);
        let txn = database.begin_write()?;
        match from {
            0 => put_times_first(&txn)?,
            // Since format 2 a request may be aside, which older versions do not know: theirs would hold
            // all others up. None of format 1 is, so nothing is to be changed.
            1 => {}
            later => unreachable!("there is a step for each format before {FORMAT}, and for {later}"),
        }
        {
            let mut meta = txn.open_table(Table::Meta.definition())?;
            let next = tables::number_key(from + 1);
            meta.insert(FORMAT_KEY, next.as_slice())?;
        }
        txn.commit()?;
    }
    Ok(())
}

/// Format 0 had the time of a line of the log or of a dead letter in its JSON only, as `at_ms`; in
/// format 1 it stands before it.
fn put_times_first(txn: &WriteTransaction) -> Result<(), Failure> {
    for table in [Table::Log, Table::Dead] {
        let mut rows = txn.open_table(table.definition())?;
        let mut timed = Vec::new();
        for row in rows.iter()? {
            let (key, value) = row?;
            let at_ms = time_of_format_0(value.value()).map_err(|error| Failure::of_record(table, error))?;
            timed.push((key.value().to_vec(), record::after_time(at_ms, value.value())));
        }
        for (key, value) in timed {
            rows.insert(key.as_slice(), value.as_slice())?;
        }
    }
    Ok(())
}

fn time_of_format_0(value: &[u8]) -> Result<u64, RecordError> {
    let fields: serde_json::Value =
        serde_json::from_slice(value).map_err(|error| RecordError::new(&error.to_string()))?;
    let at_ms = fields.get("at_ms").and_then(serde_json::Value::as_u64);
    at_ms.ok_or_else(|| RecordError::new("it has no at_ms"))
}
