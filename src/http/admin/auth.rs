//! Who may ask: whoever bears the token.

use std::sync::{Mutex, PoisonError};

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, HeaderValue},
    middleware::Next,
    web,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::AdminError;
use crate::{clock, domain::Repeats};

/// The token that a request must bear, and a count of those that did not.
pub struct Token {
    digest: [u8; 32],
    refused: Mutex<Repeats>,
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
    fn refuse(&self) -> Option<u64> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count(clock::instant())
    }
}

/// Both sides are digested, so that neither the length nor a common beginning shows in the time.
fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Lets through a request with the [`Token`] that the application has as data, and answers 401 to any other.
///
/// # Errors
/// Those of the application.
pub async fn authenticate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let token = request
        .app_data::<web::Data<Token>>()
        .expect("the listener is made with its token");
    let header = request.headers().get(AUTHORIZATION);
    if !token.is_in(header.map(HeaderValue::as_bytes)) {
        if let Some(count) = token.refuse() {
            let from = request
                .peer_addr()
                .map_or_else(String::new, |peer| format!(", the last from {peer}"));
            log::warn!("admin API: refused requests without the right token: {count}{from}");
        }
        return Ok(request.error_response(AdminError::Unauthorized).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
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
}
