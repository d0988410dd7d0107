use super::*;

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn tests(prefix: &[&str], suffix: &[&str], glob: &[&str], regex: &[&str]) -> NameTests {
    NameTests {
        prefix: list(prefix),
        suffix: list(suffix),
        glob: list(glob),
        regex: list(regex),
    }
}

fn pattern(only: NameTests, not: NameTests) -> ChannelPattern {
    ChannelPattern::new(ChannelPatternSource { only, not }).expect("valid")
}

#[track_caller]
fn check(pattern: &ChannelPattern, matching: &[&str], others: &[&str]) {
    for (names, want) in [(matching, true), (others, false)] {
        for name in names {
            assert_eq!(pattern.matches(&name.parse().expect("valid")), want, "{name}");
        }
    }
}

#[track_caller]
fn check_glob(glob: &str, matching: &[&str], others: &[&str]) {
    let only = tests(&[], &[], &[glob], &[]);
    check(&pattern(only, NameTests::default()), matching, others);
}

#[track_caller]
fn check_regex(regex: &str, matching: &[&str], others: &[&str]) {
    let only = tests(&[], &[], &[], &[regex]);
    check(&pattern(only, NameTests::default()), matching, others);
}

#[test]
fn a_pattern_without_tests_means_every_channel() {
    check(&ChannelPattern::default(), &["a", "presence-b", "x.y"], &[]);
    let empty = pattern(NameTests::default(), NameTests::default());
    check(&empty, &["a"], &[]);
    check(&ChannelPattern::affixes("", ""), &["a"], &[]);
}

#[test]
fn every_kind_of_test_must_hold() {
    let all = pattern(tests(&["job-"], &["-eu"], &["*-1*"], &["^j.*u$"]), NameTests::default());
    check(
        &all,
        &["job-1-eu", "job-x-12-eu"],
        &["job-2-eu", "job-1-us", "a-job-1-eu"],
    );
}

#[test]
fn of_a_list_one_must_hold() {
    let none = NameTests::default;
    let prefixes = pattern(tests(&["a-", "b-"], &[], &[], &[]), none());
    check(&prefixes, &["a-1", "b-1"], &["c-1", "1-a-"]);
    let suffixes = pattern(tests(&[], &["-a", "-b"], &[], &[]), none());
    check(&suffixes, &["1-a", "1-b"], &["1-c", "-a1"]);
    let globs = pattern(tests(&[], &[], &["a?", "b*"], &[]), none());
    check(&globs, &["ab", "b", "bcd"], &["a", "abc", "cb"]);
    let regexes = pattern(tests(&[], &[], &[], &["^a", "z$"]), none());
    check(&regexes, &["ab", "bz"], &["ba", "zb"]);
}

#[test]
fn what_not_means_is_left_out() {
    let not = tests(&["private-"], &[], &[], &[]);
    check(
        &pattern(NameTests::default(), not.clone()),
        &["a", "my-private-"],
        &["private-a"],
    );
    let only = tests(&[], &["-eu"], &[], &[]);
    check(&pattern(only, not), &["a-eu"], &["a", "private-a-eu", "private-a"]);
    let several = tests(&["private-", "presence-"], &["-x"], &[], &[]);
    check(
        &pattern(NameTests::default(), several),
        &["private-a", "a-x"],
        &["private-a-x", "presence-a-x"],
    );
    for not in [
        tests(&[], &["-x"], &[], &[]),
        tests(&[], &[], &["*-x"], &[]),
        tests(&[], &[], &[], &["-x$"]),
    ] {
        check(&pattern(NameTests::default(), not), &["a"], &["a-x"]);
    }
}

#[test]
fn a_glob_is_about_the_whole_name() {
    check_glob("job", &["job"], &["job-1", "my-job"]);
    check_glob("job-*", &["job-", "job-1", "job-a.b,c;d@e=f"], &["job", "my-job-1"]);
    check_glob("**-eu", &["a-b-eu"], &["a-us"]);
    check_glob("a**b", &["ab", "a-x-b"], &["a"]);
    check_glob("job-?", &["job-1"], &["job-", "job-12"]);
    check_glob("[a-c]", &["a", "c"], &["d", "ab"]);
    check_glob("[!a-c]", &["d"], &["a"]);
    check_glob("{job,task}-{1,2}", &["job-1", "task-2"], &["job-3", "task"]);
    check_glob("a{,-b}", &["a", "a-b"], &["a-c"]);
    check_glob("A", &["A"], &["a"]);
    check_glob(r"\{a\}", &[], &["a"]);
    check_glob("a.b", &["a.b"], &["axb"]);
}

#[test]
fn a_regular_expression_may_match_anywhere() {
    check_regex("ob", &["job", "ob", "bob-1"], &["jb"]);
    check_regex("^ob$", &["ob"], &["job", "obs"]);
    check_regex(r"^job-\d{2}$", &["job-12"], &["job-1", "job-123", "job-ab"]);
    check_regex(r"^\w+$", &["a_1"], &["a-1", "a.b"]);
    check_regex("(?i)^JOB", &["job", "Job"], &["a"]);
    check_regex("^(a|b)[.]x", &["a.x", "b.xy"], &["axx", "c.x"]);
}

#[test]
fn what_is_no_pattern_says_why_without_quoting_it() {
    use ChannelPatternError::{Glob, Regex, RegexTooLarge};
    let glob = |text: &str| NameTests::check_glob(text);
    assert_eq!(glob("a*"), Ok(()));
    assert_eq!(
        glob("hunter2["),
        Err(Glob("unclosed character class; missing ']'".into()))
    );
    assert!(matches!(glob("{hunter2"), Err(Glob(what)) if !what.contains("hunter2")));
    let regex = |text: &str| NameTests::check_regex(text);
    assert_eq!(regex("a+"), Ok(()));
    assert_eq!(regex("hunter2("), Err(Regex("unclosed group".into())));
    assert_eq!(regex("*"), Err(Regex("repetition operator missing expression".into())));
    assert_eq!(regex(r"(\w{1000}){1000}"), Err(RegexTooLarge));
    assert_eq!(
        RegexTooLarge.to_string(),
        "is a regular expression that needs more than 1024 KB of memory"
    );
    assert_eq!(Regex("x".into()).to_string(), "is no regular expression: x");
    assert_eq!(Glob("x".into()).to_string(), "is no glob: x");
}

#[test]
fn a_source_with_a_text_that_is_no_pattern_is_refused_wherever_it_stands() {
    let good = NameTests::default;
    for bad in [tests(&[], &[], &["a", "["], &[]), tests(&[], &[], &[], &["a", "("])] {
        for (only, not) in [(bad.clone(), good()), (good(), bad)] {
            assert!(ChannelPattern::new(ChannelPatternSource { only, not }).is_err());
        }
    }
}

#[test]
fn patterns_are_equal_when_they_were_written_alike() {
    let make = |text: &str| pattern(tests(&[], &[], &[text], &[]), NameTests::default());
    assert_eq!(make("a*"), make("a*"));
    assert_ne!(make("a*"), make("a**"));
    assert_eq!(
        ChannelPattern::affixes("a", ""),
        pattern(tests(&["a"], &[], &[], &[]), NameTests::default())
    );
    assert_eq!(
        ChannelPattern::affixes("", "b"),
        pattern(tests(&[], &["b"], &[], &[]), NameTests::default())
    );
}

#[test]
fn tests_are_empty_when_there_is_none_of_any_kind() {
    assert!(NameTests::default().is_empty());
    for tests in [
        tests(&["a"], &[], &[], &[]),
        tests(&[], &["a"], &[], &[]),
        tests(&[], &[], &["a"], &[]),
        tests(&[], &[], &[], &["a"]),
    ] {
        assert!(!tests.is_empty(), "{tests:?}");
    }
}

#[test]
fn a_source_reads_back_as_it_was_stored() {
    let source = ChannelPatternSource {
        only: tests(&["a"], &["b"], &["c*"], &["^d"]),
        not: tests(&["e"], &[], &[], &[]),
    };
    let stored = serde_json::to_string(&source).expect("plain");
    assert_eq!(
        stored,
        r#"{"only":{"prefix":["a"],"suffix":["b"],"glob":["c*"],"regex":["^d"]},"not":{"prefix":["e"],"suffix":[],"glob":[],"regex":[]}}"#
    );
    let read: ChannelPatternSource = serde_json::from_str(&stored).expect("stored");
    assert_eq!(read, source);
    let pattern = ChannelPattern::new(read).expect("valid");
    assert_eq!(pattern.source(), &source);
    let partly: ChannelPatternSource = serde_json::from_str(r#"{"only":{"prefix":["a"]}}"#).expect("stored");
    assert_eq!(&partly, ChannelPattern::affixes("a", "").source());
}
