//! `tests/conformance/rows.toml` against the tests, against PROTOCOL.md where that is there, and
//! against `docs/compatibility.md`, which is generated from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

const TABLE: &str = include_str!("../conformance/rows.toml");
const BEFORE: &str = include_str!("../conformance/before.md");
const AFTER: &str = include_str!("../conformance/after.md");
const DOCUMENT: &str = "docs/compatibility.md";

/// More distinct cases of `conformance` than this are named.
const CASES_MIN: usize = 250;
/// How much of a line of PROTOCOL.md stands for it, in characters.
const LINE_START: usize = 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The titles of the sections, by their number.
    sections: BTreeMap<String, String>,
    row: Vec<Row>,
    unlisted: Unlisted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    line_starts: String,
    says: String,
    vacancy: Option<String>,
    cases: Option<Vec<String>>,
    why_not: Option<String>,
    /// A case is yet to be written.
    #[serde(default)]
    missing: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlisted {
    because: String,
    cases: Vec<String>,
}

impl Row {
    fn section(&self) -> &str {
        self.id.rsplit_once('-').expect("a section and a number").0
    }

    fn cases(&self) -> &[String] {
        self.cases.as_deref().unwrap_or_default()
    }
}

fn table() -> Table {
    toml::from_str(TABLE).unwrap_or_else(|error| panic!("tests/conformance/rows.toml: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_row_has_its_own_id_and_either_cases_or_a_reason() {
    let table = table();
    let mut ids = BTreeSet::new();
    let mut problems = Vec::new();
    for row in &table.row {
        let id = &row.id;
        if !ids.insert(id) {
            problems.push(format!("{id} stands twice"));
        }
        if !table.sections.contains_key(row.section()) {
            problems.push(format!("{id} is in no section"));
        }
        if row.missing {
            problems.push(format!("{id} is missing its case: {}", row.says));
        }
        if row.cases.is_some() == row.why_not.is_some() {
            problems.push(format!("{id} needs either cases or why_not"));
        }
        if row.cases.as_ref().is_some_and(Vec::is_empty) {
            problems.push(format!("{id} has no case"));
        }
        if row.cases().iter().collect::<BTreeSet<_>>().len() != row.cases().len() {
            problems.push(format!("{id} names a case twice"));
        }
        let texts = [Some(&row.says), row.vacancy.as_ref(), row.why_not.as_ref()];
        if texts
            .iter()
            .flatten()
            .any(|text| text.trim().is_empty() || text.contains('\n'))
        {
            problems.push(format!("{id} has a text that is empty or of several lines"));
        }
    }
    for section in table.sections.keys() {
        if !table.row.iter().any(|row| row.section() == section) {
            problems.push(format!("section {section} has no row"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_case_is_a_test_and_every_test_of_conformance_is_a_case() {
    let table = table();
    let tests = tests();
    let named: BTreeSet<&str> = table.row.iter().flat_map(Row::cases).map(String::as_str).collect();
    let unlisted: BTreeSet<&str> = table.unlisted.cases.iter().map(String::as_str).collect();
    let gone: Vec<&&str> = named.union(&unlisted).filter(|case| !tests.contains(**case)).collect();
    assert!(gone.is_empty(), "no such tests: {gone:#?}");
    let twice: Vec<_> = named.intersection(&unlisted).collect();
    assert!(twice.is_empty(), "named by a row and unlisted: {twice:#?}");
    assert!(!table.unlisted.because.is_empty());
    let conformance = tests.iter().filter(|test| test.starts_with("conformance::"));
    let unnamed: Vec<&String> = conformance
        .filter(|test| !named.contains(test.as_str()) && !unlisted.contains(test.as_str()))
        .collect();
    assert!(unnamed.is_empty(), "tests that no row names: {unnamed:#?}");
    let cases = named.iter().filter(|case| case.starts_with("conformance::")).count();
    assert!(CASES_MIN < cases, "{cases} cases of conformance");
}

#[test]
fn every_bullet_and_table_row_of_the_protocol_has_a_row() {
    let file = root().join("../shared/PROTOCOL.md");
    let Ok(protocol) = fs::read_to_string(&file) else {
        println!("{} is not there, so rows.toml was not compared with it", file.display());
        return;
    };
    let table = table();
    let mut rows: BTreeSet<(&str, &str)> = BTreeSet::new();
    for row in &table.row {
        rows.insert((row.section(), row.line_starts.as_str()));
    }
    let items = items(&protocol);
    assert!(400 < items.len(), "{} bullets and rows", items.len());
    let missing: Vec<_> = items
        .iter()
        .filter(|(section, start)| !rows.contains(&(section.as_str(), start.as_str())))
        .collect();
    assert!(missing.is_empty(), "in PROTOCOL.md and not in rows.toml: {missing:#?}");
    let lines: Vec<&str> = protocol.lines().map(str::trim).collect();
    let gone: Vec<&str> = table
        .row
        .iter()
        .filter(|row| !lines.iter().any(|line| line.starts_with(&row.line_starts)))
        .map(|row| row.id.as_str())
        .collect();
    assert!(gone.is_empty(), "rows whose line is not in PROTOCOL.md: {gone:#?}");
}

#[test]
fn the_table_of_compatibility_is_generated_from_the_rows() {
    let file = root().join(DOCUMENT);
    let want = document(&table());
    if std::env::var_os("VACANCY_WRITE_DOCS").is_some() {
        fs::write(&file, &want).expect("the document is written");
    }
    let is = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        is == want,
        "{DOCUMENT} is not what rows.toml says; write it with VACANCY_WRITE_DOCS=1 cargo test --test it rows"
    );
}

#[test]
fn tests_bullets_and_table_rows_are_found() {
    let text = "#[test]\nfn a() {}\nfn b() {}\n    #[tokio::test]\n    #[should_panic]\n    async fn c() {\n#[actix_rt::test]\nasync fn d() {}";
    assert_eq!(names(text), ["a", "c", "d"]);
    assert_eq!(path_of("tests/it/conformance/mod.rs", "a"), "conformance::a");
    assert_eq!(path_of("tests/it/smoke.rs", "a"), "smoke::a");
    assert_eq!(path_of("src/domain/app.rs", "a"), "lib:domain::app::tests::a");
    assert_eq!(
        path_of("src/ledger/memory/tests.rs", "a"),
        "lib:ledger::memory::tests::a"
    );
    let text = "* none\n## 0. Rules\n1. one\n   * inner\n### 1.1 URL\n| head |\n|---|\n| row |\n```\n* code\n```\n## 11. Frames\n```\n{\"a\":1}\n```\n";
    let found = items(text);
    let found: Vec<_> = found
        .iter()
        .map(|(section, start)| format!("{section} {start}"))
        .collect();
    assert_eq!(found, ["0 1. one", "0 * inner", "1.1 | row |", "11 {\"a\":1}"]);
}

/// The tests of this binary and of the library, by their paths.
fn tests() -> BTreeSet<String> {
    let mut folders: Vec<PathBuf> = vec![root().join("tests/it"), root().join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let file = path.strip_prefix(root()).expect("below the root");
                let file = file.to_str().expect("a path of ours");
                found.extend(names(&text).into_iter().map(|name| path_of(file, name)));
            }
        }
    }
    found
}

/// The names of the test functions of a source file.
fn names(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.ends_with("test]") || line.contains("test(");
            continue;
        }
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let (true, Some((name, _))) = (is_test, function.and_then(|rest| rest.split_once('('))) {
            found.push(name);
        }
        is_test = false;
    }
    found
}

/// The path of a test as cargo prints it. Tests of the library are in a module `tests`, in the file
/// or beside it.
fn path_of(file: &str, name: &str) -> String {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if let Some(module) = module.strip_prefix("tests/it/") {
        return format!("{}::{name}", module.replace('/', "::"));
    }
    let module = module.trim_start_matches("src/").replace('/', "::");
    if module.split("::").any(|part| part == "tests") {
        format!("lib:{module}::{name}")
    } else {
        format!("lib:{module}::tests::{name}")
    }
}

/// The bullets, numbered items and table rows of PROTOCOL.md, and the frames of its section 11: their
/// sections and how they start.
fn items(protocol: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = protocol.lines().map(str::trim).collect();
    let mut found = Vec::new();
    let mut section = "";
    let mut is_code = false;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if let Some(number) = heading(line).filter(|_| !is_code) {
            section = number;
        } else if is_item(line, lines.get(at + 1).copied().unwrap_or_default(), is_code, section) {
            let start: String = line.chars().take(LINE_START).collect();
            found.push((section.to_owned(), start.trim().to_owned()));
        }
    }
    found
}

/// The number of a section that begins with this line.
fn heading(line: &str) -> Option<&str> {
    let title = line.strip_prefix("### ").or_else(|| line.strip_prefix("## "))?;
    let number = title.split(' ').next()?.trim_end_matches('.');
    number.starts_with(|c: char| c.is_ascii_digit()).then_some(number)
}

fn is_item(line: &str, next: &str, is_code: bool, section: &str) -> bool {
    if section.is_empty() || line.is_empty() {
        return false;
    }
    if is_code {
        return section == "11";
    }
    let is_rule = |line: &str| line.starts_with('|') && line.chars().all(|c| "|- ".contains(c));
    let is_numbered = line
        .split_once(". ")
        .is_some_and(|(number, _)| number.parse::<usize>().is_ok());
    line.starts_with("* ") || is_numbered || line.starts_with('|') && !is_rule(line) && !is_rule(next)
}

/// The document that the table makes.
fn document(table: &Table) -> String {
    let mut text = BEFORE.trim_end().to_owned();
    let cases: BTreeSet<&String> = table.row.iter().flat_map(Row::cases).collect();
    let own = cases.iter().filter(|case| !case.starts_with("lib:")).count();
    let reasons = table.row.iter().filter(|row| row.why_not.is_some()).count();
    let _ = write!(
        text,
        "\n\n{} rows: {} are checked by {own} tests against the real program and {} of the library, {reasons} do not apply.\n",
        table.row.len(),
        table.row.len() - reasons,
        cases.len() - own,
    );
    let mut section = "";
    for row in &table.row {
        if row.section() != section {
            section = row.section();
            let title = &table.sections[section];
            let _ = write!(
                text,
                "\n### {section} {title}\n\n| | Pusher documents | Vacancy | checked by |\n|---|---|---|---|\n"
            );
        }
        let (does, checked) = match (&row.why_not, row.cases().len()) {
            (Some(why), _) => (why.as_str(), "–".to_owned()),
            (None, 1) => (row.vacancy.as_deref().unwrap_or("the same"), "1 test".to_owned()),
            (None, count) => (row.vacancy.as_deref().unwrap_or("the same"), format!("{count} tests")),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {checked} |",
            row.id,
            cell(&row.says),
            cell(does)
        );
    }
    text.push('\n');
    text.push_str(AFTER.trim_end());
    text.push('\n');
    text
}

/// A text that a cell of a table can hold.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
