//! The text of a configuration file as a tree, each value with where it came from.

use std::fmt;

use super::error::Place;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave it: it is the built-in one.
    Default,
    /// The configuration file.
    File,
    /// The sample in the program, without a file or variables.
    Sample,
    /// The environment variable of this name.
    Environment(String),
    /// Nobody gave it here: it is that of this key.
    Inherited(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Sample => f.write_str("built-in sample"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Inherited(path) => write!(f, "from {path}"),
        }
    }
}

/// A value of the tree and where it came from. It may be a secret, so it has no `Debug`.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// Where its key stands in the file, or it itself where it has none.
    pub(super) place: Option<Place>,
}

#[cfg(test)]
impl PartialEq for Node {
    /// Wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.origin == other.origin
    }
}

/// A value as YAML reads it; keys keep their order. It may be a secret, so it has no `Debug`.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    /// Not kept: no key takes one.
    Decimal,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Value {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a whole number",
            Self::Decimal => "a decimal number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// It as a text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Whether there is nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// How it is shown on one line, control characters escaped.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Text(text) if text.is_empty() => "\"\"".to_owned(),
            Self::Text(text) => text.chars().fold(String::new(), |mut shown, c| {
                if c.is_control() {
                    shown.extend(c.escape_default());
                } else {
                    shown.push(c);
                }
                shown
            }),
            Self::Null | Self::Decimal | Self::List(_) | Self::Map(_) => self.kind().to_owned(),
        }
    }
}

/// Gives every value of a tree one origin.
pub(super) fn mark(node: &mut Node, origin: &Origin) {
    node.origin = origin.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| mark(item, origin)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| mark(node, origin)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => {}
    }
}

/// The path of a key in the map at `path`.
pub(super) fn key_path(path: &str, key: &str) -> String {
    if path.is_empty() {
        return key.to_owned();
    }
    format!("{path}.{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line() {
        let shown = |value: Value| value.shown();
        assert_eq!(shown(Value::Text("a b é".into())), "a b é");
        assert_eq!(shown(Value::Text("a\nb\u{7}".into())), "a\\nb\\u{7}");
        assert_eq!(shown(Value::Text(String::new())), "\"\"");
        assert_eq!(shown(Value::Integer(12)), "12");
        assert_eq!(shown(Value::Bool(false)), "false");
        assert_eq!(shown(Value::List(vec![])), "a list");
    }

    #[test]
    fn an_origin_says_who_gave_the_value() {
        assert_eq!(Origin::Default.to_string(), "default");
        assert_eq!(Origin::File.to_string(), "file");
        assert_eq!(Origin::Sample.to_string(), "built-in sample");
        assert_eq!(
            Origin::Environment("VACANCY__A".into()).to_string(),
            "environment VACANCY__A"
        );
        assert_eq!(Origin::Inherited("webhooks.a").to_string(), "from webhooks.a");
    }
}
