//! The processor time of some threads of this process, as Linux counts it.

use std::{collections::BTreeSet, fs, time::Duration};

/// What `/proc` counts in: hundredths of a second, on every machine that Vacancy runs on.
const TICK: Duration = Duration::from_millis(10);

/// Threads of this process, by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Threads(BTreeSet<String>);

impl Threads {
    /// All that there are; none on a system without `/proc`.
    pub(crate) fn all() -> Self {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        Self(
            threads
                .filter_map(|thread| thread.file_name().into_string().ok())
                .collect(),
        )
    }

    /// Those that are not among others.
    pub(crate) fn without(&self, others: &Self) -> Self {
        Self(self.0.difference(&others.0).cloned().collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that they have had, user and system together; unknown where it is not counted.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let mut ticks = 0;
        for thread in &self.0 {
            let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
            // Behind the name, which is in brackets, the 12th and the 13th word.
            let (_, rest) = stat.rsplit_once(')')?;
            let words = rest.split_whitespace().skip(11).take(2);
            ticks += words.filter_map(|word| word.parse::<u32>().ok()).sum::<u32>();
        }
        (!self.0.is_empty()).then(|| TICK * ticks)
    }
}
