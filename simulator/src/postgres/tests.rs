//! Tries the private server as a whole: real processes, real connections, and a real `kill -9`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::*;

/// Set for the copy of this test binary that is killed.
const CHILD: &str = "LEAVER_TEST_POSTGRES_CHILD";
/// How long a server and its folder may outlive their program.
const CLEANED_UP_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_private_server_starts_accepts_connections_and_leaves_no_folder() {
    let server = Server::start_private(Durability::Durable).await.unwrap();
    let folder = server.folder().unwrap().to_path_buf();
    assert_eq!(one_text(server.url(), "show fsync").await.unwrap(), "on");
    assert_eq!(one_text(server.url(), "show listen_addresses").await.unwrap(), "");
    assert_eq!(one_text(server.url(), "show server_encoding").await.unwrap(), "UTF8");
    let postmaster = postmaster(&folder);
    server.end().await;
    assert!(!folder.exists() && !is_running(postmaster));
}

#[tokio::test]
async fn two_databases_are_separate_and_a_copy_has_what_its_template_had() {
    let server = Server::shared_for_tests().await.unwrap();
    let template = server.create_database("template").await.unwrap();
    one_text(template.url(), "create table t (x text)").await.unwrap_err();
    let copy = server.create_from_template(&template, "copy").await.unwrap();
    let other = server.create_database("other").await.unwrap();
    const COUNT: &str = "select count(*)::text from t";
    assert_eq!(one_text(copy.url(), COUNT).await.unwrap(), "0");
    assert_eq!(one_text(copy.url(), "insert into t values ('a') returning x").await.unwrap(), "a");
    assert_eq!(one_text(template.url(), COUNT).await.unwrap(), "0");
    one_text(other.url(), COUNT).await.unwrap_err();
    let url = copy.url().to_owned();
    copy.remove().await.unwrap();
    one_text(&url, "select 'x'").await.unwrap_err();
}

#[test]
fn many_runtimes_at_once_share_one_server() {
    let urls: Vec<String> = std::thread::scope(|scope| {
        let copies: Vec<_> =
            (0..16).map(|_| scope.spawn(|| on_own_runtime(copy_of_shared_template()))).collect();
        copies.into_iter().map(|copy| copy.join().unwrap()).collect()
    });
    let unique: std::collections::BTreeSet<&String> = urls.iter().collect();
    assert_eq!(unique.len(), urls.len());
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_server_that_was_taken_away() {
    let server = Server::start_private(Durability::Throwaway).await.unwrap();
    let database = server.create_database("away").await.unwrap();
    let mut before = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("create table t (x text); insert into t values ('kept')")
        .execute(&mut before)
        .await
        .unwrap();
    server.stop_immediately().await.unwrap();
    sqlx::raw_sql("select 1").execute(&mut before).await.unwrap_err();
    one_text(database.url(), "select x from t").await.unwrap_err();
    assert!(matches!(server.stop_immediately().await, Err(PostgresError::Refused { .. })));
    server.restart().await.unwrap();
    assert_eq!(one_text(database.url(), "select x from t").await.unwrap(), "kept");
}

#[test]
fn a_killed_program_leaves_neither_server_nor_folder() {
    let name = "postgres::tests::the_program_that_is_killed";
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = BufReader::new(program.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(PathBuf::from(line.split_once("folder=")?.1)))
        .unwrap();
    let postmaster = postmaster(&folder);
    assert!(is_running(postmaster));
    // `kill` of std is SIGKILL.
    program.kill().unwrap();
    program.wait().unwrap();
    let deadline = Instant::now() + CLEANED_UP_WITHIN;
    while (folder.exists() || is_running(postmaster)) && Instant::now() < deadline {
        #[expect(clippy::disallowed_methods, reason = "waits for a process; no runtime is there")]
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(!is_running(postmaster), "the server is still running");
}

/// Run again as a program of its own by the test above, which kills it; alone it has nothing to do.
#[test]
fn the_program_that_is_killed() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    on_own_runtime(async {
        let server = Server::start_private(Durability::Throwaway).await.unwrap();
        let _connected = PgConnection::connect(server.url()).await.unwrap();
        println!("folder={}", server.folder().unwrap().display());
        tokio::time::sleep(CLEANED_UP_WITHIN).await;
    });
}

async fn copy_of_shared_template() -> String {
    static TEMPLATE: OnceCell<Database> = OnceCell::const_new();
    let server = Server::shared_for_tests().await.unwrap();
    let template = TEMPLATE.get_or_init(async || server.create_database("many").await.unwrap()).await;
    let copy = server.create_from_template(template, "many_copy").await.unwrap();
    assert_eq!(one_text(copy.url(), "select 'here'").await.unwrap(), "here");
    copy.url().to_owned()
}

fn on_own_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn one_text(url: &str, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let text = sqlx::query_scalar(query).fetch_one(&mut connection).await;
    connection.close().await?;
    text
}

fn postmaster(folder: &Path) -> u32 {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

fn is_running(pid: u32) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    // Where nobody reaps, as in some containers, a stopped process stays as a zombie.
    output.status.success() && !output.stdout.starts_with(b"Z")
}
