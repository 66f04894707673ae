//! A sign of life for whoever waits at a terminal; in a pipe there is none.

use std::future::Future;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::pin::pin;
use std::time::Duration;

/// Shorter work needs no sign.
const QUIET_SECONDS: u32 = 2;

/// Does the work, and says on standard error what it is and for how long it has been going on.
pub(super) async fn shown<T>(what: &str, work: impl Future<Output = T>) -> T {
    told(|| what.to_owned(), work).await
}

/// The same, with words that are asked for each time.
pub(super) async fn told<T>(what: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    if !stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    for seconds in 1_u32.. {
        tokio::select! {
            done = &mut work => {
                if seconds > QUIET_SECONDS {
                    say("\r\x1b[K");
                }
                return done;
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                if seconds >= QUIET_SECONDS {
                    say(&format!("\r{} … {seconds} s", what()));
                }
            }
        }
    }
    work.await
}

/// A terminal that has gone is no reason to stop the work.
fn say(text: &str) {
    let _ = write!(stderr(), "{text}").and_then(|()| stderr().flush());
}
