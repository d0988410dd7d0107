//! Which certificates are accepted from an endpoint, and what is wrong with a refused one, in words.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        VerifierBuilderError, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::domain::openssl_line;

/// Trusts a certificate that comes from a root and is for the host, and one that equals a given certificate
/// byte for byte. A given certificate stands for the holder of its key, so its names, uses and times do not
/// matter.
#[derive(Debug)]
pub(super) struct Verifier {
    given: Vec<CertificateDer<'static>>,
    of_roots: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    /// # Errors
    /// When the roots are empty.
    pub(super) fn new(
        given: Vec<CertificateDer<'static>>,
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let of_roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { given, of_roots })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.given.iter().any(|given| given == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        self.of_roots.verify_server_cert(shown, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_roots.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_roots.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_roots.supported_verify_schemes()
    }
}

/// Advice for an unknown root, where an endpoint shows the certificate.
pub(super) const ROOTS_REMEDY: &str =
    ": name a file with that root, or with the certificate itself, as `tls: { roots: FILE }`";

/// Explains why TLS with a host failed, and how to make a good certificate where that helps.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's errors, most of which explain themselves"
)]
pub(super) fn explain(error: &Error, host: &str) -> String {
    match error {
        Error::InvalidCertificate(error) => explain_certificate(error, host),
        Error::AlertReceived(alert) => {
            let alert = spaced(&format!("{alert:?}"));
            let hint = if alert == "handshake failure" {
                ": it may have a key of a kind that is not supported, like P-521"
            } else {
                ""
            };
            format!("it ended the handshake ({alert}){hint}")
        }
        other => other.to_string(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's errors, some of which have a remedy"
)]
fn explain_certificate(error: &CertificateError, host: &str) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, unless the clock of this machine is wrong".into()
        }
        CertificateError::UnknownIssuer => format!("its certificate comes from an unknown root{ROOTS_REMEDY}"),
        CertificateError::NotValidForName => format!("its certificate is not for {host}; {}", remedy(host)),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // Each as `DnsName("a.example")`.
            let names = presented.iter().filter_map(|name| name.split('"').nth(1));
            let names: Vec<&str> = names.take(NAMES_MAX).collect();
            let names = if names.is_empty() {
                "no host name (a common name alone does not count)".to_owned()
            } else {
                names.join(", ")
            };
            format!("its certificate is for {names}, not for {host}; {}", remedy(host))
        }
        other => {
            let name = match other {
                CertificateError::Other(other) => format!("{:?}", other.0),
                other => format!("{other:?}"),
            };
            let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
            let what = match name.as_str() {
                "CaUsedAsEndEntity" => {
                    "its certificate is an authority's (CA:TRUE), and not itself in `tls.roots`".into()
                }
                "UnsupportedCertVersion" => "its certificate has version 1, which is not supported".into(),
                name => format!("its certificate cannot be used ({})", spaced(name)),
            };
            format!("{what}; {}", remedy(host))
        }
    }
}

/// Most names of a certificate in a message.
const NAMES_MAX: usize = 3;

/// Says how to make a usable certificate for a host.
fn remedy(host: &str) -> String {
    format!("make one by: {}", openssl_line(host))
}

/// `HandshakeFailure` as `handshake failure`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, OtherError};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("as the verifier names it")]
    enum Theirs {
        CaUsedAsEndEntity,
        UnsupportedCertVersion,
        EmptyEkuExtension,
    }

    fn other(error: Theirs) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_words_with_what_makes_a_good_one() {
        let line = |kind: &str, host: &str| {
            format!(
                "; make one by: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj \
                 /CN={host} -addext subjectAltName={kind}:{host} -keyout key.pem -out cert.pem"
            )
        };
        for (error, want) in [
            (
                other(Theirs::CaUsedAsEndEntity),
                "its certificate is an authority's (CA:TRUE), and not itself in `tls.roots`",
            ),
            (
                other(Theirs::UnsupportedCertVersion),
                "its certificate has version 1, which is not supported",
            ),
            (
                other(Theirs::EmptyEkuExtension),
                "its certificate cannot be used (empty eku extension)",
            ),
            (
                CertificateError::NotValidForName.into(),
                "its certificate is not for hooks.example",
            ),
        ] {
            assert_eq!(
                explain(&error, "hooks.example"),
                want.to_owned() + &line("DNS", "hooks.example")
            );
        }
        let by_address = explain(&CertificateError::NotValidForName.into(), "10.0.0.1");
        assert!(by_address.ends_with(&line("IP", "10.0.0.1")), "{by_address}");
    }

    #[test]
    fn an_alert_and_a_certificate_that_is_out_of_date_are_said_in_words() {
        let alert = Error::AlertReceived(AlertDescription::HandshakeFailure);
        assert_eq!(
            explain(&alert, "h"),
            "it ended the handshake (handshake failure): it may have a key of a kind that is not supported, like P-521"
        );
        assert_eq!(
            explain(&CertificateError::Expired.into(), "h"),
            "its certificate has expired"
        );
    }
}
