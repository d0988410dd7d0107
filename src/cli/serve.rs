//! `vacancy serve`: starts the server.

use std::process::ExitCode;

use super::fail;
use crate::{
    config::{ConfigSource, Loaded},
    server::LOG_FILTER,
};

/// Serves until a signal and returns the exit code. `RUST_LOG` says what is logged; without, all
/// from `info` on.
#[must_use]
pub fn serve(loaded: Loaded) -> ExitCode {
    env_logger::Builder::new()
        .parse_filters(LOG_FILTER)
        .parse_env(env_logger::Env::default().default_filter_or("info"))
        .init();
    match &loaded.source {
        ConfigSource::File(path) => log::info!("configuration: {}", path.display()),
        ConfigSource::Embedded => log::info!(
            "configuration: there is no config.yaml in this folder, so the built-in sample is used; \
             name a file with --config FILE"
        ),
        ConfigSource::Text => log::info!("configuration: a text"),
    }
    for warning in &loaded.warnings {
        log::warn!("configuration: {warning}");
    }
    match crate::server::run_until_signal(&loaded.settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}
