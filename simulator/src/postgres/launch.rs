//! Runs one private Postgres: a folder of its own, a Unix socket and no TCP port, and a shell that outlives
//! this program just long enough to stop the server and remove the folder. Which programs it runs is decided
//! in `programs`, what is done with the server in the module above.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::programs::{self, Programs, User};
use super::{Durability, PostgresError};

/// What the shell runs; a file of its own, so that it can be read and checked as what it is.
const GUARDIAN: &str = include_str!("guardian.sh");

/// How long the shell may take over one order: `pg_ctl start` gives up after 60 s, `initdb` takes seconds at
/// most.
const ORDER_LIMIT: Duration = Duration::from_secs(90);
/// How long we wait for the shell to end: longer than the 10 s it gives the server to stop.
const END_LIMIT: Duration = Duration::from_secs(15);
/// How often we look whether the shell has ended; it takes about 100 ms.
const END_POLL: Duration = Duration::from_millis(5);
/// How long a socket's path may be: 103 bytes on macOS, 107 on Linux.
const SOCKET_PATH_LIMIT_BYTES: usize = 103;
/// Answers that nobody has taken yet; one order is given at a time, so there is one, or after a time-out two.
const ANSWERS_WAITING_LIMIT: usize = 4;

/// What the shell can be told; `guardian.sh` knows the same words.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Initialise,
    Start,
    Stop,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Order::Initialise => "initialise",
            Order::Start => "start",
            Order::Stop => "stop",
        }
    }
}

/// A private server and the shell that looks after it; dropping it stops the server and removes the folder.
#[derive(Debug)]
pub(super) struct Private {
    folder: PathBuf,
    line: Mutex<Line>,
}

/// The shell's two pipes. The kernel closes `orders` however this program ends, and that is the shell's sign
/// to clean up; every pipe of std's is close-on-exec, so no child of ours holds it open.
#[derive(Debug)]
struct Line {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Private {
    /// Makes a cluster and starts it; blocks for about half a second.
    pub(super) fn launch(programs: &Programs, durability: Durability) -> Result<Self, PostgresError> {
        let user = programs::user_to_run_as()?;
        let folder = parent_folder(user).join(folder_name());
        let mut shell = shell(programs, user, &folder, durability)
            .spawn()
            .map_err(|source| PostgresError::Guardian { action: "started", source })?;
        let orders = shell.stdin.take();
        let answers = read_answers(shell.stdout.take());
        let private = Self { folder, line: Mutex::new(Line { shell, orders, answers }) };
        private.tell(Order::Initialise)?;
        private.tell(Order::Start)?;
        Ok(private)
    }

    /// Gives one order and blocks until it has been carried out, for at most [`ORDER_LIMIT`].
    pub(super) fn tell(&self, order: Order) -> Result<(), PostgresError> {
        let mut line = self.line();
        let no_answer = PostgresError::NoAnswer { order: order.word() };
        let Some(orders) = line.orders.as_mut() else {
            return Err(no_answer);
        };
        writeln!(orders, "{}", order.word())
            .map_err(|source| PostgresError::Guardian { action: "spoken to", source })?;
        match line.answers.recv_timeout(ORDER_LIMIT) {
            Ok(answer) if answer == "done" => Ok(()),
            Ok(_) => Err(PostgresError::Refused { order: order.word(), last_words: self.last_words() }),
            Err(_) => Err(no_answer),
        }
    }

    /// The folder that holds the data, the log and the socket.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server and waits until the folder is gone, for at most [`END_LIMIT`].
    #[expect(
        clippy::disallowed_methods,
        reason = "also runs while being dropped, where nothing can be awaited"
    )]
    pub(super) fn end(&self) {
        let mut line = self.line();
        drop(line.orders.take());
        let deadline = Instant::now() + END_LIMIT;
        while Instant::now() < deadline {
            if !matches!(line.shell.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(END_POLL);
        }
        tracing::warn!(folder = %self.folder.display(), "the private Postgres has not stopped in time");
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // A panic under the lock leaves two pipes that are as usable as before.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last three lines of the log, which say why initdb or the server gave up.
    fn last_words(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let mut lines: Vec<&str> =
            log.lines().map(str::trim).filter(|line| !line.is_empty()).rev().take(3).collect();
        lines.reverse();
        lines.join(" / ")
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the cluster's folder is made. Under root not in `TMPDIR`, which may be a folder that only root can
/// enter.
fn parent_folder(user: Option<User>) -> PathBuf {
    let plain = |folder: &PathBuf| {
        // Neither postgresql.conf nor the list of socket folders then needs quoting.
        folder
            .to_str()
            .is_some_and(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_.-+".contains(&b)))
            && folder.join(folder_name()).join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_PATH_LIMIT_BYTES
    };
    match user {
        Some(_) => None,
        None => Some(env::temp_dir()).filter(plain),
    }
    .unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Sixteen random digits: nobody else's folder, and short.
fn folder_name() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("leaver-pg-{}", &random[..16])
}

fn shell(programs: &Programs, user: Option<User>, folder: &Path, durability: Durability) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GUARDIAN, "leaver-postgres-guardian"]);
    command
        .args([&programs.folder, folder])
        .arg(settings(folder, durability))
        .args(durability.initdb_flags());
    // Nothing of ours reaches the server: PGDATA, PGPORT or PGOPTIONS would change what it does.
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
        .env("LC_ALL", "C");
    if let Ok(libraries) = env::join_paths(&programs.libraries)
        && !libraries.is_empty()
    {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
    // A group of its own: Ctrl-C reaches us and not the server, which is still needed for an orderly stop.
    command.process_group(0);
    if let Some(user) = user {
        // `uid` also gives up root's supplementary groups.
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// The lines for postgresql.conf. Authentication is `trust`: whoever can enter the folder, its owner and
/// root, may log in as anybody, and nobody else reaches the socket.
fn settings(folder: &Path, durability: Durability) -> String {
    let folder = folder.display();
    let mut lines = format!(
        "listen_addresses = ''\nport = 5432\nunix_socket_directories = '{folder}'\n\
         unix_socket_permissions = 0700\nmax_connections = 200\ntimezone = 'GMT'\njit = off\n"
    );
    lines.push_str(durability.settings());
    lines
}

/// Passes the shell's answers on, so that waiting for one can time out; ends with the pipe.
fn read_answers(pipe: Option<ChildStdout>) -> Receiver<String> {
    let (sender, receiver) = sync_channel(ANSWERS_WAITING_LIMIT);
    if let Some(pipe) = pipe {
        std::thread::spawn(move || {
            BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|answer| sender.send(answer))
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_fits_its_address_whatever_the_temporary_folder_is() {
        let socket = parent_folder(None).join(folder_name()).join(".s.PGSQL.5432");
        assert!(socket.as_os_str().len() <= SOCKET_PATH_LIMIT_BYTES, "{}", socket.display());
    }

    #[test]
    fn only_a_throwaway_server_leaves_out_the_sync() {
        let folder = Path::new("/tmp/leaver-pg-0");
        assert!(settings(folder, Durability::Throwaway).contains("fsync = off"));
        assert!(!settings(folder, Durability::Durable).contains("fsync"));
        assert!(Durability::Durable.initdb_flags().is_empty());
    }
}
