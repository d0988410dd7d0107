//! The composition root: makes everything from the settings, listens, and drains.

mod assembly;
mod drain;
mod listener;
mod signals;

use std::io;

use crate::config::Settings;

use assembly::Assembly;
use signals::Signals;

/// Runs a server until SIGTERM or SIGINT, and then until it is drained. A second signal ends the
/// process at once.
///
/// # Errors
/// When the address cannot be listened on, or a thread cannot be started.
pub fn run_until_signal(settings: Settings) -> io::Result<()> {
    actix_rt::System::new().block_on(async move {
        let mut signals = Signals::new()?;
        let assembly = Assembly::new(&settings)?;
        let listener = listener::bind(settings.server.listen)?;
        let address = listener.local_addr()?;
        let server = listener::serve(listener, &settings.server, &assembly)?;
        let handle = server.handle();
        let server = actix_rt::spawn(server);
        log::info!("listening on http://{address}");

        signals.next().await;
        log::info!("draining, a second signal ends at once");
        signals.exit_at_next();
        drain::drain(&assembly, &handle, settings.server.drain_timeout).await;
        assembly.stop();
        handle.stop(false).await;
        server.await.map_err(io::Error::other)??;
        log::info!("stopped");
        Ok(())
    })
}
