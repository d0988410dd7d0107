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
mod tests;
