//! Which channels are meant by a pattern over their names.

use globset::{GlobBuilder, GlobMatcher};
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::ChannelName;

/// Most bytes that a regular expression may take once it is compiled.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A pattern over channel names. A channel is meant when all tests of `only` hold and not all of
/// `not`; without a test in `not` none is left out. Two patterns are equal when their sources are.
///
/// Channel names are ASCII, and so are the classes of a regular expression: `\d` is `[0-9]`. It
/// may match anywhere in the name unless it has `^` and `$`; a glob matches the whole name.
#[derive(Debug, Clone, Default)]
pub struct ChannelPattern {
    source: ChannelPatternSource,
    only: Compiled,
    not: Compiled,
}

/// A [`ChannelPattern`] as it was written, which is how it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelPatternSource {
    /// What must hold of a name.
    pub only: NameTests,
    /// What must not hold of it.
    pub not: NameTests,
}

/// Tests of a name that must all hold. Of each kind one of the texts must match; an empty list is
/// no test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NameTests {
    /// What it may begin with.
    pub prefix: Vec<String>,
    /// What it may end with.
    pub suffix: Vec<String>,
    /// Globs: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`; a `\` takes what follows as it is.
    pub glob: Vec<String>,
    /// Regular expressions, in the syntax of the crate `regex`.
    pub regex: Vec<String>,
}

/// Why a text is no pattern. It does not hold the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelPatternError {
    /// It is no glob.
    #[error("is no glob: {0}")]
    Glob(String),
    /// It is no regular expression.
    #[error("is no regular expression: {0}")]
    Regex(String),
    /// It is a regular expression that takes too much memory.
    #[error("is a regular expression that needs more than {} KB of memory", REGEX_BYTES_MAX >> 10)]
    RegexTooLarge,
}

/// What of [`NameTests`] is compiled, in their order.
#[derive(Debug, Clone, Default)]
struct Compiled {
    globs: Vec<GlobMatcher>,
    regexes: Vec<Regex>,
}

impl ChannelPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When a glob or a regular expression is none, or is too large.
    pub fn new(source: ChannelPatternSource) -> Result<Self, ChannelPatternError> {
        Ok(Self {
            only: Compiled::new(&source.only)?,
            not: Compiled::new(&source.not)?,
            source,
        })
    }

    /// The pattern of the names that begin and end so; an empty text matches all.
    #[must_use]
    pub fn affixes(prefix: &str, suffix: &str) -> Self {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned()).into_iter().collect();
        let only = NameTests {
            prefix: filled(prefix),
            suffix: filled(suffix),
            ..NameTests::default()
        };
        Self {
            source: ChannelPatternSource {
                only,
                not: NameTests::default(),
            },
            ..Self::default()
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub const fn source(&self) -> &ChannelPatternSource {
        &self.source
    }

    /// Tells whether a channel is meant.
    #[must_use]
    pub fn matches(&self, channel: &ChannelName) -> bool {
        let name = channel.as_str();
        let ChannelPatternSource { only, not } = &self.source;
        self.only.holds(only, name) && (not.is_empty() || !self.not.holds(not, name))
    }
}

impl PartialEq for ChannelPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for ChannelPattern {}

impl NameTests {
    /// Whether there is no test.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty() && self.glob.is_empty() && self.regex.is_empty()
    }

    /// Tells what is wrong with a glob, if anything is.
    ///
    /// # Errors
    /// When it is none.
    pub fn check_glob(text: &str) -> Result<(), ChannelPatternError> {
        glob(text).map(|_| ())
    }

    /// Tells what is wrong with a regular expression, if anything is.
    ///
    /// # Errors
    /// When it is none, or is too large.
    pub fn check_regex(text: &str) -> Result<(), ChannelPatternError> {
        regex(text).map(|_| ())
    }
}

impl Compiled {
    fn new(tests: &NameTests) -> Result<Self, ChannelPatternError> {
        Ok(Self {
            globs: tests.glob.iter().map(|text| glob(text)).collect::<Result<_, _>>()?,
            regexes: tests.regex.iter().map(|text| regex(text)).collect::<Result<_, _>>()?,
        })
    }

    fn holds(&self, tests: &NameTests, name: &str) -> bool {
        any_or_none(&tests.prefix, |prefix| name.starts_with(prefix))
            && any_or_none(&tests.suffix, |suffix| name.ends_with(suffix))
            && any_or_none(&self.globs, |glob| glob.is_match(name))
            && any_or_none(&self.regexes, |regex| regex.is_match(name.as_bytes()))
    }
}

fn any_or_none<T>(tests: &[T], holds: impl Fn(&T) -> bool) -> bool {
    tests.is_empty() || tests.iter().any(holds)
}

fn glob(text: &str) -> Result<GlobMatcher, ChannelPatternError> {
    let glob = GlobBuilder::new(text)
        .literal_separator(false)
        .backslash_escape(true)
        .empty_alternates(true)
        .build();
    let glob = glob.map_err(|error| ChannelPatternError::Glob(error.kind().to_string()))?;
    Ok(glob.compile_matcher())
}

fn regex(text: &str) -> Result<Regex, ChannelPatternError> {
    let regex = RegexBuilder::new(text)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build();
    regex.map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            ChannelPatternError::RegexTooLarge
        } else {
            ChannelPatternError::Regex(reason(&error.to_string()))
        }
    })
}

/// The last line of what the parser says: those above quote the text.
fn reason(said: &str) -> String {
    let last = said.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
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
}
