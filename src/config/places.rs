//! Where in the file the values of a configuration stand.

use std::collections::BTreeMap;

use super::{
    error::{Place, Problem},
    source::{Node, Value, key_path},
};

/// The places of all values, by their paths. One that a variable gave has none.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Option<Place>>);

impl Places {
    /// The places in a tree that the variables are laid over.
    pub(super) fn of(tree: &Node) -> Self {
        let mut places = BTreeMap::new();
        walk(tree, String::new(), &mut places);
        Self(places)
    }

    /// Notes where each problem is. That of a key which the file lacks is where the map is that lacks it.
    pub(super) fn find(&self, problems: &mut [Problem]) {
        for problem in problems {
            let mut path = problem.path.as_str();
            problem.place = loop {
                if let Some(place) = self.0.get(path) {
                    break *place;
                }
                match path.rfind(['.', '[']) {
                    Some(end) => path = &path[..end],
                    None => break None,
                }
            };
        }
    }
}

fn walk(node: &Node, path: String, places: &mut BTreeMap<String, Option<Place>>) {
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{index}]"), places);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                walk(node, key_path(&path, key), places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Decimal | Value::Text(_) => {}
    }
    // A map of the file that a variable only adds to keeps its place.
    places.insert(path, node.place);
}

#[cfg(test)]
mod tests {
    use super::{
        super::{environment::Environment, parse::parse},
        *,
    };

    const FILE: &str = "\
server:
  listen: 127.0.0.1:1
apps:
  - id: '1'
    key: k
  - {id: '2', webhooks: [{url: x}, {url: y}]}
";

    #[track_caller]
    fn check(path: &str, want: Option<(u64, u64)>) {
        let mut tree = parse(FILE).expect("YAML");
        let environment: Environment = [("VACANCY__APPS__0__KEY", "l"), ("VACANCY__APPS__2__ID", "3")]
            .into_iter()
            .collect();
        assert_eq!(environment.overlay(&mut tree), []);
        let mut problems = [Problem::new(path, "is wrong")];
        Places::of(&tree).find(&mut problems);
        let want = want.map(|(line, column)| Place { line, column });
        assert_eq!(problems[0].place, want, "{path}");
    }

    #[test]
    fn a_value_stands_where_its_key_does_and_an_item_where_it_begins() {
        check("server", Some((1, 1)));
        check("server.listen", Some((2, 3)));
        check("apps[0].id", Some((4, 5)));
        check("apps[1]", Some((6, 5)));
        check("apps[1].id", Some((6, 6)));
        check("apps[1].webhooks[1].url", Some((6, 37)));
    }

    #[test]
    fn what_the_file_lacks_is_where_the_map_is_that_lacks_it() {
        check("server.path_prefix", Some((1, 1)));
        check("apps[0].secret", Some((4, 5)));
        check("apps[1].webhooks[0].channels.prefix[0]", Some((6, 26)));
    }

    #[test]
    fn what_a_variable_gives_stands_nowhere_in_the_file() {
        check("apps[0].key", None);
        check("apps[2].id", None);
        check("apps[2].secret", None);
        check("VACANCY_SERVER_LISTEN", None);
    }
}
