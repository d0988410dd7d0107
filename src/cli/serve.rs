//! `vacancy serve`: starts the server.

use std::{io::Write, process::ExitCode};

use super::{escape, fail};
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
        .format(|out, record| {
            let level = record.level();
            let style = out.default_level_style(level);
            let (time, of) = (out.timestamp(), record.target());
            // Log lines hold strangers' names and texts.
            let what = escape::line(&record.args().to_string());
            writeln!(out, "[{time} {style}{level:<5}{style:#} {of}] {what}")
        })
        .init();
    match &loaded.source {
        ConfigSource::File(path) => log::info!("configuration: {}", path.display()),
        ConfigSource::Environment => log::info!("configuration: environment variables, there is no config.yaml"),
        // A warning says this.
        ConfigSource::Sample => {}
        ConfigSource::Text => log::info!("configuration: a text"),
    }
    for warning in &loaded.warnings {
        log::warn!("configuration: {}", warning.in_file(&loaded.source));
    }
    match crate::server::run_until_signal(&loaded.settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}
