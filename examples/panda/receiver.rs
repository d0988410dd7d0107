//! The farm's receiver of webhooks. There is no official Pusher SDK for Rust that would check the
//! signature, so it is checked here: one HMAC-SHA256, compared in constant time.

use std::{io, sync::Arc};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::header::HeaderValue, web};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    audience::{Audience, Told},
    server::{KEY, SECRET},
};

/// What the receiver works with.
struct Shared {
    audience: Arc<Audience>,
    became_occupied: UnboundedSender<String>,
}

/// A receiver on a free port and a thread of its own.
pub(crate) struct Receiver {
    pub(crate) url: String,
    handle: ServerHandle,
}

impl Receiver {
    /// Starts one, which also sends on the channels that became occupied.
    pub(crate) fn start(audience: Arc<Audience>, became_occupied: UnboundedSender<String>) -> io::Result<Self> {
        let shared = web::Data::new(Shared {
            audience,
            became_occupied,
        });
        let app = move || {
            App::new()
                .app_data(shared.clone())
                .route("/webhooks", web::post().to(webhook))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/webhooks", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok(Self { url, handle })
    }

    pub(crate) async fn stop(self) {
        self.handle.stop(true).await;
    }
}

/// The body of a request; what else is in it is ignored.
#[derive(Deserialize)]
struct Body {
    events: Vec<Event>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    name: String,
    channel: String,
    seq: u64,
    at_ms: u64,
}

impl Event {
    /// What it says of its channel; events that are not about who listens say nothing.
    fn told(&self) -> Option<Told> {
        let occupied = match self.name.as_str() {
            "channel_occupied" => true,
            "channel_vacated" => false,
            _ => return None,
        };
        Some(Told {
            occupied,
            seq: self.seq,
            at_ms: self.at_ms,
        })
    }
}

// region: receiver
async fn webhook(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    if !is_genuine(&request, &body) {
        return HttpResponse::Unauthorized().finish();
    }
    let Ok(body) = serde_json::from_slice::<Body>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    for event in body.events {
        let Some(told) = event.told() else {
            continue;
        };
        if shared.audience.hear(&event.channel, told) && told.occupied {
            // The farm sends the viewer what it missed; the answer does not wait for that.
            let _ = shared.became_occupied.send(event.channel);
        }
    }
    HttpResponse::Ok().finish()
}

fn is_genuine(request: &HttpRequest, body: &[u8]) -> bool {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let signature = header("X-Pusher-Signature").and_then(|signature| hex::decode(signature).ok());
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(body);
    header("X-Pusher-Key") == Some(KEY.as_bytes())
        && signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok())
}
// endregion: receiver

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_what_the_secret_signed_is_genuine() {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
        mac.update(b"{}");
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = |signature: &str| {
            let request = TestRequest::post().insert_header(("X-Pusher-Key", KEY));
            let request = request.insert_header(("X-Pusher-Signature", signature));
            request.to_http_request()
        };
        assert!(is_genuine(&request(&signature), b"{}"));
        assert!(!is_genuine(&request(&signature), b"{ }"));
        assert!(!is_genuine(&request(&signature[1..]), b"{}"));
        assert!(!is_genuine(&TestRequest::post().to_http_request(), b"{}"));
    }
}
