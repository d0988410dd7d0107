use super::{
    super::{environment::Environment, parse::parse, values},
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

#[test]
fn one_or_more_values_are_a_value_or_a_list() {
    let filled = |value: &Value| values::filled(value).map(str::to_owned);
    let read = |yaml| findings(yaml, |root| root.one_or_more("a", filled, Value::shown)).0;
    assert_eq!(read("a: x"), ["x"]);
    assert_eq!(read("a: [x, 1, y]"), ["x", "y"]);
    for nothing in ["", "a: []", "a: ''"] {
        assert_eq!(read(nothing), [""; 0], "{nothing}");
    }
    let shown = |root: &mut Section<'_>| drop(root.one_or_more("a", filled, hidden));
    check("a: x", shown, &[], &["a = ******** (file)"]);
    check(
        "a: [x, y]",
        shown,
        &[],
        &["a[0] = ******** (file)", "a[1] = ******** (file)"],
    );
    check("a: ''", shown, &[], &["a = \"\" (file)"]);
    check("", shown, &[], &[]);
    check("a: ['']", shown, &["a[0]: is empty"], &[]);
    check("a: ", shown, &["a: has no value, give one or remove the key"], &[]);
    check("a: {b: c}", shown, &["a: must be a text, not a map"], &[]);
    check("b: x", shown, &["b: unknown key, known are a"], &[]);
}
