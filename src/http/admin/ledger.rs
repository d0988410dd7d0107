//! How the ledger is, and a copy of it.

use std::{
    fs::File,
    io::{self, Read},
};

use actix_web::{
    HttpResponse, get,
    http::header::{ContentDisposition, DispositionParam, DispositionType},
    rt::task::spawn_blocking,
    web,
};
use bytes::Bytes;
use futures_util::stream;

use super::{error::AdminError, state::AdminState, wire};
use crate::{app::QuotaGuard, ledger::LedgerError};

/// Bytes of a copy that are read at once.
const CHUNK_BYTES: usize = 256 * 1_024;

/// How the ledger is: what it holds, and whether it can be written.
#[utoipa::path(tag = "server", responses(
    (status = 200, description = "How it is", body = wire::Ledger),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/ledger")]
pub(super) async fn show_ledger(state: web::Data<AdminState>) -> Result<web::Json<wire::Ledger>, AdminError> {
    let status = state.ledger.status().await?;
    Ok(web::Json(wire::Ledger::new(&status)))
}

/// A copy of the ledger as it is at this moment: a file that a server can start with. The server writes it
/// beside the ledger first, so the disk must have room for it. One is made at a time.
#[utoipa::path(tag = "server", responses(
    (status = 200, description = "The file", content_type = "application/octet-stream"),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/ledger/backup")]
pub(super) async fn back_up(state: web::Data<AdminState>) -> Result<HttpResponse, AdminError> {
    let turn = state.backups.take().ok_or(AdminError::BackupUnderWay)?;
    let snapshot = state.ledger.snapshot().await?.ok_or(AdminError::InMemory)?;
    let written = spawn_blocking(move || snapshot.write()).await;
    let file = written.map_err(|_| LedgerError::Stopped)??;
    let length = file.metadata().map_or(0, |file| file.len());
    log::info!("admin API: a backup of the ledger is made, {length} bytes");
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(ContentDisposition {
            disposition: DispositionType::Attachment,
            parameters: vec![DispositionParam::Filename("vacancy.redb".into())],
        })
        .no_chunking(length)
        .streaming(chunks(file, turn)))
}

/// A file in pieces, each read when the one before was sent. `turn` is given back at its end.
fn chunks(file: File, turn: QuotaGuard) -> impl futures_core::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((file, turn), |(mut file, turn)| async move {
        let read = spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = file.read(&mut chunk)?;
            chunk.truncate(length);
            Ok::<_, io::Error>((chunk, file))
        });
        let (chunk, file) = read.await.map_err(io::Error::other)??;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), (file, turn))))
    })
}
