//! Who may ask: whoever bears the token.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, HeaderValue},
    middleware::Next,
    web,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::AdminError;
use crate::clock;

/// How often it is logged that somebody came without the token.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The token that a request must bear, and a count of those that did not.
pub struct Token {
    digest: [u8; 32],
    refused: Mutex<Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    count: u64,
    logged_at: Option<Instant>,
}

impl Token {
    /// Wants this token.
    #[must_use]
    pub fn new(token: &SecretString) -> Self {
        Self {
            digest: digest(token.expose_secret().as_bytes()),
            refused: Mutex::default(),
        }
    }

    /// Tells whether an `Authorization` header bears the token. It takes as long for one that is
    /// nearly right as for one that is not.
    fn is_in(&self, header: Option<&[u8]>) -> bool {
        let (scheme, rest) = header.unwrap_or_default().split_at_checked(7).unwrap_or_default();
        let is_equal: bool = digest(rest.trim_ascii()).ct_eq(&self.digest).into();
        scheme.eq_ignore_ascii_case(b"bearer ") && is_equal
    }

    /// Counts a refusal; gives how many there were when it is time to log it.
    fn refuse(&self, now: Instant) -> Option<u64> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.logged_at.is_some_and(|at| now < at + LOG_EVERY) {
            return None;
        }
        refused.logged_at = Some(now);
        Some(std::mem::take(&mut refused.count))
    }
}

/// Both sides are digested, so that neither the length nor a common beginning shows in the time.
fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Lets through who bears the [`Token`] that the application has as data.
///
/// # Errors
/// With 401 for everybody else.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let token = request
        .app_data::<web::Data<Token>>()
        .expect("the listener is made with its token");
    let header = request.headers().get(AUTHORIZATION);
    if !token.is_in(header.map(HeaderValue::as_bytes)) {
        if let Some(count) = token.refuse(clock::now().instant) {
            let from = request
                .peer_addr()
                .map_or_else(String::new, |peer| format!(", the last from {peer}"));
            log::warn!("admin API: refused requests without the right token: {count}{from}");
        }
        return Err(AdminError::Unauthorized.into());
    }
    next.call(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_is_let_through() {
        let token = Token::new(&"hunter2".into());
        let is_in = |header: &str| token.is_in(Some(header.as_bytes()));
        assert!(is_in("Bearer hunter2") && is_in("bearer hunter2") && is_in("Bearer  hunter2 "));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer hunter",
            "Bearer hunter22",
            "Basic hunter2",
            "hunter2",
        ] {
            assert!(!is_in(header), "{header}");
        }
        assert!(!token.is_in(None));
    }

    #[test]
    fn refusals_are_logged_at_once_and_then_every_10_s_with_their_count() {
        let token = Token::new(&"hunter2".into());
        let now = clock::now().instant;
        let at = |s| now + Duration::from_secs(s);
        assert_eq!(token.refuse(at(0)), Some(1));
        assert_eq!((token.refuse(at(1)), token.refuse(at(9))), (None, None));
        assert_eq!(token.refuse(at(10)), Some(3));
    }
}
