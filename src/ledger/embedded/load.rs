//! Reading all records, as an engine begins with them.

use std::{collections::BTreeMap, sync::Arc};

use redb::{ReadTransaction, ReadableTable, TableError};

use super::{
    failure::Failure,
    record::{self, RecordError},
    tables::{self, COUNTERS_KEY, FORMAT_KEY, Reading, SERIAL_KEY, Table},
    write::row_bytes,
};
use crate::ledger::{
    counters::Counters,
    store::{Loaded, Usage},
};

/// Opens a table, if it exists.
pub(super) fn table(txn: &ReadTransaction, table: Table) -> Result<Option<Reading>, Failure> {
    match txn.open_table(table.definition()) {
        Ok(rows) => Ok(Some(rows)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The format of the file; none when it is no ledger.
pub(super) fn format(txn: &ReadTransaction) -> Result<Option<u64>, Failure> {
    meta_number(txn, FORMAT_KEY)
}

/// The number of the last commit.
pub(super) fn serial(txn: &ReadTransaction) -> Result<u64, Failure> {
    Ok(meta_number(txn, SERIAL_KEY)?.unwrap_or_default())
}

/// The counters; none of a new ledger.
pub(super) fn counters(txn: &ReadTransaction) -> Result<Option<Counters>, Failure> {
    let value = meta(txn, COUNTERS_KEY)?;
    let counters = value.map(|value| record::decode_counters(&value)).transpose();
    counters.map_err(|error| Failure::of_record(Table::Meta, error))
}

/// Reads all records but the log and the dead letters.
pub(super) fn load(txn: &ReadTransaction) -> Result<Loaded, Failure> {
    Ok(Loaded {
        counters: counters(txn)?,
        endpoints: collect(txn, Table::Endpoints, tables::read_endpoint, record::decode_endpoint)?,
        keys: collect(txn, Table::Keys, tables::read_state, record::decode_key)?,
        events: collect(
            txn,
            Table::Events,
            |key| Ok(crate::ledger::EventId(tables::read_number(key)?)),
            |value| record::decode_event(value).map(Arc::new),
        )?,
        queued: collect(txn, Table::Queued, tables::read_numbered, record::decode_queued)?,
        requests: collect(
            txn,
            Table::Requests,
            |key| {
                let (app, endpoint, id) = tables::read_numbered(key)?;
                Ok((app, endpoint, crate::ledger::RequestId(id)))
            },
            record::decode_request,
        )?,
    })
}

/// Counts the log and the dead letters.
pub(super) fn usage(txn: &ReadTransaction) -> Result<Usage, Failure> {
    let mut usage = Usage::default();
    let (mut oldest_log, mut oldest_dead) = (None, None);
    for_each(txn, Table::Log, |key, value| {
        usage.log_bytes += row_bytes(value);
        let (no, at_ms) = (tables::read_number(key)?, record::split_time(value)?.0);
        usage.log_times.note(no, at_ms);
        oldest_log.get_or_insert((no, at_ms));
        Ok(())
    })?;
    for_each(txn, Table::Dead, |key, value| {
        usage.dead_bytes += row_bytes(value);
        let (no, at_ms) = (tables::read_number(key)?, record::split_time(value)?.0);
        usage.dead_times.note(no, at_ms);
        oldest_dead.get_or_insert((no, at_ms));
        let owner = record::owner_of_dead(value)?;
        if !owner.is_replayed {
            usage.count(&owner.app, &owner.endpoint);
        }
        Ok(())
    })?;
    usage.oldest_log_ms = oldest_log.map(|(no, at_ms)| usage.log_times.written(no, at_ms));
    usage.oldest_dead_ms = oldest_dead.map(|(no, at_ms)| usage.dead_times.written(no, at_ms));
    Ok(usage)
}

/// Shows every row of a table.
pub(super) fn for_each(
    txn: &ReadTransaction,
    of: Table,
    mut see: impl FnMut(&[u8], &[u8]) -> Result<(), RecordError>,
) -> Result<(), Failure> {
    let Some(rows) = table(txn, of)? else {
        return Ok(());
    };
    for row in rows.iter()? {
        let (key, value) = row?;
        see(key.value(), value.value()).map_err(|error| Failure::of_record(of, error))?;
    }
    Ok(())
}

fn collect<K: Ord, V>(
    txn: &ReadTransaction,
    table: Table,
    key: impl Fn(&[u8]) -> Result<K, RecordError>,
    value: impl Fn(&[u8]) -> Result<V, RecordError>,
) -> Result<BTreeMap<K, V>, Failure> {
    let mut all = BTreeMap::new();
    for_each(txn, table, |key_bytes, bytes| {
        all.insert(key(key_bytes)?, value(bytes)?);
        Ok(())
    })?;
    Ok(all)
}

fn meta(txn: &ReadTransaction, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let Some(rows) = table(txn, Table::Meta)? else {
        return Ok(None);
    };
    let value = ReadableTable::get(&rows, key)?;
    Ok(value.map(|guard| guard.value().to_vec()))
}

fn meta_number(txn: &ReadTransaction, key: &[u8]) -> Result<Option<u64>, Failure> {
    let value = meta(txn, key)?;
    let number = value.map(|value| tables::read_number(&value)).transpose();
    number.map_err(|error| Failure::of_record(Table::Meta, error))
}
