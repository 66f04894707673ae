//! Creates and drops databases over short connections, one per statement, because callers come from many
//! runtimes and a connection belongs to the one that opened it. What is inside a database is its user's.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Url;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use uuid::Uuid;

use super::{PostgresError, Server};

/// How long one statement may take, its connection included: a copy takes 50 ms, a queue of a hundred of them
/// seconds.
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);
/// How much of a prefix is kept: with it a name stays below the 63 bytes that Postgres cuts names to.
const PREFIX_LIMIT_BYTES: usize = 24;
/// How old a database is before a later run takes it for left behind; longer than any run takes.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(60 * 60);
/// How many left-behind databases one start drops, so that it does not take minutes; the next start drops
/// more.
const LEFT_BEHIND_LIMIT: usize = 50;

/// A database of its own, for one demo or one test.
///
/// On a private server it goes with the server; on the one of `DATABASE_URL` it is dropped with this value.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    administration: Url,
    ending: Ending,
}

/// What is left to do when a [`Database`] is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Nothing: the private server removes it with its folder, or it is gone already.
    Nothing,
    /// It stands on a server that stays.
    DropDatabase,
}

impl Database {
    pub(super) async fn create(
        server: &Server,
        prefix: &str,
        template: Option<&Self>,
    ) -> Result<Self, PostgresError> {
        let name = unique_name(prefix, now_seconds());
        let mut create = format!("-- create_database\ncreate database \"{name}\"");
        if let Some(template) = template {
            create.push_str(&format!(" template \"{}\"", template.name));
        }
        // Made first, so that giving up while the server creates it drops it all the same.
        let database = Self {
            url: with_database(&server.url, &name),
            name,
            administration: server.url.clone(),
            ending: match server.private {
                Some(_) => Ending::Nothing,
                None => Ending::DropDatabase,
            },
        };
        execute(&server.url, "create a database", create).await?;
        Ok(database)
    }

    /// The URL to connect to, with everything in it that a child process needs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name, unique on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops the database now, and breaks the connections to it.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Statement`] and [`PostgresError::StatementTimedOut`].
    pub async fn remove(mut self) -> Result<(), PostgresError> {
        drop_database(&self.administration, &self.name).await?;
        self.ending = Ending::Nothing;
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match self.ending {
            Ending::Nothing => {}
            Ending::DropDatabase => drop_on_own_thread(&self.administration, &self.name),
        }
    }
}

/// Drops the databases of runs that were killed. Without `force`: one that is still in use is nobody's
/// leftover.
pub(super) async fn drop_left_behind(administration: &Url) -> Result<(), PostgresError> {
    const LIST: &str = "-- list_left_behind\n\
        select datname::text from pg_database d where datname like 'leaver\\_%' and not exists \
        (select from pg_stat_activity a where a.datid = d.oid) order by datname";
    let action = "list its databases";
    let listed = within_limit(action, async {
        let mut connection = connect(administration).await?;
        let rows = sqlx::query(LIST).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let before = now_seconds().saturating_sub(LEFT_BEHIND_AFTER.as_secs());
    let old = listed.iter().filter(|name| created_at_seconds(name).is_some_and(|created| created < before));
    for name in old.take(LEFT_BEHIND_LIMIT) {
        let drop = format!("-- drop_left_behind\ndrop database if exists \"{name}\"");
        if let Err(error) = execute(administration, "drop a left-behind database", drop).await {
            tracing::debug!(name, %error, "a left-behind database stays for the next run");
        }
    }
    Ok(())
}

/// The same server's URL for another database; a `dbname` parameter would win over the path.
fn with_database(url: &Url, name: &str) -> String {
    let mut url = url.clone();
    let parameters: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(key, _)| key != "dbname").collect();
    url.set_path(&format!("/{name}"));
    url.set_query(None);
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    url.into()
}

/// `leaver_<prefix>_<seconds since 1970, in hex>_<random>`: the time tells a later run what was left behind.
fn unique_name(prefix: &str, seconds: u64) -> String {
    let mut prefix = prefix.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    prefix.truncate(PREFIX_LIMIT_BYTES);
    let random = Uuid::new_v4().simple().to_string();
    format!("leaver_{prefix}_{seconds:x}_{}", &random[..12])
}

/// Reads back what [`unique_name`] wrote, and nothing from a name that is not one of ours.
fn created_at_seconds(name: &str) -> Option<u64> {
    let (rest, random) = name.strip_prefix("leaver_")?.rsplit_once('_')?;
    let (_, seconds) = rest.rsplit_once('_')?;
    let ours = random.len() == 12 && random.bytes().all(|b| b.is_ascii_hexdigit());
    ours.then(|| u64::from_str_radix(seconds, 16).ok())?
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

async fn drop_database(administration: &Url, name: &str) -> Result<(), PostgresError> {
    let drop = format!("-- drop_database\ndrop database if exists \"{name}\" with (force)");
    execute(administration, "drop a database", drop).await
}

/// Drops from where there is no `await`, and where a runtime may be running already, which must not be
/// entered twice.
fn drop_on_own_thread(administration: &Url, name: &str) {
    let dropped = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(drop_database(administration, name)).map_err(|error| error.to_string())
        });
        thread.join().unwrap_or_else(|_| Err("the thread panicked".to_owned()))
    });
    if let Err(error) = dropped {
        tracing::warn!(name, error, "a database stays behind");
    }
}

/// Runs one statement whose text is ours: names are made by [`unique_name`], and have no character that needs
/// quoting.
async fn execute(administration: &Url, action: &'static str, statement: String) -> Result<(), PostgresError> {
    within_limit(action, async {
        let mut connection = connect(administration).await?;
        // Unprepared, because Postgres creates and drops databases outside of transactions only.
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    })
    .await
}

async fn connect(administration: &Url) -> Result<PgConnection, sqlx::Error> {
    let options = PgConnectOptions::from_str(administration.as_str())?;
    PgConnection::connect_with(&options.application_name("leaver-simulator")).await
}

async fn within_limit<T>(
    action: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, PostgresError> {
    match tokio::time::timeout(STATEMENT_LIMIT, work).await {
        Ok(outcome) => outcome.map_err(|source| PostgresError::Statement { action, source }),
        Err(_) => Err(PostgresError::StatementTimedOut { action }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_tells_when_it_was_made_and_is_never_taken_for_somebody_elses() {
        let name = unique_name("Restarts & other \"catastrophes\" of the database", 0x6740_0000);
        assert!(name.len() <= 63 && !name.contains('"'), "{name}");
        assert_eq!(created_at_seconds(&name), Some(0x6740_0000));
        for theirs in ["leaver_production", "leaver_eu_1", "leaver", "leaver_app_beef_notours"] {
            assert_eq!(created_at_seconds(theirs), None, "{theirs}");
        }
    }

    #[test]
    fn a_database_keeps_the_parameters_of_its_server() {
        let url = Url::parse("postgres://u:p@db:6432/app?sslmode=require&dbname=app").unwrap();
        assert_eq!(with_database(&url, "mine"), "postgres://u:p@db:6432/mine?sslmode=require");
        let socket = Url::parse("postgres://postgres@localhost/postgres?host=%2Ftmp%2Fa").unwrap();
        assert_eq!(with_database(&socket, "mine"), "postgres://postgres@localhost/mine?host=%2Ftmp%2Fa");
    }
}
