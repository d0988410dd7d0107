//! Has a running server copy its ledger.

use std::{io::Write, path::Path};

use super::{
    client::Client,
    error::{ClientError, DownloadError},
};
use crate::ledger::NewBackup;

/// Writes a copy of a running server's ledger to a new file. It has its name when it is whole.
pub(super) async fn backup(client: &Client, to: &Path) -> Result<(), ClientError> {
    let new = NewBackup::new(to)?;
    let done = download(client, &new).await;
    done.map_err(|error| match error {
        DownloadError::Client(error) => error,
        DownloadError::Kept(error) => new.failed(error.to_string()).into(),
    })
}

async fn download(client: &Client, new: &NewBackup) -> Result<(), DownloadError> {
    let mut file = new.create()?;
    client.download("/ledger/backup", |piece| file.write_all(piece)).await?;
    file.sync_all()?;
    Ok(new.finish()?)
}
