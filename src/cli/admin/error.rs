//! Why a command that talks to a server could not do what it was asked, and what to do about it.

use std::{io, path::PathBuf};

use crate::{config::ConfigError, ledger::BackupError};

/// Why a download ended before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    /// The server, or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What came could not be kept.
    #[error(transparent)]
    Kept(#[from] io::Error),
}

/// Why a command failed. None of them holds the token.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error(
        "there is no token for the admin API: {config} has no admin.token, VACANCY_ADMIN_TOKEN is not set and \
         --token-file was not given. The server's admin API is off while its configuration has no admin.token: set \
         one there (`admin: {{ token: \"${{VACANCY_ADMIN_TOKEN:-}}\" }}`), restart it, and give the same one here"
    )]
    NoToken {
        /// The configuration that was looked into.
        config: String,
    },
    #[error("cannot read the token in {}: {error}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    #[error("cannot use the certificates of --ca {}: {reason}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    #[error("admin.listen has port 0, so it cannot be known where the server listens: name it with --url")]
    AnyPort,
    #[error("--url {0:?} is no URL: it should be like http://127.0.0.1:6002")]
    Url(String),
    #[error(
        "cannot reach the admin API at {url}: {reason}. Is the server running there (`vacancy serve`)? Its admin API \
         is on when admin.token is set, and it then logs `admin API on http://…` when it starts; --url names another \
         address"
    )]
    Unreachable {
        /// Where it should be.
        url: String,
        /// Why.
        reason: String,
    },
    #[error("the server at {url} refuses the token of {token_from}; it wants the one of its admin.token")]
    Token {
        /// Where the server is.
        url: String,
        /// Where the token came from.
        token_from: String,
    },
    #[error("{0}")]
    Refused(String),
    #[error(
        "what answers at {url} is not the admin API of this version: {what}. Is it the port of admin.listen, not of \
         server.listen?"
    )]
    NotTheApi {
        /// Where it is.
        url: String,
        /// What it answered.
        what: String,
    },
    #[error("there is no {what} {name}{hint}")]
    NoSuch {
        /// `app`, `endpoint` or `channel`.
        what: &'static str,
        /// As it was typed.
        name: String,
        /// A suggestion, or the names that exist.
        hint: String,
    },
    #[error("the endpoint {id} is in several apps, name one with --app: {}", apps.join(", "))]
    SeveralEndpoints {
        /// The endpoint.
        id: String,
        /// The apps.
        apps: Vec<String>,
    },
    #[error("the server has several apps, name one with --app: {}", .0.join(", "))]
    SeveralApps(Vec<String>),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("{0}")]
    Failed(String),
    #[error("nobody reads what is printed")]
    ReaderGone,
}
