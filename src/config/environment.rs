//! Environment variables: what they are, and how `VACANCY__SERVER__LISTEN=…` overrides the file.

use std::{collections::BTreeMap, ffi::OsString};

use super::{
    error::Problem,
    source::{Node, Origin, Value, key_path},
};

const PREFIX: &str = "VACANCY__";

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
        };
        Ok(())
    }

    fn origin(&self) -> Origin {
        Origin::Environment(self.name.to_owned())
    }

    fn problem(&self, path: &str, what: &str) -> Problem {
        Problem {
            path: path.to_owned(),
            what: format!("{what} ({})", self.origin()),
        }
    }

    /// Goes to the entry that a segment names, which is made when it is not there.
    fn descend<'n>(&self, node: &'n mut Node, segment: &str, path: &mut String) -> Result<&'n mut Node, Problem> {
        let index = segment.parse::<usize>().ok();
        if node.value.is_null() {
            let value = match index {
                Some(_) => Value::List(Vec::new()),
                None => Value::Map(Vec::new()),
            };
            *node = Node {
                value,
                origin: self.origin(),
            };
        }
        let absent = Node {
            value: Value::Null,
            origin: self.origin(),
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

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::{super::source::parse, *};

    fn overlaid(yaml: &str, variables: &[(&str, &str)]) -> (Node, Vec<String>) {
        let environment: Environment = variables.iter().copied().collect();
        let mut tree = parse(yaml).expect(yaml);
        let problems = environment.overlay(&mut tree);
        (tree, problems.iter().map(Problem::to_string).collect())
    }

    /// The tree on one line, values from the environment with `!`.
    fn printed(node: &Node) -> String {
        let joined = |parts: Vec<String>| parts.join(",");
        match &node.value {
            Value::List(items) => format!("[{}]", joined(items.iter().map(printed).collect())),
            Value::Map(entries) => {
                let entry = |(key, node): &(String, Node)| format!("{key}:{}", printed(node));
                format!("{{{}}}", joined(entries.iter().map(entry).collect()))
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => {
                let ours = matches!(node.origin, Origin::Environment(_));
                format!("{}{}", node.value.shown(), if ours { "!" } else { "" })
            }
        }
    }

    #[track_caller]
    fn check(yaml: &str, variables: &[(&str, &str)], want: &str) {
        let (tree, problems) = overlaid(yaml, variables);
        assert_eq!((printed(&tree).as_str(), problems), (want, vec![]), "{yaml}");
    }

    #[track_caller]
    fn refused(yaml: &str, name: &str, want: &str) {
        let (_, problems) = overlaid(yaml, &[(name, "hunter2")]);
        assert_eq!(problems, [format!("{want} (environment {name})")]);
    }

    #[test]
    fn a_variable_overrides_a_key_of_the_file() {
        check(
            "server: {listen: a, workers: 1}",
            &[("VACANCY__SERVER__LISTEN", "b")],
            "{server:{listen:b!,workers:1}}",
        );
        let (tree, _) = overlaid("a: 1", &[("VACANCY__A", "2")]);
        let Value::Map(entries) = tree.value else {
            panic!("a map")
        };
        assert_eq!(entries[0].1.origin, Origin::Environment("VACANCY__A".into()));
    }

    #[test]
    fn a_variable_adds_a_key_that_the_file_does_not_have() {
        check("", &[("VACANCY__SERVER__LISTEN", "b")], "{server:{listen:b!}}");
        check("server:", &[("VACANCY__SERVER__LISTEN", "b")], "{server:{listen:b!}}");
    }

    #[test]
    fn other_variables_are_not_read() {
        check(
            "a: 1",
            &[("VACANCY_A", "2"), ("vacancy__a", "2"), ("PATH", "x"), ("VACANCY", "y")],
            "{a:1}",
        );
    }

    #[test]
    fn a_list_is_overridden_by_index_and_extended_by_one() {
        check("a: [x, y]", &[("VACANCY__A__1", "z")], "{a:[x,z!]}");
        check("a: [x]", &[("VACANCY__A__1", "z")], "{a:[x,z!]}");
        check("", &[("VACANCY__A__0__B", "z")], "{a:[{b:z!}]}");
        refused(
            "a: [x]",
            "VACANCY__A__2",
            "a: is a list, name an index of 0 to 1, not `2`",
        );
        refused(
            "a: [x]",
            "VACANCY__A__X",
            "a: is a list, name an index of 0 to 1, not `X`",
        );
    }

    #[test]
    fn several_indexes_are_taken_in_the_order_of_their_numbers() {
        let names: Vec<_> = (0..12).map(|index| format!("VACANCY__A__{index}")).collect();
        let variables: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
        check("", &variables, &format!("{{a:[{}]}}", ["v!"; 12].join(",")));
    }

    #[test]
    fn a_key_that_the_file_spells_in_another_case_is_found() {
        check(
            "headers: {X-Token: a}",
            &[("VACANCY__HEADERS__X-TOKEN", "b")],
            "{headers:{X-Token:b!}}",
        );
    }

    #[test]
    fn a_variable_below_a_scalar_or_without_a_key_is_a_problem() {
        refused("a: x", "VACANCY__A__B", "a: is a text and has no key `B`");
        refused(
            "a: [1]",
            "VACANCY__A__0__B",
            "a[0]: is a whole number and has no key `B`",
        );
        let want = "names no key, write it like VACANCY__SERVER__LISTEN";
        for name in ["VACANCY__", "VACANCY__A__", "VACANCY____A"] {
            refused("a: x", name, &format!("{name}: {want}"));
        }
    }

    #[test]
    fn a_value_that_is_not_utf8_is_a_problem_where_it_is_used() {
        let bad = OsString::from_vec(vec![0xff]);
        let environment = Environment::from_os([
            ("VACANCY__A".into(), bad.clone()),
            ("B".into(), "b".into()),
            (bad, "c".into()),
        ]);
        let mut tree = parse("a: 1").expect("valid");
        let problems = environment.overlay(&mut tree);
        assert_eq!(problems[0].to_string(), "a: is not UTF-8 (environment VACANCY__A)");
        assert!(environment.get("B") == Some(&Variable::Text("b".into())));
        assert!(environment.get("C").is_none());
    }
}
