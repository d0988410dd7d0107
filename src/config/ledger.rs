//! Where it is kept what was told, and how much of it.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    files::Files,
    reader::Section,
    settings::{LedgerSettings, LedgerStore},
    source::Value,
    values::{self, MOMENT, Wrong},
};

const MB: usize = 1 << 20;
const TB: usize = 1 << 40;
/// Most bytes of the log when none are given.
const LOG_BYTES: usize = 100 * MB;
/// The part of `max_bytes` that the log has at most when none is given.
const LOG_PART: usize = 8;

/// Reads `ledger`.
pub(super) fn ledger(root: &mut Section<'_>, files: &Files<'_>) -> LedgerSettings {
    root.section("ledger", |ledger| {
        let store = ledger.or_default("path", "data/vacancy.redb", |value| store(value, files));
        let all = match store {
            LedgerStore::Memory => "64MB",
            LedgerStore::File(_) => "1GB",
        };
        let max_bytes = ledger.or_default("max_bytes", all, values::size(MB..=TB));
        let log_for = ledger.or_default("log_for", "7d", values::duration(Duration::ZERO));
        let log_bytes = log_bytes(ledger, max_bytes);
        let dead_letters_for = ledger.or_default("dead_letters_for", "30d", values::duration(MOMENT));
        LedgerSettings {
            store,
            max_bytes: max_bytes as u64,
            log_for,
            log_bytes: log_bytes as u64,
            dead_letters_for,
        }
    })
}

fn store(value: &Value, files: &Files<'_>) -> Result<LedgerStore, Wrong> {
    match values::filled(value)? {
        "memory" => Ok(LedgerStore::Memory),
        folder if folder.ends_with('/') => Err(Wrong::Not {
            want: "memory or the path of a file, like data/vacancy.redb",
        }),
        file => Ok(LedgerStore::File(files.path(file))),
    }
}

/// Reads `log_bytes`, which is no more than all there may be.
fn log_bytes(ledger: &mut Section<'_>, max_bytes: usize) -> usize {
    let default = LOG_BYTES.min(max_bytes / LOG_PART);
    let range: RangeInclusive<usize> = 0..=TB;
    let bytes = ledger.or_default("log_bytes", &values::bytes_shown(default), values::size(range));
    if max_bytes < bytes {
        let all = values::bytes_shown(max_bytes);
        ledger.problem("log_bytes", format!("is more than ledger.max_bytes, which is {all}"));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{
            error::Problem,
            parse::parse,
            reader::{self, Findings},
        },
        *,
    };

    fn read_in(folder: &str, ledger_yaml: &str) -> (LedgerSettings, Findings) {
        let yaml = format!("ledger: {ledger_yaml}");
        let files = Files {
            folder: Path::new(folder),
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let mut findings = Findings::default();
        let tree = parse(&yaml).expect(&yaml);
        let settings = reader::read(tree, &mut findings, |root| ledger(root, &files));
        (settings, findings)
    }

    #[track_caller]
    fn accepted(ledger_yaml: &str) -> LedgerSettings {
        let (settings, findings) = read_in("", ledger_yaml);
        assert_eq!(findings.problems, [], "{ledger_yaml}");
        settings
    }

    #[track_caller]
    fn refused(ledger_yaml: &str, want: &[&str]) {
        let (_, findings) = read_in("", ledger_yaml);
        let said: Vec<_> = findings.problems.iter().map(Problem::to_string).collect();
        assert_eq!(said, want, "{ledger_yaml}");
    }

    /// Checks that the ends of a range are accepted and what is past them is not.
    #[track_caller]
    fn check(name: &str, [lowest, highest]: [&str; 2], outside: [&str; 2]) {
        let yaml = |value: &str| {
            format!("{{max_bytes: 1024GB, {name}: {value}}}").replacen(
                "max_bytes: 1024GB, max_bytes",
                "log_bytes: 0B, max_bytes",
                1,
            )
        };
        for value in [lowest, highest] {
            accepted(&yaml(value));
        }
        for value in outside {
            let (_, findings) = read_in("", &yaml(value));
            let start = format!("ledger.{name}: must be ");
            let said = findings.problems[0].to_string();
            assert!(said.starts_with(&start), "{said}");
        }
    }

    #[test]
    fn the_ledger_is_a_file_unless_it_is_in_memory() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let file = LedgerSettings {
            store: LedgerStore::File("data/vacancy.redb".into()),
            max_bytes: 1 << 30,
            log_for: days(7),
            log_bytes: 100 << 20,
            dead_letters_for: days(30),
        };
        let memory = LedgerSettings {
            store: LedgerStore::Memory,
            max_bytes: 64 << 20,
            log_bytes: 8 << 20,
            ..file.clone()
        };
        assert_eq!(accepted(""), file);
        assert_eq!(accepted("{path: memory}"), memory);
    }

    #[test]
    fn every_key_is_read_from_its_own_name() {
        let settings =
            accepted("{path: /var/a.redb, max_bytes: 5MB, log_for: 2h, log_bytes: 3MB, dead_letters_for: 4h}");
        let want = LedgerSettings {
            store: LedgerStore::File("/var/a.redb".into()),
            max_bytes: 5 << 20,
            log_for: Duration::from_secs(7_200),
            log_bytes: 3 << 20,
            dead_letters_for: Duration::from_secs(14_400),
        };
        assert_eq!(settings, want);
    }

    #[test]
    fn a_relative_path_starts_beside_the_configuration() {
        for (folder, path, want) in [
            ("etc", "a.redb", "etc/a.redb"),
            ("", "a.redb", "a.redb"),
            ("etc", "/var/a.redb", "/var/a.redb"),
            ("etc", "./memory", "etc/./memory"),
        ] {
            let (settings, findings) = read_in(folder, &format!("{{path: {path}}}"));
            assert_eq!(findings.problems, []);
            assert_eq!(settings.store, LedgerStore::File(want.into()));
        }
        assert_eq!(read_in("etc", "{path: memory}").0.store, LedgerStore::Memory);
    }

    #[test]
    fn a_path_names_a_file() {
        refused(
            "{path: data/}",
            &["ledger.path: must be memory or the path of a file, like data/vacancy.redb"],
        );
        refused("{path: ''}", &["ledger.path: is empty"]);
        refused(
            "{path: 1}",
            &["ledger.path: YAML reads it as a whole number, put it in quotes"],
        );
        refused("{pth: memory}", &["ledger.pth: unknown key, did you mean `path`?"]);
    }

    #[test]
    fn everything_has_its_range() {
        check("max_bytes", ["1MB", "1024GB"], ["1023KB", "1025GB"]);
        check("log_bytes", ["0B", "1024GB"], ["1025GB", "2048GB"]);
        check("log_for", ["0s", "366d"], ["367d", "400d"]);
        check("dead_letters_for", ["1ms", "366d"], ["0s", "367d"]);
    }

    #[test]
    fn the_log_is_a_part_of_all() {
        let log_bytes = |yaml: &str| accepted(yaml).log_bytes;
        assert_eq!(log_bytes("{max_bytes: 800MB}"), 100 << 20);
        assert_eq!(log_bytes("{max_bytes: 799MB}"), (799 << 20) / 8);
        assert_eq!(log_bytes("{max_bytes: 1MB}"), 128 << 10);
        assert_eq!(log_bytes("{max_bytes: 5MB, log_bytes: 5MB}"), 5 << 20);
        assert_eq!(log_bytes("{path: memory, max_bytes: 1GB}"), 100 << 20);
        refused(
            "{max_bytes: 5MB, log_bytes: 6MB}",
            &["ledger.log_bytes: is more than ledger.max_bytes, which is 5MB"],
        );
        refused(
            "{path: memory, log_bytes: 100MB}",
            &["ledger.log_bytes: is more than ledger.max_bytes, which is 64MB"],
        );
    }

    #[test]
    fn the_report_shows_the_defaults_that_are_in_force() {
        let (_, findings) = read_in("", "{path: memory, max_bytes: 16MB}");
        let line = |p: &reader::Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
        assert_eq!(
            findings.report.iter().map(line).collect::<Vec<_>>(),
            [
                "ledger.path = memory (file)",
                "ledger.max_bytes = 16MB (file)",
                "ledger.log_for = 7d (default)",
                "ledger.log_bytes = 2MB (default)",
                "ledger.dead_letters_for = 30d (default)",
            ]
        );
    }
}
