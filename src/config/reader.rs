//! Reads a map of the tree key by key, notes where each value came from, and collects every
//! problem instead of stopping at the first.

use std::fmt::Display;

use super::{
    error::Problem,
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
        node.is_some_and(|(_, node)| match &node.value {
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
        let items = match self.take(key) {
            None => Vec::new(),
            Some(node) if node.value.is_null() => Vec::new(),
            Some(Node {
                value: Value::List(items),
                ..
            }) => items,
            Some(node) => {
                let what = format!("must be a list, not {}", node.value.kind());
                self.findings
                    .problem(problem_from(self.path_of(key), what, &node.origin));
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

/// The one of `names` that is most like `typed`, unless none is like it.
pub(super) fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(typed, name);
    let best = names.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (0.5 <= alike(best)).then_some(best)
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

fn map_of(path: &str, node: Option<Node>, findings: &mut Findings) -> Option<Vec<(String, Node)>> {
    match node {
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
    Problem {
        path,
        what: what.to_string(),
    }
}

/// A problem that also says which variable it came from; the file goes without saying.
fn problem_from(path: String, what: impl Display, origin: &Origin) -> Problem {
    match origin {
        Origin::Environment(_) => problem(path, format!("{what} ({origin})")),
        Origin::File | Origin::Default | Origin::Inherited(_) => problem(path, what),
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
mod tests {
    use super::{
        super::{environment::Environment, source::parse, values},
        *,
    };

    fn findings<T>(yaml: &str, body: impl FnOnce(&mut Section<'_>) -> T) -> (T, Findings) {
        let mut tree = parse(yaml).expect(yaml);
        let environment: Environment = [("VACANCY__ENV__X", "hunter2")].into_iter().collect();
        if yaml.contains("# env") {
            assert_eq!(environment.overlay(&mut tree), []);
        }
        let mut findings = Findings::default();
        let value = read(tree, &mut findings, body);
        (value, findings)
    }

    #[track_caller]
    fn check(yaml: &str, body: impl FnOnce(&mut Section<'_>), problems: &[&str], report: &[&str]) {
        let ((), found) = findings(yaml, body);
        let said: Vec<_> = found.problems.iter().map(Problem::to_string).collect();
        assert_eq!(said, problems, "{yaml}");
        let line = |p: &Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
        assert_eq!(found.report.iter().map(line).collect::<Vec<_>>(), report, "{yaml}");
    }

    fn text(value: &Value) -> Result<String, Wrong> {
        values::text(value).map(str::to_owned)
    }

    #[test]
    fn a_default_is_taken_when_the_key_is_absent() {
        let size = |yaml| findings(yaml, |root| root.or_default("a", "1KB", values::size(1..=1 << 20))).0;
        assert_eq!(size(""), 1_024);
        assert_eq!(size("a: 2KB"), 2_048);
        assert_eq!(size("a: x"), 1_024);
        let read = |root: &mut Section<'_>| {
            root.or_default("a", "1KB", values::size(1..=1 << 20));
        };
        check("", read, &[], &["a = 1KB (default)"]);
        check("a: 2KB", read, &[], &["a = 2KB (file)"]);
        check("a: 2", read, &["a: 2 has no unit, write 2B, 2KB, 2MB or 2GB"], &[]);
    }

    #[test]
    fn a_required_key_that_is_absent_is_a_problem() {
        let read = |root: &mut Section<'_>| drop(root.required("a", text, Value::shown));
        check("", read, &["a: is missing"], &[]);
        check("a: x", read, &[], &["a = x (file)"]);
        check("a: ", read, &["a: has no value, give one or remove the key"], &[]);
    }

    #[test]
    fn an_optional_key_may_be_absent() {
        let read = |root: &mut Section<'_>| drop(root.optional("a", text, hidden));
        check("", read, &[], &[]);
        check("a: x", read, &[], &["a = ******** (file)"]);
    }

    #[test]
    fn an_unknown_key_comes_with_the_nearest_known_one() {
        let read = |root: &mut Section<'_>| {
            root.section("server", |server| {
                server.optional("listen", text, Value::shown);
                server.optional("workers", text, Value::shown);
            });
        };
        check(
            "server: {listn: x}",
            read,
            &["server.listn: unknown key, did you mean `listen`?"],
            &[],
        );
        check(
            "server: {worker: x}",
            read,
            &["server.worker: unknown key, did you mean `workers`?"],
            &[],
        );
        check(
            "server: {zzz: x}",
            read,
            &["server.zzz: unknown key, known are listen, workers"],
            &[],
        );
        check("sever: x", read, &["sever: unknown key, did you mean `server`?"], &[]);
        check("Server: x", read, &["Server: unknown key, did you mean `server`?"], &[]);
    }

    #[test]
    fn every_problem_is_collected_in_the_order_of_reading() {
        let read = |root: &mut Section<'_>| {
            root.required("a", text, Value::shown);
            root.optional("b", text, Value::shown);
        };
        check(
            "b: 1\nd: 2",
            read,
            &[
                "a: is missing",
                "b: YAML reads it as a whole number, put it in quotes",
                "d: unknown key, known are a, b",
            ],
            &[],
        );
    }

    #[test]
    fn a_list_of_maps_is_read_with_the_index_in_the_path() {
        let read = |root: &mut Section<'_>| {
            root.sections("apps", None, |app| drop(app.required("id", text, Value::shown)));
        };
        check(
            "apps: [{id: a}, {}]",
            read,
            &["apps[1].id: is missing"],
            &["apps[0].id = a (file)"],
        );
        check("apps: [x]", read, &["apps[0]: must be a map of keys, not a text"], &[]);
        check("apps: x", read, &["apps: must be a list, not a text"], &[]);
        check("apps:", read, &[], &[]);
        check("", read, &[], &[]);
    }

    #[test]
    fn a_list_of_values_leaves_out_those_that_are_wrong() {
        let (values, _) = findings("a: [x, 1, y]", |root| root.values("a", "is empty", text));
        assert_eq!(values, ["x", "y"]);
        let read = |root: &mut Section<'_>| drop(root.values("a", "is empty", text));
        check(
            "a: [x, 1]",
            read,
            &["a[1]: YAML reads it as a whole number, put it in quotes"],
            &["a[0] = x (file)"],
        );
    }

    #[test]
    fn a_list_that_must_not_be_empty_is_a_problem_when_it_is() {
        let values = |root: &mut Section<'_>| drop(root.values("a", "names nothing", text));
        let sections = |root: &mut Section<'_>| {
            root.sections("a", Some("names nothing"), |_| ());
        };
        for yaml in ["", "a:", "a: []"] {
            check(yaml, values, &["a: names nothing"], &[]);
            check(yaml, sections, &["a: names nothing"], &[]);
        }
        check("a: x", values, &["a: must be a list, not a text"], &[]);
        check("a: x", sections, &["a: must be a list, not a text"], &[]);
    }

    #[test]
    fn pairs_are_hidden() {
        let read = |root: &mut Section<'_>| drop(root.hidden_pairs("h", |_, value| text(value)));
        check(
            "h: {X-A: hunter2, b: 1}",
            read,
            &["h.b: YAML reads it as a whole number, put it in quotes"],
            &["h.X-A = ******** (file)"],
        );
        check("h: [x]", read, &["h: must be a map of keys, not a list"], &[]);
        let (pairs, _) = findings("h: {a: x}", |root| {
            root.hidden_pairs("h", |name, value| Ok(format!("{name}={}", text(value)?)))
        });
        assert_eq!(pairs, ["a=x"]);
    }

    #[test]
    fn a_problem_with_a_variable_names_it_and_not_its_value() {
        let read = |root: &mut Section<'_>| {
            root.section("env", |env| env.optional("x", values::boolean, Value::shown));
        };
        check(
            "# env",
            read,
            &["env.x: must be true or false (environment VACANCY__ENV__X)"],
            &[],
        );
        let nothing = |root: &mut Section<'_>| drop(root.optional("envy", text, Value::shown));
        check(
            "# env",
            nothing,
            &["env: unknown key, did you mean `envy`? (environment VACANCY__ENV__X)"],
            &[],
        );
    }

    #[test]
    fn a_key_that_is_skipped_is_a_known_one() {
        let read = |root: &mut Section<'_>| root.skip("abc");
        check("abc: x", read, &[], &[]);
        check("abd: x", read, &["abd: unknown key, did you mean `abc`?"], &[]);
    }

    #[test]
    fn a_key_gives_something_unless_it_is_absent_or_empty() {
        for (yaml, want) in [
            ("", false),
            ("a:", false),
            ("a: []", false),
            ("a: {}", false),
            ("a: [x]", true),
            ("a: {b: }", true),
            ("a: ''", true),
            ("a: false", true),
            ("b: x", false),
        ] {
            let gives = |root: &mut Section<'_>| root.gives("a");
            assert_eq!(findings(yaml, gives).0, want, "{yaml}");
        }
    }

    #[test]
    fn a_file_must_be_a_map() {
        check("[a]", |_| (), &["the file: must be a map of keys, not a list"], &[]);
        check("a", |_| (), &["the file: must be a map of keys, not a text"], &[]);
        check("", |_| (), &[], &[]);
    }

    #[test]
    fn notes_and_warnings_are_kept_with_their_path() {
        let ((), found) = findings("", |root| {
            root.section("a", |a| {
                a.note("b", "1s".into(), Origin::Inherited("w.b"));
                a.warning("c", "is odd");
                a.problem("d", "is wrong");
                assert!(!a.has("b"));
            });
        });
        assert_eq!(found.report[0].path, "a.b");
        assert_eq!(found.warnings[0].to_string(), "a.c: is odd");
        assert_eq!(found.problems[0].to_string(), "a.d: is wrong");
    }
}
