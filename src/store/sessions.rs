//! Who is signed in to the console: rows that expire. What is in a cookie and who may sign in is said by `http`.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Store, StoreError, Tx, in_transaction};

/// A session as it is opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// SHA-256 of what is in the cookie.
    pub id_hash: [u8; 32],
    /// How the operator signed in; a word of `http`.
    pub kind: &'static str,
    /// The operator's name.
    pub operator: String,
    /// The operator's role; a word of the configuration.
    pub role: &'static str,
    /// What ties the session to the operator's present token, where one opened it.
    pub proof: Option<[u8; 32]>,
    /// What every form sends back.
    pub csrf: String,
    /// When it ends in any case.
    pub lasts: Duration,
}

/// A session that has not expired.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// How the operator signed in.
    pub kind: String,
    /// The operator's name.
    pub operator: String,
    /// The operator's role when the session was opened.
    pub role: String,
    /// What ties it to a token.
    pub proof: Option<Vec<u8>>,
    /// What every form sends back.
    pub csrf: String,
    /// When it ends in any case, by the database's clock.
    pub expires_at: DateTime<Utc>,
}

/// What looking for a session means for the end of its idle time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Somebody asked for something: the idle time begins anew.
    Asks,
    /// A page that is open watches by itself: nothing changes.
    Watches,
}

impl Store {
    /// Opens a session, and deletes those that are over.
    pub async fn open_session(&self, new: NewSession) -> Result<(), StoreError> {
        in_transaction(&self.operators, move |tx| {
            let new = new.clone();
            Box::pin(async move { open(tx, &new).await })
        })
        .await
    }

    /// The session of this hash, unless it has expired or nothing was asked for within `idle`.
    pub async fn session(
        &self,
        id_hash: [u8; 32],
        idle: Duration,
        look: Look,
    ) -> Result<Option<SessionRow>, StoreError> {
        in_transaction(&self.operators, move |tx| Box::pin(find(tx, id_hash, idle, look))).await
    }

    /// Ends a session; does nothing where there is none.
    pub async fn close_session(&self, id_hash: [u8; 32]) -> Result<(), StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // close_session
                    "delete from sessions where id_hash = $1",
                    id_hash.as_slice()
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn open(tx: Tx<'_>, new: &NewSession) -> Result<(), StoreError> {
    sqlx::query!(
        // drop_expired_sessions
        "delete from sessions where expires_at <= now()"
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        // open_session
        "insert into sessions (id_hash, kind, operator, role, proof, csrf, expires_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))",
        new.id_hash.as_slice(),
        new.kind,
        new.operator,
        new.role,
        new.proof.as_ref().map(<[u8; 32]>::as_slice),
        new.csrf,
        new.lasts.as_secs_f64(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn find(
    tx: Tx<'_>,
    id_hash: [u8; 32],
    idle: Duration,
    look: Look,
) -> Result<Option<SessionRow>, StoreError> {
    let row = sqlx::query_as!(
        SessionRow,
        // find_session
        "select kind, operator, role, proof, csrf, expires_at from sessions
         where id_hash = $1 and expires_at > now() and seen_at > now() - make_interval(secs => $2)",
        id_hash.as_slice(),
        idle.as_secs_f64(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    if row.is_some() && look == Look::Asks {
        sqlx::query!(
            // see_session
            "update sessions set seen_at = now() where id_hash = $1",
            id_hash.as_slice()
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(row)
}
