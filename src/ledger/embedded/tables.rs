//! The tables of the file and the keys in them.
//!
//! Keys are bytes whose order is that of what they name: texts end with a zero byte, which no id
//! and no channel name holds, and numbers stand with their greatest byte first.

use redb::TableDefinition;

use crate::domain::{AppId, EndpointId};

use super::record::RecordError;
use crate::ledger::edge::Key;

/// The format that this version writes. A change that older versions cannot read, or that cannot
/// read what they wrote, gets the next number and a step in `migrate`.
pub(super) const FORMAT: u64 = 2;

/// In [`Table::Meta`]: the format of the file.
pub(super) const FORMAT_KEY: &[u8] = b"format";
/// In [`Table::Meta`]: the number of the last commit.
pub(super) const SERIAL_KEY: &[u8] = b"serial";
/// In [`Table::Meta`]: the counters.
pub(super) const COUNTERS_KEY: &[u8] = b"counters";

/// A table of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Meta,
    Endpoints,
    Keys,
    Events,
    Queued,
    Requests,
    Log,
    Dead,
}

/// Keys and records as they are stored.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A table that is open for reading.
pub(super) type Reading = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A table that is open for writing.
pub(super) type Writing<'txn> = redb::Table<'txn, &'static [u8], &'static [u8]>;

impl Table {
    pub(super) const ALL: [Self; 8] = [
        Self::Meta,
        Self::Endpoints,
        Self::Keys,
        Self::Events,
        Self::Queued,
        Self::Requests,
        Self::Log,
        Self::Dead,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Endpoints => "endpoints",
            Self::Keys => "keys",
            Self::Events => "events",
            Self::Queued => "queued",
            Self::Requests => "requests",
            Self::Log => "log",
            Self::Dead => "dead",
        }
    }

    pub(super) const fn definition(self) -> Definition {
        TableDefinition::new(self.name())
    }
}

/// The key of a number.
pub(super) const fn number_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The key of an endpoint.
pub(super) fn endpoint_key(app: &AppId, endpoint: &EndpointId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(app.as_str().len() + endpoint.as_str().len() + 10);
    push_text(&mut bytes, app.as_str());
    push_text(&mut bytes, endpoint.as_str());
    bytes
}

/// The key of something of an endpoint that has a number.
pub(super) fn numbered_key(app: &AppId, endpoint: &EndpointId, number: u64) -> Vec<u8> {
    let mut bytes = endpoint_key(app, endpoint);
    bytes.extend(number_key(number));
    bytes
}

/// The key of a key of an app.
pub(super) fn state_key(app: &AppId, key: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    push_text(&mut bytes, app.as_str());
    match key {
        Key::Channel(channel) => {
            bytes.push(b'c');
            bytes.extend(channel.as_str().bytes());
        }
        Key::Member(channel, user_id) => {
            bytes.push(b'm');
            push_text(&mut bytes, channel.as_str());
            bytes.extend(user_id.as_str().bytes());
        }
        Key::User(user_id) => {
            bytes.push(b'u');
            bytes.extend(user_id.as_str().bytes());
        }
    }
    bytes
}

/// Reads [`number_key`].
pub(super) fn read_number(bytes: &[u8]) -> Result<u64, RecordError> {
    let bytes = bytes.try_into().map_err(|_| RecordError::new("it is no number"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Reads [`endpoint_key`].
pub(super) fn read_endpoint(bytes: &[u8]) -> Result<(AppId, EndpointId), RecordError> {
    let (app, rest) = text(bytes)?;
    let (endpoint, rest) = text(rest)?;
    if !rest.is_empty() {
        return Err(RecordError::new("it is too long"));
    }
    Ok((RecordError::parse(app)?, RecordError::parse(endpoint)?))
}

/// Reads [`numbered_key`].
pub(super) fn read_numbered(bytes: &[u8]) -> Result<(AppId, EndpointId, u64), RecordError> {
    let parts = bytes.split_last_chunk::<8>();
    let (endpoint, number) = parts.ok_or_else(|| RecordError::new("it is too short"))?;
    let (app, endpoint) = read_endpoint(endpoint)?;
    Ok((app, endpoint, u64::from_be_bytes(*number)))
}

/// Reads [`state_key`].
pub(super) fn read_state(bytes: &[u8]) -> Result<(AppId, Key), RecordError> {
    let (app, rest) = text(bytes)?;
    let app = RecordError::parse(app)?;
    match rest.split_first() {
        Some((b'c', channel)) => Ok((app, Key::Channel(RecordError::parse(utf8(channel)?)?))),
        Some((b'm', rest)) => {
            let (channel, user_id) = text(rest)?;
            let channel = RecordError::parse(channel)?;
            Ok((app, Key::Member(channel, RecordError::parse(utf8(user_id)?)?)))
        }
        Some((b'u', user_id)) => Ok((app, Key::User(RecordError::parse(utf8(user_id)?)?))),
        Some(_) | None => Err(RecordError::new("it is no key")),
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.bytes());
    bytes.push(0);
}

fn text(bytes: &[u8]) -> Result<(&str, &[u8]), RecordError> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let end = end.ok_or_else(|| RecordError::new("a text in it does not end"))?;
    Ok((utf8(&bytes[..end])?, &bytes[end + 1..]))
}

fn utf8(bytes: &[u8]) -> Result<&str, RecordError> {
    std::str::from_utf8(bytes).map_err(|error| RecordError::new(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(channel: &str, user_id: &str) -> Key {
        match (channel, user_id) {
            ("", user_id) => Key::User(user_id.parse().expect("valid")),
            (channel, "") => Key::Channel(channel.parse().expect("valid")),
            (channel, user_id) => Key::Member(channel.parse().expect("valid"), user_id.parse().expect("valid")),
        }
    }

    #[test]
    fn keys_are_ordered_as_what_they_name_and_read_back() {
        let mut keys = Vec::new();
        for app in ["a", "ab", "b"] {
            for (channel, user_id) in [
                ("presence-x", ""),
                ("presence-xy", ""),
                ("presence-x", "1"),
                ("presence-x", "\0"),
                ("presence-xy", "ü"),
                ("", "1"),
                ("", "\u{10ffff}"),
            ] {
                keys.push((app.parse::<AppId>().expect("valid"), key(channel, user_id)));
            }
        }
        keys.sort();
        let bytes: Vec<Vec<u8>> = keys.iter().map(|(app, key)| state_key(app, key)).collect();
        assert!(bytes.is_sorted());
        let read: Vec<(AppId, Key)> = bytes.iter().map(|bytes| read_state(bytes).expect("a key")).collect();
        assert_eq!(read, keys);
    }

    #[test]
    fn places_in_a_queue_are_in_the_order_of_their_numbers() {
        let app: AppId = "a".parse().expect("valid");
        let endpoint: EndpointId = "e".parse().expect("valid");
        let keys = [0, 1, 255, 256, u64::MAX].map(|number| numbered_key(&app, &endpoint, number));
        assert!(keys.is_sorted());
        assert_eq!(read_numbered(&keys[3]), Ok((app.clone(), endpoint.clone(), 256)));
        assert_eq!(read_endpoint(&endpoint_key(&app, &endpoint)), Ok((app, endpoint)));
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        assert!(read_number(&[1]).is_err());
        assert!(read_numbered(b"a\0e\0").is_err());
        assert!(read_endpoint(b"a\0e").is_err() && read_endpoint(b"a\0e\0x").is_err());
        for bytes in [&b"a"[..], b"a\0", b"a\0x", b"a\0c", b"a\0c\xff", b"a\0mx", b"\0cx"] {
            assert!(read_state(bytes).is_err(), "{bytes:?}");
        }
    }
}
