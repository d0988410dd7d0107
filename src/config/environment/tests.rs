use std::os::unix::ffi::OsStringExt;

use super::{super::parse::parse, *};

fn overlaid(yaml: &str, variables: &[(&str, &str)]) -> (Node, Vec<String>) {
    let environment: Environment = variables.iter().copied().collect();
    let mut tree = parse(yaml).expect(yaml);
    let problems = environment.overlay(&mut tree);
    (tree, problems.iter().map(Problem::to_string).collect())
}

/// The tree on one line, with `!` after values from the environment.
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
fn a_variable_that_is_named_almost_like_a_key_is_warned_of() {
    let environment: Environment = [
        "VACANCY_SERVER_LISTEN",
        "VACANCY_SERVER__PING_AFTER",
        "vacancy__ledger__path",
        "VACANCY_APPS_0_WEBHOOKS_0_URL",
        "VACANCY_ADMIN_READ",
        "VACANCY_URL",
        "VACANCY_SERVER",
        "VACANCY_ADMIN_SERVICE_HOST",
        "VACANCY_ADMIN_PORT_6002_TCP_ADDR",
        "VACANCY__SERVER__WORKERS",
    ]
    .map(|name| (name, "hunter2"))
    .into_iter()
    .collect();
    let said: Vec<_> = environment
        .misnamed("a: ${VACANCY_ADMIN_READ:-}")
        .iter()
        .map(Problem::to_string)
        .collect();
    let want = [
        ("VACANCY_APPS_0_WEBHOOKS_0_URL", "VACANCY__APPS__0__WEBHOOKS__0__URL"),
        ("VACANCY_SERVER_LISTEN", "VACANCY__SERVER__LISTEN"),
        ("VACANCY_SERVER__PING_AFTER", "VACANCY__SERVER__PING_AFTER"),
        ("vacancy__ledger__path", "VACANCY__LEDGER__PATH"),
    ];
    let line = |(name, meant)| format!("{name}: this variable is not read, did you mean {meant}?");
    assert_eq!(said, want.map(line));
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
fn a_list_that_a_variable_gives_or_clears_is_extended_by_others() {
    let one = ("VACANCY__A__0__B", "z");
    check("a: [{b: x}, {b: y}]", &[("VACANCY__A", ""), one], "{a:[{b:z!}]}");
    check("a: [{b: x}, {b: y}]", &[("VACANCY__A", "null"), one], "{a:[{b:z!}]}");
    let json = r#"[{"b": 1, "c": [true, "d"]}]"#;
    check("a: [x, y]", &[("VACANCY__A", json), one], "{a:[{b:z!,c:[true!,d!]}]}");
    refused("a: x", "VACANCY__A__B", "a: is a text and has no key `B`");
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
