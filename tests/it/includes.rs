//! What the documents quote of a program is what stands there: a line `<!-- code: FILE REGION -->` and
//! the block behind it, against the lines between `region: REGION` and `endregion: REGION` in FILE
//! (without a region, the whole file).
//!
//! `VACANCY_WRITE_DOCS=1 cargo test --test it includes` writes the blocks anew.

use std::path::{Path, PathBuf};

use crate::docs::documents;

const MARK: &str = "<!-- code: ";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a region, without the indentation that all of them have.
fn region(text: &str, name: &str) -> Option<String> {
    let is_mark = |line: &str, mark: &str| line.trim().ends_with(&format!(" {mark}: {name}"));
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !is_mark(line, "region"))
        .skip(1)
        .take_while(|line| !is_mark(line, "endregion"))
        .filter(|line| !line.contains(" region: ") && !line.contains(" endregion: "))
        .collect();
    if lines.is_empty() || !text.lines().any(|line| is_mark(line, "endregion")) {
        return None;
    }
    let indents = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = indents
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or_default();
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default())
        .collect();
    Some(lines.join("\n").trim_end().to_owned())
}

/// A whole file, without the lines that begin and end a region.
fn without_marks(text: &str) -> String {
    let is_mark = |line: &&str| line.contains(" region: ") || line.contains(" endregion: ");
    let lines: Vec<&str> = text.lines().filter(|line| !is_mark(line)).collect();
    lines.join("\n").trim_end().to_owned()
}

/// What a mark stands for.
fn quoted(mark: &str) -> Result<String, String> {
    let mut words = mark.split_whitespace();
    let file = words.next().ok_or("no file")?;
    let text = std::fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))?;
    match words.next() {
        None => Ok(without_marks(&text)),
        Some(name) => region(&text, name).ok_or_else(|| format!("{file} has no region {name}")),
    }
}

/// The document with every quoted block as it should be, and how many there are.
fn renewed(text: &str) -> Result<(String, usize), String> {
    let mut parts = text.split(MARK);
    let mut renewed = parts.next().unwrap_or_default().to_owned();
    let mut count = 0;
    for part in parts {
        let (mark, rest) = part.split_once(" -->\n").ok_or("a mark without its end")?;
        let (fence, rest) = rest.split_once('\n').ok_or("no block behind the mark")?;
        let language = fence
            .strip_prefix("```")
            .ok_or_else(|| format!("no block behind {mark}"))?;
        let (_, rest) = format!("\n{rest}")
            .split_once("\n```\n")
            .map(|(block, rest)| (block.to_owned(), rest.to_owned()))
            .ok_or_else(|| format!("the block behind {mark} has no end"))?;
        renewed += &format!("{MARK}{mark} -->\n```{language}\n{}\n```\n{rest}", quoted(mark)?);
        count += 1;
    }
    Ok((renewed, count))
}

#[test]
fn what_the_documents_quote_of_a_program_stands_there() {
    let writes = std::env::var_os("VACANCY_WRITE_DOCS").is_some();
    let mut stale: Vec<PathBuf> = Vec::new();
    let mut total = 0;
    for (path, text) in documents() {
        let (renewed, count) = renewed(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        total += count;
        if renewed != text {
            if writes {
                std::fs::write(&path, renewed).expect("a document");
            } else {
                stale.push(path);
            }
        }
    }
    assert!(0 < total, "no document quotes anything");
    assert!(
        stale.is_empty(),
        "{stale:?} quote what does not stand there; write them anew with VACANCY_WRITE_DOCS=1 cargo test --test it includes"
    );
}

#[test]
fn a_region_is_found_by_its_whole_name_and_without_its_indentation() {
    let text = "a\n    // region: one\n    b\n      c\n\n    // endregion: one\n# region: one-more\nd\n# endregion: one-more\n";
    assert_eq!(region(text, "one").as_deref(), Some("b\n  c"));
    assert_eq!(region(text, "one-more").as_deref(), Some("d"));
    assert_eq!(region(text, "more"), None);
    assert_eq!(region("# region: open\nx\n", "open"), None);
}
