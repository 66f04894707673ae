//! Lines of CSV that a spreadsheet only shows: no cell is a formula, and no text begins a line of its own.

/// What makes a spreadsheet take a text for a formula, also in the width of East Asian letters. Controls are none any more
/// when this is asked.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// One line with its end.
pub(super) fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    let shown: Vec<String> = cells.map(shown).collect();
    // Into memory, and one line alone: neither can fail.
    let _ = writer.write_record(&shown);
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// A text as a cell shows it: what breaks or hides lines in words, and an apostrophe before what would be a formula.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' => shown.extend(c.escape_unicode()),
            c if c.is_control() => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    if shown.trim_start().starts_with(FORMULA) { format!("'{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_text_is_one_cell_of_one_line_and_no_formula() {
        let hostile = [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            " =1",
            "\t=1",
            "\r\n=1",
            "＝1",
            "a\nb,\"c\"\r\nd",
            "\u{2028}x",
            "\0=1",
            "\u{feff}=1",
            "\u{1b}[31m",
            "ok;\"quoted\"",
            "",
        ];
        let text = line(hostile.iter().copied());
        assert_eq!(text.matches(['\n', '\r', '\u{2028}', '\u{1b}']).count(), 1, "{text}");
        assert!(text.ends_with('\n'));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let cells = reader.records().next().unwrap().unwrap();
        assert_eq!(cells.len(), hostile.len());
        for (cell, text) in cells.iter().zip(hostile) {
            let begins = cell.chars().next();
            assert!(
                !begins.is_some_and(|c| FORMULA.contains(&c) || c.is_control() || c == ' '),
                "{text:?}: {cell:?}"
            );
        }
        assert_eq!((&cells[0], &cells[8], &cells[13]), ("'=1+1", "a\\nb,\"c\"\\r\\nd", "ok;\"quoted\""));
    }
}
