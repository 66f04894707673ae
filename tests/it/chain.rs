//! The audit chain at the end of every test: whatever was tried, killed or refused in it, the chain is whole.

use leaver::operate;
use leaver::store::Store;
use leaver_simulator::presets;

use crate::support::World;

/// Checks the chain of a test's database when the test is over.
pub(crate) struct WholeAtTheEnd(Option<String>);

impl WholeAtTheEnd {
    pub(crate) fn of(database_url: &str) -> Self {
        Self(Some(database_url.to_owned()))
    }

    /// The test breaks the chain on purpose.
    pub(crate) fn is_broken_on_purpose(&mut self) {
        self.0 = None;
    }
}

impl Drop for WholeAtTheEnd {
    fn drop(&mut self) {
        let Some(url) = self.0.take().filter(|_| !std::thread::panicking()) else { return };
        let verified = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let store = Store::open(&url).expect("a usable URL");
                let verified = operate::verify(&store, None).await;
                store.close().await;
                // Some tests take their database or its tables away.
                verified.ok()
            })
        });
        if let Some(verified) = verified.join().expect("a verification") {
            assert_eq!(verified.problem, None, "after {} whole entries", verified.entries);
        }
    }
}

/// Fails where the chain is not whole.
pub(crate) async fn assert_whole(store: &Store) -> i64 {
    let verified = operate::verify(store, None).await.expect("a verification");
    assert_eq!((verified.ok, verified.problem, verified.first_bad), (true, None, None));
    verified.entries
}

#[tokio::test]
async fn a_test_that_leaves_a_broken_chain_behind_fails() {
    let mut world = World::new().await;
    world.simulator.organisation(|org| presets::bare_person(org, "Jane", "jane@example.com", "W1"));
    world.terminate("jane@example.com").await;
    assert!(assert_whole(&world.store).await > 0);
    let url = world.database.url().to_owned();
    world.sql("set session_replication_role = replica; update journal set actor = 'operator:mallory'").await;
    let dropped = tokio::task::spawn_blocking(move || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(WholeAtTheEnd::of(&url))))
    });
    let told = *dropped.await.unwrap().expect_err("it fails").downcast::<String>().expect("its words");
    assert!(told.contains("entry for link 1 was changed: actor"), "{told}");
    world.chain.is_broken_on_purpose();
}
