//! How to make a certificate by which an endpoint can be trusted.

use std::net::IpAddr;

/// The `openssl` line that makes a certificate for a host, and its key.
#[must_use]
pub fn openssl_line(host: &str) -> String {
    let kind = if host.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN={host} -addext \
         subjectAltName={kind}:{host} -keyout key.pem -out cert.pem"
    )
}
