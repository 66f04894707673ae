//! Which of a source's keys verified its deliveries, and when last: what tells whether an old one can go.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, in_transaction};

/// The newest delivery that one key of a source verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The position of the key among the source's, counted from 0.
    pub key_index: i32,
    /// When, by the database's clock. A repeated delivery is none.
    pub last: DateTime<Utc>,
}

impl Store {
    /// The keys of a source that verified deliveries, the one that did last first. A source has at most eight.
    pub async fn key_uses(&self, source: &str) -> Result<Vec<KeyUse>, StoreError> {
        let source = source.to_owned();
        in_transaction(&self.operators, move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let uses = sqlx::query_as!(
                    KeyUse,
                    // key_uses: key by key, so that each is one look into events_delivered_by_key
                    r#"select key as "key_index!", last as "last!"
                       from generate_series(0, 7) as key
                           cross join lateral (select max(received_at) as last from events
                                               where source = $1 and key_index = key
                                                 and not starts_with(event_id, 'look-up:')) as used
                       where last is not null order by last desc"#,
                    source
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(uses)
            })
        })
        .await
    }
}
