//! Suggestions for a misspelled name.

/// The one of `names` that is most like `typed`, if any is similar.
pub(crate) fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(typed, name);
    let best = names.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (0.5 <= alike(best)).then_some(best)
}
