//! The delivery log as it grows.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::{
    error::AdminError,
    query::LogParams,
    state::AdminState,
    stream::{self, Source, json},
    wire,
};
use crate::{
    clock,
    ledger::{From as PageFrom, LedgerError, LedgerHandle, LogQuery, Page},
};

/// How often it is looked for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Most lines that are sent at once.
const LINES: usize = 200;

/// The lines of the delivery log as they are written, each a text message of a WebSocket: those
/// after `after`, or from now on. A reader that is slow gets them later; none is left out but what
/// the log itself does not hold any more.
#[utoipa::path(tag = "webhooks", params(LogParams), responses(
    (status = 101, description = "A WebSocket; each message is a line", body = wire::LogLine),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/webhooks/log/stream")]
pub(super) async fn stream_log(
    state: web::Data<AdminState>,
    params: web::Query<LogParams>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, AdminError> {
    let query = params.query(clock::now().wall_ms)?;
    let after = match query.page.from {
        PageFrom::After(after) => after,
        PageFrom::Newest | PageFrom::Before(_) => head(&state.ledger).await?,
    };
    let ledger = state.ledger.clone();
    stream::start(LogSource { ledger, query, after }, &state, &request, payload)
}

struct LogSource {
    ledger: LedgerHandle,
    query: LogQuery,
    /// The number of the last line that was looked at.
    after: u64,
}

impl LogSource {
    /// The lines that are asked for among the next that were written, at most some.
    async fn look(&mut self) -> Result<Vec<String>, LedgerError> {
        let head = head(&self.ledger).await?;
        // A log whose numbers are lower has begun anew.
        if head < self.after {
            self.after = 0;
        }
        let mut texts = Vec::new();
        while self.after < head && texts.is_empty() {
            self.query.page = Page {
                limit: LINES,
                from: PageFrom::After(self.after),
            };
            let page = self.ledger.log(self.query.clone()).await?;
            let last = page.entries.last().map_or(0, |entry| entry.no);
            // Lines after the head that was seen are looked at again, but for those that came.
            self.after = page.next.unwrap_or(head).max(last);
            texts.extend(page.entries.iter().map(|entry| json(&wire::LogLine::new(entry))));
        }
        Ok(texts)
    }
}

impl Source for LogSource {
    async fn next(&mut self) -> Result<Vec<String>, String> {
        loop {
            match self.look().await {
                Ok(texts) if texts.is_empty() => actix_rt::time::sleep(LOOK_EVERY).await,
                Ok(texts) => return Ok(texts),
                Err(error) => return Err(error.to_string().chars().take(100).collect()),
            }
        }
    }
}

/// The number of the newest line; 0 without one.
async fn head(ledger: &LedgerHandle) -> Result<u64, LedgerError> {
    let newest = LogQuery {
        page: Page {
            limit: 1,
            from: PageFrom::Newest,
        },
        ..LogQuery::default()
    };
    let page = ledger.log(newest).await?;
    Ok(page.entries.first().map_or(0, |entry| entry.no))
}
