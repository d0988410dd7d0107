//! The keys of an app, each with its secret.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::{
    apps::Around,
    reader::{Section, hidden},
    settings::KeySettings,
    source::{Value, key_path},
    values,
};
use crate::domain::AppKey;

/// The secret of the sample app, which everybody knows.
const SAMPLE_SECRET: &str = "app-secret";

/// Fewest characters of a secret that is accepted on every address.
const SECRET_LEN_MIN: usize = 16;

/// The command that makes a good secret.
const MAKE_SECRET: &str = "`openssl rand -hex 16`";

/// What makes the single key of an app.
const SINGLE: [&str; 3] = ["key", "secret", "secret_file"];

/// A key that was read, and where in the app its secret is set.
struct Found {
    key: KeySettings,
    secret_at: String,
}

/// Reads the single key of an app and the list under `keys`, of which one may be absent, and puts
/// the oldest first. `taken` are the keys that stand before, each with its path.
pub(super) fn keys(
    app: &mut Section<'_>,
    around: &Around<'_>,
    taken: &mut Vec<(AppKey, String)>,
) -> Option<Vec<KeySettings>> {
    let mut keys = Vec::new();
    if SINGLE.into_iter().any(|key| app.has(key)) || !app.gives("keys") {
        keys.push(key(app, around, taken));
    } else {
        SINGLE.into_iter().for_each(|key| app.skip(key));
    }
    let mut index = 0;
    keys.extend(app.sections("keys", None, |section| {
        let key = key(section, around, taken);
        let since = section.optional("since", values::moment, Value::shown);
        let place = format!("keys[{index}]");
        index += 1;
        let Found { key, secret_at } = key?;
        Some(Found {
            key: KeySettings { since, ..key },
            secret_at: key_path(&place, &secret_at),
        })
    }));
    let weak_allowed = app.or_default("weak_secret", "false", values::boolean);
    for found in keys.iter().flatten() {
        judge(app, found, around.listen, weak_allowed);
    }
    let keys: Option<Vec<_>> = keys.into_iter().map(|found| Some(found?.key)).collect();
    let mut keys = keys?;
    keys.sort_by_key(|key| key.since);
    Some(keys)
}

/// Reads a key and its secret.
fn key(section: &mut Section<'_>, around: &Around<'_>, taken: &mut Vec<(AppKey, String)>) -> Option<Found> {
    let key = section.required("key", values::name::<AppKey>, Value::shown);
    if let Some(key) = &key {
        if let Some((_, path)) = taken.iter().find(|(other, _)| other == key) {
            section.problem("key", format!("{path} has the same, give each its own"));
        }
        taken.push((key.clone(), section.path_of("key")));
    }
    let (secret_at, secret) = secret(section, around)?;
    Some(Found {
        key: KeySettings {
            key: key?,
            secret,
            since: None,
        },
        secret_at: secret_at.to_owned(),
    })
}

/// Reads `secret` or the file that `secret_file` names. Gives which of the two it was.
fn secret(section: &mut Section<'_>, around: &Around<'_>) -> Option<(&'static str, SecretString)> {
    let (typed, in_file) = (section.has("secret"), section.has("secret_file"));
    let secret = section.optional("secret", |value| values::filled(value).map(SecretString::from), hidden);
    let file = section.optional(
        "secret_file",
        |value| values::filled(value).map(str::to_owned),
        Value::shown,
    );
    match (typed, in_file) {
        (true, true) => {
            section.problem("secret", "stands beside `secret_file`, remove one of them");
            None
        }
        (false, false) => {
            section.problem("secret", "is missing, give `secret` or `secret_file`");
            None
        }
        (true, false) => Some(("secret", secret?)),
        (false, true) => Some(("secret_file", around.files.line(section, "secret_file", &file?)?)),
    }
}

/// Reports what is wrong or doubtful about a secret, given the address where the server listens.
fn judge(app: &mut Section<'_>, found: &Found, listen: SocketAddr, weak_allowed: bool) {
    let (at, secret) = (&found.secret_at, found.key.secret.expose_secret());
    let on_loopback = listen.ip().to_canonical().is_loopback();
    let length = secret.chars().count();
    if secret.trim() != secret {
        app.problem(
            at,
            "has white space around it, which would be a part of it: remove that",
        );
    } else if secret == SAMPLE_SECRET && on_loopback {
        app.warning(
            at,
            format!("is the sample secret, which everybody knows: make your own with {MAKE_SECRET}"),
        );
    } else if secret == SAMPLE_SECRET {
        app.problem(
            at,
            format!(
                "is the sample secret, which everybody knows, and server.listen {listen} is open to other machines; \
                 make a good one with {MAKE_SECRET}"
            ),
        );
    } else if length < SECRET_LEN_MIN && on_loopback && !weak_allowed {
        app.warning(
            at,
            format!(
                "has fewer than {SECRET_LEN_MIN} characters, so it can be guessed, and on another address than \
                 {listen} it is refused; make a good one with {MAKE_SECRET}"
            ),
        );
    } else if length < SECRET_LEN_MIN && !weak_allowed {
        app.problem(
            at,
            format!(
                "has fewer than {SECRET_LEN_MIN} characters, so it can be guessed, and server.listen {listen} is open \
                 to other machines; make a good one with {MAKE_SECRET}, or set `weak_secret: true` in the app if its \
                 back ends cannot change theirs yet"
            ),
        );
    }
}

#[cfg(test)]
mod tests;
