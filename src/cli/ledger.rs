//! `vacancy ledger`: looks after the file of a ledger that no server uses.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{SHARED, admin, admin::ClientArgs, escape, fail, json as json_line, print};
use crate::{
    config::{ConfigError, LedgerStore, Loaded},
    domain::counted,
    ledger::{BackupError, CheckReport, Compacted, Embedded, OpenError},
};

/// What `vacancy ledger` is told.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LedgerArgs {
    /// The ledger's file; without, ledger.path of the configuration.
    #[arg(long, global = true, value_name = "FILE", help_heading = SHARED)]
    path: Option<PathBuf>,
    #[command(subcommand)]
    command: LedgerCommand,
}

/// What can be done with the file of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum LedgerCommand {
    /// Check the whole file, print what it holds and what is wrong, and change nothing; exit with 1
    /// if anything is wrong.
    #[command(after_help = "Example: vacancy ledger check --path data/vacancy.redb")]
    Check {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy the ledger to a new file, also while its server runs: that is asked over its admin API then.
    #[command(after_help = "Example: vacancy ledger backup /backup/vacancy.redb")]
    Backup {
        /// The new file.
        #[arg(value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        server: ClientArgs,
    },
    /// Make the file smaller, by what it does not use.
    #[command(after_help = "Example: vacancy ledger compact")]
    Compact {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What `backup --json` prints.
#[derive(Debug, Serialize)]
struct Copied<'a> {
    /// The file that was copied, or the server whose ledger was.
    #[serde(flatten)]
    from: CopiedFrom,
    copy: &'a Path,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum CopiedFrom {
    Path(PathBuf),
    Server(String),
}

/// What `compact --json` prints.
#[derive(Debug, Serialize)]
struct Smaller {
    path: PathBuf,
    bytes_before: u64,
    bytes_after: u64,
}

/// Why the command was not carried out.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("ledger.path is memory, so there is no file; name one with --path FILE")]
    InMemory,
    #[error(
        "the ledger {0} is in use by a running server, so stop that first (SIGTERM, as `systemctl stop` sends; it loses \
         nothing) and start it again afterwards. A running server itself tells what is in \
         it: `vacancy webhooks list`, `vacancy channels`, `vacancy why CHANNEL`; and `vacancy ledger backup FILE` copies \
         it from the running server to a file that can be checked"
    )]
    InUse(String),
    #[error(
        "the ledger {0} is in use by a running server, and --path names no server to ask for a copy: name its admin API \
         with --url instead, or the server's configuration with --config"
    )]
    NoServer(String),
    #[error("{0}")]
    Server(String),
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    Backup(BackupError),
}

/// Carries out the command and prints what came of it.
pub(super) fn ledger(args: &LedgerArgs, loaded: Result<Loaded, ConfigError>) -> ExitCode {
    match carry_out(args, loaded) {
        Ok((text, code)) => {
            print(&text);
            code
        }
        Err(refused) => fail(&refused),
    }
}

fn file(path: Option<&Path>, loaded: Result<Loaded, ConfigError>) -> Result<PathBuf, Refused> {
    match path {
        Some(path) => Ok(path.to_owned()),
        None => configured(&loaded?),
    }
}

/// The file of the configuration.
fn configured(loaded: &Loaded) -> Result<PathBuf, Refused> {
    match &loaded.settings.ledger.store {
        LedgerStore::File(path) => Ok(path.clone()),
        LedgerStore::Memory => Err(Refused::InMemory),
    }
}

/// Copies the file, or has its server do so while that runs.
fn backup(
    path: Option<&Path>,
    server: &ClientArgs,
    loaded: Result<Loaded, ConfigError>,
    to: &Path,
) -> Result<String, Refused> {
    let copied = |from: CopiedFrom| {
        Ok(match (&from, server.json) {
            (_, true) => json_line(&Copied { from, copy: to }),
            (CopiedFrom::Path(path), false) => format!("{}: copied to {}\n", path.display(), to.display()),
            (CopiedFrom::Server(url), false) => {
                format!("the ledger of the server at {url}: copied to {}\n", to.display())
            }
        })
    };
    let loaded = match (path, &server.url) {
        (_, Some(_)) => loaded,
        (Some(path), None) => {
            return match Embedded::backup_file(path, to).map_err(Refused::from) {
                Ok(()) => copied(CopiedFrom::Path(path.to_owned())),
                Err(Refused::InUse(path)) => Err(Refused::NoServer(path)),
                Err(refused) => Err(refused),
            };
        }
        (None, None) => {
            let loaded = loaded?;
            let path = configured(&loaded)?;
            match Embedded::backup_file(&path, to).map_err(Refused::from) {
                Ok(()) => return copied(CopiedFrom::Path(path)),
                Err(Refused::InUse(_)) => Ok(loaded),
                Err(refused) => return Err(refused),
            }
        }
    };
    let url = admin::back_up(server, loaded, to).map_err(|error| Refused::Server(error.to_string()))?;
    copied(CopiedFrom::Server(url))
}

/// Gives what is printed, and the exit code.
fn carry_out(args: &LedgerArgs, loaded: Result<Loaded, ConfigError>) -> Result<(String, ExitCode), Refused> {
    let path = args.path.as_deref();
    let text = match &args.command {
        LedgerCommand::Check { json } => {
            let report = Embedded::check(&file(path, loaded)?)?;
            let text = if *json { json_line(&report) } else { as_text(&report) };
            let is_whole = report.problems.is_empty();
            return Ok((text, if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }));
        }
        LedgerCommand::Backup { to, server } => backup(path, server, loaded, to)?,
        LedgerCommand::Compact { json } => compact(file(path, loaded)?, *json)?,
    };
    Ok((text, ExitCode::SUCCESS))
}

fn compact(path: PathBuf, json: bool) -> Result<String, Refused> {
    let Compacted { before, after } = Embedded::compact(&path)?;
    if !json {
        return Ok(format!("{}: {before} bytes before, {after} after\n", path.display()));
    }
    Ok(json_line(&Smaller {
        path,
        bytes_before: before,
        bytes_after: after,
    }))
}

fn as_text(report: &CheckReport) -> String {
    let verdict = match report.problems.len() {
        0 => "ok".to_owned(),
        count => counted(count, "problem"),
    };
    let mut text = format!(
        "\
{}: {verdict}
  file           {} bytes, format {}
  endpoints      {}
  channels       {} with their users, {} of them told occupied
  events         {} not answered: {} wait in queues, and {} requests hold the others
  dead letters   {}, {} bytes
  log            {} lines, {} bytes
",
        report.path.display(),
        report.file_bytes,
        report.format,
        report.endpoints,
        report.keys,
        report.occupied,
        report.events,
        report.queued,
        report.requests,
        report.dead_letters,
        report.dead_bytes,
        report.log_lines,
        report.log_bytes,
    );
    for problem in &report.problems {
        let _ = writeln!(text, "- {}", escape::line(problem));
    }
    text
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse { path } => Self::InUse(path),
            OpenError::Unusable { .. }
            | OpenError::NotALedger { .. }
            | OpenError::Missing { .. }
            | OpenError::Damaged { .. }
            | OpenError::Newer { .. } => Self::Open(error),
        }
    }
}

impl From<BackupError> for Refused {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Source(error) => error.into(),
            BackupError::Exists { .. } | BackupError::Failed { .. } => Self::Backup(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> CheckReport {
        CheckReport {
            path: "data/vacancy.redb".into(),
            file_bytes: 73_728,
            format: 1,
            endpoints: 2,
            keys: 5,
            occupied: 4,
            events: 9,
            queued: 6,
            requests: 2,
            dead_letters: 1,
            dead_bytes: 200,
            log_lines: 30,
            log_bytes: 4_000,
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_report_says_what_is_in_the_ledger() {
        let want = "\
data/vacancy.redb: ok
  file           73728 bytes, format 1
  endpoints      2
  channels       5 with their users, 4 of them told occupied
  events         9 not answered: 6 wait in queues, and 2 requests hold the others
  dead letters   1, 200 bytes
  log            30 lines, 4000 bytes
";
        assert_eq!(as_text(&report()), want);
    }

    #[test]
    fn a_report_ends_with_what_is_wrong() {
        let mut report = report();
        report.problems = vec!["one thing".into(), "another".into()];
        let text = as_text(&report);
        assert!(text.starts_with("data/vacancy.redb: 2 problems\n"));
        assert!(text.ends_with("4000 bytes\n- one thing\n- another\n"));
    }

    #[test]
    fn a_report_in_json_is_one_line() {
        let want = r#"{"path":"data/vacancy.redb","file_bytes":73728,"format":1,"endpoints":2,"keys":5,"occupied":4,"events":9,"queued":6,"requests":2,"dead_letters":1,"dead_bytes":200,"log_lines":30,"log_bytes":4000,"problems":[]}"#;
        assert_eq!(json_line(&report()), format!("{want}\n"));
    }
}
