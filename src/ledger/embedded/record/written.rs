//! What is written down: lines of the log and dead letters. The number of each is the key that it
//! is kept under, and its time stands before the record, where it can be read without it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::{AppId, EndpointId};

use super::{
    RecordError, decode, encode,
    event::{EventWire, RefWire},
    is_false, required,
};
use crate::ledger::{
    log::{Attempted, DeadLetter, LogEntry, Logged, ParkedBecause},
    window::{AttemptReport, RequestId},
};

/// A line of the log; exactly one of the optional fields is there.
#[derive(Debug, Serialize, Deserialize)]
struct LogWire<'a> {
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    decided: Option<EventWire<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    attempted: Option<AttemptedWire<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    parked: Option<ParkedWire<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AttemptedWire<'a> {
    #[serde(borrow)]
    endpoint: Cow<'a, str>,
    request: u64,
    attempt: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    replay: bool,
    at_ms: u64,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at_ms: Option<u64>,
    #[serde(borrow)]
    events: Vec<RefWire<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ParkedWire<'a> {
    #[serde(borrow)]
    endpoint: Cow<'a, str>,
    #[serde(borrow)]
    because: Cow<'a, str>,
    #[serde(borrow)]
    event: RefWire<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DeadWire<'a> {
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    endpoint: Cow<'a, str>,
    #[serde(borrow)]
    because: Cow<'a, str>,
    #[serde(borrow)]
    event: EventWire<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replayed_ms: Option<u64>,
}

/// Whose a dead letter is, and whether it was replayed.
#[derive(Debug, Deserialize)]
struct OwnerWire<'a> {
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    endpoint: Cow<'a, str>,
    #[serde(default)]
    replayed_ms: Option<u64>,
}

/// Whose a dead letter is.
pub(in crate::ledger::embedded) struct Owner {
    pub(in crate::ledger::embedded) app: AppId,
    pub(in crate::ledger::embedded) endpoint: EndpointId,
    pub(in crate::ledger::embedded) is_replayed: bool,
}

/// Writes a line of the log.
pub(in crate::ledger::embedded) fn encode_log(entry: &LogEntry) -> Vec<u8> {
    let mut wire = LogWire {
        app: entry.app.as_str().into(),
        decided: None,
        attempted: None,
        parked: None,
    };
    match &entry.what {
        Logged::Decided(event) => wire.decided = Some(EventWire::new(event)),
        Logged::Attempted(attempted) => wire.attempted = Some(AttemptedWire::new(attempted)),
        Logged::Parked {
            endpoint,
            because,
            event,
        } => {
            wire.parked = Some(ParkedWire {
                endpoint: endpoint.as_str().into(),
                because: because.as_str().into(),
                event: RefWire::new(event),
            });
        }
    }
    after_time(entry.at_ms, &encode(&wire))
}

/// Reads a line of the log.
pub(in crate::ledger::embedded) fn decode_log(no: u64, bytes: &[u8]) -> Result<LogEntry, RecordError> {
    let (at_ms, record) = split_time(bytes)?;
    let wire: LogWire<'_> = decode(record)?;
    let what = match (wire.decided, wire.attempted, wire.parked) {
        (Some(event), None, None) => Logged::Decided(event.read()?.into()),
        (None, Some(attempted), None) => Logged::Attempted(attempted.read()?),
        (None, None, parked) => required(parked, "kind that is known")?.read()?,
        (Some(_), _, _) | (None, Some(_), Some(_)) => return Err(RecordError("it is of two kinds".into())),
    };
    Ok(LogEntry {
        no,
        at_ms,
        app: RecordError::parse(&wire.app)?,
        what,
    })
}

/// Writes a dead letter.
pub(in crate::ledger::embedded) fn encode_dead(letter: &DeadLetter) -> Vec<u8> {
    let wire = DeadWire {
        app: letter.app.as_str().into(),
        endpoint: letter.endpoint.as_str().into(),
        because: letter.because.as_str().into(),
        event: EventWire::new(&letter.event),
        replayed_ms: letter.replayed_ms,
    };
    after_time(letter.at_ms, &encode(&wire))
}

/// Reads a dead letter.
pub(in crate::ledger::embedded) fn decode_dead(no: u64, bytes: &[u8]) -> Result<DeadLetter, RecordError> {
    let (at_ms, record) = split_time(bytes)?;
    let wire: DeadWire<'_> = decode(record)?;
    Ok(DeadLetter {
        no,
        at_ms,
        app: RecordError::parse(&wire.app)?,
        endpoint: RecordError::parse(&wire.endpoint)?,
        because: because(&wire.because)?,
        event: wire.event.read()?.into(),
        replayed_ms: wire.replayed_ms,
    })
}

/// Reads whose a dead letter is, and nothing else of it.
pub(in crate::ledger::embedded) fn owner_of_dead(bytes: &[u8]) -> Result<Owner, RecordError> {
    let (_, record) = split_time(bytes)?;
    let wire: OwnerWire<'_> = decode(record)?;
    Ok(Owner {
        app: RecordError::parse(&wire.app)?,
        endpoint: RecordError::parse(&wire.endpoint)?,
        is_replayed: wire.replayed_ms.is_some(),
    })
}

/// Puts a record after its time.
pub(in crate::ledger::embedded) fn after_time(at_ms: u64, record: &[u8]) -> Vec<u8> {
    [at_ms.to_be_bytes().as_slice(), record].concat()
}

/// Takes the time from before a record.
pub(in crate::ledger::embedded) fn split_time(bytes: &[u8]) -> Result<(u64, &[u8]), RecordError> {
    let parts = bytes.split_first_chunk();
    let (at_ms, record) = parts.ok_or_else(|| RecordError("it ends within its time".into()))?;
    Ok((u64::from_be_bytes(*at_ms), record))
}

fn because(text: &str) -> Result<ParkedBecause, RecordError> {
    let known = ParkedBecause::ALL.into_iter().find(|because| because.as_str() == text);
    known.ok_or_else(|| RecordError(format!("{text:?} is no reason to park an event")))
}

impl<'a> AttemptedWire<'a> {
    fn new(attempted: &'a Attempted) -> Self {
        Self {
            endpoint: attempted.endpoint.as_str().into(),
            request: attempted.request.0,
            attempt: attempted.attempt,
            replay: attempted.replay,
            at_ms: attempted.report.at_ms,
            took_ms: attempted.report.took_ms,
            status: attempted.report.status,
            error: attempted.report.error.as_deref().map(Into::into),
            next_at_ms: attempted.next_at_ms,
            events: attempted.events.iter().map(RefWire::new).collect(),
        }
    }

    fn read(self) -> Result<Attempted, RecordError> {
        Ok(Attempted {
            endpoint: RecordError::parse(&self.endpoint)?,
            request: RequestId(self.request),
            attempt: self.attempt,
            replay: self.replay,
            report: AttemptReport {
                at_ms: self.at_ms,
                took_ms: self.took_ms,
                status: self.status,
                error: self.error.map(Cow::into_owned),
            },
            next_at_ms: self.next_at_ms,
            events: self.events.iter().map(RefWire::read).collect::<Result<_, _>>()?,
        })
    }
}

impl ParkedWire<'_> {
    fn read(self) -> Result<Logged, RecordError> {
        Ok(Logged::Parked {
            endpoint: RecordError::parse(&self.endpoint)?,
            because: because(&self.because)?,
            event: self.event.read()?,
        })
    }
}
