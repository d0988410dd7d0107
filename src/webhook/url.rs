//! What is read out of the URL of an endpoint.

use percent_encoding::percent_decode_str;

/// Most characters of a host that are shown.
const HOST_CHARS_MAX: usize = 255;

/// The user name and the password in a URL, for basic authentication.
pub(super) fn user_info(url: &str) -> Option<(String, Option<String>)> {
    let (user_info, _) = authority(url)?.rsplit_once('@')?;
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(match user_info.split_once(':') {
        Some((name, password)) => (decode(name), Some(decode(password))),
        None => (decode(user_info), None),
    })
}

/// What a URL is asked for by a client that leaves TLS to its connector: `http`, without user info,
/// and with the port that `https` means. The second tells whether TLS is to be spoken.
#[must_use]
pub fn target(url: &str) -> (String, bool) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), false);
    };
    let is_tls = scheme.eq_ignore_ascii_case("https");
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_port = host.rsplit(']').next().is_some_and(|after| after.contains(':'));
    let port = if is_tls && !has_port { ":443" } else { "" };
    (format!("http://{host}{port}{path}"), is_tls)
}

/// A URL without user info and query, which may be secrets.
#[must_use]
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

/// The host in the target of a redirect, with its port if there is one, and nothing else of it.
/// None where the target is on the host that was asked.
pub(super) fn host(target: &str) -> Option<String> {
    let authority = authority(target).or_else(|| target.strip_prefix("//")?.split(['/', '?', '#']).next())?;
    let host = authority.rsplit('@').next()?;
    let host: String = host
        .chars()
        .filter(char::is_ascii_graphic)
        .take(HOST_CHARS_MAX)
        .collect();
    (!host.is_empty()).then_some(host)
}

/// What stands between scheme and path.
fn authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_scheme = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    rest.split(['/', '?', '#']).next().filter(|_| is_scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_info_of_a_url_is_percent_decoded() {
        let read = |url| user_info(url).map(|(name, password)| (name, password.unwrap_or_default()));
        let want = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read("https://me:s%40cret@host/x@y"), want("me", "s@cret"));
        assert_eq!(read("https://me@host"), want("me", ""));
        assert_eq!(read("https://host/a@b"), None);
    }

    #[test]
    fn the_client_is_asked_for_plain_http_at_the_port_of_the_scheme() {
        for (url, want, is_tls) in [
            ("http://host/a?b", "http://host/a?b", false),
            ("http://me:s%40cret@host:81/", "http://host:81/", false),
            ("https://host/a?b", "http://host:443/a?b", true),
            ("https://host", "http://host:443", true),
            ("HTTPS://host?b=:1", "http://host:443?b=:1", true),
            ("https://a:b@host:8443/x@y:1", "http://host:8443/x@y:1", true),
            ("https://[::1]/", "http://[::1]:443/", true),
            ("https://[::1]:8443/", "http://[::1]:8443/", true),
            ("http://[::1]/", "http://[::1]/", false),
        ] {
            assert_eq!(target(url), (want.to_owned(), is_tls), "{url}");
        }
    }

    #[test]
    fn a_url_is_shown_without_user_info_and_query() {
        for (url, want) in [
            ("http://user:pw@host:1/a/b?token=x#y", "http://host:1/a/b"),
            ("https://host", "https://host/"),
            ("https://host?secret=1", "https://host/"),
            ("https://a@b@host/x", "https://host/x"),
        ] {
            assert_eq!(shown(url), want);
        }
    }

    #[test]
    fn of_a_redirect_only_the_host_is_shown() {
        for (target, want) in [
            ("https://user:pw@host:1/path?token=x", Some("host:1")),
            ("http://169.254.169.254/latest/meta-data", Some("169.254.169.254")),
            ("http://[fd00:ec2::254]?x", Some("[fd00:ec2::254]")),
            ("//other.example/x", Some("other.example")),
            ("/path?next=https://elsewhere/", None),
            ("path", None),
            ("?token=a://b", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(host(target).as_deref(), want, "{target}");
        }
        let long = format!("https://{}/", "x".repeat(10_000));
        assert_eq!(host(&long).map(|host| host.len()), Some(255));
    }
}
