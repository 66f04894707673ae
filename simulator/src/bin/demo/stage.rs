//! Everything that the demo starts and has to put away again, in whatever way it ends.

use leaver_simulator::Simulator;
use leaver_simulator::postgres::{Database, Server};

use crate::child::Child;
use crate::folder::Folder;

/// What is running. Where the demo is killed, shells at the other ends of its pipes put the same things away.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) folder: Option<Folder>,
    pub(crate) server: Option<Server>,
    pub(crate) database: Option<Database>,
    pub(crate) simulator: Option<Simulator>,
    pub(crate) serve: Option<Child>,
    pub(crate) worker: Option<Child>,
}

impl Stage {
    /// Ends the processes, then what they stand on. Returns what could not be put away.
    pub(crate) async fn clear(mut self) -> Vec<String> {
        let mut left = Vec::new();
        let serve = async {
            if let Some(serve) = self.serve.take() {
                serve.end().await;
            }
        };
        let worker = async {
            if let Some(worker) = self.worker.take() {
                worker.end().await;
            }
        };
        tokio::join!(serve, worker);
        if let Some(database) = self.database.take()
            && self.server.as_ref().is_some_and(|server| server.folder().is_none())
            && let Err(error) = database.remove().await
        {
            left.push(format!("the demo's database stays behind: {error}"));
        }
        if let Some(server) = self.server.take() {
            server.end().await;
        }
        if let Some(folder) = self.folder.take() {
            let path = folder.path().to_owned();
            if folder.remove().await.is_err() || path.exists() {
                left.push(format!("the demo's folder stays behind: {}", path.display()));
            }
        }
        left
    }
}
