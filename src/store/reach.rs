//! Whether the database can be reached at all, asked once and without a pool: a pool tries again until its time is over, and then
//! does not say why.

use std::io;

use sqlx::{Connection, PgConnection};

use super::{ACQUIRE_TIMEOUT, Store, StoreError};

impl Store {
    /// Opens one connection and closes it.
    ///
    /// # Errors
    /// What the database, or the way to it, said.
    pub async fn reach(&self) -> Result<(), StoreError> {
        let connected =
            tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&self.options)).await;
        let connection = connected.map_err(|_| sqlx::Error::Io(io::ErrorKind::TimedOut.into()))??;
        Ok(connection.close().await?)
    }
}
