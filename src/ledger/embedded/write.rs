//! Writing a step's changes, and how to take them back.

use std::collections::BTreeMap;

use redb::{ReadableTable, WriteTransaction};

use super::{
    failure::Failure,
    record,
    tables::{self, COUNTERS_KEY, Table, Writing},
};
use crate::ledger::{
    log::{DeadLetter, DeadMark, LogEntry},
    row_times::RowTimes,
    store::{Changes, Trim, Usage},
};

/// What brings the file back to what it held before a step: each row that the step changed, in
/// order, with what it was.
#[derive(Debug, Default)]
pub(super) struct Undo(Vec<(Table, Vec<u8>, Option<Vec<u8>>)>);

/// The bytes that a row of the log or of the dead letters is counted with.
pub(super) const fn row_bytes(value: &[u8]) -> u64 {
    (size_of::<u64>() + value.len()) as u64
}

/// Writes all changes; `usage` becomes what it is after them.
pub(super) fn write(txn: &WriteTransaction, changes: &Changes, usage: &mut Usage) -> Result<Undo, Failure> {
    let mut undo = Undo::default();
    let counters = changes.counters.iter();
    let counters = counters.map(|counters| (COUNTERS_KEY.to_vec(), Some(record::encode_counters(counters))));
    undo.set_all(txn, Table::Meta, counters)?;
    let endpoints = changes.endpoints.iter();
    let endpoints = endpoints.map(|((app, endpoint), record)| {
        let value = record.as_ref().map(record::encode_endpoint);
        (tables::endpoint_key(app, endpoint), value)
    });
    undo.set_all(txn, Table::Endpoints, endpoints)?;
    let keys = changes.keys.iter();
    let keys = keys.map(|((app, key), record)| (tables::state_key(app, key), record.as_ref().map(record::encode_key)));
    undo.set_all(txn, Table::Keys, keys)?;
    let events = changes.events.iter();
    let events = events.map(|(id, event)| {
        let value = event.as_ref().map(|event| record::encode_event(event));
        (tables::number_key(id.0).to_vec(), value)
    });
    undo.set_all(txn, Table::Events, events)?;
    let queued = changes.queued.iter();
    let queued = queued.map(|((app, endpoint, place), record)| {
        let value = record.as_ref().map(record::encode_queued);
        (tables::numbered_key(app, endpoint, *place), value)
    });
    undo.set_all(txn, Table::Queued, queued)?;
    let requests = changes.requests.iter();
    let requests = requests.map(|((app, endpoint, id), record)| {
        let value = record.as_ref().map(record::encode_request);
        (tables::numbered_key(app, endpoint, id.0), value)
    });
    undo.set_all(txn, Table::Requests, requests)?;
    undo.write_log(txn, &changes.log, changes.log_trimmed, usage)?;
    undo.mark_dead(txn, &changes.dead_marked, usage)?;
    undo.write_dead(txn, &changes.dead, changes.dead_trimmed, usage)?;
    Ok(undo)
}

impl Undo {
    /// Brings the file back to what it held before the step.
    pub(super) fn take_back(&self, txn: &WriteTransaction) -> Result<(), Failure> {
        for table in Table::ALL {
            let mut rows = txn.open_table(table.definition())?;
            for (_, key, before) in self.0.iter().rev().filter(|(of, ..)| *of == table) {
                match before {
                    Some(value) => rows.insert(key.as_slice(), value.as_slice())?,
                    None => rows.remove(key.as_slice())?,
                };
            }
        }
        Ok(())
    }

    /// Sets rows of a table, or removes them.
    fn set_all(
        &mut self,
        txn: &WriteTransaction,
        table: Table,
        rows: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), Failure> {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut writing = txn.open_table(table.definition())?;
        for (key, value) in rows {
            self.set(&mut writing, table, key, value.as_deref())?;
        }
        Ok(())
    }

    fn set(&mut self, rows: &mut Writing<'_>, table: Table, key: Vec<u8>, value: Option<&[u8]>) -> Result<(), Failure> {
        let before = match value {
            Some(value) => rows.insert(key.as_slice(), value)?,
            None => rows.remove(key.as_slice())?,
        };
        let before = before.map(|guard| guard.value().to_vec());
        self.0.push((table, key, before));
        Ok(())
    }

    fn write_log(
        &mut self,
        txn: &WriteTransaction,
        entries: &[LogEntry],
        trim: Trim,
        usage: &mut Usage,
    ) -> Result<(), Failure> {
        if entries.is_empty() && trim.rows_max == 0 {
            return Ok(());
        }
        let mut rows = txn.open_table(Table::Log.definition())?;
        for entry in entries {
            let value = record::encode_log(entry);
            usage.log_bytes += row_bytes(&value);
            usage.log_times.note(entry.no, entry.at_ms);
            self.set(
                &mut rows,
                Table::Log,
                tables::number_key(entry.no).to_vec(),
                Some(&value),
            )?;
        }
        let mut gone = 0;
        loop {
            let oldest = oldest(&rows, Table::Log, &mut usage.log_times)?;
            usage.oldest_log_ms = oldest.as_ref().map(|row| row.at_ms);
            match oldest {
                Some(row) if trim.takes(gone, row.at_ms, usage.log_bytes) => {
                    usage.log_bytes -= row_bytes(&row.value);
                    rows.remove(row.key.as_slice())?;
                    self.0.push((Table::Log, row.key, Some(row.value)));
                    gone += 1;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn write_dead(
        &mut self,
        txn: &WriteTransaction,
        letters: &[DeadLetter],
        trim: Trim,
        usage: &mut Usage,
    ) -> Result<(), Failure> {
        if letters.is_empty() && trim.rows_max == 0 {
            return Ok(());
        }
        let mut rows = txn.open_table(Table::Dead.definition())?;
        for letter in letters {
            let value = record::encode_dead(letter);
            usage.dead_bytes += row_bytes(&value);
            usage.dead_times.note(letter.no, letter.at_ms);
            usage.count(&letter.app, &letter.endpoint);
            self.set(
                &mut rows,
                Table::Dead,
                tables::number_key(letter.no).to_vec(),
                Some(&value),
            )?;
        }
        let mut gone = 0;
        loop {
            let oldest = oldest(&rows, Table::Dead, &mut usage.dead_times)?;
            usage.oldest_dead_ms = oldest.as_ref().map(|row| row.at_ms);
            match oldest {
                Some(row) if trim.takes(gone, row.at_ms, usage.dead_bytes) => {
                    let owner = record::owner_of_dead(&row.value);
                    let owner = owner.map_err(|error| Failure::of_record(Table::Dead, error))?;
                    usage.dead_bytes -= row_bytes(&row.value);
                    if !owner.is_replayed {
                        usage.forget(&owner.app, &owner.endpoint);
                    }
                    rows.remove(row.key.as_slice())?;
                    self.0.push((Table::Dead, row.key, Some(row.value)));
                    gone += 1;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }
}

impl Undo {
    /// Writes what was done with dead letters.
    fn mark_dead(
        &mut self,
        txn: &WriteTransaction,
        marks: &BTreeMap<u64, DeadMark>,
        usage: &mut Usage,
    ) -> Result<(), Failure> {
        if marks.is_empty() {
            return Ok(());
        }
        let mut rows = txn.open_table(Table::Dead.definition())?;
        for (no, mark) in marks {
            let key = tables::number_key(*no).to_vec();
            let before = rows.get(key.as_slice())?.map(|row| row.value().to_vec());
            let Some(before) = before else { continue };
            let letter = record::decode_dead(*no, &before);
            let mut letter = letter.map_err(|error| Failure::of_record(Table::Dead, error))?;
            usage.dead_bytes -= row_bytes(&before);
            if letter.replayed_ms.is_none() {
                usage.forget(&letter.app, &letter.endpoint);
            }
            let value = match mark {
                DeadMark::Replayed(at_ms) => {
                    letter.replayed_ms = Some(*at_ms);
                    Some(record::encode_dead(&letter))
                }
                DeadMark::Deleted => None,
            };
            usage.dead_bytes += value.as_deref().map_or(0, row_bytes);
            self.set(&mut rows, Table::Dead, key, value.as_deref())?;
        }
        let oldest = oldest(&rows, Table::Dead, &mut usage.dead_times)?;
        usage.oldest_dead_ms = oldest.map(|row| row.at_ms);
        Ok(())
    }
}

/// The oldest row of the log or of the dead letters.
struct Oldest {
    key: Vec<u8>,
    at_ms: u64,
    value: Vec<u8>,
}

fn oldest(rows: &Writing<'_>, table: Table, times: &mut RowTimes) -> Result<Option<Oldest>, Failure> {
    let Some((key, value)) = rows.first()? else {
        *times = RowTimes::default();
        return Ok(None);
    };
    let mut time = || {
        let (at_ms, _) = record::split_time(value.value())?;
        Ok(times.written(tables::read_number(key.value())?, at_ms))
    };
    Ok(Some(Oldest {
        at_ms: time().map_err(|error| Failure::of_record(table, error))?,
        key: key.value().to_vec(),
        value: value.value().to_vec(),
    }))
}
