//! Reads a map of the tree key by key, notes where each value came from, and collects every
//! problem instead of stopping at the first.

use std::fmt::Display;

use super::{
    environment::structured,
    error::Problem,
    nearest::nearest,
    source::{Node, Origin, Value, key_path},
    values::Wrong,
};

/// What is shown instead of a secret.
const HIDDEN: &str = "********";

/// A value of the effective configuration and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The path of its key, like `apps[0].id`.
    pub path: String,
    /// The value as it was typed; a secret is hidden.
    pub value: String,
    /// Who gave it.
    pub origin: Origin,
}

/// What was found while reading, in the order of reading.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) report: Vec<Provenance>,
}

impl Findings {
    /// Notes a problem, unless there is one at the same place: the first says what to do.
    pub(super) fn problem(&mut self, problem: Problem) {
        if self.problems.iter().all(|other| other.path != problem.path) {
            self.problems.push(problem);
        }
    }
}

/// A map that is being read. Each key that is asked for is known; the others are problems.
pub(super) struct Section<'f> {
    path: String,
    entries: Vec<(String, Node)>,
    known: Vec<&'static str>,
    findings: &'f mut Findings,
}

/// How a value is shown in the report.
pub(super) type Shown = fn(&Value) -> String;

/// Shows nothing of a secret.
pub(super) fn hidden(_: &Value) -> String {
    HIDDEN.to_owned()
}

/// Reads a whole tree. Nothing at all is an empty map.
pub(super) fn read<T>(tree: Node, findings: &mut Findings, body: impl FnOnce(&mut Section<'_>) -> T) -> T {
    section_at(String::new(), Some(tree), findings, body)
}

impl Section<'_> {
    /// The path of one of its keys.
    pub(super) fn path_of(&self, key: &str) -> String {
        key_path(&self.path, key)
    }

    /// Reads the map under a key, which may be absent or empty.
    pub(super) fn section<T>(&mut self, key: &'static str, body: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let node = self.take(key);
        section_at(self.path_of(key), node, self.findings, body)
    }

    /// Reads the list of maps under a key. `empty` is the problem when there is nothing in it; an
    /// absent key is an empty list.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        empty: Option<&str>,
        mut body: impl FnMut(&mut Section<'_>) -> T,
    ) -> Vec<T> {
        let path = self.path_of(key);
        let items = self.list(key, empty).into_iter().enumerate();
        items
            .map(|(index, item)| section_at(format!("{path}[{index}]"), Some(item), self.findings, &mut body))
            .collect()
    }

    /// Reads the list of values under a key; those that are wrong are left out. `empty` is the
    /// problem when there is nothing in it; an absent key is an empty list.
    pub(super) fn values<T>(
        &mut self,
        key: &'static str,
        empty: &str,
        mut parse: impl FnMut(&Value) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let path = self.path_of(key);
        let items = self.list(key, Some(empty)).into_iter().enumerate();
        items
            .filter_map(|(index, item)| self.parse(format!("{path}[{index}]"), &item, &mut parse, Value::shown))
            .collect()
    }

    /// Reads a value, or the list of values, under a key that may be absent; those that are wrong are
    /// left out. An empty text alone is an empty list.
    pub(super) fn one_or_more<T>(
        &mut self,
        key: &'static str,
        mut parse: impl FnMut(&Value) -> Result<T, Wrong>,
        shown: Shown,
    ) -> Vec<T> {
        let path = self.path_of(key);
        let node = self.take(key);
        // Text in braces is a value here.
        let is_object = |node: &Node| matches!(structured(node), Some(Value::Map(_)));
        let node = match node {
            Some(node) if !is_object(&node) => unpacked(&path, node, self.findings),
            other => other,
        };
        match node {
            Some(Node {
                value: Value::List(items),
                ..
            }) => {
                let items = items.into_iter().enumerate();
                items
                    .filter_map(|(index, item)| self.parse(format!("{path}[{index}]"), &item, &mut parse, shown))
                    .collect()
            }
            Some(node) if node.value.as_text() == Some("") => {
                self.parse(path, &node, |_| Ok(()), Value::shown);
                Vec::new()
            }
            Some(node) => self.parse(path, &node, parse, shown).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Reads the map with free keys under a key, whose values are hidden.
    pub(super) fn hidden_pairs<T>(
        &mut self,
        key: &'static str,
        mut parse: impl FnMut(&str, &Value) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let path = self.path_of(key);
        let pairs = map_of(&path, self.take(key), self.findings)
            .unwrap_or_default()
            .into_iter();
        pairs
            .filter_map(|(name, node)| self.parse(key_path(&path, &name), &node, |value| parse(&name, value), hidden))
            .collect()
    }

    /// Reads a key that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnMut(&Value) -> Result<T, Wrong>,
        shown: Shown,
    ) -> Option<T> {
        let node = self.take(key)?;
        self.parse(self.path_of(key), &node, parse, shown)
    }

    /// Reads a key that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnMut(&Value) -> Result<T, Wrong>,
        shown: Shown,
    ) -> Option<T> {
        if !self.has(key) {
            self.problem(key, "is missing");
        }
        self.optional(key, parse, shown)
    }

    /// Reads a key that has a default, which is typed as in the file.
    pub(super) fn or_default<T>(
        &mut self,
        key: &'static str,
        default: &str,
        mut parse: impl FnMut(&Value) -> Result<T, Wrong>,
    ) -> T {
        let built_in = Node {
            value: Value::Text(default.to_owned()),
            origin: Origin::Default,
            place: None,
        };
        let value = parse(&built_in.value).expect("defaults are valid");
        let node = self.take(key).unwrap_or(built_in);
        self.parse(self.path_of(key), &node, parse, Value::shown)
            .unwrap_or(value)
    }

    /// Takes a key unread, because another is read instead. It stays a known one.
    pub(super) fn skip(&mut self, key: &'static str) {
        self.take(key);
    }

    /// Whether there is something under the key, be it right or wrong.
    pub(super) fn gives(&self, key: &str) -> bool {
        let node = self.entries.iter().find(|(name, _)| name == key);
        node.is_some_and(|(_, node)| match structured(node).as_ref().unwrap_or(&node.value) {
            Value::Null => false,
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => true,
        })
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name == key)
    }

    /// Notes a value that was not typed.
    pub(super) fn note(&mut self, key: &str, value: String, origin: Origin) {
        let path = self.path_of(key);
        self.findings.report.push(Provenance { path, value, origin });
    }

    /// Notes that something is wrong with a key.
    pub(super) fn problem(&mut self, key: &str, what: impl Display) {
        let problem = problem(self.path_of(key), what);
        self.findings.problem(problem);
    }

    /// Notes that something about a key is doubtful.
    pub(super) fn warning(&mut self, key: &str, what: impl Display) {
        let warning = problem(self.path_of(key), what);
        self.findings.warnings.push(warning);
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let position = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(position).1)
    }

    fn list(&mut self, key: &'static str, empty: Option<&str>) -> Vec<Node> {
        let path = self.path_of(key);
        let items = match self.take(key).and_then(|node| unpacked(&path, node, self.findings)) {
            None => Vec::new(),
            Some(node) if node.value.is_null() => Vec::new(),
            Some(Node {
                value: Value::List(items),
                ..
            }) => items,
            Some(node) => {
                let what = match &node.origin {
                    Origin::Environment(_) => "must be a list: JSON like [\"a\", \"b\"], or empty for none".to_owned(),
                    Origin::File | Origin::Sample | Origin::Default | Origin::Inherited(_) => {
                        format!("must be a list, not {}", node.value.kind())
                    }
                };
                self.findings.problem(problem_from(path, what, &node.origin));
                return Vec::new();
            }
        };
        if let Some(empty) = empty
            && items.is_empty()
        {
            self.problem(key, empty);
        }
        items
    }

    fn parse<T>(
        &mut self,
        path: String,
        node: &Node,
        mut parse: impl FnMut(&Value) -> Result<T, Wrong>,
        shown: Shown,
    ) -> Option<T> {
        match parse(&node.value) {
            Ok(value) => {
                self.findings.report.push(Provenance {
                    path,
                    value: shown(&node.value),
                    origin: node.origin.clone(),
                });
                Some(value)
            }
            Err(wrong) => {
                self.findings.problem(problem_from(path, wrong, &node.origin));
                None
            }
        }
    }

    /// Reports the keys that nobody asked for.
    fn finish(self) {
        for (key, node) in &self.entries {
            let what = match nearest(key, &self.known) {
                Some(known) => format!("unknown key, did you mean `{known}`?"),
                None => format!("unknown key, known are {}", self.known.join(", ")),
            };
            let path = key_path(&self.path, key);
            self.findings.problem(problem_from(path, what, deepest_origin(node)));
        }
    }
}

fn section_at<T>(
    path: String,
    node: Option<Node>,
    findings: &mut Findings,
    body: impl FnOnce(&mut Section<'_>) -> T,
) -> T {
    // What is missing in a map that is none goes without saying.
    let mut unsaid = Findings::default();
    let (entries, findings) = match map_of(&path, node, findings) {
        Some(entries) => (entries, findings),
        None => (Vec::new(), &mut unsaid),
    };
    let mut section = Section {
        path,
        entries,
        known: Vec::new(),
        findings,
    };
    let value = body(&mut section);
    section.finish();
    value
}

/// Replaces the text of a variable by the list or map that it stands for. A cleared one goes into the report,
/// and the result is `None`.
fn unpacked(path: &str, node: Node, findings: &mut Findings) -> Option<Node> {
    let Some(value) = structured(&node) else {
        return Some(node);
    };
    let is_empty = match &value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => false,
    };
    if !is_empty {
        return Some(Node { value, ..node });
    }
    findings.report.push(Provenance {
        path: path.to_owned(),
        value: node.value.shown(),
        origin: node.origin,
    });
    None
}

fn map_of(path: &str, node: Option<Node>, findings: &mut Findings) -> Option<Vec<(String, Node)>> {
    match node.and_then(|node| unpacked(path, node, findings)) {
        None => Some(Vec::new()),
        Some(node) if node.value.is_null() => Some(Vec::new()),
        Some(Node {
            value: Value::Map(entries),
            ..
        }) => Some(entries),
        Some(node) => {
            let path = if path.is_empty() { "the file" } else { path };
            let what = format!("must be a map of keys, not {}", node.value.kind());
            findings.problem(problem_from(path.to_owned(), what, &node.origin));
            None
        }
    }
}

fn problem(path: String, what: impl Display) -> Problem {
    Problem::new(path, what.to_string())
}

/// A problem that also says which variable it came from; the file goes without saying.
fn problem_from(path: String, what: impl Display, origin: &Origin) -> Problem {
    match origin {
        Origin::Environment(_) => problem(path, format!("{what} ({origin})")),
        Origin::File | Origin::Sample | Origin::Default | Origin::Inherited(_) => problem(path, what),
    }
}

/// Where a map or list came from is where the first value in it came from.
fn deepest_origin(node: &Node) -> &Origin {
    let first = match &node.value {
        Value::Map(entries) => entries.first().map(|(_, node)| node),
        Value::List(items) => items.first(),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => None,
    };
    first.map_or(&node.origin, deepest_origin)
}

#[cfg(test)]
mod tests;
