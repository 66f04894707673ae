//! The end of the story: what is true in Genesys Cloud now, whether that is right, and where to look next.

use anyhow::Context as _;
use leaver_simulator::{AccountState, Control, Effect, Entry, PersonState};

use crate::mode::Mode;
use crate::people::{People, Who, assignments, is_as_before, is_gone};
use crate::screen::{Colour, Screen};
use crate::service::{Service, Setup};
use crate::verdict::Verdict;

/// The columns of the table: title, width, and the place of their kind among a person's assignments.
const COLUMNS: [(&str, usize, usize); 7] = [
    ("QUEUES", 7, 0),
    ("SKILLS", 7, 1),
    ("LANGS", 6, 2),
    ("TEAM", 6, 4),
    ("STATIONS", 9, 5),
    ("FORWARD", 8, 6),
    ("ROLES", 6, 7),
];

/// Compares everybody with how they were, and shows it.
pub(crate) fn truth(
    screen: &mut Screen,
    verdict: &mut Verdict,
    genesys: &Control,
    people: &People,
) -> anyhow::Result<()> {
    head(screen)?;
    for who in Who::LEAVERS {
        let before = people.before(who).context("a leaver who was never there")?;
        let now = genesys.person(&before.id).context("a leaver who has vanished")?;
        verdict.expect(&format!("{} is out of Genesys altogether", who.name()), is_gone(&now), true);
        screen.line(table_line(before, &now))?;
    }
    let before = people.before(Who::RESTORED).context("somebody restored who was never there")?;
    let now = genesys.person(&before.id).context("somebody restored who has vanished")?;
    let whole = is_as_before(&now, before);
    verdict.expect(&format!("{} has everything again", Who::RESTORED.name()), whole, true);
    let (colour, words) = if whole { (Colour::Good, "restored") } else { (Colour::Bad, "NOT AS BEFORE") };
    screen.line(format!("{}, {}", table_line(before, &now), screen.paint(colour, words)))?;
    let everybody = genesys.everybody();
    let bystanders = people.bystanders();
    for before in &bystanders {
        let now = everybody.get(&before.id).context("a bystander who has vanished")?;
        let untouched = now == *before;
        verdict.expect(&format!("{} is exactly as before", before.name), untouched, true);
        let (colour, words) = if untouched { (Colour::Good, "untouched") } else { (Colour::Bad, "CHANGED") };
        screen.line(format!("{}, {}", table_line(before, now), screen.paint(colour, words)))?;
    }
    verdict.expect("people whom nobody was to touch", bystanders.len(), 4);
    Ok(())
}

/// Compares everybody with how they were: after a dry run nobody has changed, but for the call that has ended.
pub(crate) fn nothing_changed(
    screen: &mut Screen,
    verdict: &mut Verdict,
    genesys: &Control,
    people: &People,
) -> anyhow::Result<()> {
    head(screen)?;
    let everybody = genesys.everybody();
    for before in people.everybody() {
        let now = everybody.get(&before.id).context("somebody who has vanished")?;
        let mut expected = before.clone();
        if before.id == people.id(Who::Kai) {
            expected.routing_status = now.routing_status;
            expected.conversations.clone_from(&now.conversations);
            // The end of the call is one edit, which raises the version.
            expected.version += 1;
        }
        let untouched = *now == expected;
        verdict.expect(&format!("{} is exactly as before", before.name), untouched, true);
        let (colour, words) = if untouched { (Colour::Good, "untouched") } else { (Colour::Bad, "CHANGED") };
        screen.line(format!("{}, {}", table_line(before, now), screen.paint(colour, words)))?;
    }
    verdict.expect("people in Genesys", everybody.len(), people.everybody().count());
    Ok(())
}

fn head(screen: &mut Screen) -> anyhow::Result<()> {
    screen.settle();
    screen.line("")?;
    let titles: String = COLUMNS.iter().map(|(title, width, _)| format!("{title:<width$}")).collect();
    let titles = format!("  {:<14} {titles}{:<7}ACCOUNT", "IN GENESYS NOW", "TOKENS");
    Ok(screen.line(screen.paint(Colour::Faint, &titles))?)
}

fn table_line(before: &PersonState, now: &PersonState) -> String {
    let change = |before: usize, now: usize| {
        if before == now { now.to_string() } else { format!("{before} → {now}") }
    };
    let (had, has) = (assignments(before), assignments(now));
    let cells = COLUMNS.iter().map(|(_, width, at)| format!("{:<width$}", change(had[*at].1, has[*at].1)));
    let cells: String = cells.collect();
    let tokens = change(before.tokens as usize, now.tokens as usize);
    format!("  {:<14} {cells}{tokens:<7}{}", now.name, account(before.state, now.state))
}

fn account(before: AccountState, now: AccountState) -> String {
    if before == now { now.as_str().to_owned() } else { format!("{} → {}", before.as_str(), now.as_str()) }
}

/// Counts what Genesys Cloud has seen.
pub(crate) fn requests(
    screen: &mut Screen,
    verdict: &mut Verdict,
    genesys: &Control,
    mode: Mode,
) -> anyhow::Result<()> {
    let (journal, changing, violations) = (genesys.journal(), genesys.changing(), genesys.violations());
    let effective = changing.iter().filter(|entry| entry.effect == Effect::Changed).count();
    let too_many = |entry: &&Entry| entry.answered.is_some_and(|answer| answer.status == 429);
    let refused = changing.iter().filter(too_many).count();
    // Tokens are revoked once more at the end, and mostly there are none by then.
    let revoked_again =
        |entry: &&Entry| entry.effect != Effect::Changed && entry.request.operation == Some("deleteToken");
    let again = changing.iter().filter(revoked_again).count();
    screen.line("")?;
    screen.line(format!(
        "  Genesys saw {} requests; {} broke its published definition",
        journal.len(),
        violations.len()
    ))?;
    screen.line(format!(
        "  {} were to change something, {effective} did, {refused} was refused with a 429, {again} made sure of tokens",
        changing.len()
    ))?;
    match mode {
        Mode::Live => {}
        Mode::DryRun => verdict.expect("calls of a dry run that were to change something", changing.len(), 0),
    }
    verdict.expect(
        "changes that did nothing and were not refused",
        changing.len() - effective - refused - again,
        0,
    );
    verdict.expect("violations of Genesys's definition", violations.join("; ").as_str(), "");
    Ok(())
}

/// Says whether everything ended as it should.
pub(crate) fn verdict(screen: &mut Screen, verdict: &Verdict) -> anyhow::Result<()> {
    let (met, missed) = (verdict.met(), verdict.missed());
    for line in missed {
        screen.line(screen.paint(Colour::Bad, &format!("  not as it should be: {line}")))?;
    }
    let words = format!("  {met} of {} expectations met", met + missed.len());
    let colour = if verdict.all_met() { Colour::Good } else { Colour::Bad };
    Ok(screen.line(screen.paint(colour, &words))?)
}

/// Says where to look while the demo runs.
pub(crate) async fn where_to_look(
    screen: &mut Screen,
    setup: &Setup,
    service: &Service,
    offboarding: &str,
) -> anyhow::Result<()> {
    let (admin, token) = (&service.admin, setup.operator_token());
    let here = std::env::current_dir().unwrap_or_default();
    let leaver = setup.program().strip_prefix(here).unwrap_or(setup.program()).display();
    let config = setup.config().display();
    screen.line("")?;
    screen.line("It keeps running. To look around, in another terminal:")?;
    screen.line(format!("  {leaver} list --config {config}"))?;
    screen.line(format!("  {leaver} show {offboarding} --config {config}"))?;
    screen.line(format!("  curl -H 'Authorization: Bearer {token}' {admin}/api/v1/offboardings"))?;
    if service.has_console().await {
        screen.line(format!("  console    {admin}/ with the token {token}"))?;
    }
    screen.line(format!("  metrics    {admin}/metrics"))?;
    screen.line(format!("  logs       {}", setup.config().with_file_name("*.log").display()))?;
    screen.line("  README.md says the rest.")?;
    screen.line("")?;
    Ok(screen.line(screen.paint(Colour::Strong, "Ctrl-C ends it and removes everything."))?)
}
