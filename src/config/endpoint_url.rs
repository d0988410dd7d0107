//! What a webhook URL must look like, and how it is shown: user info and query may be secrets.

use std::net::{IpAddr, Ipv6Addr};

/// Why a text is no webhook URL. It never holds the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EndpointUrlError {
    #[error("must begin with http:// or https://")]
    Scheme,
    #[error("has no host")]
    NoHost,
    #[error("has an invalid host")]
    Host,
    #[error("has an invalid port, it must be 1 to 65535")]
    Port,
    #[error("has a fragment (`#…`), which is never sent, remove it")]
    Fragment,
    #[error("has a character at byte {0} that must be percent-encoded")]
    Character(usize),
}

/// The parts of a URL that are looked at.
struct Parts<'u> {
    scheme: &'u str,
    user_info: Option<&'u str>,
    host: &'u str,
    port: Option<&'u str>,
    /// Path and query, with what introduces them.
    rest: &'u str,
}

/// Checks that a URL is absolute, `http` or `https`, with a host and without a fragment.
pub(super) fn check(url: &str) -> Result<(), EndpointUrlError> {
    let allowed = |b: u8| b.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&b);
    if let Some(at) = url.bytes().position(|b| !allowed(b)) {
        return Err(EndpointUrlError::Character(at));
    }
    if url.contains('#') {
        return Err(EndpointUrlError::Fragment);
    }
    let parts = split(url).ok_or(EndpointUrlError::Scheme)?;
    check_host(parts.host)?;
    match parts.port {
        Some(port) if !is_port(port) => Err(EndpointUrlError::Port),
        Some(_) | None => Ok(()),
    }
}

/// The URL with its user info and its query hidden; all of it, if it is none.
pub(super) fn shown(url: &str) -> String {
    let hidden = "********";
    let Some(parts) = split(url) else {
        return hidden.to_owned();
    };
    let user_info = parts.user_info.map_or(String::new(), |_| format!("{hidden}@"));
    let port = parts.port.map_or(String::new(), |port| format!(":{port}"));
    let rest = match parts.rest.split_once('?') {
        Some((path, _)) => format!("{path}?{hidden}"),
        None => parts.rest.to_owned(),
    };
    format!("{}://{user_info}{}{port}{rest}", parts.scheme, parts.host)
}

/// The host of a URL if it is an address and not a name.
pub(super) fn address(url: &str) -> Option<IpAddr> {
    let host = split(url)?.host;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn split(url: &str) -> Option<Parts<'_>> {
    let (scheme, after) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
    let (user_info, host_port) = match authority.rsplit_once('@') {
        Some((user_info, host_port)) => (Some(user_info), host_port),
        None => (None, authority),
    };
    let host_end = host_port.find(']').unwrap_or(0);
    let (host, port) = match host_port[host_end..].split_once(':') {
        Some((host, port)) => (&host_port[..host_end + host.len()], Some(port)),
        None => (host_port, None),
    };
    Some(Parts {
        scheme,
        user_info,
        host,
        port,
        rest,
    })
}

fn check_host(host: &str) -> Result<(), EndpointUrlError> {
    if host.is_empty() {
        return Err(EndpointUrlError::NoHost);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').map(str::parse::<Ipv6Addr>);
        return match address {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(EndpointUrlError::Host),
        };
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.starts_with('.') || !host.bytes().all(allowed) {
        return Err(EndpointUrlError::Host);
    }
    Ok(())
}

fn is_port(port: &str) -> bool {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    digits && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(url: &str, want: EndpointUrlError) {
        assert_eq!(super::check(url), Err(want), "{url}");
    }

    #[test]
    fn an_absolute_http_or_https_url_is_accepted() {
        for url in [
            "http://127.0.0.1:3000/webhooks",
            "https://example.com",
            "HTTPS://example.com?x=1",
            "http://[::1]:80/a",
            "http://[::1]",
            "http://[::]:80",
            "http://user:pass@host_1/a?b=%20&c[]=d",
            "http://u@v@host/",
            "http://host:65535",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn another_scheme_or_none_is_refused() {
        for url in [
            "ftp://host/",
            "//host/",
            "/webhooks",
            "host",
            "",
            "http:/host",
            "httpx://h",
        ] {
            refused(url, EndpointUrlError::Scheme);
        }
    }

    #[test]
    fn a_host_is_needed_and_must_be_one() {
        for url in ["http://", "https:///path", "http://:80/", "http://user@/", "http://?q"] {
            refused(url, EndpointUrlError::NoHost);
        }
        for url in [
            "http://[::1",
            "http://[x]/",
            "http://a]/",
            "http://a,b/",
            "http://.a/",
            "http://[::1]x/",
        ] {
            refused(url, EndpointUrlError::Host);
        }
    }

    #[test]
    fn a_port_is_1_to_65535() {
        for url in [
            "http://h:0/",
            "http://h:65536",
            "http://h:",
            "http://h:+1",
            "http://h:1:2",
            "http://[::1]:x",
        ] {
            refused(url, EndpointUrlError::Port);
        }
    }

    #[test]
    fn a_fragment_is_refused() {
        refused("http://host/#a", EndpointUrlError::Fragment);
    }

    #[test]
    fn what_must_be_encoded_is_refused_with_its_place() {
        for bad in ['"', '<', '>', '\\', '^', '`', '{', '|', '}', ' ', '\n', '\0', 'é'] {
            refused(&format!("http://h/{bad}"), EndpointUrlError::Character(9));
        }
    }

    #[test]
    fn user_info_and_query_are_not_shown() {
        for (url, want) in [
            ("http://host:80/a", "http://host:80/a"),
            ("https://u:hunter2@host/a?k=hunter2", "https://********@host/a?********"),
            ("http://u@hunter2@h", "http://********@h"),
            ("http://h?hunter2/@x", "http://h?********"),
            ("http://[::1]:1", "http://[::1]:1"),
            ("hunter2", "********"),
            ("ftp://hunter2@h", "********"),
        ] {
            assert_eq!(shown(url), want);
        }
    }
}
