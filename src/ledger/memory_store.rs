//! The store that keeps nothing over a restart: the log and the dead letters, in memory.

use std::{collections::VecDeque, path::Path, sync::Arc};

use super::{
    LedgerError,
    event::{Event, EventBody, Stateless},
    log::{DeadLetter, DeadMark, DeadPage, DeadQuery, EventRef, From, LogEntry, LogPage, LogQuery, Logged},
    paging::{self, Row},
    row_times::RowTimes,
    store::{Changes, CommitTimes, Store, Trim, Usage},
};

/// Keeps the log and the dead letters; all else is with the engine alone.
#[derive(Debug, Default)]
pub struct MemoryStore {
    log: VecDeque<LogEntry>,
    dead: VecDeque<DeadLetter>,
    usage: Usage,
}

/// What a record costs besides what it points to, in bytes.
const RECORD_BYTES: u64 = 128;

impl MemoryStore {
    /// Begins empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn trim_log(&mut self, trim: Trim) {
        let mut gone = 0;
        while let Some(oldest) = self.log.front()
            && let at_ms = self.usage.log_times.written(oldest.no, oldest.at_ms)
            && trim.takes(gone, at_ms, self.usage.log_bytes)
        {
            self.usage.log_bytes -= log_bytes(oldest);
            self.log.pop_front();
            gone += 1;
        }
        let times = &mut self.usage.log_times;
        let oldest = self.log.front();
        self.usage.oldest_log_ms = oldest.map(|oldest| times.written(oldest.no, oldest.at_ms));
        if oldest.is_none() {
            *times = RowTimes::default();
        }
    }

    fn mark_dead(&mut self, no: u64, mark: DeadMark) {
        let Ok(at) = self.dead.binary_search_by_key(&no, |letter| letter.no) else {
            return;
        };
        let letter = &mut self.dead[at];
        if letter.replayed_ms.is_none() {
            self.usage.forget(&letter.app, &letter.endpoint);
        }
        match mark {
            DeadMark::Replayed(at_ms) => letter.replayed_ms = Some(at_ms),
            DeadMark::Deleted => {
                self.usage.dead_bytes -= dead_bytes(letter);
                self.dead.remove(at);
            }
        }
    }

    fn trim_dead(&mut self, trim: Trim) {
        let mut gone = 0;
        while let Some(oldest) = self.dead.front()
            && let at_ms = self.usage.dead_times.written(oldest.no, oldest.at_ms)
            && trim.takes(gone, at_ms, self.usage.dead_bytes)
        {
            self.usage.dead_bytes -= dead_bytes(oldest);
            if oldest.replayed_ms.is_none() {
                self.usage.forget(&oldest.app, &oldest.endpoint);
            }
            self.dead.pop_front();
            gone += 1;
        }
        let times = &mut self.usage.dead_times;
        let oldest = self.dead.front();
        self.usage.oldest_dead_ms = oldest.map(|oldest| times.written(oldest.no, oldest.at_ms));
        if oldest.is_none() {
            *times = RowTimes::default();
        }
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, changes: &Changes) -> Result<(), LedgerError> {
        for entry in &changes.log {
            self.usage.log_bytes += log_bytes(entry);
            self.usage.log_times.note(entry.no, entry.at_ms);
            self.log.push_back(entry.clone());
        }
        for letter in &changes.dead {
            self.usage.dead_bytes += dead_bytes(letter);
            self.usage.dead_times.note(letter.no, letter.at_ms);
            self.usage.count(&letter.app, &letter.endpoint);
            self.dead.push_back(letter.clone());
        }
        for (no, mark) in &changes.dead_marked {
            self.mark_dead(*no, *mark);
        }
        self.trim_log(changes.log_trimmed);
        self.trim_dead(changes.dead_trimmed);
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.usage.clone()
    }

    fn log(&self, query: &LogQuery) -> Result<LogPage, LedgerError> {
        let rows = in_page(&self.log, query.page.from, |entry| entry.no);
        let rows = rows.map(|entry| {
            let contents = query.matches(entry).then(|| entry.clone());
            Ok(Row {
                no: entry.no,
                bytes: 0,
                contents,
            })
        });
        let (entries, next) = paging::page(query.page, rows)?;
        Ok(LogPage { entries, next })
    }

    fn dead_letters(&self, query: &DeadQuery) -> Result<DeadPage, LedgerError> {
        let rows = in_page(&self.dead, query.page.from, |letter| letter.no);
        let rows = rows.map(|letter| {
            let contents = query.matches(letter).then(|| letter.clone());
            Ok(Row {
                no: letter.no,
                bytes: 0,
                contents,
            })
        });
        let (letters, next) = paging::page(query.page, rows)?;
        Ok(DeadPage { letters, next })
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn commits(&self) -> CommitTimes {
        CommitTimes::default()
    }
}

/// The records that a page may hold, in its order.
fn in_page<T>(rows: &VecDeque<T>, from: From, no: impl Fn(&T) -> u64) -> Box<dyn Iterator<Item = &T> + '_> {
    let (after, before) = from.bounds();
    let start = after.map_or(0, |after| rows.partition_point(|row| no(row) <= after));
    let end = before.map_or(rows.len(), |before| rows.partition_point(|row| no(row) < before));
    let rows = rows.range(start..end);
    if from.is_forward() {
        Box::new(rows)
    } else {
        Box::new(rows.rev())
    }
}

fn log_bytes(entry: &LogEntry) -> u64 {
    RECORD_BYTES
        + match &entry.what {
            Logged::Decided(event) => event_bytes(event),
            Logged::Attempted(attempted) => {
                let error = attempted.report.error.as_ref().map_or(0, String::len) as u64;
                error + attempted.events.iter().map(ref_bytes).sum::<u64>()
            }
            Logged::Parked { event, .. } => ref_bytes(event),
        }
}

fn dead_bytes(letter: &DeadLetter) -> u64 {
    RECORD_BYTES + event_bytes(&letter.event)
}

fn ref_bytes(event: &EventRef) -> u64 {
    let channel = event.channel.as_ref().map_or(0, |channel| channel.as_str().len());
    let user_id = event.user_id.as_ref().map_or(0, |user_id| user_id.as_str().len());
    RECORD_BYTES + (channel + user_id) as u64
}

fn event_bytes(event: &Arc<Event>) -> u64 {
    let texts = match &event.body {
        EventBody::Stateless(Stateless::Client(client)) => client.event.len() + client.data.len(),
        EventBody::Stateless(Stateless::CacheMiss(_) | Stateless::SubscriptionCount(..)) | EventBody::State { .. } => 0,
    };
    ref_bytes(&EventRef::new(event)) + texts as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::store::suite;

    #[test]
    fn it_does_what_every_store_does() {
        suite::keeps_the_contract(|| Box::new(MemoryStore::new()));
    }

    #[test]
    fn a_record_costs_128_bytes_and_its_texts_and_as_much_for_each_event_in_it() {
        let event = |body| {
            Arc::new(Event {
                id: crate::ledger::EventId(1),
                at_ms: 1,
                body,
            })
        };
        let client = event(EventBody::Stateless(Stateless::Client(crate::ledger::ClientEvent {
            channel: "presence-x".parse().expect("valid"),
            event: "client-abc".into(),
            data: "12345".into(),
            socket_id: "1.2".parse().expect("valid"),
            user_id: Some("me".parse().expect("valid")),
        })));
        let mut letter = suite::dead(1, 1, "e");
        assert_eq!(dead_bytes(&letter), 128 + 128 + "x".len() as u64);
        letter.event = Arc::clone(&client);
        assert_eq!(
            dead_bytes(&letter),
            128 + 128 + "presence-xmeclient-abc12345".len() as u64
        );
        assert_eq!(log_bytes(&suite::decided(1, 1, "xyz")), 128 + 128 + 3);
        assert_eq!(log_bytes(&suite::attempted(1, 1, "xyz", None)), 128 + 128 + 3);
        assert_eq!(
            log_bytes(&suite::attempted(1, 1, "xyz", Some("why"))),
            128 + 3 + 128 + 3
        );
        let mut entry = suite::decided(1, 1, "x");
        entry.what = Logged::Parked {
            endpoint: "e".parse().expect("valid"),
            because: crate::ledger::ParkedBecause::Gone,
            event: EventRef::new(&client),
        };
        assert_eq!(log_bytes(&entry), 128 + 128 + "presence-xme".len() as u64);
    }

    #[test]
    fn it_has_no_file_and_waits_for_no_disk() {
        let store = MemoryStore::new();
        assert_eq!((store.path(), store.commits()), (None, CommitTimes::default()));
    }
}
