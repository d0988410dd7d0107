//! How records are written into the file: as JSON, each by a structure of its own.
//!
//! JSON, because a record must be read by later versions: a field that is added has a default and
//! needs no new format, and what is in a damaged file can be read with any tool. It costs twice the
//! bytes of a binary encoding and a microsecond or two, beside a commit of milliseconds.

mod event;
mod state;
mod written;

pub(super) use event::{decode_event, encode_event};
pub(super) use state::{
    decode_counters, decode_endpoint, decode_key, decode_queued, decode_request, encode_counters, encode_endpoint,
    encode_key, encode_queued, encode_request,
};
pub(super) use written::{after_time, decode_dead, decode_log, encode_dead, encode_log, owner_of_dead, split_time};

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A record that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct RecordError(String);

impl RecordError {
    /// Says what is wrong.
    pub(super) fn new(what: &str) -> Self {
        Self(what.to_owned())
    }

    /// Reads a text that a type of ours accepts.
    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Self> {
        text.parse().map_err(|error| Self(format!("{text:?}: {error}")))
    }
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("texts and numbers have a JSON form")
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordError> {
    serde_json::from_slice(bytes).map_err(|error| RecordError(error.to_string()))
}

fn parse_some<T: FromStr<Err: std::fmt::Display>>(text: Option<&str>) -> Result<Option<T>, RecordError> {
    text.map(RecordError::parse).transpose()
}

/// What a record of its kind must have.
fn required<T>(field: Option<T>, name: &str) -> Result<T, RecordError> {
    field.ok_or_else(|| RecordError(format!("it has no {name}")))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
