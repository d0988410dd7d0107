//! How the server ends a connection, and what the code tells the client to do next.

use std::fmt;

/// A close code with its reason (PROTOCOL.md section 1.8).
///
/// 4000 to 4099: do not reconnect with the same parameters. 4100 to 4199: reconnect after a pause.
/// 4200 to 4299: reconnect at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: the client closed, and gave no code to echo.
    Normal,
    /// 1002: a frame broke the WebSocket protocol.
    ProtocolViolation,
    /// 1003: a binary frame; only text is spoken.
    BinaryUnsupported,
    /// 1007: a text frame was not UTF-8.
    InvalidUtf8,
    /// 1009: a message was over the size limit.
    TooLarge,
    /// 4000: the app demands TLS.
    TlsOnly,
    /// 4001: no app has the key.
    UnknownApp,
    /// 4003: the app is disabled.
    AppDisabled,
    /// 4004: the app has as many connections as it may.
    OverQuota,
    /// 4005: the path begins like a client's and is none.
    PathNotFound,
    /// 4006: the protocol version is not a number.
    InvalidVersion,
    /// 4007: the protocol version is not supported.
    UnsupportedVersion,
    /// 4009: neither signed in nor joined an authorized channel in time.
    NotAuthorized,
    /// 4009: the back end ended the user's connections.
    Terminated,
    /// 4100: the server has as many connections as it may.
    ServerFull,
    /// 4100: more clients connect at this moment than may.
    TooManyAtOnce,
    /// 4100: a message did not come whole in time.
    MessageTooSlow,
    /// 4100: the client does not read what it is sent.
    OverCapacity,
    /// 4200: the server is going away; reconnect at once.
    GoingAway,
    /// 4201: no answer to a ping.
    PongTimeout,
    /// A code that the client sent, echoed.
    Echo(u16),
}

impl CloseCode {
    /// The number in the close frame.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::ProtocolViolation => 1002,
            Self::BinaryUnsupported => 1003,
            Self::InvalidUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::TlsOnly => 4000,
            Self::UnknownApp => 4001,
            Self::AppDisabled => 4003,
            Self::OverQuota => 4004,
            Self::PathNotFound => 4005,
            Self::InvalidVersion => 4006,
            Self::UnsupportedVersion => 4007,
            Self::NotAuthorized | Self::Terminated => 4009,
            Self::ServerFull | Self::TooManyAtOnce | Self::MessageTooSlow | Self::OverCapacity => 4100,
            Self::GoingAway => 4200,
            Self::PongTimeout => 4201,
            Self::Echo(code) => code,
        }
    }

    /// The configuration key that decides, if one does.
    #[must_use]
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::TlsOnly => Some("tls_only"),
            Self::AppDisabled => Some("enabled"),
            Self::OverQuota => Some("limits.connections"),
            Self::NotAuthorized => Some("authorized_connections"),
            Self::ServerFull => Some("server.connections"),
            Self::TooManyAtOnce => Some("server.handshakes_per_second"),
            Self::OverCapacity => Some("server.outbound_limit"),
            Self::PongTimeout => Some("server.pong_timeout"),
            Self::Normal
            | Self::ProtocolViolation
            | Self::BinaryUnsupported
            | Self::InvalidUtf8
            | Self::TooLarge
            | Self::UnknownApp
            | Self::PathNotFound
            | Self::InvalidVersion
            | Self::UnsupportedVersion
            | Self::Terminated
            | Self::MessageTooSlow
            | Self::GoingAway
            | Self::Echo(_) => None,
        }
    }

    /// The reason in the close frame: what was wrong, at most 123 bytes.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal | Self::Echo(_) => "",
            Self::ProtocolViolation => "Frame breaks the WebSocket protocol",
            Self::BinaryUnsupported => "Binary frames are not supported, send JSON as text",
            Self::InvalidUtf8 => "Text frame is not UTF-8",
            Self::TooLarge => "Message is over the size limit",
            Self::TlsOnly => "App accepts connections over TLS only, use wss",
            Self::UnknownApp => "App key does not exist on this server",
            Self::AppDisabled => "App is disabled",
            Self::OverQuota => "Account over quota",
            Self::PathNotFound => "Path not found, clients connect to /app/{key}",
            Self::InvalidVersion => "Invalid version string format",
            Self::UnsupportedVersion => "Unsupported protocol version",
            Self::NotAuthorized => "Connection not authorized within timeout",
            Self::Terminated => "You got disconnected by the app.",
            Self::ServerFull => "Server is over capacity",
            Self::TooManyAtOnce => "Too many clients connect at once, please reconnect in a moment",
            Self::MessageTooSlow => "Message did not come whole in time",
            Self::OverCapacity => "Client does not read fast enough",
            Self::GoingAway => "Server is going away, please reconnect",
            Self::PongTimeout => "Pong not received in time",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_documented_number_and_a_short_reason() {
        for (close, code) in [
            (CloseCode::Normal, 1000),
            (CloseCode::ProtocolViolation, 1002),
            (CloseCode::BinaryUnsupported, 1003),
            (CloseCode::InvalidUtf8, 1007),
            (CloseCode::TooLarge, 1009),
            (CloseCode::TlsOnly, 4000),
            (CloseCode::UnknownApp, 4001),
            (CloseCode::AppDisabled, 4003),
            (CloseCode::OverQuota, 4004),
            (CloseCode::PathNotFound, 4005),
            (CloseCode::InvalidVersion, 4006),
            (CloseCode::UnsupportedVersion, 4007),
            (CloseCode::NotAuthorized, 4009),
            (CloseCode::Terminated, 4009),
            (CloseCode::ServerFull, 4100),
            (CloseCode::TooManyAtOnce, 4100),
            (CloseCode::MessageTooSlow, 4100),
            (CloseCode::OverCapacity, 4100),
            (CloseCode::GoingAway, 4200),
            (CloseCode::PongTimeout, 4201),
            (CloseCode::Echo(3000), 3000),
        ] {
            assert_eq!(close.code(), code, "{close}");
            assert!(close.reason().len() <= 123, "{close}");
        }
    }

    #[test]
    fn a_code_that_a_setting_decides_names_it() {
        assert_eq!(CloseCode::OverQuota.setting(), Some("limits.connections"));
        assert_eq!(CloseCode::TlsOnly.setting(), Some("tls_only"));
        assert_eq!(CloseCode::UnknownApp.setting(), None);
    }

    #[test]
    fn only_a_normal_or_echoed_close_has_no_reason() {
        assert_eq!(CloseCode::Normal.to_string(), "1000 ");
        assert_eq!(CloseCode::Echo(3000).reason(), "");
        assert_eq!(CloseCode::AppDisabled.to_string(), "4003 App is disabled");
        assert_eq!(CloseCode::GoingAway.reason(), "Server is going away, please reconnect");
    }
}
