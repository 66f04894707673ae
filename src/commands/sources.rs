//! What `leaver check` says about the sources: whether each is read as its samples say, and whether its profile was ever held
//! against the real sender.

use std::path::Path;

use super::check::Finding;
use crate::config::Config;
use crate::hris::Source;

/// What is done about a sample that reads differently.
const MEND: &str = "mend the source's tables, or the sample, where the sender sends something else by now";

/// Returns one finding for each source, and a second one for each that is not verified.
pub(super) fn findings(config: &Config, sources: &[Source]) -> Vec<Finding> {
    let of = |source: &Source| {
        let what = format!("source {}", source.name());
        let file = config.sample_files.get(source.name());
        let unverified = source.unverified().map(|why| {
            Finding::doubtful(&what, format!("not verified against the sender: {why}"))
                .with_advice("Try it before you rely on it: docs/sources.md says how for each sender")
        });
        [Some(replayed(&what, source, file.map(std::path::PathBuf::as_path))), unverified]
    };
    sources.iter().flat_map(of).flatten().collect()
}

fn replayed(what: &str, source: &Source, file: Option<&Path>) -> Finding {
    let good = |number: usize, of: &str| {
        Finding::good(what, format!("{number} samples of {of} are read as expected"))
    };
    if let Some(file) = file {
        return match source.replay_file(file) {
            Ok(number) => good(number, &file.display().to_string()),
            Err(error) => Finding::bad(what, error.to_string()).with_advice(MEND),
        };
    }
    let own = "put bodies of this sender, and how each is to be read, into a file and name it: samples = \"FILE.json\"";
    let Some((profile, replayed)) = source.replay_built_in() else {
        return Finding::doubtful(
            what,
            "nothing could be replayed, as it has no built-in profile".to_owned(),
        )
        .with_advice(own);
    };
    match replayed {
        Ok(number) => good(number, profile),
        Err(misfit) if source.reads_its_own_way() => {
            let detail =
                format!("nothing could be replayed, as it does not read as {profile} does ({misfit})");
            Finding::doubtful(what, detail).with_advice(own)
        }
        Err(misfit) => Finding::bad(what, format!("{profile}: {misfit}")).with_advice(MEND),
    }
}
