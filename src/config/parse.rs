//! YAML and JSON texts as trees.

use std::{fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::{
    error::Place,
    source::{Node, Origin, Value},
};

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
}
