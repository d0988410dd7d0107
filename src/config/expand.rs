//! `${NAME}` and `${NAME:-default}` in the texts of the file.

use super::{
    environment::{Environment, Variable},
    error::Problem,
    source::{Node, Origin, Value, key_path},
};

/// Why a text cannot be expanded. It never holds the text, which may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpandError {
    #[error("environment variable {0} is not set, set it or write `${{{0}:-default}}`")]
    Unset(String),
    #[error("environment variable {0} is not UTF-8")]
    NotUtf8(String),
    #[error("has `${{` without `}}`, write `$$` for a `$` that is meant")]
    Unclosed,
    #[error(
        "`${{…}}` must hold a name of A-Z a-z 0-9 _, and nothing else but `:-` and a default, \
         write `$$` for a `$` that is meant"
    )]
    NotAName,
}

/// Expands every text of the file in the tree and returns what is wrong, with its path.
///
/// What came from an environment variable is literal and stays as it is.
pub(super) fn expand(tree: &mut Node, environment: &Environment) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(tree, "", environment, &mut problems);
    problems
}

fn walk(node: &mut Node, path: &str, environment: &Environment, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Text(text) if node.origin == Origin::File => match expanded(text, environment) {
            Ok(expanded) => *text = expanded,
            Err(error) => problems.push(Problem::new(path, error.to_string())),
        },
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &format!("{path}[{index}]"), environment, problems);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                walk(node, &key_path(path, key), environment, problems);
            }
        }
        Value::Text(_) | Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Decimal => {}
    }
}

/// Expands one text. `$$` is a `$`; a `$` before anything else but `{` stays.
fn expanded(text: &str, environment: &Environment) -> Result<String, ExpandError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (inside, after) = after.split_once('}').ok_or(ExpandError::Unclosed)?;
            out.push_str(variable(inside, environment)?);
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The value for `NAME` or `NAME:-default`; as in a shell, the default also replaces an empty one.
fn variable<'v>(inside: &'v str, environment: &'v Environment) -> Result<&'v str, ExpandError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(ExpandError::NotAName);
    }
    match (environment.get(name), default) {
        (Some(Variable::NotUtf8), _) => Err(ExpandError::NotUtf8(name.to_owned())),
        (Some(Variable::Text(value)), None) => Ok(value),
        (Some(Variable::Text(value)), Some(_)) if !value.is_empty() => Ok(value),
        (Some(Variable::Text(_)) | None, Some(default)) => Ok(default),
        (None, None) => Err(ExpandError::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::parse::parse, *};

    fn environment() -> Environment {
        [("A", "a"), ("EMPTY", ""), ("LOOP", "${A}"), ("VACANCY__V", "${A}")]
            .into_iter()
            .collect()
    }

    #[track_caller]
    fn check(text: &str, want: Result<&str, ExpandError>) {
        assert_eq!(expanded(text, &environment()), want.map(str::to_owned), "{text}");
    }

    #[test]
    fn a_variable_is_replaced_by_its_value() {
        check("${A}", Ok("a"));
        check("x${A}y${A}", Ok("xaya"));
        check("plain", Ok("plain"));
        check("${EMPTY}", Ok(""));
    }

    #[test]
    fn a_value_is_not_expanded_again() {
        check("${LOOP}", Ok("${A}"));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        check("x${NO_1}", Err(ExpandError::Unset("NO_1".into())));
        assert_eq!(
            ExpandError::Unset("NO".into()).to_string(),
            "environment variable NO is not set, set it or write `${NO:-default}`"
        );
    }

    #[test]
    fn a_default_replaces_a_variable_that_is_not_set_or_empty() {
        check("${NO:-d e}", Ok("d e"));
        check("${EMPTY:-d}", Ok("d"));
        check("${A:-d}", Ok("a"));
        check("${NO:-}", Ok(""));
        check("${NO:-a:-b}", Ok("a:-b"));
    }

    #[test]
    fn two_dollars_are_one_and_a_single_one_stays() {
        check("$$", Ok("$"));
        check("$${A}", Ok("${A}"));
        check("$$${A}", Ok("$a"));
        check("a$b", Ok("a$b"));
        check("a$", Ok("a$"));
    }

    #[test]
    fn a_form_that_is_not_closed_or_names_nothing_is_an_error_that_quotes_nothing() {
        check("hunter2${A", Err(ExpandError::Unclosed));
        for text in ["${}", "${hunter-2}", "${ A}", "${:-x}", "${A:x}"] {
            check(text, Err(ExpandError::NotAName));
        }
        assert!(ExpandError::Unclosed.to_string().starts_with("has `${` without `}`"));
        assert!(ExpandError::NotAName.to_string().starts_with("`${…}` must hold a name"));
    }

    #[test]
    fn every_text_of_the_tree_is_expanded_and_every_problem_has_its_path() {
        let environment = environment();
        let mut tree = parse("x: ['${A}', '${NO}', {y: '${'}]\nz: 1\nv: old").expect("valid");
        assert_eq!(environment.overlay(&mut tree), []);
        let problems = expand(&mut tree, &environment);
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["x[1]", "x[2].y"]);
        let Value::Map(entries) = &tree.value else {
            panic!("a map")
        };
        let Value::List(items) = &entries[0].1.value else {
            panic!("a list")
        };
        assert_eq!(items[0].value, Value::Text("a".into()));
    }

    #[test]
    fn what_an_override_says_is_literal() {
        let environment = environment();
        let mut tree = parse("v: old").expect("valid");
        assert_eq!(environment.overlay(&mut tree), []);
        assert_eq!(expand(&mut tree, &environment), []);
        let Value::Map(entries) = &tree.value else {
            panic!("a map")
        };
        assert_eq!(entries[0].1.value, Value::Text("${A}".into()));
    }
}
