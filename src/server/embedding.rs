//! What a program needs that runs a server within itself.

use std::thread;

use crate::config::{ConfigError, ConfigSource, Environment, Settings, Surroundings, from_text};

/// Reads settings from YAML, the same as in a `config.yaml`. Relative paths in it start at the
/// current folder, and `${NAME}` is taken from the environment; `VACANCY__…` variables are not read.
///
/// # Errors
/// When it cannot be used; the error tells every problem with the key that has it.
pub fn settings(yaml: &str) -> Result<Settings, ConfigError> {
    let surroundings = Surroundings {
        environment: &Environment::from_os(std::env::vars_os()).without_overrides(),
        parallelism: thread::available_parallelism().map_or(1, usize::from),
        read: &|path| std::fs::read_to_string(path),
    };
    let loaded = from_text(yaml, ConfigSource::Text, &surroundings)?;
    for warning in &loaded.warnings {
        log::warn!("configuration: {}", warning.in_file(&loaded.source));
    }
    Ok(loaded.settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;

    const APP: &str = "apps: [{id: '1', key: k, secret: s}]\nledger: {path: memory}\n";

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        let error = settings("server: { lisen: 127.0.0.1:0 }").expect_err("an unknown key");
        let text = error.to_string();
        assert!(
            text.contains("server.lisen: unknown key, did you mean `listen`?"),
            "{text}"
        );
    }

    #[test]
    fn a_server_without_an_actix_system_is_refused_with_what_to_do() {
        let settings = settings(APP).expect("valid");
        let error = Server::start(&settings).err().expect("no system");
        assert!(
            error.to_string().contains("actix_rt::System::new().block_on"),
            "{error}"
        );
    }

    #[test]
    fn a_process_may_run_several_and_each_stops_by_itself() {
        let settings = settings(&format!("{APP}server: {{listen: '127.0.0.1:0', workers: 1}}")).expect("valid");
        actix_rt::System::new().block_on(async {
            let (one, other) = (Server::start(&settings), Server::start(&settings));
            let (one, other) = (one.expect("starts"), other.expect("starts"));
            assert_ne!(one.address().port(), other.address().port());
            let at = one.address();
            one.stop().await.expect("stops");
            std::net::TcpStream::connect(at).expect_err("nobody listens");
            std::net::TcpStream::connect(other.address()).expect("the other goes on");
            other.stop().await.expect("stops");
        });
    }
}
