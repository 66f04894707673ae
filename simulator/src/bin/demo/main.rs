//! `cargo demo`: the whole of Leaver on one machine, with nothing to configure. It shows a database, a simulated Genesys
//! Cloud, the real `leaver` program and an HRIS that signs its webhooks; what happens in it is in `story`.
//!
//! It uses nothing of Leaver's own code, so that it sees Leaver as everybody else does: through HTTP.

mod child;
mod folder;
mod logs;
mod mode;
mod people;
mod program;
mod report;
mod rows;
mod screen;
mod service;
mod stage;
mod story;
mod verdict;
mod webhook;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use leaver_simulator::postgres::{Durability, Server};
use leaver_simulator::{Options, RequestInfo, Rules, Simulator};
use tokio::signal::unix::{Signal, SignalKind, signal};

use mode::Mode;
use people::{People, Who};
use screen::{Colour, Screen};
use service::{Service, Setup};
use stage::Stage;
use story::Story;
use verdict::Verdict;
use webhook::Hris;

/// How long the simulated Genesys Cloud takes for an answer: about what a network would, so that there is something to see.
const ANSWER_TIME: Duration = Duration::from_millis(20);

/// Requests that the simulated Genesys Cloud allows in a minute. The usual 300 would let the demo wait for a minute.
const REQUESTS_ALLOWED: u32 = 3000;

/// Leaver on one machine: a private Postgres, a simulated Genesys Cloud, the real service, signed webhooks, the outcome.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", version)]
struct Arguments {
    /// Ends when the story is told, with exit code 0 only if everything ended as it should.
    #[arg(long)]
    exit: bool,
    /// Lets the service run dry: it accepts, decides and looks, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    fn mode(&self) -> Mode {
        if self.dry_run { Mode::DryRun } else { Mode::Live }
    }
}

/// How the demo came to its end.
enum End {
    Told(anyhow::Result<Verdict>),
    Signal(u8),
}

#[tokio::main]
async fn main() -> ExitCode {
    // The alias ends with `--` already, and people add another one.
    let mut given: Vec<_> = std::env::args_os().collect();
    if given.get(1).is_some_and(|first| first == "--") {
        given.remove(1);
    }
    let arguments = Arguments::parse_from(given);
    match run(&arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Only fails where one is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut signals = Signals::listen().context("can't listen for signals")?;
    let mut screen = Screen::new();
    let mut stage = Stage::default();
    let end = tokio::select! {
        told = perform(&mut stage, &mut screen, arguments) => End::Told(told),
        number = signals.next() => End::Signal(number),
    };
    let folder = stage.folder.as_ref().map(|folder| folder.path().to_owned());
    screen.settle();
    let code = match end {
        End::Told(Ok(verdict)) if verdict.all_met() => ExitCode::SUCCESS,
        End::Told(told) => {
            for line in folder.iter().flat_map(|folder| logs::last_lines(folder)) {
                eprintln!("{line}");
            }
            if let Err(error) = told {
                eprintln!("demo: {error:#}");
            }
            ExitCode::FAILURE
        }
        End::Signal(number) => ExitCode::from(128 + number),
    };
    tokio::select! {
        left = stage.clear() => left.iter().for_each(|left| eprintln!("demo: {left}")),
        // Not even time for an orderly end: whatever is left ends by itself when its pipe closes.
        number = signals.next() => std::process::exit(128 + i32::from(number)),
    }
    Ok(code)
}

/// Sets everything up, tells the story and reports; stays until a signal comes unless told to exit.
async fn perform(stage: &mut Stage, screen: &mut Screen, arguments: &Arguments) -> anyhow::Result<Verdict> {
    let title = "Leaver takes people who have left the company out of Genesys Cloud:";
    screen.line(screen.paint(Colour::Strong, title))?;
    screen.line("first everything that is assigned (strip), then account and tokens (deactivate).")?;
    let mode = arguments.mode();
    match mode {
        Mode::Live => {}
        Mode::DryRun => {
            screen.line(screen.paint(Colour::Notice, "A dry run: it looks, and changes nothing."))?
        }
    }
    screen.line("")?;
    let program = program::build(screen).await?;
    screen.start_clock();
    let folder = stage.folder.insert(folder::Folder::make().context("can't make a temporary folder")?);
    screen.block(vec!["starting Postgres, Genesys Cloud (simulated) and Leaver ...".to_owned()])?;
    let server = stage.server.insert(Server::start(Durability::Durable).await?);
    let database = stage.database.insert(server.create_database("demo").await?);
    let simulator = stage.simulator.insert(genesys()?);
    let people = simulator.organisation(People::hire);
    let setup = Setup::write(program, folder.path(), database.url(), simulator, mode)?;
    let service = Service::start(&setup, &mut stage.serve).await?;
    stage.worker = Some(setup.start_worker(1)?);
    let whose = if server.folder().is_some() { "a private Postgres" } else { "the Postgres of DATABASE_URL" };
    screen.block(Vec::new())?;
    screen.event(format!("up: {whose}, a simulated Genesys Cloud, leaver serve, leaver worker"))?;

    if !screen.is_live() {
        screen.line(rows::LEGEND)?;
    }
    let mut story = Story {
        mode,
        screen,
        setup: &setup,
        service: &service,
        worker: &mut stage.worker,
        genesys: simulator.control(),
        people: &people,
        hris: Hris::new(&service.public, &setup.hris_secret)?,
        rows: Vec::new(),
        verdict: Verdict::default(),
    };
    story.tell().await?;
    let Story { rows, mut verdict, .. } = story;
    match mode {
        Mode::Live => report::truth(screen, &mut verdict, simulator, &people)?,
        Mode::DryRun => report::nothing_changed(screen, &mut verdict, simulator, &people)?,
    }
    report::requests(screen, &mut verdict, simulator, mode)?;
    search_logs(screen, &mut verdict, &setup, &people)?;
    report::verdict(screen, &verdict)?;
    if !arguments.exit {
        let lena = rows.iter().find(|row| row.who == Who::Lena).map_or("ID", |row| row.id.as_str());
        report::where_to_look(screen, &setup, &service, lena).await?;
        std::future::pending::<()>().await;
    }
    Ok(verdict)
}

fn genesys() -> anyhow::Result<Simulator> {
    let simulator = Simulator::start(Options {
        client_secret: uuid::Uuid::new_v4().simple().to_string(),
        rules: Rules { requests_allowed: REQUESTS_ALLOWED, ..Rules::default() },
        ..Options::default()
    })?;
    // Hooks run where they may block.
    simulator.on_request(|_: &RequestInfo| {
        tokio::runtime::Handle::current().block_on(tokio::time::sleep(ANSWER_TIME));
    });
    Ok(simulator)
}

/// Nothing that identifies anybody, and no secret, may stand in the logs.
fn search_logs(
    screen: &mut Screen,
    verdict: &mut Verdict,
    setup: &Setup,
    people: &People,
) -> anyhow::Result<()> {
    let mut words = people.identifying();
    words.extend_from_slice(setup.secrets());
    let folder = setup.config().parent().context("a configuration in no folder")?;
    let search = logs::search(folder, &words).context("can't read the logs")?;
    let (lines, found) = (search.lines, search.found.len());
    screen.line(format!("  logs: {lines} lines, {found} names, addresses or secrets"))?;
    for (log, line, word) in &search.found {
        verdict.expect(&format!("line {line} of {log}"), word.as_str(), "no name, address or secret");
    }
    verdict.expect("lines in the logs", lines > 0, true);
    Ok(())
}

/// The signals that end the demo.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one and gives its number, from which shells make the exit code.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hangup.recv() => 1,
        }
    }
}
