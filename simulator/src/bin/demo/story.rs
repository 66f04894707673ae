//! The story: what the HRIS delivers, what goes wrong meanwhile, and what has to come of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{SecondsFormat, TimeDelta, Utc};
use leaver_simulator::{
    Action, Control, Entry, Fault, Intent, Matcher, Media, RequestInfo, RoutingStatus, Then,
};
use serde_json::Value;

use crate::child::Child;
use crate::mode::Mode;
use crate::people::{People, Who};
use crate::rows::{LEGEND, Notes, Row};
use crate::screen::{Colour, Screen};
use crate::service::{Offboarding, Service, Setup};
use crate::verdict::Verdict;
use crate::webhook::{Answer, Hris, termination};

/// How often the API is asked how far everybody is.
const LOOK_EVERY: Duration = Duration::from_millis(80);

/// How long anything may take; a leaver takes about two seconds here.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long, once something has not come: what is broken will not come later either.
const PATIENCE_LOST: Duration = Duration::from_secs(5);

/// How long a delivery can be looked at on a terminal before the next one.
const READING_TIME: Duration = Duration::from_millis(500);

/// What Genesys Cloud asks for when it is overloaded.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Everything that the story is told with.
pub(crate) struct Story<'a> {
    pub(crate) mode: Mode,
    pub(crate) screen: &'a mut Screen,
    pub(crate) setup: &'a Setup,
    pub(crate) service: &'a Service,
    pub(crate) worker: &'a mut Option<Child>,
    pub(crate) genesys: Control,
    pub(crate) people: &'a People,
    pub(crate) hris: Hris,
    pub(crate) rows: Vec<Row>,
    pub(crate) verdict: Verdict,
}

impl Story<'_> {
    pub(crate) async fn tell(&mut self) -> anyhow::Result<()> {
        self.an_ordinary_leaver().await?;
        self.what_nobody_should_act_on().await?;
        self.somebody_in_a_call().await?;
        match self.mode {
            Mode::Live => self.an_overloaded_genesys().await?,
            // No change is there to be refused.
            Mode::DryRun => self.another_leaver().await?,
        }
        self.a_worker_that_dies().await?;
        self.the_end_of_the_call().await?;
        self.what_time_has_decided().await?;
        self.a_mistake_of_hr().await
    }

    async fn an_ordinary_leaver(&mut self) -> anyhow::Result<()> {
        let body = termination(Who::Jane, &yesterday());
        self.accepted(Who::Jane, "has left", &body, ("", "")).await?;
        self.until_ended(Who::Jane).await?;
        self.expect_leaver_ended(Who::Jane);
        let (status, how) = self.mode.end();
        let answer = self.hris.deliver(&body).await?;
        let as_it_ended = format!("as it ended: {status}, {how}");
        self.show_answer(Who::Jane, "the same delivery once more", &answer, &as_it_ended)?;
        self.verdict.expect("the answer to the redelivery", answer.words().as_str(), "200 duplicate");
        let known = answer.offboarding();
        self.verdict.expect("its status", text(&known["status"]), status);
        let said = if known["outcome"].is_null() { &known["reason"] } else { &known["outcome"] };
        self.verdict.expect("its outcome", text(said), how);
        self.pause().await
    }

    async fn what_nobody_should_act_on(&mut self) -> anyhow::Result<()> {
        let answer = self.hris.forge(&termination(Who::Mia, &yesterday())).await?;
        self.show_answer(Who::Mia, "has left, signed with a wrong key", &answer, "nothing is stored")?;
        self.verdict.expect("the answer to the forgery", answer.status, 401);
        self.pause().await?;

        let answer = self.hris.deliver(&termination(Who::Ines, "06/07/2026")).await?;
        self.show_answer(Who::Ines, "leaves on 06/07: June or July?", &answer, "never guesses")?;
        self.verdict.expect("the answer to a date with two meanings", answer.words().as_str(), "202 held");
        self.follow(Who::Ines, &answer, ("", "for a person to decide")).await?;

        let next_month = (Utc::now() + TimeDelta::days(30)).format("%Y-%m-%d").to_string();
        let body = termination(Who::Priya, &next_month);
        let notes = ("scheduled for the end of that day", "");
        self.accepted(Who::Priya, &format!("leaves on {next_month}"), &body, notes).await?;

        let notes = ("nobody there; a second look follows", "looked twice");
        let body = termination(Who::Nora, &yesterday());
        self.accepted(Who::Nora, "has left, and never was an agent", &body, notes).await
    }

    async fn somebody_in_a_call(&mut self) -> anyhow::Result<()> {
        let body = termination(Who::Kai, &now());
        let notes = ("in a call: left alone until it ends", "after the call");
        self.accepted(Who::Kai, "leaves now, and is in a live call", &body, notes).await
    }

    async fn another_leaver(&mut self) -> anyhow::Result<()> {
        let body = termination(Who::Omar, &yesterday());
        self.accepted(Who::Omar, "has left", &body, ("", "")).await?;
        self.until_ended(Who::Omar).await?;
        self.expect_leaver_ended(Who::Omar);
        Ok(())
    }

    /// Genesys Cloud refuses one of the changes and wants no calls for two seconds.
    async fn an_overloaded_genesys(&mut self) -> anyhow::Result<()> {
        let refused = Arc::new(AtomicU64::new(0));
        let note = Arc::clone(&refused);
        let fourth = || Matcher::changing().path(self.people.id(Who::Omar)).nth(4);
        let hook = move |request: &RequestInfo| note.store(request.sequence, Ordering::Release);
        self.genesys.inject(Fault::before(fourth(), Action::call(hook, Then::Continue)));
        self.genesys.inject(Fault::before(fourth(), Action::too_many_requests(RETRY_AFTER_SECONDS)));

        self.accepted(Who::Omar, "has left", &termination(Who::Omar, &yesterday()), ("", "after a 429"))
            .await?;
        let seen = Arc::clone(&refused);
        self.until("Genesys refuses a call", move |_| seen.load(Ordering::Acquire) > 0).await?;
        self.note(Who::Omar, "waits for Genesys");
        let what = format!("Genesys is overloaded: 429, Retry-After {RETRY_AFTER_SECONDS}; all workers wait");
        self.screen.event(self.screen.paint(Colour::Notice, &what))?;
        let (genesys, seen) = (self.genesys.clone(), refused.load(Ordering::Acquire));
        let goes_on = move |_: &[Row]| pause_after(&genesys.journal(), seen).is_some();
        self.until("Leaver goes on after the 429", goes_on).await?;
        self.note(Who::Omar, "");
        self.until_ended(Who::Omar).await?;
        self.expect_end(Who::Omar, "done offboarded");
        let pause = pause_after(&self.genesys.journal(), refused.load(Ordering::Acquire));
        // Genesys counts from its answer, this from the arrival of the calls, so that little may be missing.
        let kept = pause.is_some_and(|pause| pause.as_secs_f64() >= RETRY_AFTER_SECONDS as f64 - 0.1);
        self.verdict.expect("Leaver kept still for as long as Genesys asked", kept, true);
        Ok(())
    }

    /// The worker is killed after Genesys Cloud has carried out a change and before anybody could write that down; where it
    /// runs dry, in the middle of its look.
    async fn a_worker_that_dies(&mut self) -> anyhow::Result<()> {
        let (sender, reached) = mpsc::channel();
        let lena = self.people.id(Who::Lena);
        let (call, said) = match self.mode {
            Mode::Live => (Matcher::changing().path(lena).nth(7), "change"),
            Mode::DryRun => (Matcher::api().path(lena).nth(3), "look"),
        };
        let hook = move |_: &RequestInfo| {
            // Nobody listens any more once the demo has given up.
            let _ = sender.send(());
        };
        self.genesys.inject(Fault::after(call, Action::call(hook, Then::Hang)));

        let body = termination(Who::Lena, &yesterday());
        self.accepted(Who::Lena, "has left", &body, ("", "by a second worker")).await?;
        self.until(&format!("a {said} is under way"), move |_| reached.try_recv().is_ok()).await?;
        let worker = self.worker.take().context("there is no worker to kill")?;
        self.verdict.expect("how the worker ended", worker.kill().await?.code().unwrap_or_default(), 128 + 9);
        let what = format!("the worker is killed in mid-{said} (SIGKILL); a new one starts");
        self.screen.event(self.screen.paint(Colour::Notice, &what))?;
        self.note(Who::Lena, "its lease runs out within 2 s");
        self.refresh().await?;
        *self.worker = Some(self.setup.start_worker(2)?);
        self.until("a second worker takes over", |rows| workers(rows, Who::Lena) == 2).await?;
        self.note(Who::Lena, "a second worker goes on");
        self.until_ended(Who::Lena).await?;
        self.expect_leaver_ended(Who::Lena);
        self.verdict.expect("workers in the journal", workers(&self.rows, Who::Lena), 2);
        Ok(())
    }

    async fn the_end_of_the_call(&mut self) -> anyhow::Result<()> {
        let kai = self.people.id(Who::Kai).to_owned();
        let untouched = self.genesys.person(&kai).as_ref() == self.people.before(Who::Kai);
        self.verdict.expect("whoever is in a call is untouched", untouched, true);
        self.expect_end(Who::Kai, "scheduled");
        self.genesys.organisation(|organisation| {
            organisation.edit(&kai, |kai| {
                kai.routing_status = RoutingStatus::Idle;
                kai.conversations.insert(Media::Call, 0);
            });
        });
        let what = format!("the customer of {} hangs up", Who::Kai.name());
        self.screen.event(self.screen.paint(Colour::Notice, &what))?;
        self.note(Who::Kai, "");
        self.until_ended(Who::Kai).await?;
        self.expect_leaver_ended(Who::Kai);
        Ok(())
    }

    async fn what_time_has_decided(&mut self) -> anyhow::Result<()> {
        self.until_ended(Who::Nora).await?;
        self.expect_end(Who::Nora, "done not_in_genesys");
        self.expect_end(Who::Ines, "held unreadable");
        self.expect_end(Who::Priya, "scheduled");
        Ok(())
    }

    /// Whoever was taken out by mistake gets everything back, at an operator's word.
    async fn a_mistake_of_hr(&mut self) -> anyhow::Result<()> {
        let what = format!("HR was wrong about {}: an operator restores him", Who::RESTORED.name());
        self.screen.event(self.screen.paint(Colour::Notice, &what))?;
        let id = self.row(Who::RESTORED).map(|row| row.id.clone()).context("nobody to restore")?;
        match self.mode {
            Mode::Live => {}
            Mode::DryRun => {
                let status = self.service.ask_for_a_restore(&id).await?;
                self.screen
                    .event("       refused: the service runs dry, and there is nothing to put back")?;
                self.verdict.expect("the answer to a restore", status, 409);
                return Ok(());
            }
        }
        let now = self.service.restore(&id).await?;
        for row in self.rows.iter_mut().filter(|row| row.who == Who::RESTORED) {
            row.turn_round(now.clone());
        }
        self.until_ended(Who::RESTORED).await?;
        self.expect_end(Who::RESTORED, "done restored");
        Ok(())
    }

    /// Delivers what is to be accepted, and follows what becomes of it.
    async fn accepted(&mut self, who: Who, what: &str, body: &Value, notes: Notes) -> anyhow::Result<()> {
        let answer = self.hris.deliver(body).await?;
        self.show_answer(who, what, &answer, "stored")?;
        let name = who.name();
        self.verdict.expect(&format!("the answer about {name}"), answer.words().as_str(), "202 accepted");
        self.follow(who, &answer, notes).await
    }

    fn show_answer(&mut self, who: Who, what: &str, answer: &Answer, meaning: &str) -> anyhow::Result<()> {
        let colour = if answer.status < 300 { Colour::Strong } else { Colour::Bad };
        let words = self.screen.paint(colour, &format!("{:<14}", answer.words()));
        let meaning = self.screen.paint(Colour::Faint, meaning);
        Ok(self.screen.event(format!("HRIS ▸ {:<14} {what:<33} {words} {meaning}", who.name()))?)
    }

    async fn follow(&mut self, who: Who, answer: &Answer, notes: Notes) -> anyhow::Result<()> {
        if let Some(id) = answer.offboarding()["id"].as_str() {
            self.rows.push(Row::new(who, id, self.people.before(who), notes));
        }
        self.refresh().await?;
        self.pause().await
    }

    fn row(&self, who: Who) -> Option<&Row> {
        self.rows.iter().find(|row| row.who == who)
    }

    fn note(&mut self, who: Who, note: &'static str) {
        for row in self.rows.iter_mut().filter(|row| row.who == who) {
            row.meanwhile = note;
        }
    }

    fn expect_end(&mut self, who: Who, words: &str) {
        let found = self.row(who).map_or_else(|| "no offboarding".to_owned(), Row::words);
        self.verdict.expect(who.name(), found.as_str(), words);
    }

    fn expect_leaver_ended(&mut self, who: Who) {
        let (status, how) = self.mode.end();
        self.expect_end(who, &format!("{status} {how}"));
    }

    async fn until_ended(&mut self, who: Who) -> anyhow::Result<()> {
        let ended = move |rows: &[Row]| rows.iter().any(|row| row.who == who && row.has_ended());
        self.until(who.name(), ended).await
    }

    /// Shows how far everybody is until something has happened; what never happens is a missed expectation.
    async fn until(&mut self, what: &str, mut happened: impl FnMut(&[Row]) -> bool) -> anyhow::Result<()> {
        let patience = if self.verdict.all_met() { PATIENCE } else { PATIENCE_LOST };
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            self.refresh().await?;
            if happened(&self.rows) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let nothing = format!("nothing within {} s", patience.as_secs());
        self.verdict.expect(what, nothing.as_str(), "an end");
        Ok(())
    }

    /// Gives whoever looks on a moment.
    async fn pause(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + READING_TIME;
        while self.screen.is_live() && Instant::now() < until {
            self.refresh().await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn refresh(&mut self) -> anyhow::Result<()> {
        if self.worker.as_mut().is_some_and(|worker| !worker.is_running()) {
            bail!("the worker has ended by itself");
        }
        for row in self.rows.iter_mut().filter(|row| !row.has_ended()) {
            row.now = Some(self.service.offboarding(&row.id).await?);
        }
        if self.screen.is_live() {
            let lines = self.rows.iter().map(|row| row.line(self.screen));
            let head = [String::new(), self.screen.paint(Colour::Faint, LEGEND)];
            let block = head.into_iter().chain(lines).collect();
            return Ok(self.screen.block(block)?);
        }
        for row in &mut self.rows {
            if let Some(line) = row.changed_line(self.screen) {
                self.screen.event(format!("       {line}"))?;
            }
        }
        Ok(())
    }
}

/// How many workers have worked on somebody.
fn workers(rows: &[Row], who: Who) -> usize {
    let row = rows.iter().find(|row| row.who == who);
    row.and_then(|row| row.now.as_ref()).map_or(0, Offboarding::workers)
}

fn yesterday() -> String {
    (Utc::now() - TimeDelta::days(1)).format("%Y-%m-%d").to_string()
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("nothing")
}

/// The time between a request and the next change that arrived after it.
fn pause_after(journal: &[Entry], sequence: u64) -> Option<Duration> {
    let refused = journal.iter().find(|entry| entry.request.sequence == sequence)?;
    let mut later = journal.iter().filter(|entry| entry.request.sequence > sequence);
    let next = later.find(|entry| entry.request.intent == Intent::Changes)?;
    Some(next.request.arrived.duration_since(refused.request.arrived))
}
