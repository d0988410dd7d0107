//! The end of a process that could not tell the truth any more.

/// Ends the process if this thread unwinds. A server that lost its ledger or its webhooks and served on would
/// lie to every receiver.
pub fn exit_on_panic(broken: &str) {
    if std::thread::panicking() {
        log::error!("the {broken} broke, the process ends");
        std::process::exit(70);
    }
}
