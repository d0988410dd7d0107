//! Environment variables: what they are, and how `VACANCY__SERVER__LISTEN=…` overrides the file.

use std::{collections::BTreeMap, ffi::OsString};

use super::{
    error::Problem,
    parse::parse_json,
    source::{Node, Origin, Value, key_path, mark},
};

const PREFIX: &str = "VACANCY__";
/// The variable from which the commands take the token of the admin API.
pub(super) const ADMIN_TOKEN: &str = "VACANCY_ADMIN_TOKEN";
/// The first word after `VACANCY` in the name of a variable for the configuration.
const SECTIONS: [&str; 5] = ["SERVER", "LEDGER", "WEBHOOKS", "ADMIN", "APPS"];
/// What follows `VACANCY_SERVER_` in the variables that Kubernetes sets for a service named `vacancy-server`.
const OF_SERVICES: [&str; 3] = ["SERVICE_HOST", "SERVICE_PORT", "PORT"];

/// The environment variables that a configuration is read with. They may be secrets, so there
/// is no `Debug`.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Variable>);

/// The value of an environment variable.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Variable {
    Text(String),
    NotUtf8,
}

impl Environment {
    /// Takes the variables of a process. A name that is not UTF-8 is none that we read.
    pub fn from_os(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            let value = value.into_string().map_or(Variable::NotUtf8, Variable::Text);
            Some((name.into_string().ok()?, value))
        });
        Self(pairs.collect())
    }

    /// The same without those that go before what is written: only `${NAME}` is looked up.
    #[must_use]
    pub fn without_overrides(mut self) -> Self {
        self.0.retain(|name, _| !name.starts_with(PREFIX));
        self
    }

    /// Whether any variable overrides a key.
    pub(super) fn overrides(&self) -> bool {
        self.0.keys().any(|name| name.starts_with(PREFIX))
    }

    /// A warning for each variable whose name looks like an override but does not work as one. A variable
    /// that the text of the configuration names is used there.
    pub(super) fn misnamed(&self, text: &str) -> Vec<Problem> {
        let names = self.0.keys().filter(|name| !text.contains(&format!("${{{name}")));
        names
            .filter_map(|name| {
                let meant = meant(name)?;
                let what = format!("this variable is not read, did you mean {meant}?");
                Some(Problem::new(name.clone(), what))
            })
            .collect()
    }

    /// The value of a variable, if it is set.
    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(name)
    }

    /// Lays every `VACANCY__…` variable over the tree and returns what is wrong with them.
    ///
    /// A variable that names a key which nobody knows becomes part of the tree and is found when
    /// that is read. An index may be one past the end of its list, which it then extends.
    pub(super) fn overlay(&self, tree: &mut Node) -> Vec<Problem> {
        let mut overrides: Vec<_> = self.0.iter().filter_map(Override::of).collect();
        overrides.sort_by_key(|setting| {
            let number = |segment: &&str| segment.parse::<usize>().unwrap_or(usize::MAX);
            let numbers: Vec<_> = setting.segments.iter().map(number).collect();
            (numbers, setting.name)
        });
        overrides
            .iter()
            .filter_map(|setting| setting.apply(tree).err())
            .collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self(
            pairs
                .map(|(name, value)| (name.into(), Variable::Text(value.into())))
                .collect(),
        )
    }
}

/// The override that a misspelled name means: `VACANCY__SERVER__LISTEN` for `VACANCY_SERVER_LISTEN`.
fn meant(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let rest = upper.strip_prefix("VACANCY_")?;
    if name.starts_with(PREFIX) {
        return None;
    }
    let words: Vec<&str> = rest.split('_').filter(|word| !word.is_empty()).collect();
    let (section, keys) = words.split_first().filter(|(section, _)| SECTIONS.contains(section))?;
    let is_of_a_service = |end: &str| OF_SERVICES.iter().any(|begin| end.starts_with(begin));
    if keys.is_empty() || is_of_a_service(&keys.join("_")) {
        return None;
    }
    let mut meant = format!("{PREFIX}{section}");
    let is_index = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let mut before = "0";
    for word in keys {
        let between = if is_index(before) || is_index(word) { "__" } else { "_" };
        meant.push_str(between);
        meant.push_str(word);
        before = word;
    }
    Some(meant)
}

/// A variable that overrides a key.
struct Override<'e> {
    name: &'e str,
    segments: Vec<&'e str>,
    variable: &'e Variable,
}

impl<'e> Override<'e> {
    fn of((name, variable): (&'e String, &'e Variable)) -> Option<Self> {
        let segments = name.strip_prefix(PREFIX)?.split("__").collect();
        Some(Self {
            name,
            segments,
            variable,
        })
    }

    fn apply(&self, tree: &mut Node) -> Result<(), Problem> {
        if self.segments.contains(&"") {
            return Err(self.problem(self.name, "names no key, write it like VACANCY__SERVER__LISTEN"));
        }
        let mut path = String::new();
        let mut node = tree;
        for segment in &self.segments {
            node = self.descend(node, segment, &mut path)?;
        }
        let Variable::Text(text) = self.variable else {
            return Err(self.problem(&path, "is not UTF-8"));
        };
        *node = Node {
            value: Value::Text(text.clone()),
            origin: self.origin(),
            place: None,
        };
        Ok(())
    }

    fn origin(&self) -> Origin {
        Origin::Environment(self.name.to_owned())
    }

    fn problem(&self, path: &str, what: &str) -> Problem {
        Problem::new(path, format!("{what} ({})", self.origin()))
    }

    /// Goes to the entry that a segment names, which is made when it is not there.
    fn descend<'n>(&self, node: &'n mut Node, segment: &str, path: &mut String) -> Result<&'n mut Node, Problem> {
        let index = segment.parse::<usize>().ok();
        if let Some(value) = structured(node) {
            node.value = value;
        }
        if node.value.is_null() {
            let value = match index {
                Some(_) => Value::List(Vec::new()),
                None => Value::Map(Vec::new()),
            };
            *node = Node {
                value,
                origin: self.origin(),
                place: None,
            };
        }
        let absent = Node {
            value: Value::Null,
            origin: self.origin(),
            place: None,
        };
        let kind = node.value.kind();
        match &mut node.value {
            Value::List(items) => {
                let count = items.len();
                let Some(index) = index.filter(|index| *index <= count) else {
                    let what = format!("is a list, name an index of 0 to {count}, not `{segment}`");
                    return Err(self.problem(path, &what));
                };
                if index == count {
                    items.push(absent);
                }
                *path = format!("{path}[{index}]");
                Ok(&mut items[index])
            }
            Value::Map(entries) => {
                let found = entries.iter().position(|(key, _)| key.eq_ignore_ascii_case(segment));
                let position = found.unwrap_or_else(|| {
                    entries.push((segment.to_ascii_lowercase(), absent));
                    entries.len() - 1
                });
                let (key, node) = &mut entries[position];
                *path = key_path(path, key);
                Ok(node)
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => {
                let what = format!("is {kind} and has no key `{segment}`");
                Err(self.problem(path, &what))
            }
        }
    }
}

/// Reads a variable's text where a list or a map is wanted. An empty text and `null` mean an empty one, a
/// JSON array or object all of it. `None`: the node is not such a text.
pub(super) fn structured(node: &Node) -> Option<Value> {
    let (Value::Text(text), Origin::Environment(_)) = (&node.value, &node.origin) else {
        return None;
    };
    match text.trim() {
        "" | "null" => Some(Value::Null),
        text if text.starts_with(['[', '{']) => {
            let mut tree = parse_json(text)?;
            mark(&mut tree, &node.origin);
            Some(tree.value)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
