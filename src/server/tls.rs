//! TLS at the listener: handshakes within bounds, and a certificate that is read again when its
//! file changes.

mod turns;

use std::{io, path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use self::turns::{GRACE, Turns};
use crate::{
    clock,
    config::{ServerTls, identity_problems},
    wire::{self, Identity, Wire},
};
use actix_rt::{
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};
use rustls::ServerConfig;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout_at;

/// How long a client may take for its handshake, its turn included.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most handshakes under way on one worker; the others wait for their turn. A client gets none before its
/// first record is complete.
const HANDSHAKES_MAX: usize = 1_024;
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Clone)]
pub(super) struct TlsListener {
    config: Arc<ServerConfig>,
    identity: Arc<Identity>,
    files: [PathBuf; 2],
    first: Contents,
}

/// Makes the handshakes of one worker.
#[derive(Clone)]
pub(super) struct Acceptor {
    config: Arc<ServerConfig>,
    turns: Rc<Turns>,
    timeout: Duration,
}

/// What is in the files of the certificate and of its key, or why they cannot be read.
type Contents = Result<Arc<[SecretString; 2]>, String>;

impl TlsListener {
    /// With the certificate of the settings.
    ///
    /// # Errors
    /// When it cannot be used; the configuration refuses such.
    pub(super) fn new(settings: &ServerTls) -> io::Result<Self> {
        let (cert, key) = (&settings.identity.cert, &settings.identity.key);
        let named = |error: &dyn std::error::Error| io::Error::other(format!("server.tls: {error}"));
        let identity = Identity::new(cert, key.expose_secret()).map_err(|error| named(&error))?;
        let identity = Arc::new(identity);
        Ok(Self {
            config: wire::server_config(Arc::clone(&identity)).map_err(|error| named(&error))?,
            identity,
            files: [settings.cert_file.clone(), settings.key_file.clone()],
            first: Ok(Arc::new([cert.clone().into(), key.clone()])),
        })
    }

    /// What makes the handshakes of one worker.
    pub(super) fn acceptor(&self) -> Acceptor {
        Acceptor {
            config: Arc::clone(&self.config),
            turns: Rc::new(Turns::new(HANDSHAKES_MAX, GRACE)),
            timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Looks at the files from time to time, until the task is aborted, and shows new clients what
    /// is in them.
    pub(super) fn keep_up_to_date(self) -> JoinHandle<()> {
        actix_rt::spawn(async move {
            let mut changes = Changes::new(self.first);
            loop {
                sleep(LOOK_EVERY).await;
                let files = self.files.clone();
                let Ok(contents) = spawn_blocking(move || read(&files)).await else {
                    return;
                };
                if let Some(new) = changes.next(contents) {
                    replace(&self.identity, new, &self.files);
                }
            }
        })
    }
}

impl Acceptor {
    /// Makes a handshake.
    ///
    /// # Errors
    /// When it fails, takes too long, or gives its turn to others after a while.
    pub(super) async fn accept(&self, tcp: TcpStream) -> io::Result<Wire> {
        let deadline = (clock::instant() + self.timeout).into();
        let waiting = async {
            wire::whole_record(&tcp).await?;
            Ok(self.turns.take().await)
        };
        let turn = match timeout_at(deadline, waiting).await.unwrap_or_else(|_| Err(timed_out())) {
            Ok(turn) => turn,
            Err(error) => {
                wire::end(&tcp);
                return Err(told(error));
            }
        };
        let handshake = async {
            tokio::select! {
                biased;
                done = wire::accept(tcp, Arc::clone(&self.config)) => done,
                () = turn.wanted() => Err(timed_out()),
            }
        };
        let done = timeout_at(deadline, handshake).await;
        done.unwrap_or_else(|_| Err(timed_out())).map_err(told)
    }
}

fn timed_out() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

fn told(error: io::Error) -> io::Error {
    log::debug!("a TLS handshake fails: {error}");
    error
}

/// Finds changes that last: files that are just being written are looked at once more.
struct Changes {
    used: Contents,
    seen: Contents,
}

impl Changes {
    fn new(first: Contents) -> Self {
        Self {
            used: first.clone(),
            seen: first,
        }
    }

    /// Takes what is there now; gives it when it is not what was given last, and was there before.
    fn next(&mut self, contents: Contents) -> Option<&Contents> {
        let lasts = is_same(&self.seen, &contents);
        self.seen = contents;
        if !lasts || is_same(&self.used, &self.seen) {
            return None;
        }
        self.used = self.seen.clone();
        Some(&self.used)
    }
}

fn is_same(a: &Contents, b: &Contents) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => a
            .iter()
            .zip(b.iter())
            .all(|(a, b)| a.expose_secret() == b.expose_secret()),
        (Err(a), Err(b)) => a == b,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

fn read([cert, key]: &[PathBuf; 2]) -> Contents {
    let text = |key: &str, path: &PathBuf| {
        std::fs::read_to_string(path)
            .map(SecretString::from)
            .map_err(|error| format!("server.tls.{key}: {} cannot be read: {error}", path.display()))
    };
    Ok(Arc::new([text("cert", cert)?, text("key", key)?]))
}

/// Has new clients shown what is in the files, if it can be used.
fn replace(identity: &Identity, contents: &Contents, files: &[PathBuf; 2]) {
    let replaced = match contents {
        Ok(texts) => {
            let [cert, key] = [texts[0].expose_secret(), texts[1].expose_secret()];
            let problems = identity_problems(cert, key).into_iter();
            let problems: Vec<_> = problems
                .map(|(key, what)| {
                    let file = &files[usize::from(key == "key")];
                    format!("server.tls.{key}: {} {what}", file.display())
                })
                .collect();
            if problems.is_empty() {
                identity.replace(cert, key).map_err(|error| error.to_string())
            } else {
                Err(problems.join("; "))
            }
        }
        Err(error) => Err(error.clone()),
    };
    match replaced {
        Ok(()) => log::info!(
            "new clients are shown the certificate that is now in {}",
            files[0].display()
        ),
        Err(error) => log::error!("the certificate was changed and cannot be used, the old one stays: {error}"),
    }
}

#[cfg(test)]
mod tests;
