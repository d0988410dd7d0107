//! Where the server is, as it was said.

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it was given, without a `/` at its end.
    pub url: String,
    /// Its host and port, as in a `Host` header.
    pub host: String,
    /// Whether it is spoken to by TLS.
    pub is_tls: bool,
    /// The worker threads that it was started here with.
    pub workers: Option<usize>,
}

impl Place {
    /// Reads `http://HOST:PORT` or `https://HOST:PORT`, of which the port may be left out, or says what
    /// is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim_end_matches('/');
        let (scheme, host) = url.split_once("://").ok_or_else(|| wrong(url, "it has no scheme"))?;
        let is_tls = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(wrong(url, "only http and https are spoken")),
        };
        if host.is_empty() {
            return Err(wrong(url, "it has no host"));
        }
        if host.contains('/') {
            return Err(wrong(url, "a path is not served"));
        }
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = match (has_port, is_tls) {
            (true, _) => host.to_owned(),
            (false, false) => format!("{host}:80"),
            (false, true) => format!("{host}:443"),
        };
        Ok(Self {
            url: url.to_owned(),
            host,
            is_tls,
            workers: None,
        })
    }

    /// That there is something wrong with it, in words.
    pub fn wrong(&self, why: &str) -> String {
        wrong(&self.url, why)
    }
}

fn wrong(url: &str, why: &str) -> String {
    format!("--url {url}: {why}; like http://127.0.0.1:6001")
}
