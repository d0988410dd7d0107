//! What the operating system asks of the process. `docs/running.md` has the table.

use std::{fs::File, io, time::Duration};

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that would end the process and do nothing here: nobody who sends them asks for an end. What is
/// written past a limit of file size fails, as a full disk does.
const WITHOUT_EFFECT: &[Number] = &[
    Number::USR1,
    Number::USR2,
    Number::ALARM,
    Number::PIPE,
    Number::IO,
    Number::VTALARM,
    Number::PROF,
    Number::XFSZ,
    #[cfg(target_os = "linux")]
    Number::POWER,
];
/// How long the program announces that it leaves: as long as most load balancers take to probe again.
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// How long the system may take to let go of a terminal after it has said so.
const HANGING_UP: Duration = Duration::from_millis(100);

/// The signals that have an effect.
pub(super) struct Signals {
    ends: Ends,
    /// None where it is ignored, as `nohup` has it.
    hangup: Option<Signal>,
    has_terminal: bool,
}

/// SIGTERM, SIGINT and SIGQUIT, which are alike here.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Ends {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}

impl Signals {
    /// Catches the signals from here on.
    pub(super) fn new() -> io::Result<Self> {
        for number in WITHOUT_EFFECT {
            // Its handler stays when this is dropped.
            drop(signal(SignalKind::from_raw(number.as_raw()))?);
        }
        Ok(Self {
            ends: Ends {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
            },
            hangup: if ignores_hangup() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
            has_terminal: has_terminal(),
        })
    }

    /// Waits for one that asks for an end, and tells what it was.
    pub(super) async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                name = self.ends.next() => return name,
                () = next_hangup(&mut self.hangup) => {}
            }
            if self.has_terminal {
                actix_rt::time::sleep(HANGING_UP).await;
                if !has_terminal() {
                    return "the terminal is gone";
                }
            }
            log::info!("SIGHUP: nothing to do, the configuration is read at a start only");
        }
    }

    /// How long the program announces that it leaves before it drains; `set` is the setting. A program at a
    /// terminal has no load balancer that probes it.
    pub(super) fn drain_wait(&self, set: Option<Duration>) -> Duration {
        let unless_set = if self.has_terminal { Duration::ZERO } else { DRAIN_WAIT };
        set.unwrap_or(unless_set)
    }

    /// Ends the process at the next one that asks for an end, whatever it is doing.
    pub(super) fn exit_at_next(mut self) {
        actix_rt::spawn(async move {
            let name = self.ends.next().await;
            log::warn!("{name} again, stopped without draining");
            std::process::exit(1);
        });
    }
}

async fn next_hangup(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether whoever started the process has it ignore SIGHUP. Where there is no `/proc` it is not known.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|ignored| ignored & 1 << (Number::HUP.as_raw() - 1) != 0)
}

/// The signals that are ignored, a bit each, as `/proc/self/status` has them.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Whether the process has a terminal that controls it.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_that_are_ignored_are_read_from_the_status() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000440\n";
        assert_eq!(ignored(status), Some(0x1001));
        assert_eq!(ignored("SigBlk:\t0\n"), None);
        assert_eq!(ignored("SigIgn:\tnone\n"), None);
    }
}
