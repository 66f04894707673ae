//! What a dry run asks of the database besides what every worker does.

use super::{Store, StoreError, in_transaction};

impl Store {
    /// How many others, within the hour and within the day, have been changed or are held after a dry run: what the brake
    /// would count had everybody been carried out. Nobody is counted by asking.
    pub async fn would_be_changed(&self, user: &str) -> Result<(u64, u64), StoreError> {
        let user = user.to_owned();
        in_transaction(&self.worker, move |tx| {
            let user = user.clone();
            Box::pin(async move {
                let others = sqlx::query!(
                    // would_be_changed
                    r#"select count(distinct who) filter (where at > now() - interval '1 hour') as "hour!",
                              count(distinct who) as "day!"
                       from (select genesys_user_id as who, changed_at as at from changed_people where layoff_id is null
                             union all
                             select genesys_user_id, updated_at from offboardings
                             where status = 'held' and reason = 'dry_run') changed
                       where at > now() - interval '1 day' and who <> $1"#,
                    user,
                )
                .fetch_one(&mut **tx)
                .await?;
                let count = |number: i64| u64::try_from(number).unwrap_or_default();
                Ok((count(others.hour), count(others.day)))
            })
        })
        .await
    }
}
