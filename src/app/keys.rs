//! The keys of an app, of which several live at once while they are rotated.

use crate::{domain::AppKey, signature::SigningKey};

/// A key with its secret, prepared to sign and verify.
#[derive(Debug, Clone)]
pub struct Key {
    /// The public key.
    pub key: AppKey,
    /// Its secret.
    pub signing: SigningKey,
    /// From when on it may be used, in milliseconds since 1970; without, always.
    pub since_ms: Option<u64>,
}

/// The keys of an app, the oldest first; at least one.
#[derive(Debug, Clone)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Takes the keys of an app, the oldest first.
    ///
    /// # Panics
    /// Without a key: the configuration asks for one.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        assert!(!keys.is_empty(), "an app has at least one key");
        Self(keys)
    }

    /// The key with which webhooks are signed, and which errors speak of.
    #[must_use]
    pub fn oldest(&self) -> &Key {
        &self.0[0]
    }

    /// The key of this name, if it may be used at a moment in milliseconds since 1970.
    #[must_use]
    pub fn live(&self, name: &str, wall_ms: u64) -> Option<&Key> {
        self.0
            .iter()
            .find(|key| key.key.as_str() == name && key.since_ms.is_none_or(|since| since <= wall_ms))
    }

    /// Every key, live or not.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_from_its_moment_on() {
        let key = |name: &str, since_ms| Key {
            key: name.parse().expect("valid"),
            signing: SigningKey::new(&"s".into()),
            since_ms,
        };
        let keys = Keys::new(vec![key("old", None), key("new", Some(10))]);
        assert_eq!(keys.oldest().key.as_str(), "old");
        assert_eq!(keys.iter().count(), 2);
        let found = |name, at| keys.live(name, at).map(|key| key.key.as_str());
        assert_eq!(found("old", 0), Some("old"));
        assert_eq!(found("new", 9), None);
        assert_eq!(found("new", 10), Some("new"));
        assert_eq!(found("other", 10), None);
    }
}
