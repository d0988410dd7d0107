//! What happens in a run: which job reports when, and which viewer comes when and for how long. It
//! depends on the seed alone, so that two runs have the same.

use std::time::Duration;

/// Encoding jobs.
pub(crate) const JOBS: usize = 5_000;
/// How often each reports its progress.
pub(crate) const STEPS: u8 = 10;
/// Jobs that somebody watches at some time: 2 %.
pub(crate) const WATCHED: usize = JOBS / 50;
/// From the first report to the last.
pub(crate) const LASTS: Duration = Duration::from_secs(12);
/// Most viewers of a watched job.
const VIEWERS_MAX: u64 = 3;

/// A job reaches a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) at: Duration,
    pub(crate) job: usize,
    pub(crate) step: u8,
}

/// A viewer looks at a job for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) at: Duration,
    pub(crate) job: usize,
    pub(crate) stays: Duration,
}

/// A run as it is to be.
pub(crate) struct Workload {
    /// By time.
    pub(crate) progress: Vec<Progress>,
    pub(crate) looks: Vec<Look>,
}

/// The channel of a job. A cache channel: whoever subscribes is sent its last event at once.
pub(crate) fn channel(job: usize) -> String {
    format!("cache-job-{job}")
}

/// The job of a channel.
pub(crate) fn job_of(channel: &str) -> Option<usize> {
    channel.strip_prefix("cache-job-")?.parse().ok()
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut workload = Self {
            progress: Vec::new(),
            looks: Vec::new(),
        };
        for job in 0..JOBS {
            let took = dice.between(LASTS / 2, LASTS);
            let begin = dice.between(Duration::ZERO, LASTS - took);
            for step in 1..=STEPS {
                // Some time within its tenth of the job.
                let tenth = took / u32::from(STEPS);
                let at = begin + tenth * u32::from(step - 1) + dice.between(Duration::ZERO, tenth);
                workload.progress.push(Progress { at, job, step });
            }
            // Jobs of which one is as good as another: every fiftieth is watched.
            if job % (JOBS / WATCHED) == 0 {
                for _ in 0..=dice.below(VIEWERS_MAX) {
                    workload.looks.push(Look {
                        at: dice.between(begin, begin + took * 3 / 4),
                        job,
                        stays: dice.between(Duration::from_secs(1), LASTS / 3),
                    });
                }
            }
        }
        workload.progress.sort_by_key(|progress| progress.at);
        workload
    }
}

/// Chance from a seed: `SplitMix64`.
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = u64::try_from((to - from).as_micros()).unwrap_or(u64::MAX);
        from + Duration::from_micros(self.below(span.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_reports_ten_times_and_one_in_fifty_is_watched() {
        let workload = Workload::new(1);
        assert_eq!(workload.progress.len(), JOBS * usize::from(STEPS));
        assert!(workload.progress.iter().all(|progress| progress.at <= LASTS));
        let watched: std::collections::BTreeSet<usize> = workload.looks.iter().map(|look| look.job).collect();
        assert_eq!(watched.len(), WATCHED);
    }

    #[test]
    fn a_seed_gives_the_same_workload_again() {
        let looks = |seed| format!("{:?}", Workload::new(seed).looks);
        assert_eq!(looks(7), looks(7));
        assert_ne!(looks(7), looks(8));
    }

    #[test]
    fn a_channel_names_its_job() {
        assert_eq!(job_of(&channel(17)), Some(17));
        assert_eq!(job_of("job-17"), None);
    }
}
