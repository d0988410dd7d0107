//! Requests that cannot be served, and what their sender is told.

use std::fmt;

/// Why the bytes on a connection are not served. Nothing after them is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// They are a TLS hello.
    Tls,
    /// They are the preface of HTTP/2.
    Http2,
    /// They are a header of the PROXY protocol.
    ProxyProtocol,
    /// They are not HTTP.
    NotHttp,
    /// They are a request with this fault.
    Malformed(&'static str),
    /// The head is too long, or has too many headers.
    HeadTooLarge,
    /// The head was not complete in time.
    HeadTooSlow,
}

impl Refusal {
    /// The method of the stand-in for a refused request. actix-http reads the stand-in instead, and treats
    /// what follows as its body until it has closed the connection cleanly.
    pub const METHOD: &'static str = "REFUSED";
    /// The stand-in.
    pub(crate) const STAND_IN: &'static [u8] =
        b"REFUSED / HTTP/1.1\r\nHost: refused\r\nContent-Length: 9223372036854775807\r\n\r\n";

    /// What the first bytes are when they do not begin a request.
    pub(super) fn of(bytes: &[u8], error: httparse::Error) -> Self {
        if bytes.starts_with(&[0x16, 0x03]) {
            return Self::Tls;
        }
        if bytes.starts_with(b"PRI * HTTP/2") {
            return Self::Http2;
        }
        if bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
            return Self::ProxyProtocol;
        }
        match error {
            httparse::Error::HeaderName => Self::Malformed("the name of a header has a character that none may have"),
            httparse::Error::HeaderValue => Self::Malformed("the value of a header has a character that none may have"),
            httparse::Error::NewLine
            | httparse::Error::Status
            | httparse::Error::Token
            | httparse::Error::TooManyHeaders
            | httparse::Error::Version => Self::NotHttp,
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Tls | Self::Http2 | Self::ProxyProtocol | Self::NotHttp | Self::Malformed(_) => 400,
            Self::HeadTooSlow => 408,
            Self::HeadTooLarge => 431,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => f.write_str("TLS on the plain port: use http:// and ws:// here, or give the server `tls`"),
            Self::Http2 => f.write_str("HTTP/2 is not spoken here, use HTTP/1.1"),
            Self::ProxyProtocol => {
                f.write_str("the PROXY protocol is not spoken here, switch it off in the proxy or load balancer")
            }
            Self::NotHttp => f.write_str("this is no HTTP request"),
            Self::Malformed(what) => write!(f, "this is no HTTP request that can be served: {what}"),
            Self::HeadTooLarge => write!(
                f,
                "the head of the request is too large: it may have {} headers and {} bytes",
                super::HEADERS_MAX,
                super::HEAD_BYTES_MAX
            ),
            Self::HeadTooSlow => f.write_str("the head of the request did not arrive in time"),
        }
    }
}
