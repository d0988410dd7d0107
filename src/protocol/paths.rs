//! The paths of the server, and the prefix that a proxy may put before them.

/// Beginnings of our paths.
const BEGINNINGS: [&str; 3] = ["/app/", "/apps/", "/pusher/"];
/// Our paths for health checks.
const PROBES: [&str; 4] = ["/live", "/ready", "/up", "/health"];

/// What a proxy that passes on only some of its paths has before ours, like `/ws`. It may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// A prefix that is empty, or begins with a slash and does not end in one.
    #[must_use]
    pub const fn new(prefix: String) -> Self {
        Self(prefix)
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Our path behind the prefix; `None` when the prefix is empty, or no path of ours follows it. Some SDKs
    /// put several slashes in between.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let rest = path.strip_prefix(&self.0)?;
        let slashes = rest.bytes().take_while(|byte| *byte == b'/').count();
        let below = rest.get(slashes.checked_sub(1)?..)?;
        let is_ours = matches!(below, "/" | "/app")
            || PROBES.contains(&below)
            || BEGINNINGS.iter().any(|begin| below.starts_with(begin));
        is_ours.then_some(below)
    }

    /// The path that a WebSocket client asks for, without the prefix if one is set.
    #[must_use]
    pub fn client_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = if self.0.is_empty() { path } else { self.strip(path)? };
        (below == "/app" || below.starts_with("/app/")).then_some(below)
    }

    /// Whether a GET of this path with part of a WebSocket handshake is told what is missing, or where clients
    /// connect. On the paths of the HTTP API and health checks the offer is ignored.
    #[must_use]
    pub fn may_upgrade(&self, path: &str) -> bool {
        let path = self.strip(path).unwrap_or(path);
        !(PROBES.contains(&path) || path.starts_with("/apps/") || path.starts_with("/pusher/"))
    }

    /// The other paths that mean the same as one, without and with the prefix. A request may be signed over
    /// any of them, since not every proxy and SDK knows the prefix.
    #[must_use]
    pub fn others(&self, path: &str) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let below = self.strip(path).unwrap_or(path);
        let both = [below.to_owned(), format!("{}{below}", self.0)];
        both.into_iter().filter(|other| other != path).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn strips(prefix: &str, path: &str, want: Option<&str>) {
        assert_eq!(PathPrefix::new(prefix.into()).strip(path), want, "{prefix} {path}");
    }

    #[test]
    fn what_stands_behind_the_prefix_is_a_path_of_ours_or_nothing() {
        for path in [
            "/apps/1/events",
            "/app/key",
            "/app",
            "/app/",
            "/pusher/app/key/1/abcdefgh/xhr",
            "/live",
            "/",
        ] {
            strips("/ws", &format!("/ws{path}"), Some(path));
            strips("/a/b", &format!("/a/b{path}"), Some(path));
            strips("/ws", &format!("/ws//{path}"), Some(path));
            strips("", path, None);
        }
        for path in ["/ws", "/wsx/live", "/ws/elsewhere", "/live", "/ws/live/", "/ws/lively"] {
            strips("/ws", path, None);
        }
    }

    #[test]
    fn a_prefix_may_look_like_a_path_of_ours() {
        strips("/app", "/app/app/key", Some("/app/key"));
        strips("/app", "/app/live", Some("/live"));
        // Here it is not a path of ours.
        strips("/app", "/app/key", None);
        strips("/apps", "/apps/apps/1/events", Some("/apps/1/events"));
        strips("/apps", "/apps/1/events", None);
        strips("/live", "/live", None);
    }

    #[test]
    fn clients_connect_behind_the_prefix_only() {
        let client_path = |prefix: &str, path| PathPrefix::new(prefix.into()).client_path(path).map(str::to_owned);
        assert_eq!(client_path("", "/app/key").as_deref(), Some("/app/key"));
        assert_eq!(client_path("/ws", "/ws/app/key").as_deref(), Some("/app/key"));
        assert_eq!(client_path("/app", "/app/app/key").as_deref(), Some("/app/key"));
        for (prefix, path) in [("", "/live"), ("", "/apps/1"), ("/ws", "/app/key"), ("/ws", "/ws/live")] {
            assert_eq!(client_path(prefix, path), None, "{prefix} {path}");
        }
    }

    #[test]
    fn what_is_asked_for_by_http_becomes_no_websocket() {
        let prefix = PathPrefix::new("/ws".into());
        for path in [
            "/live",
            "/apps/1/channels",
            "/ws/ready",
            "/ws/apps/1/channels",
            "/ws/pusher/app/k",
        ] {
            assert!(!prefix.may_upgrade(path), "{path}");
        }
        for path in ["/", "/app/key", "/ws/app/key", "/elsewhere"] {
            assert!(prefix.may_upgrade(path), "{path}");
        }
    }

    #[test]
    fn a_signature_is_over_the_path_with_or_without_the_prefix() {
        let others = |prefix: &str, path| PathPrefix::new(prefix.into()).others(path);
        assert_eq!(others("", "/apps/1/events"), [""; 0]);
        assert_eq!(others("/ws", "/ws/apps/1/events"), ["/apps/1/events"]);
        assert_eq!(others("/ws", "/apps/1/events"), ["/ws/apps/1/events"]);
        assert_eq!(
            others("/ws", "/ws//apps/1/events"),
            ["/apps/1/events", "/ws/apps/1/events"]
        );
    }
}
