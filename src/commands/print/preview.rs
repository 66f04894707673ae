//! The dry run for people: by phase, `-` for what would go, `=` for what would stay, `!` for what holds, all of it shown,
//! because it is evidence; verdict and sums come last, where the eye is.

use serde_json::Value;

use super::{WIDTH, wrapped};
use crate::operate::{Effect, Preview, Removed, ReportPreview, StepPreview};

/// An indented sign and a blank stand before each thing.
const INDENT: usize = 6;

/// Ids are UUIDs mostly.
const ID_CHARS: usize = 36;

/// Longer facts, which are whole settings, push the rest of their own line only.
const FACTS_CHARS_MAX: usize = 24;

pub(in crate::commands) fn preview(preview: &Preview) {
    lines(preview).iter().for_each(|line| say!("{line}"));
}

fn lines(preview: &Preview) -> Vec<String> {
    let order = &preview.order;
    let mut lines = vec![
        format!("Genesys user {} is {}", preview.genesys_user_id, preview.state),
        format!("order {} ({})", order.first, order.because),
    ];
    for (kind, first) in &order.by_type {
        lines.push(format!("      {first} where the termination type is {kind}"));
    }
    for phase in ["strip", "deactivate"] {
        lines.extend([String::new(), phase.to_uppercase()]);
        for step in preview.steps.iter().filter(|step| step.phase == phase) {
            of_step(&mut lines, step);
        }
    }
    if !preview.reports.is_empty() {
        lines.extend([String::new(), "REPORTS".to_owned()]);
        preview.reports.iter().for_each(|report| of_report(&mut lines, report));
    }
    lines.push(String::new());
    lines.extend(wrapped("verdict  ", &preview.verdict.text));
    for note in &preview.verdict.notes {
        lines.extend(wrapped("note     ", note));
    }
    let sums = preview.summary;
    lines.push(format!(
        "summary  {} to remove, {} kept, {} held. Nothing was changed.",
        sums.remove, sums.keep, sums.hold
    ));
    lines
}

fn of_step(lines: &mut Vec<String>, step: &StepPreview) {
    let counts = match (step.status, &step.unread) {
        ("off", _) => "off".to_owned(),
        (_, Some(_)) => format!("{}, not all read", counts(step)),
        (_, None) => counts(step),
    };
    let back = match step.remove.is_empty() {
        true => String::new(),
        false => format!("comes back: {}", step.comes_back.replace("never: ", "never, ")),
    };
    lines.extend(wrapped(&format!("  {:<30} ", step.name), format!("{counts:<24} {back}").trim_end()));
    removed(lines, step);
    held(lines, step);
    for kept in &step.keep {
        let id = kept.name.as_ref().map(|_| format!("  {}", kept.target)).unwrap_or_default();
        let name = kept.name.as_deref().unwrap_or(&kept.target);
        lines.extend(wrapped("    = ", &format!("{name}  {}{id}", kept.why)));
    }
    if let Some(unread) = &step.unread {
        lines.extend(wrapped("    ! ", &format!("could not be read: {}", unread.words())));
    }
}

/// In columns, by name.
fn removed(lines: &mut Vec<String>, step: &StepPreview) {
    let mut rows: Vec<_> = step.remove.iter().map(|one| (label(one), facts(one), id_of(one))).collect();
    rows.sort();
    let longest =
        |width: fn(&(&str, String, &str)) -> usize| rows.iter().map(width).max().unwrap_or_default();
    let facts_width = longest(|(_, facts, _)| facts.chars().count()).min(FACTS_CHARS_MAX);
    let room = WIDTH.saturating_sub(INDENT + facts_width + ID_CHARS + 4);
    let name_width = longest(|(name, ..)| name.chars().count()).min(room);
    for (name, facts, id) in rows {
        let mut line = format!("{name:<name_width$}");
        if facts_width > 0 {
            line.push_str(&format!("  {facts:<facts_width$}"));
        }
        lines.extend(wrapped("    - ", format!("{line}  {id}").trim_end()));
    }
}

fn held(lines: &mut Vec<String>, step: &StepPreview) {
    let mut rows: Vec<_> = step
        .hold
        .iter()
        .map(|held| {
            let (sign, what) = match held.effect {
                Effect::Held => ('!', "holds it, through"),
                Effect::Passed => ('=', "stays, through"),
                Effect::Leaves => ('-', "goes with"),
            };
            (held.name.as_deref().unwrap_or(&held.target), sign, format!("{what} {}", held.via))
        })
        .collect();
    rows.sort();
    let longest = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
    let width = longest.min(WIDTH * 2 / 3);
    for (name, sign, what) in rows {
        lines.extend(wrapped(&format!("    {sign} "), &format!("{name:<width$}  {what}")));
    }
}

fn counts(step: &StepPreview) -> String {
    let effects = |effect: Effect| step.hold.iter().filter(|held| held.effect == effect).count();
    let parts = [
        (step.remove.len() + effects(Effect::Leaves), "to remove"),
        (step.keep.len() + effects(Effect::Passed), "kept"),
        (effects(Effect::Held), "held"),
    ];
    let said: Vec<_> = parts.iter().filter(|(count, _)| *count > 0).collect();
    match said.is_empty() {
        true => format!("no {}", step.title),
        false => said.iter().map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", "),
    }
}

fn of_report(lines: &mut Vec<String>, report: &ReportPreview) {
    let found = report.findings.as_deref().unwrap_or_default();
    let count = match (&report.error, found.len()) {
        (Some(_), _) => "not read".to_owned(),
        (None, 0) => "nothing found".to_owned(),
        (None, count) => format!("{count} found"),
    };
    let text = format!("{count}: {} ({})", report.title, report.reporting);
    lines.extend(wrapped(&format!("  {:<30} ", report.name), &text));
    for finding in found {
        lines.extend(wrapped("    * ", &format!("{}  {}", finding.text, finding.target)));
    }
    if let Some(error) = &report.error {
        lines.extend(wrapped("    ! ", &format!("could not be read: {}", error.words())));
    }
}

/// The name, or what a thing without one is.
fn label(one: &Removed) -> &str {
    one.name.as_deref().unwrap_or(&one.target)
}

/// The id behind a name; of two ids the first, because the name says where the second one is.
fn id_of(one: &Removed) -> &str {
    match (&one.name, one.target.split_once(':')) {
        (None, _) => "",
        (Some(_), Some((id, _))) if id.len() == ID_CHARS => id,
        (Some(_), Some((_, id))) => id,
        (Some(_), None) => &one.target,
    }
}

/// What the details say besides name and id; the whole of a setting, which has neither.
fn facts(one: &Removed) -> String {
    let fields = one.detail.as_object().into_iter().flatten();
    let fields = fields.filter(|(_, value)| !value.is_null() && value.as_str() != Some(one.target.as_str()));
    let said: Vec<_> = fields.clone().filter_map(|(field, value)| fact(field, value)).collect();
    if !said.is_empty() || one.name.is_some() {
        return said.join(", ");
    }
    let rest: serde_json::Map<_, _> = fields.map(|(field, value)| (field.clone(), value.clone())).collect();
    // With room after each comma, so that a long one can be wrapped.
    if rest.is_empty() { String::new() } else { Value::Object(rest).to_string().replace(",\"", ", \"") }
}

fn fact(field: &str, value: &Value) -> Option<String> {
    match (field, value) {
        ("joined", Value::Bool(true)) => Some("joined".to_owned()),
        ("joined", Value::Bool(false)) => Some("not joined".to_owned()),
        ("ringNumber", Value::Number(ring)) => Some(format!("ring {ring}")),
        ("proficiency", Value::Number(proficiency)) => Some(format!("proficiency {proficiency}")),
        ("kind", Value::String(kind)) => Some(kind.clone()),
        ("version", Value::Number(version)) => Some(format!("version {version}")),
        ("reason", Value::String(reason)) => Some(format!("reason {reason}")),
        _ => None,
    }
}
