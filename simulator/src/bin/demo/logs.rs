//! What the demo reads in the logs of its processes: the end of one when something went wrong, and whether any of them
//! holds what no log may hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How much of a log is shown when something went wrong.
const LAST_LINES: usize = 20;

/// What was looked for in all logs together.
pub(crate) struct Search {
    pub(crate) lines: usize,
    /// The log, the line's number and what stands in it.
    pub(crate) found: Vec<(String, usize, String)>,
}

/// Looks for words in every log of a folder, whatever their case.
pub(crate) fn search(folder: &Path, words: &[String]) -> io::Result<Search> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let mut search = Search { lines: 0, found: Vec::new() };
    for log in logs(folder)? {
        let text = String::from_utf8_lossy(&fs::read(&log)?).to_lowercase();
        let name = name(&log);
        for (number, line) in (1..).zip(text.lines()) {
            search.lines += 1;
            let hits = words.iter().filter(|word| line.contains(word.as_str()));
            search.found.extend(hits.map(|word| (name.clone(), number, word.clone())));
        }
    }
    Ok(search)
}

/// The last lines of every log of a folder.
pub(crate) fn last_lines(folder: &Path) -> Vec<String> {
    let mut shown = Vec::new();
    for log in logs(folder).unwrap_or_default() {
        let text = fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let end = &lines[lines.len().saturating_sub(LAST_LINES)..];
        shown.push(format!("--- {}: the last {} of {} lines", name(&log), end.len(), lines.len()));
        shown.extend(end.iter().map(|line| (*line).to_owned()));
    }
    shown
}

fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(path);
        }
    }
    logs.sort();
    Ok(logs)
}

fn name(log: &Path) -> String {
    log.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_log_is_found_whatever_its_case() {
        let folder = std::env::temp_dir().join(format!("leaver-demo-logs-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.log"), "started\ntold JANE.Doe@example.com\n").unwrap();
        fs::write(folder.join("leaver.toml"), "jane.doe@example.com").unwrap();
        let search = search(&folder, &["Jane.Doe@Example.com".to_owned(), "Omar".to_owned()]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(search.lines, 2);
        assert_eq!(search.found, [("a.log".to_owned(), 2, "jane.doe@example.com".to_owned())]);
    }
}
