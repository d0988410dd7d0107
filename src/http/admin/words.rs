//! How a span of time is said.

/// A number of milliseconds in words: `250 ms`, `2.1 s`, `45 s`, `12 min`, `5 h`, `4 d`.
#[must_use]
pub fn span(ms: u64) -> String {
    let (s, min, h) = (1_000, 60_000, 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / s, ms % s / 100),
        10_000..120_000 => format!("{} s", ms / s),
        120_000..7_200_000 => format!("{} min", ms / min),
        7_200_000..172_800_000 => format!("{} h", ms / h),
        172_800_000.. => format!("{} d", ms / (24 * h)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_in_the_unit_that_suits_it() {
        for (ms, want) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (2_190, "2.1 s"),
            (10_000, "10 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (7_199_999, "119 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(span(ms), want);
        }
    }
}
