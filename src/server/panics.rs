//! What is told of a panic.

/// Has every panic logged with its thread and place. One in a connection or a channel ends that
/// alone; one in the webhooks or the ledger ends the process.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        log::error!("panic in thread {name}: {panic}");
    }));
}
