//! Verification tokens: what a sender posts before its first event, kept until then for an operator.
//! Whether a body is one is said by `hris`; what an operator does with it, by the command that shows it.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{Store, StoreError, Tx, in_transaction};

/// Tokens of one source that are kept, the newest: anybody may post one, and nobody may fill the table.
const TOKENS_MAX: i64 = 5;

/// A token that waits for an operator. Its debug output does not show it.
#[derive(Debug)]
pub struct WaitingToken {
    /// The token, visible ASCII. It becomes a key of the source.
    pub token: SecretString,
    /// When it came last, by the database's clock.
    pub received_at: DateTime<Utc>,
    /// From where, by the connection; behind a proxy, the proxy.
    pub remote_address: Option<String>,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It waits for an operator.
    Yes,
    /// The source has delivered before: nobody waits for a token of it any more.
    NotAwaited,
}

impl Store {
    /// Keeps a token of a source that has never delivered anything authentic.
    pub async fn keep_token(
        &self,
        source: &str,
        token: &str,
        remote_address: Option<String>,
    ) -> Result<Kept, StoreError> {
        let (source, token) = (source.to_owned(), SecretString::from(token.to_owned()));
        in_transaction(&self.ingest, move |tx| {
            let (source, token, remote_address) = (source.clone(), token.clone(), remote_address.clone());
            Box::pin(async move { keep(tx, &source, &token, remote_address.as_deref()).await })
        })
        .await
    }

    /// The tokens of a source that wait for an operator and are not older than a day, newest first; none once the source has
    /// delivered.
    pub async fn waiting_tokens(&self, source: &str) -> Result<Vec<WaitingToken>, StoreError> {
        let source = source.to_owned();
        in_transaction(&self.operators, move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let rows = sqlx::query!(
                    // waiting_tokens: a token that was posted while the first delivery was stored may be left over
                    "select token, received_at, remote_address from verification_tokens
                     where source = $1 and received_at > now() - interval '24 hours'
                         and not exists (select from events where events.source = $1)
                     order by received_at desc, token",
                    source
                )
                .fetch_all(&mut **tx)
                .await?;
                let waiting = rows.into_iter().map(|row| WaitingToken {
                    token: row.token.into(),
                    received_at: row.received_at,
                    remote_address: row.remote_address,
                });
                Ok(waiting.collect())
            })
        })
        .await
    }
}

async fn keep(
    tx: Tx<'_>,
    source: &str,
    token: &SecretString,
    remote_address: Option<&str>,
) -> Result<Kept, StoreError> {
    // One at a time, so that they are counted.
    sqlx::query!(
        // lock_tokens
        "select pg_advisory_xact_lock(hashtextextended($1, 2))",
        source
    )
    .execute(&mut **tx)
    .await?;
    let delivered = sqlx::query_scalar!(
        // has_delivered
        r#"select exists (select from events where source = $1) as "delivered!""#,
        source
    )
    .fetch_one(&mut **tx)
    .await?;
    if delivered {
        return Ok(Kept::NotAwaited);
    }
    sqlx::query!(
        // keep_token: clock_timestamp(), because the order of arrival decides which are the newest
        "insert into verification_tokens (source, token, received_at, remote_address)
         values ($1, $2, clock_timestamp(), $3)
         on conflict on constraint verification_tokens_pkey
         do update set received_at = excluded.received_at, remote_address = excluded.remote_address",
        source,
        token.expose_secret(),
        remote_address,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        // drop_surplus_tokens
        "delete from verification_tokens where source = $1 and (received_at <= now() - interval '24 hours' or token not in (
             select token from verification_tokens where source = $1 order by received_at desc limit $2))",
        source,
        TOKENS_MAX,
    )
    .execute(&mut **tx)
    .await?;
    Ok(Kept::Yes)
}

/// Deletes what waited for the source's first authentic delivery, together with it.
pub(super) async fn forget(tx: Tx<'_>, source: &str) -> Result<(), StoreError> {
    sqlx::query!(
        // forget_tokens
        "delete from verification_tokens where source = $1",
        source
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
