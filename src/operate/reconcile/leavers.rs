//! The HRIS's list of people who have left, as CSV: read whole or not at all, so that nobody is left out by a mistake in it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use csv::{ReaderBuilder, StringRecord, Trim};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::own::{OwnRules, PERSON_CHARS_MAX, TYPE_CHARS_MAX};
use super::super::{OperateError, Rules, when};
use crate::offboarding::policy;

/// The most people of one list: with a dozen calls for each that is a day's work within the usual budget.
pub(super) const PEOPLE_MAX: usize = 10_000;

/// The longest file: lines of 800 bytes.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// So many mistakes are named, and the rest counted.
const MISTAKES_NAMED: usize = 20;

/// What separates columns, in the order in which it is preferred.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// What the column is called that says when somebody left. The first two go before the others.
const LEFT: [&str; 24] = [
    "left_on",
    "effective_at",
    "effective",
    "effective_date",
    "effective_on",
    "termination_date",
    "termination_effective_date",
    "date_of_termination",
    "terminated_on",
    "terminated_at",
    "last_day",
    "last_day_of_work",
    "last_day_worked",
    "last_working_day",
    "last_work_day",
    "end_date",
    "employment_end_date",
    "leave_date",
    "leaving_date",
    "date_left",
    "left_at",
    "exit_date",
    "separation_date",
    "term_date",
];

/// The names among these that go before the others: whoever writes them means this list.
const LEFT_FIRST: usize = 2;

/// What the name of a column has that speaks of a time.
const TIME: [&str; 9] =
    ["date", "datum", "day", "until", "effective", "terminat", "leaving", "contractend", "employmentend"];

/// The same where it stands as a word of its own: `gender` has an end, too.
const TIME_WORDS: [&str; 6] = ["end", "ends", "ended", "left", "exit", "when"];

/// The argument that every mistake is about.
const FIELD: &str = "--csv";

/// A column that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Column {
    Email,
    ExternalId,
    User,
    Left,
    Source,
    Kind,
}

impl Column {
    /// The column of a heading; spaces, hyphens, underscores and capital letters make no difference.
    fn of(heading: &str) -> Option<Self> {
        match folded(heading).as_str() {
            "email" => Some(Self::Email),
            "externalid" => Some(Self::ExternalId),
            "genesysuserid" => Some(Self::User),
            "source" => Some(Self::Source),
            "type" => Some(Self::Kind),
            name => LEFT.iter().any(|left| folded(left) == name).then_some(Self::Left),
        }
    }

    /// Every heading's column. Where one of the names that go first says when they left, the others are not read.
    fn all_of(headings: &StringRecord) -> Vec<Option<Self>> {
        let first = |heading: &str| LEFT.iter().take(LEFT_FIRST).any(|left| folded(left) == folded(heading));
        let told = headings.iter().any(first);
        let column =
            |heading| Self::of(heading).filter(|column| *column != Self::Left || !told || first(heading));
        headings.iter().map(column).collect()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::ExternalId => "external_id",
            Self::User => "genesys_user_id",
            Self::Left => "left_on",
            Self::Source => "source",
            Self::Kind => "type",
        }
    }
}

/// A heading without what makes no difference.
fn folded(heading: &str) -> String {
    heading.to_lowercase().replace([' ', '-', '_'], "")
}

/// Whether a column's name speaks of a time. A date that is not read would not keep anybody in.
fn speaks_of_time(heading: &str) -> bool {
    let name = folded(heading);
    // A word ends where the next one begins with a capital letter, too.
    let mut spaced = String::new();
    for c in heading.chars() {
        if c.is_uppercase() && spaced.ends_with(char::is_lowercase) {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    let spaced = spaced.to_lowercase();
    let mut words = spaced.split(|c: char| !c.is_alphanumeric());
    TIME.iter().any(|time| name.contains(time)) || words.any(|word| TIME_WORDS.contains(&word))
}

/// One person of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leaver {
    /// The line of the file, counted from 1.
    pub line: usize,
    /// The e-mail address.
    pub email: Option<String>,
    /// The id at the HRIS.
    pub external_id: Option<String>,
    /// The id in Genesys Cloud.
    pub genesys_user_id: Option<String>,
    /// The source whose id it is.
    pub source: Option<String>,
    /// When they left, as it was written.
    pub left_on: Option<String>,
    /// The moment that this means.
    pub left_at: Option<DateTime<Utc>>,
    /// The kind of termination.
    #[serde(rename = "type")]
    pub termination_type: Option<String>,
    /// The line that says the same.
    #[serde(skip)]
    pub same_as: Option<usize>,
}

/// A list that was read whole.
#[derive(Clone, Debug)]
pub struct Leavers {
    /// Everybody on it, in the order of the lines.
    pub people: Vec<Leaver>,
    /// What was left out, in words.
    pub notes: Vec<String>,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// Columns that are not read and may say when somebody leaves, where no column that is read does.
    unread_dates: Vec<String>,
}

impl Leavers {
    /// Fails where nobody may be offboarded by this list: everybody would count as gone, whatever their date says.
    pub fn may_be_applied(&self) -> Result<(), OperateError> {
        if self.unread_dates.is_empty() {
            return Ok(());
        }
        let (unread, known) = (self.unread_dates.join(", "), LEFT.join(", "));
        Err(refused(format!(
            "--apply would count everybody as gone, and {unread} may say when they leave but is not read: \
             rename the column of the leaving date (read are {known}), or take the others out"
        )))
    }
}

/// Reads a list. Fails with every mistake in it, by line and column.
pub fn read_leavers(
    bytes: &[u8],
    rules: &Rules,
    own_rules: &OwnRules,
    sources: &BTreeSet<String>,
) -> Result<Leavers, OperateError> {
    let text = text_of(bytes)?;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
    let mut separator = None;
    // The first line that a spreadsheet writes where it tells others how it separates columns.
    if let Some((_, line)) = lines.next_if(|(_, line)| line.to_lowercase().starts_with("sep=")) {
        separator = line.chars().nth("sep=".len());
    }
    let mut lines = lines.skip_while(|(_, line)| line.trim().is_empty());
    let (number, heading) = lines.next().ok_or_else(|| refused("is empty".to_owned()))?;
    let separator = separator.unwrap_or_else(|| separator_of(heading));
    let reading = Reading { rules, own_rules, sources, separator };
    let header = reading.header(number, heading)?;
    let (mut people, mut mistakes, mut empty) = (Vec::new(), Vec::new(), 0_usize);
    for (number, line) in lines {
        match reading.person(&header, number, line) {
            Ok(Some(leaver)) => people.push(leaver),
            Ok(None) => empty += 1,
            Err(found) => mistakes.extend(found),
        }
        if people.len() > PEOPLE_MAX {
            return Err(refused(format!("names more than {PEOPLE_MAX} people: divide it")));
        }
    }
    if !mistakes.is_empty() {
        let more = mistakes.len().saturating_sub(MISTAKES_NAMED);
        mistakes.truncate(MISTAKES_NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Err(refused(format!("nobody was looked up: {}{more}", mistakes.join("; "))));
    }
    let mut notes = header.notes;
    if empty > 0 {
        notes.push(format!("empty lines left out: {empty}"));
    }
    mark_repeated(&mut people);
    let (digest, unread_dates) = (Sha256::digest(bytes).into(), header.unread_dates);
    Ok(Leavers { people, notes, digest, unread_dates })
}

fn refused(problem: String) -> OperateError {
    OperateError::field(FIELD, problem)
}

/// The bytes as text, without the mark that some programs write first, with one kind of line end.
fn text_of(bytes: &[u8]) -> Result<String, OperateError> {
    if bytes.len() > BYTES_MAX {
        return Err(refused(format!("is larger than {BYTES_MAX} bytes: divide it")));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(refused("is UTF-16: save it as CSV UTF-8".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        refused(format!("line {line}: is not UTF-8: save it as CSV UTF-8"))
    })?;
    let text = text.trim_start_matches('\u{feff}');
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// What separates the columns: what the heading has most of, outside quotation marks.
fn separator_of(heading: &str) -> char {
    let outside: String = heading.split('"').step_by(2).collect();
    let count = |separator: &char| outside.matches(*separator).count();
    let best = SEPARATORS.iter().rev().max_by_key(|separator| count(separator));
    best.copied().unwrap_or(',')
}

/// Marks who is on the list before with the same words.
fn mark_repeated(people: &mut [Leaver]) {
    let mut first: HashMap<_, usize> = HashMap::new();
    for leaver in people {
        let folded = |text: &Option<String>| text.as_ref().map(|text| text.to_ascii_lowercase());
        let said = (
            folded(&leaver.email),
            leaver.external_id.clone(),
            folded(&leaver.genesys_user_id),
            leaver.source.clone(),
            leaver.left_at,
            leaver.termination_type.clone(),
        );
        leaver.same_as = first.get(&said).copied();
        first.entry(said).or_insert(leaver.line);
    }
}

struct Header {
    /// What is in which column; nothing where it is not read.
    columns: Vec<Option<Column>>,
    /// What they are called.
    headings: StringRecord,
    notes: Vec<String>,
    unread_dates: Vec<String>,
}

struct Reading<'a> {
    rules: &'a Rules,
    own_rules: &'a OwnRules,
    sources: &'a BTreeSet<String>,
    separator: char,
}

impl Reading<'_> {
    fn header(&self, number: usize, line: &str) -> Result<Header, OperateError> {
        let wrong = |problem: String| refused(format!("line {number}: {problem}"));
        let record = self.record(line).map_err(wrong)?;
        let columns = Column::all_of(&record);
        let named = |column: Column| columns.iter().filter(|one| **one == Some(column)).count();
        if named(Column::Email) + named(Column::ExternalId) + named(Column::User) == 0 {
            let expected = "the heading names none of the columns email, external_id, genesys_user_id";
            return Err(wrong(expected.to_owned()));
        }
        let all =
            [Column::Email, Column::ExternalId, Column::User, Column::Left, Column::Source, Column::Kind];
        if let Some(twice) = all.into_iter().find(|column| named(*column) > 1) {
            let same = record.iter().zip(&columns).filter(|(_, column)| **column == Some(twice));
            let same: Vec<_> = same.map(|(heading, _)| format!("{heading:?}")).collect();
            let problem = format!("the heading names {} more than once: {}", twice.name(), same.join(", "));
            return Err(wrong(problem));
        }
        let ignored = record.iter().zip(&columns).filter(|(_, column)| column.is_none());
        let ignored: Vec<_> = ignored.map(|(heading, _)| heading).collect();
        let quoted = |heading: &&str| format!("{heading:?}");
        let mut notes = Vec::new();
        if !ignored.is_empty() {
            let ignored: Vec<_> = ignored.iter().map(quoted).collect();
            notes.push(format!("columns that are not read: {}", ignored.join(", ")));
        }
        let mut unread_dates = Vec::new();
        if named(Column::Left) == 0 {
            unread_dates = ignored.iter().filter(|heading| speaks_of_time(heading)).map(quoted).collect();
            notes.push("no column left_on or effective_at: everybody counts as gone by now".to_owned());
        }
        if !unread_dates.is_empty() {
            let unread = unread_dates.join(", ");
            notes.push(format!("--apply is refused: {unread} may say when they leave, and is not read"));
        }
        Ok(Header { columns, headings: record, notes, unread_dates })
    }

    /// The values of one line. None goes over several: a quotation mark that is missing would swallow the people after it.
    fn record(&self, line: &str) -> Result<StringRecord, String> {
        if !line.matches('"').count().is_multiple_of(2) {
            let why = "a quotation mark is missing, or a value goes over several lines";
            return Err(why.to_owned());
        }
        let separator =
            u8::try_from(self.separator).map_err(|_| "the separator is no single byte".to_owned())?;
        let mut reader = ReaderBuilder::new();
        let reader = reader.delimiter(separator).has_headers(false).flexible(true).trim(Trim::All);
        let mut record = StringRecord::new();
        let read = reader.from_reader(line.as_bytes()).read_record(&mut record);
        read.map(|_| record).map_err(|_| "can't be read as CSV".to_owned())
    }

    /// The person of a line, nobody where it is empty, or what is wrong with it.
    fn person(&self, header: &Header, number: usize, line: &str) -> Result<Option<Leaver>, Vec<String>> {
        let record = self.record(line).map_err(|problem| vec![format!("line {number}: {problem}")])?;
        if record.iter().all(str::is_empty) {
            return Ok(None);
        }
        let (found, named) = (record.len(), header.columns.len());
        if found < named || record.iter().skip(named).any(|value| !value.is_empty()) {
            return Err(vec![format!(
                "line {number}: has {found} values, and the heading names {named} columns"
            )]);
        }
        let mut mistakes = Vec::new();
        let mut values: HashMap<Column, String> = HashMap::new();
        for ((value, column), heading) in record.iter().zip(&header.columns).zip(&header.headings) {
            let Some(column) = column.filter(|_| !value.is_empty()) else { continue };
            match self.value(column, value) {
                Ok(value) => drop(values.insert(column, value)),
                Err(problem) => mistakes.push(format!("line {number}, column {heading}: {problem}")),
            }
        }
        if mistakes.is_empty() {
            mistakes.extend(self.unknowable(&values).map(|problem| format!("line {number}, {problem}")));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let left_on = values.remove(&Column::Left);
        Ok(Some(Leaver {
            line: number,
            left_at: left_on.as_deref().and_then(|text| self.moment(text)),
            left_on,
            email: values.remove(&Column::Email),
            external_id: values.remove(&Column::ExternalId),
            genesys_user_id: values.remove(&Column::User).map(|id| id.to_lowercase()),
            source: values.remove(&Column::Source),
            termination_type: values.remove(&Column::Kind),
            same_as: None,
        }))
    }

    /// A value as it is used, or what is wrong with it.
    fn value(&self, column: Column, value: &str) -> Result<String, String> {
        let words = |chars_max| match when::words(FIELD, value, chars_max) {
            Ok(words) => Ok(words),
            Err(OperateError::Field(_, problem)) => Err(problem),
            Err(error) => Err(error.to_string()),
        };
        match column {
            Column::Email if !value.contains('@') => Err("is no e-mail address".to_owned()),
            Column::Email | Column::ExternalId => words(PERSON_CHARS_MAX),
            Column::User if value.len() != 36 || uuid::Uuid::try_parse(value).is_err() => {
                Err("is no id of a Genesys user".to_owned())
            }
            Column::User => Ok(value.to_owned()),
            Column::Left => match self.moment(value) {
                Some(_) => Ok(value.to_owned()),
                None => Err(format!("{}, and nothing is guessed", when::EXPECTED)),
            },
            Column::Source if !self.sources.contains(value) => {
                let known: Vec<_> = self.sources.iter().map(String::as_str).collect();
                Err(format!("is no configured source; there is {}", known.join(", ")))
            }
            Column::Source => Ok(value.to_owned()),
            Column::Kind => words(TYPE_CHARS_MAX),
        }
    }

    /// The moment that a date means, by the rules of an operator's own termination.
    fn moment(&self, text: &str) -> Option<DateTime<Utc>> {
        let effective = when::read(FIELD, text).ok()?;
        policy::effective_moment(&effective, &self.own_rules.zone, self.own_rules.effective_at)
    }

    /// Why nobody could ever be found by these values.
    fn unknowable(&self, values: &HashMap<Column, String>) -> Option<String> {
        if values.contains_key(&Column::Email) || values.contains_key(&Column::User) {
            return None;
        }
        if !values.contains_key(&Column::ExternalId) {
            return Some("columns email, external_id, genesys_user_id: all are empty".to_owned());
        }
        let source = values.get(&Column::Source).map(String::as_str);
        self.rules.authorities_of(source).is_empty().then(|| {
            "column external_id: no authority is configured under which to look it up (genesys.external_id_authority)"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests;
