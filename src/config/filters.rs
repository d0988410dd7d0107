//! Which channels an endpoint asks for.

use super::{
    reader::Section,
    source::Value,
    values::{self, Wrong},
};
use crate::domain::{ChannelPattern, ChannelPatternSource, NameTests};

/// Reads `channels`.
pub(super) fn channels(endpoint: &mut Section<'_>) -> ChannelPattern {
    endpoint.section("channels", |channels| {
        let only = tests(channels);
        let not = channels.section("not", tests);
        let source = ChannelPatternSource { only, not };
        ChannelPattern::new(source).expect("each was checked as it was read")
    })
}

/// Reads `filter`, which is soketi's.
pub(super) fn soketis(endpoint: &mut Section<'_>) -> ChannelPattern {
    endpoint.section("filter", |filter| {
        let part = |value: &Value| values::channel_part(value).map(str::to_owned);
        let prefix = filter.or_default("channel_name_starts_with", "", part);
        let suffix = filter.or_default("channel_name_ends_with", "", part);
        ChannelPattern::affixes(&prefix, &suffix)
    })
}

fn tests(section: &mut Section<'_>) -> NameTests {
    NameTests {
        prefix: texts(section, "prefix", values::channel_part),
        suffix: texts(section, "suffix", values::channel_part),
        glob: texts(section, "glob", glob),
        regex: texts(section, "regex", regex),
    }
}

fn texts(section: &mut Section<'_>, key: &'static str, check: impl Fn(&Value) -> Result<&str, Wrong>) -> Vec<String> {
    let text = |value: &Value| {
        values::filled(value)?;
        check(value).map(str::to_owned)
    };
    section.one_or_more(key, text, Value::shown)
}

fn glob(value: &Value) -> Result<&str, Wrong> {
    let text = values::text(value)?;
    NameTests::check_glob(text)?;
    Ok(text)
}

fn regex(value: &Value) -> Result<&str, Wrong> {
    let text = values::text(value)?;
    NameTests::check_regex(text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            error::Problem,
            parse::parse,
            reader::{self, Findings, Provenance},
        },
        *,
    };

    fn read(yaml: &str, body: fn(&mut Section<'_>) -> ChannelPattern) -> (ChannelPattern, Findings) {
        let mut findings = Findings::default();
        let pattern = reader::read(parse(yaml).expect(yaml), &mut findings, body);
        (pattern, findings)
    }

    /// Checks what is read under `channels`, as it is stored.
    #[track_caller]
    fn accepted(channels_yaml: &str, want: &str) {
        let (pattern, findings) = read(&format!("channels: {channels_yaml}"), channels);
        assert_eq!(findings.problems, [], "{channels_yaml}");
        let want: ChannelPatternSource = serde_json::from_str(want).expect("a source");
        assert_eq!(pattern.source(), &want, "{channels_yaml}");
    }

    #[track_caller]
    fn refused(channels_yaml: &str, want: &[&str]) {
        let (_, findings) = read(&format!("channels: {channels_yaml}"), channels);
        let said: Vec<_> = findings.problems.iter().map(Problem::to_string).collect();
        assert_eq!(said, want, "{channels_yaml}");
    }

    #[test]
    fn a_test_is_a_text_or_a_list_of_them() {
        accepted("", "{}");
        accepted("{prefix: a-}", r#"{"only": {"prefix": ["a-"]}}"#);
        accepted("{suffix: [-a, -b]}", r#"{"only": {"suffix": ["-a", "-b"]}}"#);
        accepted(
            "{prefix: [a], suffix: b, glob: ['c*', '{d,e}'], regex: '^f[0-9]+$'}",
            r#"{"only": {"prefix": ["a"], "suffix": ["b"], "glob": ["c*", "{d,e}"], "regex": ["^f[0-9]+$"]}}"#,
        );
    }

    #[test]
    fn an_empty_text_and_an_empty_list_are_no_test() {
        for empty in ["''", "[]"] {
            let tests = format!("prefix: {empty}, suffix: {empty}, glob: {empty}, regex: {empty}");
            accepted(&format!("{{{tests}, not: {{{tests}}}}}"), "{}");
        }
        refused(
            "{prefix: ['', a], glob: [''], not: {regex: [a, '']}}",
            &[
                "channels.prefix[0]: is empty",
                "channels.glob[0]: is empty",
                "channels.not.regex[1]: is empty",
            ],
        );
    }

    #[test]
    fn not_has_the_same_tests_and_no_not() {
        accepted(
            "{glob: 'a*', not: {prefix: ab, suffix: [c], glob: d?, regex: [e, f]}}",
            r#"{"only": {"glob": ["a*"]},
                "not": {"prefix": ["ab"], "suffix": ["c"], "glob": ["d?"], "regex": ["e", "f"]}}"#,
        );
        accepted("{not: {}}", "{}");
        refused(
            "{not: {not: {prefix: a}}}",
            &["channels.not.not: unknown key, known are prefix, suffix, glob, regex"],
        );
        refused("{not: a}", &["channels.not: must be a map of keys, not a text"]);
    }

    #[test]
    fn what_is_no_pattern_is_a_problem_with_its_place_and_reason() {
        refused(
            "{glob: 'a[', regex: [a, '(', '*'], not: {glob: ['{a'], regex: 'a\\'}}",
            &[
                "channels.glob: is no glob: unclosed character class; missing ']'",
                "channels.regex[1]: is no regular expression: unclosed group",
                "channels.regex[2]: is no regular expression: repetition operator missing expression",
                "channels.not.glob[0]: is no glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
                "channels.not.regex: is no regular expression: incomplete escape sequence, reached end of pattern prematurely",
            ],
        );
        refused(
            "{prefix: a b, suffix: [1], regexp: a}",
            &[
                "channels.prefix: no channel can match: channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
                "channels.suffix[0]: YAML reads it as a whole number, put it in quotes",
                "channels.regexp: unknown key, did you mean `regex`?",
            ],
        );
    }

    #[test]
    fn soketis_filter_has_a_beginning_and_an_end() {
        let both = "filter: {channel_name_starts_with: a-, channel_name_ends_with: -b}";
        let (pattern, findings) = read(both, soketis);
        assert_eq!(findings.problems, []);
        assert_eq!(pattern, ChannelPattern::affixes("a-", "-b"));
        assert_eq!(read("filter: {}", soketis).0, ChannelPattern::default());
    }

    #[test]
    fn the_report_shows_every_test() {
        let (_, findings) = read("channels: {prefix: a, regex: [b, c], not: {glob: d}}", channels);
        let line = |p: &Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
        assert_eq!(
            findings.report.iter().map(line).collect::<Vec<_>>(),
            [
                "channels.prefix = a (file)",
                "channels.regex[0] = b (file)",
                "channels.regex[1] = c (file)",
                "channels.not.glob = d (file)",
            ]
        );
    }
}
