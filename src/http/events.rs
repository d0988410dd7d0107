//! `POST /events`, `POST /batch_events` and the deprecated `POST /channels/{name}/events`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{
    error::ApiError,
    idempotency::{Begin, IdempotencyKey},
    publish::{
        EventData, Publication, channel_name, parse_batch, parse_trigger, publication_from_query, trigger_from_query,
    },
    routes::HttpState,
    signed_request::SignedRequest,
};
use crate::{
    app::{App, Outgoing},
    clock,
    protocol::{ServerMessage, published_frame},
};

/// Publishes one event to one or more channels.
pub(super) async fn trigger(request: SignedRequest, state: web::Data<HttpState>) -> Result<HttpResponse, ApiError> {
    let app = &request.app;
    let query;
    let publication = if request.body.is_empty() {
        query = request.query()?;
        trigger_from_query(&query, app.limits())?
    } else {
        parse_trigger(&request.body, app.limits())?
    };
    let answers = publish(app, &state, &[publication], trigger_answer)?;
    Ok(HttpResponse::Ok().json(answers.first()))
}

/// Publishes several events, each to one channel: all of them, or none when one is wrong.
pub(super) async fn batch(request: SignedRequest, state: web::Data<HttpState>) -> Result<HttpResponse, ApiError> {
    let app = &request.app;
    let batch = parse_batch(&request.body, app.limits())?;
    let answers = publish(app, &state, &batch, batch_answer)?;
    let is_asked = batch.iter().any(|publication| publication.info.is_asked);
    let answer = if is_asked {
        json!({ "batch": answers })
    } else {
        json!({})
    };
    Ok(HttpResponse::Ok().json(answer))
}

/// Publishes an event whose data is the body, as clients of old did.
pub(super) async fn deprecated(
    request: SignedRequest,
    state: web::Data<HttpState>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let app = &request.app;
    let channel = channel_name(&path.1, app.limits())?;
    let data = std::str::from_utf8(&request.body).map_err(|_| ApiError::DataNotUtf8)?;
    let publication = publication_from_query(&request.query()?, data, vec![channel], app.limits())?;
    publish(app, &state, &[publication], trigger_answer)?;
    Ok(HttpResponse::Ok().json(json!({})))
}

/// Publishes all events, or none when too much waits, and gives an answer for each. One whose
/// idempotency key is known is not published again and gets the answer that it had.
fn publish(
    app: &App,
    state: &HttpState,
    publications: &[Publication<'_>],
    answer: fn(&App, &Publication<'_>) -> Value,
) -> Result<Vec<Value>, ApiError> {
    let mut begun = Begun::new(app, state);
    let mut outgoing = Vec::new();
    let mut known = Vec::new();
    for publication in publications {
        let answer = match &publication.idempotency_key {
            Some(key) => begun.begin(key)?,
            None => None,
        };
        if answer.is_none() {
            push_frames(app, publication, &mut outgoing);
        }
        known.push(answer);
    }
    app.publish(outgoing)?;
    let answers: Vec<Value> = publications
        .iter()
        .zip(known)
        .map(|(publication, known)| known.unwrap_or_else(|| answer(app, publication)))
        .collect();
    begun.finish(publications, &answers);
    Ok(answers)
}

/// Adds the frames of an event: for the channels that somebody is subscribed to, and for those that
/// keep it for who comes later.
fn push_frames(app: &App, publication: &Publication<'_>, outgoing: &mut Vec<Outgoing>) {
    let mut cached: Option<Arc<str>> = None;
    for channel in &publication.channels {
        if !channel.is_cache() && !app.channels().has(channel) {
            continue;
        }
        let name = publication.name.as_str();
        let frame = match publication.data {
            EventData::Json(data) => published_frame(name, channel, data),
            EventData::Text(data) => ServerMessage::Event {
                name,
                channel,
                data,
                user_id: None,
            }
            .to_frame(),
        };
        let data = || Arc::clone(cached.get_or_insert_with(|| publication.data.text().into()));
        outgoing.push(Outgoing {
            channel: channel.clone(),
            frame,
            except: publication.except,
            data: channel.is_cache().then(data),
        });
    }
}

fn trigger_answer(app: &App, publication: &Publication<'_>) -> Value {
    if !publication.info.is_asked {
        return json!({});
    }
    let info = publication.info;
    let channels = publication.channels.iter().map(|channel| {
        let mut about = Map::new();
        info.describe(channel, app.channels().counts(channel), &mut about);
        (channel.to_string(), Value::from(about))
    });
    json!({ "channels": channels.collect::<Map<_, _>>() })
}

fn batch_answer(app: &App, publication: &Publication<'_>) -> Value {
    let info = publication.info;
    let mut about = Map::new();
    for channel in &publication.channels {
        info.describe(channel, app.channels().counts(channel), &mut about);
    }
    about.into()
}

/// The idempotency keys that this request began. Unless finished they are free again.
struct Begun<'a> {
    app: &'a App,
    state: &'a HttpState,
    keys: Vec<IdempotencyKey>,
}

impl<'a> Begun<'a> {
    const fn new(app: &'a App, state: &'a HttpState) -> Self {
        Self {
            app,
            state,
            keys: Vec::new(),
        }
    }

    /// Begins a key, unless its answer is known.
    fn begin(&mut self, key: &IdempotencyKey) -> Result<Option<Value>, ApiError> {
        if self.keys.contains(key) {
            // The same event twice in one batch: it is published with the first.
            return Ok(Some(json!({})));
        }
        let begun = self.state.idempotency(self.app.id()).begin(key, clock::now().instant);
        match begun {
            Begin::First => {
                self.keys.push(key.clone());
                Ok(None)
            }
            Begin::Same(answer) => Ok(Some(answer)),
            Begin::UnderWay => Err(ApiError::UnderWay),
        }
    }

    /// Keeps the answers of the keys that this request began.
    fn finish(&mut self, publications: &[Publication<'_>], answers: &[Value]) {
        if self.keys.is_empty() {
            return;
        }
        let now = clock::now().instant;
        let mut idempotency = self.state.idempotency(self.app.id());
        for (publication, answer) in publications.iter().zip(answers) {
            if let Some(key) = &publication.idempotency_key
                && let Some(at) = self.keys.iter().position(|begun| begun == key)
            {
                self.keys.swap_remove(at);
                idempotency.finish(key, answer.clone(), now);
            }
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        for key in &self.keys {
            self.state.idempotency(self.app.id()).abandon(key);
        }
    }
}
