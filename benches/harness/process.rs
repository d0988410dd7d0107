//! What the kernel knows of a process: its processor time and its memory.

use std::{fs, ops::Sub, time::Duration};

/// The processor time that a process has had, or waited for, until a moment.
#[derive(Debug, Clone, Copy)]
pub struct Cpu(Duration);

impl Sub for Cpu {
    type Output = f64;

    /// The seconds between two moments.
    fn sub(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)).as_secs_f64()
    }
}

/// The processor time of a process whose threads all live, to the nanosecond where the kernel
/// counts so and to the clock tick (10 ms) elsewhere.
pub fn cpu_time(pid: u32) -> Cpu {
    Cpu(scheduled(pid, 0).unwrap_or_else(|| ticks(pid)))
}

/// How long the threads of a process have waited for a processor, all together; nothing where the
/// kernel does not count it.
pub fn waited_time(pid: u32) -> Cpu {
    Cpu(scheduled(pid, 1).unwrap_or_default())
}

/// The sum of what the scheduler counted for each thread: 0 for what it ran, 1 for what it waited.
fn scheduled(pid: u32, word: usize) -> Option<Duration> {
    let mut total_ns = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        total_ns += text.split(' ').nth(word)?.parse::<u64>().ok()?;
    }
    (0 < total_ns).then(|| Duration::from_nanos(total_ns))
}

/// `utime` and `stime`, the 14th and the 15th word of `stat`, in ticks of 10 ms.
fn ticks(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let (_, after_name) = stat.rsplit_once(')').expect("the name stands in brackets");
    let words = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = words.map(|word| word.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// The resident memory of a process. `smaps_rollup` counts its pages; `status`, taken where there
/// is none, may be off by some hundred KB.
pub fn resident_bytes(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let status = || fs::read_to_string(format!("/proc/{pid}/status"));
    let text = rollup.or_else(|_| status()).expect("the process lives");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:").or_else(|| line.strip_prefix("VmRSS:")));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kilobytes
        .expect("a line in kB")
        .trim()
        .parse::<u64>()
        .expect("a number")
        * 1_024
}
