//! The text of a configuration file as a tree, each value with where it came from.

use std::{fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

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

/// Where and why a text is not YAML. What is said never quotes a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotYaml {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) what: String,
}

/// Reads one YAML document. A key that stands twice in a map is an error.
pub(super) fn parse(text: &str) -> Result<Node, NotYaml> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location();
        let error = error.without_snippet();
        NotYaml {
            line: at.map_or(0, |at| at.line()),
            column: at.map_or(0, |at| at.column()),
            what: UserMessageFormatter.format_message(error).into_owned(),
        }
    })
}

/// A value in a text, and how keys stand there.
trait Written<'de>: Deserialize<'de> {
    type Key: Deserialize<'de>;

    fn key(key: Self::Key) -> (String, Option<Place>);

    fn node(self) -> Node;
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            place: place(at.referenced),
            value: at.value,
            origin: Origin::File,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<Node>(PhantomData))
    }
}

impl<'de> Written<'de> for Node {
    type Key = Spanned<String>;

    fn key(key: Self::Key) -> (String, Option<Place>) {
        (key.value, place(key.referenced))
    }

    fn node(self) -> Node {
        self
    }
}

/// A place that the parser knows.
fn place(at: Location) -> Option<Place> {
    (at != Location::UNKNOWN).then(|| Place {
        line: at.line(),
        column: at.column(),
    })
}

/// Parses JSON, for example from a variable. The nodes have no place. Gives `None` for invalid JSON.
pub(super) fn parse_json(text: &str) -> Option<Node> {
    serde_json::from_str(text).ok().map(|Json(node)| node)
}

struct Json(Node);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(ValueVisitor::<Self>(PhantomData))?;
        Ok(Self(Node {
            value,
            origin: Origin::File,
            place: None,
        }))
    }
}

impl<'de> Written<'de> for Json {
    type Key = String;

    fn key(key: String) -> (String, Option<Place>) {
        (key, None)
    }

    fn node(self) -> Node {
        self.0
    }
}

struct ValueVisitor<N>(PhantomData<N>);

impl<'de, N: Written<'de>> Visitor<'de> for ValueVisitor<N> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(i128::try_from(value).map_or(Value::Decimal, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Decimal)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<N>()? {
            list.push(item.node());
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, node)) = entries.next_entry::<N::Key, N>()? {
            let (key, place) = N::key(key);
            let node = node.node();
            let place = place.or(node.place);
            map.push((key, Node { place, ..node }));
        }
        Ok(Value::Map(map))
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

    fn file(value: Value) -> Node {
        Node {
            value,
            origin: Origin::File,
            place: None,
        }
    }

    fn text(text: &str) -> Node {
        file(Value::Text(text.into()))
    }

    #[track_caller]
    fn check(yaml: &str, want: Value) {
        assert_eq!(parse(yaml), Ok(file(want)), "{yaml}");
    }

    #[track_caller]
    fn refused(yaml: &str, line: u64, column: u64) -> String {
        let error = parse(yaml).expect_err(yaml);
        assert_eq!((error.line, error.column), (line, column), "{error:?}");
        error.what
    }

    #[test]
    fn scalars_keep_the_kind_that_yaml_gives_them() {
        check("a", Value::Text("a".into()));
        check("\"1\"", Value::Text("1".into()));
        check("1", Value::Integer(1));
        check("-1", Value::Integer(-1));
        check("1.5", Value::Decimal);
        check("99999999999999999999999999", Value::Decimal);
        check("true", Value::Bool(true));
        check("False", Value::Bool(false));
        check("~", Value::Null);
        check("", Value::Null);
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        check("yes", Value::Text("yes".into()));
        check("off", Value::Text("off".into()));
    }

    #[test]
    fn a_number_with_leading_zeros_or_underscores_is_a_text() {
        check("007", Value::Text("007".into()));
        check("1_000", Value::Text("1_000".into()));
    }

    #[test]
    fn maps_keep_their_order_and_may_stand_in_lists() {
        check(
            "- {z: a, b: []}\n- x",
            Value::List(vec![
                file(Value::Map(vec![
                    ("z".into(), text("a")),
                    ("b".into(), file(Value::List(vec![]))),
                ])),
                text("x"),
            ]),
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_with_its_place() {
        assert_eq!(
            refused("a: 1\nb: 2\na: 3\n", 3, 1),
            "duplicate mapping key `a` is not allowed here"
        );
    }

    #[test]
    fn what_is_not_yaml_is_an_error_with_its_place() {
        assert!(refused("a: [1, 2\n", 1, 4).contains("unclosed bracket"));
        assert!(refused("a: 1\n---\nb: 2\n", 3, 1).contains("single YAML document"));
    }

    #[test]
    fn an_error_never_quotes_a_value() {
        for yaml in [
            "secret: *hunter2",
            "secret: %hunter2",
            "secret: \"hunter2",
            "secret: hunter2: x",
            "secret: !!int hunter2",
            "secret: !!binary hunter2$",
            "secret: {hunter2",
            "secret: [hunter2",
            "secret: 'hunter2\nb: c: d",
        ] {
            let error = parse(yaml).expect_err(yaml);
            assert!(!error.what.contains("hunter2"), "{yaml}: {error:?}");
        }
    }

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
