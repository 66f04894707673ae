//! The simulator as a program, seeded with a demonstration organisation. All behaviour is in the library.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use leaver_simulator::{Options, Rules, Simulator, presets};
use tokio::signal::unix::{SignalKind, signal};

/// A simulated Genesys Cloud with a small demonstration organisation.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, env = "LEAVER_SIMULATOR_LISTEN", default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// The id of the OAuth client.
    #[arg(long, env = "LEAVER_SIMULATOR_CLIENT_ID", default_value = "leaver")]
    client_id: String,
    /// The secret of the OAuth client.
    #[arg(
        long,
        env = "LEAVER_SIMULATOR_CLIENT_SECRET",
        default_value = "simulated-secret",
        hide_env_values = true
    )]
    client_secret: String,
    /// Requests allowed per token and minute.
    #[arg(long, env = "LEAVER_SIMULATOR_REQUESTS_ALLOWED", default_value_t = 300)]
    requests_allowed: u32,
    /// Starts nothing: says by the exit code whether one is listening there.
    #[arg(long)]
    health: bool,
}

/// How long a listener on the same machine may take to answer.
const HEALTH_MAX: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.health {
        let mut address = arguments.listen;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        std::net::TcpStream::connect_timeout(&address, HEALTH_MAX).context("nobody listens")?;
        return Ok(());
    }
    let simulator = Simulator::start(Options {
        listen: arguments.listen,
        client_id: arguments.client_id,
        client_secret: arguments.client_secret,
        rules: Rules { requests_allowed: arguments.requests_allowed, ..Rules::default() },
        ..Options::default()
    })?;
    simulator.organisation(presets::demonstration);
    // Before the line that says it is ready: whoever waits for the line may stop it at once.
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for Ctrl-C")?;
    let mut output = std::io::stdout();
    writeln!(output, "simulated Genesys Cloud listening on {}", simulator.url())?;
    output.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
