//! `POST /events` and `POST /batch_events`.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

use super::{
    error::ApiError,
    publish::{Publication, parse_batch, parse_trigger},
    signed_request::SignedRequest,
};
use crate::{app::App, protocol::ServerMessage};

/// Publishes one event to one or more channels.
pub(super) async fn trigger(request: SignedRequest) -> Result<HttpResponse, ApiError> {
    let publication = parse_trigger(&request.body)?;
    publish(&request.app, &publication)?;
    let answer = if publication.info.is_asked {
        let channels = publication.channels.iter().map(|channel| {
            let mut about = Map::new();
            let counts = request.app.channels().counts(channel);
            publication.info.describe(channel, counts, &mut about);
            (channel.to_string(), Value::from(about))
        });
        json!({ "channels": channels.collect::<Map<_, _>>() })
    } else {
        json!({})
    };
    Ok(HttpResponse::Ok().json(answer))
}

/// Publishes several events, each to one channel: all of them, or none when one is wrong.
pub(super) async fn batch(request: SignedRequest) -> Result<HttpResponse, ApiError> {
    let batch = parse_batch(&request.body)?;
    for publication in &batch {
        publish(&request.app, publication)?;
    }
    let is_asked = batch.iter().any(|publication| publication.info.is_asked);
    let answer = if is_asked {
        let about = batch.iter().map(|publication| {
            let mut about = Map::new();
            for channel in &publication.channels {
                let counts = request.app.channels().counts(channel);
                publication.info.describe(channel, counts, &mut about);
            }
            Value::from(about)
        });
        json!({ "batch": about.collect::<Vec<_>>() })
    } else {
        json!({})
    };
    Ok(HttpResponse::Ok().json(answer))
}

fn publish(app: &App, publication: &Publication) -> Result<(), ApiError> {
    for channel in &publication.channels {
        let message = ServerMessage::Event {
            name: publication.name.as_str(),
            channel,
            data: &publication.data,
            user_id: None,
        };
        app.publish(channel, message.to_frame(), publication.except)?;
    }
    Ok(())
}
