//! `/live` and `/ready`, for whoever watches the server.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{HttpResponse, http::header::RETRY_AFTER, web};

use super::routes::HttpState;

/// Whether the server wants traffic. It is ready until it announces that it leaves, some time before it
/// drains. Cloning it copies pointers.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    leaving: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// From here on the server wants no new clients, but still serves those that come.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// From here on the server refuses new clients too.
    pub fn drain(&self) {
        self.leave();
        self.draining.store(true, Ordering::Release);
    }

    /// Tells whether the server wants new clients.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.leaving.load(Ordering::Acquire)
    }

    /// The switch itself, for those who refuse clients from then on.
    #[must_use]
    pub fn draining(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.draining)
    }
}

/// The process answers. So do `/`, `/up` and `/health`, which load balancers ask for unless told
/// otherwise.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("live\n")
}

/// The server wants traffic. A ledger that cannot be written is said and does not change that:
/// clients are served on, and turning them away would help nobody.
pub(super) async fn ready(state: web::Data<HttpState>) -> HttpResponse {
    if !state.readiness.is_ready() {
        return HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .content_type("text/plain; charset=utf-8")
            .body("draining: the server is going away\n");
    }
    // Why is for operators: the log and the admin API say it, which strangers do not see.
    let text = match state.ledger.failing() {
        None => "ready\n",
        Some(_) => "ready, webhooks wait\n",
    };
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text)
}
