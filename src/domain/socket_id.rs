//! The id of a connection (PROTOCOL.md section 1.4).

use std::{fmt, str::FromStr};

/// The id of a connection, `digits.digits` on the wire, unique while the connection lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    first: u64,
    second: u64,
}

/// A text that is no socket id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("socket id must be two numbers joined by a dot, like 3363.1846347")]
pub struct SocketIdError;

impl SocketId {
    /// Makes the id of a new connection from 128 random bits, of which 106 are used: JavaScript
    /// reads numbers up to 2^53 exactly.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        const MASK: u64 = (1 << 53) - 1;
        let [high, low] = [(bits >> 64) as u64, bits as u64];
        Self {
            first: high & MASK,
            second: low & MASK,
        }
    }
}

impl FromStr for SocketId {
    type Err = SocketIdError;

    /// Reads an id that a publisher wants excluded. A number that no connection can have is
    /// accepted and equals no connection's.
    fn from_str(raw: &str) -> Result<Self, SocketIdError> {
        let (first, second) = raw.split_once('.').ok_or(SocketIdError)?;
        let number = |digits: &str| {
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(SocketIdError);
            }
            Ok(digits.parse().unwrap_or(u64::MAX))
        };
        Ok(Self {
            first: number(first)?,
            second: number(second)?,
        })
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.first, self.second)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_id_is_two_numbers_joined_by_a_dot() {
        for raw in ["3363.1846347", "0.0", "9007199254740991.1"] {
            let id: SocketId = raw.parse().expect(raw);
            assert_eq!(id.to_string(), raw);
            assert_eq!(format!("{id:?}"), format!("SocketId({raw})"));
        }
        for raw in [
            "1.1:", ":1.1", ":\n1.1", "1.1\n:", "1.1foo", "foo1.1", "foo", "12341234", "", ".", "1.", ".1", "1.1.1",
            "-1.1", "+1.1",
        ] {
            assert_eq!(raw.parse::<SocketId>(), Err(SocketIdError), "{raw}");
        }
    }

    #[test]
    fn a_number_too_large_for_any_connection_equals_none() {
        let id: SocketId = "99999999999999999999999.1".parse().expect("two numbers");
        assert_ne!(id, SocketId::from_random(u128::MAX));
    }

    #[test]
    fn random_bits_stay_below_two_to_the_53() {
        assert_eq!(
            SocketId::from_random(u128::MAX).to_string(),
            "9007199254740991.9007199254740991"
        );
        assert_eq!(SocketId::from_random((7 << 64) | 9).to_string(), "7.9");
    }
}
