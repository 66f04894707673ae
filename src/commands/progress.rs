//! A sign of life for whoever waits at a terminal; in a pipe there is none.

use std::future::Future;
use std::io::{IsTerminal as _, stderr};
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shorter work needs no sign.
const QUIET: Duration = Duration::from_secs(2);

/// How often the sign moves.
const TICK: Duration = Duration::from_millis(120);

/// Does the work, and shows on standard error what it is and for how long it has been going on.
pub(super) async fn shown<T>(what: &str, work: impl Future<Output = T>) -> T {
    told(|| what.to_owned(), work).await
}

/// The same, with words that are asked for each second.
pub(super) async fn told<T>(what: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    if !stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    let began = std::time::Instant::now();
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(QUIET) => {}
    }
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let sign = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_message(what())
        .with_elapsed(began.elapsed());
    sign.enable_steady_tick(TICK);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(Duration::from_secs(1)) => sign.set_message(what()),
        }
    };
    sign.finish_and_clear();
    done
}
