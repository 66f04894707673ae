//! Stored events and what a replay made of them, for people. A sender's own text is shown escaped: it goes to a terminal.
//! In a body that is JSON the escapes are those of JSON.

use chrono::Utc;
use serde::de::IgnoredAny;

use super::terminal::{self, Cell, Column};
use super::times;
use crate::operate::{EventPage, ReplayAnswer};
use crate::store::event_views::{EventDetail, EventView};

pub(in crate::commands) fn events(page: &EventPage) {
    if page.items.is_empty() {
        say!("no events");
        return;
    }
    let columns = [
        Column::whole("ID"),
        Column::whole("RECEIVED"),
        Column::down_to("WHEN", 8),
        Column::down_to("SOURCE", 8),
        Column::whole("READ AS"),
        Column::down_to("WHY", 12),
        Column::down_to("EVENT", 12),
    ];
    let now = Utc::now();
    let row = |event: &EventView| {
        vec![
            Cell::new(event.id.to_string()),
            Cell::new(times::absolute(event.received_at)),
            Cell::new(times::relative(event.received_at, now)),
            Cell::new(&event.source),
            Cell::new(&event.reading.disposition),
            Cell::new(why(event)),
            Cell::new(event.reading.word.as_deref().map_or("-".to_owned(), shown)),
        ]
    };
    terminal::table(&columns, &page.items.iter().map(row).collect::<Vec<_>>());
    if let Some(next) = &page.next {
        say!("there are more: --after {next}, or --limit, --source, --disposition, --event");
    }
}

pub(in crate::commands) fn event(detail: &EventDetail) {
    let (event, reading) = (&detail.view, &detail.view.reading);
    let optional = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), shown);
    say!("{}  {}  {}", event.id, reading.disposition, why(event));
    say!("source       {} (key {}), id {}", event.source, event.key_index, shown(&event.event_id));
    say!("received     {}", event.received_at.to_rfc3339());
    say!("event        {}", optional(&reading.word));
    say!("person       {} · {}", optional(&reading.email), optional(&reading.external_id));
    let effective = reading.effective_at.map_or("-".to_owned(), |at| at.to_rfc3339());
    say!("says         {}, effective {effective}", reading.said.as_deref().unwrap_or("nothing"));
    let offboarding = event.offboarding_id.map_or("-".to_owned(), |id| id.to_string());
    say!("offboarding  {offboarding}");
    for (name, value) in detail.headers.iter().flatten() {
        say!("header       {name}: {}", shown(value));
    }
    for replay in &detail.replays {
        let of = |reading: &Option<serde_json::Value>| {
            let word = reading.as_ref().map(|reading| reading["disposition"].to_string());
            word.map_or("-".to_owned(), |word| word.trim_matches('"').to_owned())
        };
        let at = replay.at.format("%Y-%m-%d %H:%M:%S UTC");
        say!("read again   {at} by {}: {} -> {}", replay.actor, of(&replay.before), of(&replay.after));
    }
    say!("");
    say!("BODY");
    match std::str::from_utf8(&detail.body) {
        // As it came, to be copied and sent again.
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => terminal::json(&in_lines(text)),
        Ok(text) => text.lines().for_each(|line| say!("{}", line.escape_debug())),
        Err(_) => say!("{} bytes that are no UTF-8: --json shows them in base64", detail.body.len()),
    }
}

/// JSON with one kind of line end and without tabs: within strings there are none of them.
fn in_lines(json: &str) -> String {
    json.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "  ")
}

pub(in crate::commands) fn replay(answer: &ReplayAnswer) {
    say!("{}", answer.status);
    for event in &answer.replay.events {
        let offboarding = event.offboarding_id.map_or("-".to_owned(), |id| id.to_string());
        let result = event.result.as_str();
        say!("{result:<9}  {}  offboarding {offboarding}  {}", event.id, shown(&event.event_id));
    }
    for warning in &answer.replay.warnings {
        say!("warning: {warning}");
    }
}

/// Why it was held or ignored.
fn why(event: &EventView) -> String {
    let reading = &event.reading;
    match (&reading.unreadable, &reading.reason, &reading.directive) {
        _ if event.replaced_at.is_some() => "replaced".to_owned(),
        (Some(cause), _, _) => cause.clone(),
        (None, Some(reason), _) => reason.clone(),
        (None, None, None) if reading.disposition == "ignored" => "no rule matched".to_owned(),
        (None, None, directive) => directive.clone().unwrap_or("-".to_owned()),
    }
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}
