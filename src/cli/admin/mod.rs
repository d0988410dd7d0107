//! The commands that talk to a running server, through its admin API.

mod backup;
mod channels;
mod client;
mod error;
mod follow;
mod listen;
mod log;
mod names;
mod replay;
mod table;
mod text;
mod webhooks;
mod why;

use std::{path::Path, process::ExitCode};

use clap::Args;

pub use channels::ChannelsArgs;
pub use client::ClientArgs;
pub use listen::ListenArgs;
pub use webhooks::WebhooksArgs;
pub use why::WhyArgs;

use error::ClientError;

use super::fail;
use crate::config::{ConfigError, Loaded};

/// A command of this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Webhooks(WebhooksArgs),
    Channels(ChannelsArgs),
    Why(WhyArgs),
    Listen(ListenArgs),
}

/// Names an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct EndpointArgs {
    /// The id of the endpoint, as `vacancy webhooks list` shows it.
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// The app; needed when several have such an endpoint.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
}

/// Writes a copy of a running server's ledger to a new file; gives where the server is.
///
/// # Errors
/// When the server cannot be asked, or the file not be written.
pub(super) fn back_up(
    args: &ClientArgs,
    loaded: Result<Loaded, ConfigError>,
    to: &Path,
) -> Result<String, impl std::error::Error + use<>> {
    actix_rt::System::new().block_on(async move {
        let client = client::Client::new(args, loaded)?;
        backup::backup(&client, to).await?;
        Ok::<_, ClientError>(client.base().to_owned())
    })
}

/// Carries out a command and returns the exit code.
pub(super) fn run(command: Command, loaded: Result<Loaded, ConfigError>) -> ExitCode {
    let done = actix_rt::System::new().block_on(async move {
        match command {
            Command::Webhooks(args) => webhooks::webhooks(args, loaded).await,
            Command::Channels(args) => channels::channels(args, loaded).await,
            Command::Why(args) => why::why(args, loaded).await,
            Command::Listen(args) => listen::listen(args, loaded).await,
        }
    });
    match done {
        // Whoever read has seen what it wanted.
        Ok(()) | Err(ClientError::ReaderGone) => ExitCode::SUCCESS,
        Err(error) => {
            let code = fail(&error);
            // As for every other invalid argument.
            if matches!(error, ClientError::NoSuch { .. }) {
                ExitCode::from(2)
            } else {
                code
            }
        }
    }
}
