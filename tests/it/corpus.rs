//! The fuzzer's seeds through the fuzzer's own functions, so that every run of the tests exercises them.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/targets.rs"]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let seed = fs::read(entry.unwrap().path()).unwrap();
        run(&seed);
        // Cut off and with each byte another one: the nearest that a fuzzer would try.
        for end in 0..seed.len().min(200) {
            run(&seed[..end]);
            let mut changed = seed.clone();
            changed[end] ^= 0x20;
            run(&changed);
        }
        seeds += 1;
    }
    assert!(seeds >= 5, "{target} has {seeds} seeds");
}

#[test]
fn the_seeds_of_the_fuzzer_break_nothing_that_verifies() {
    replay("verify", targets::verify);
}

#[test]
fn the_seeds_of_the_fuzzer_break_nothing_that_reads() {
    replay("read", targets::read);
}

#[test]
fn the_seeds_of_the_fuzzer_break_nothing_that_configures() {
    replay("profile", targets::profile);
}
