//! From the command line to the command: one call each.

use super::cli::{AuditCommand, CallbacksCommand, Cli, Command, LayoffCommand};
use super::{Apply, Failure, KeyWanted, Open, Output};
use crate::config::Config;
use crate::operate::{Completion, OwnTermination};
use crate::serve::{Migrate, Work};
use crate::store::decisions::Decision;

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Failure> {
    // These need no configuration.
    if let Command::Completions { shell } = cli.command {
        return super::completions(shell);
    }
    if let Command::Man { out } = &cli.command {
        return super::manual(out.as_deref());
    }
    let output = if cli.json { Output::Json } else { Output::Text };
    if let Command::Health { url: Some(url) } = &cli.command {
        return super::health(url, output);
    }
    let config = Config::load(&cli.config).map_err(Failure::configuration)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve { no_worker, no_migrate } => {
                let work = if no_worker { Work::Elsewhere } else { Work::Here };
                super::serve(&config, work, migrate(no_migrate)).await
            }
            Command::Worker { no_migrate } => super::worker(&config, migrate(no_migrate)).await,
            Command::Migrate => super::migrate(&config, output).await,
            Command::Check => super::check(&config, output).await,
            Command::Health { .. } => super::health_of(&config, output),
            Command::Completions { .. } | Command::Man { .. } => Ok(()),
            Command::Plan { person, termination_type } => {
                super::plan(&config, &person, termination_type.as_deref(), output).await
            }
            Command::Offboard { person, reason, at, termination_type } => {
                let asked = OwnTermination { person, reason, at, termination_type };
                super::offboard(&config, asked, output).await
            }
            Command::Approve { ids, reason, email, at } => {
                let completion = Completion { email, at };
                super::approve(&config, &ids, reason.as_deref(), &completion, output).await
            }
            Command::Layoff { command } => layoff(&config, command, output).await,
            Command::Send { source, file, url, secret, headers } => {
                let arguments = super::SendArguments { source, file, url, secret, headers };
                super::send(&config, arguments, output).await
            }
            Command::LookUp { source, person } => super::look_up(&config, &source, &person, output).await,
            Command::Token { source } => super::token(&config, &source, output).await,
            Command::List { status, person, source, after, limit } => {
                super::list(&config, super::ListArguments { status, person, source, after, limit }, output)
                    .await
            }
            Command::Events { source, disposition, event, after, limit } => {
                let arguments = super::EventsArguments { source, disposition, event, after, limit };
                super::events(&config, arguments, output).await
            }
            Command::Event { id, source } => {
                super::event(&config, super::EventArguments { id, source }, output).await
            }
            Command::Replay { id, source } => {
                super::replay(&config, super::EventArguments { id, source }, output).await
            }
            Command::Audit { command } => audit(&config, command, output).await,
            Command::Pause { reason } => super::pause(&config, &reason, output).await,
            Command::Resume => super::resume(&config, output).await,
            Command::Reconcile { csv, apply, exit_code } => {
                let apply = if apply { Apply::Gaps } else { Apply::Nothing };
                let open = if exit_code { Open::Fails } else { Open::IsSaid };
                super::reconcile(&config, &csv, apply, open, output).await
            }
            Command::Callbacks { command, status, offboarding, after, limit } => match command {
                None => {
                    let arguments = super::CallbacksArguments { status, offboarding, after, limit };
                    super::list_callbacks(&config, arguments, output).await
                }
                Some(CallbacksCommand::Repeat { id }) => super::repeat_callback(&config, &id, output).await,
                Some(CallbacksCommand::Test { name }) => super::test_callback(&config, &name, output).await,
            },
            Command::Show { id } => super::show(&config, &id, output).await,
            Command::Retry { id } => super::decide(&config, &id, Decision::Retry, output).await,
            Command::Cancel { id } => super::decide(&config, &id, Decision::Cancel, output).await,
            Command::Restore { id } => super::decide(&config, &id, Decision::Restore, output).await,
        }
    });
    // Dropping it would wait for look-ups of names and for disks that hang, and nothing bounds those.
    runtime.shutdown_background();
    done
}

async fn audit(config: &Config, command: AuditCommand, output: Output) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify { checkpoints, public_key } => {
            super::verify_audit(config, checkpoints, &public_key, output).await
        }
        AuditCommand::Export { what, format, since, until } => {
            let arguments = super::ExportArguments { what, format, since, until };
            super::export_audit(config, &arguments).await
        }
        AuditCommand::Key { new } => {
            let wanted = if new { KeyWanted::New } else { KeyWanted::Configured };
            super::audit_key(config, wanted, output)
        }
    }
}

async fn layoff(config: &Config, command: LayoffCommand, output: Output) -> Result<(), Failure> {
    match command {
        LayoffCommand::Plan { csv, from, until, reason, count } => {
            let arguments = super::PlanArguments { csv: &csv, from, until, reason, count };
            super::plan_layoff(config, arguments, output).await
        }
        LayoffCommand::List => super::list_layoffs(config, output).await,
        LayoffCommand::Approve { id, digest } => super::approve_layoff(config, &id, &digest, output).await,
        LayoffCommand::Cancel { id } => super::cancel_layoff(config, &id, output).await,
    }
}

fn migrate(never: bool) -> Migrate {
    if never { Migrate::Never } else { Migrate::AtStart }
}
