//! `leaver layoff`: planning one from a list, and its approval by somebody else.

use std::path::Path;

use uuid::Uuid;

use super::{Failure, Output, actor, print};
use crate::config::Config;
use crate::operate::{self, InMode, LayoffPlan};
use crate::serve::{self, Parts};
use crate::store::layoffs::{Layoff, LayoffDecided, LayoffDecision, LayoffFilter, LayoffId};

/// The words that name the first column instead of a person.
const HEADINGS: [&str; 3] = ["email", "e-mail", "person"];

/// What `leaver layoff plan` is asked for.
#[derive(Debug)]
pub struct PlanArguments<'a> {
    /// The list, one person per line in the first column.
    pub csv: &'a Path,
    /// When it begins.
    pub from: String,
    /// When it is over.
    pub until: String,
    /// Why.
    pub reason: String,
    /// The most people that pass.
    pub count: Option<u32>,
}

/// Stores a layoff and prints it with the digest that an approver has to name.
pub async fn plan_layoff(
    config: &Config,
    arguments: PlanArguments<'_>,
    output: Output,
) -> Result<(), Failure> {
    let PlanArguments { csv, from, until, reason, count } = arguments;
    let text = std::fs::read_to_string(csv)
        .map_err(|error| Failure::Usage(format!("--csv: {} can't be read: {error}", csv.display())))?;
    let asked = LayoffPlan { reason, from, until, people: people_of(&text), count };
    let store = Parts::new(config)?.store;
    let layoff = operate::plan_layoff(&store, &serve::own_rules(config), &asked, &actor()).await?;
    shown(config, &layoff, output);
    Ok(())
}

/// Prints the layoffs, newest first.
pub async fn list_layoffs(config: &Config, output: Output) -> Result<(), Failure> {
    let page = operate::layoffs(&Parts::new(config)?.store, &LayoffFilter::newest()).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &page)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::layoffs(&page.items);
            print::older_layoffs(page.next);
        }
    }
    Ok(())
}

/// Approves the layoff whose list has this digest.
pub async fn approve_layoff(config: &Config, id: &str, digest: &str, output: Output) -> Result<(), Failure> {
    let digest = operate::read_digest(digest)?;
    decide(config, id, LayoffDecision::Approve(digest), output).await
}

/// Lets nobody more through.
pub async fn cancel_layoff(config: &Config, id: &str, output: Output) -> Result<(), Failure> {
    decide(config, id, LayoffDecision::Cancel, output).await
}

async fn decide(config: &Config, id: &str, decision: LayoffDecision, output: Output) -> Result<(), Failure> {
    let parsed =
        Uuid::try_parse(id).map_err(|_| Failure::Usage(format!("ID: expected a UUID, found {id:?}")))?;
    let store = Parts::new(config)?.store;
    let refused = match operate::decide_layoff(&store, LayoffId(parsed), decision, &actor()).await? {
        Ok(layoff) => {
            shown(config, &layoff, output);
            return Ok(());
        }
        Err(LayoffDecided::OwnRequest) => "who planned a layoff can't approve it".to_owned(),
        Err(LayoffDecided::OtherList) => "the list of the layoff has another digest".to_owned(),
        Err(LayoffDecided::AlreadyApproved) => "the layoff was approved before".to_owned(),
        Err(LayoffDecided::AlreadyCancelled) => "the layoff was cancelled before".to_owned(),
        Err(LayoffDecided::Over) => "the layoff's window is over".to_owned(),
        Err(LayoffDecided::Unknown | LayoffDecided::Yes) => format!("no layoff has the id {id}"),
    };
    Err(Failure::Failed(refused))
}

fn shown(config: &Config, layoff: &Layoff, output: Output) {
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, layoff)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::layoffs(std::slice::from_ref(layoff));
        }
    }
}

/// The first column of each line that says something; a heading in the first line is none.
fn people_of(text: &str) -> Vec<String> {
    let lines = text.trim_start_matches('\u{feff}').lines();
    let first_column = |line: &str| {
        let column = line.split([',', ';', '\t']).next().unwrap_or_default().trim();
        column.trim_matches('"').trim().to_owned()
    };
    let mut people: Vec<_> = lines.map(first_column).filter(|person| !person.is_empty()).collect();
    if people.first().is_some_and(|first| HEADINGS.contains(&first.to_lowercase().as_str())) {
        people.remove(0);
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_in_the_first_column_and_a_heading_is_none() {
        let text = "\u{feff}Email,Name\r\n\"a@b.c\",Ann\n\n b@b.c ; Bob\nhr:7\tCy\nemail\n";
        assert_eq!(people_of(text), ["a@b.c", "b@b.c", "hr:7", "email"]);
    }
}
