//! How the commands are called: one definition, which the program, its completions and its manual pages are made of.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

/// Takes people who have left the company out of Genesys Cloud.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, global = true, env = "LEAVER_CONFIG", default_value = "leaver.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Prints JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, in the order in which the help shows them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receives webhooks and works on offboardings.
    Serve {
        /// Only receives; workers run elsewhere.
        #[arg(long)]
        no_worker: bool,
        /// Leaves the database's schema as it is.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Works on offboardings without receiving any.
    Worker {
        /// Leaves the database's schema as it is.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Brings the database to this version's schema.
    Migrate,
    /// Checks the configuration, the database, the access to Genesys Cloud and each permission there.
    Check,
    /// Asks a running service whether it is ready, as a health check of a container does.
    Health {
        /// The service's address; the configured listener on this machine if it is left out.
        #[arg(long)]
        url: Option<String>,
    },
    /// Shows what an offboarding would remove, keep and be held by, without a single changing call.
    Plan {
        /// An e-mail address, an external id or a Genesys user id.
        person: String,
        /// Why they would leave, in the HRIS's word: order and waiting may depend on it.
        #[arg(long = "type", value_name = "TYPE")]
        termination_type: Option<String>,
    },
    /// Takes somebody out who has left, as an event of the HRIS would: through the same policy, brake and record.
    Offboard {
        /// An e-mail address, an external id or a Genesys user id.
        person: String,
        /// Why; it stands in the journal.
        #[arg(long)]
        reason: String,
        /// When: RFC 3339, or a date or a local time in the policy's zone; now if it is left out.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Why they leave, in the HRIS's word: order and waiting may depend on it.
        #[arg(long = "type", value_name = "TYPE")]
        termination_type: Option<String>,
    },
    /// Signs a body as a source would, and posts it.
    Send {
        /// The source's name in the configuration.
        #[arg(long)]
        source: String,
        /// The body; - is standard input.
        #[arg(long)]
        file: PathBuf,
        /// Where to, without a path to the source's; the configured listener if it is left out.
        #[arg(long)]
        url: Option<String>,
        /// The secret to sign with, or env:NAME, or file:/path; the source's newest if it is left out. For a source of
        /// public keys the private key.
        #[arg(long)]
        secret: Option<String>,
        /// A header that only the sender knows, as often as there are some; it is signed where the source signs it.
        #[arg(long = "header", value_name = "NAME=VALUE")]
        headers: Vec<String>,
    },
    /// Asks a source's HR system about one person, and says how its answer reads.
    LookUp {
        /// The source's name in the configuration.
        source: String,
        /// An e-mail address or the HR system's id.
        person: String,
    },
    /// Shows the verification token that a source's sender has posted, to be confirmed at the sender.
    Token {
        /// The source's name in the configuration.
        source: String,
    },
    /// Lists offboardings, newest first.
    List {
        /// Only this status.
        #[arg(long)]
        status: Option<String>,
        /// Only this person.
        #[arg(long)]
        person: Option<String>,
        /// Only this source.
        #[arg(long)]
        source: Option<String>,
        /// Only what comes after this: the `next` of a page before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// At most so many; more than 200 are never given at once.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one offboarding with its steps and its journal.
    Show {
        /// The offboarding's id.
        id: String,
    },
    /// Tries a failed or waiting offboarding again now.
    Retry {
        /// The offboarding's id.
        id: String,
    },
    /// Ends an offboarding without carrying it out.
    Cancel {
        /// The offboarding's id.
        id: String,
    },
    /// Releases held offboardings: all that are named, or none.
    Approve {
        /// The offboardings' ids, at most 1000.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// What all of them have to be held for, for example brake.
        #[arg(long)]
        reason: Option<String>,
        /// The person's e-mail address, where the one that is held lacks it.
        #[arg(long, conflicts_with = "reason")]
        email: Option<String>,
        /// When it takes effect, where the one that is held lacks that: RFC 3339, a date or a local time.
        #[arg(long, value_name = "TIME", conflicts_with = "reason")]
        at: Option<String>,
    },
    /// Plans a layoff, whose people pass the brake once somebody else has approved it.
    Layoff {
        /// What to do with it.
        #[command(subcommand)]
        command: LayoffCommand,
    },
    /// Lists stored events, newest first, also those that were ignored or could not be read.
    Events {
        /// Only this source.
        #[arg(long)]
        source: Option<String>,
        /// Only accepted, held or ignored ones.
        #[arg(long)]
        disposition: Option<String>,
        /// Only this word of the sender's for what happened.
        #[arg(long, value_name = "WORD")]
        event: Option<String>,
        /// Only what comes after this: the `next` of a page before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// At most so many; more than 200 are never given at once.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one event: how it was read, its body, and what replays changed.
    Event {
        /// The event's id, or the sender's own.
        id: String,
        /// The source, where several have an event of this id.
        #[arg(long)]
        source: Option<String>,
    },
    /// Reads the delivery of a stored event again by the present profile of its source, and takes what it says now.
    Replay {
        /// The event's id, or the sender's own.
        id: String,
        /// The source, where several have an event of this id.
        #[arg(long)]
        source: Option<String>,
    },
    /// Verifies the audit chain, and writes the evidence.
    Audit {
        /// What to do.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Pauses all replicas: no changing call begins until `leaver resume`. Events are received and stored as ever.
    Pause {
        /// Why; it stands in the journal and beside every list.
        #[arg(long)]
        reason: String,
    },
    /// Lets the work go on after a pause.
    Resume,
    /// Says who has left by a list of the HR system and is still active, or holds something, in Genesys Cloud.
    ///
    /// Exit code 0: everybody was looked up; 1: somebody could not be read, or, with --exit-code, something is left to do; 2: the
    /// list or the configuration has to be mended, and nobody was looked up.
    Reconcile {
        /// The list, with a heading: at least one of the columns email, external_id and genesys_user_id, and where there is
        /// one left_on (or termination_date, last_day and the like), source and type. Commas, semicolons or tabs; UTF-8; at most 10000 people.
        #[arg(long, value_name = "FILE")]
        csv: PathBuf,
        /// Opens an offboarding for each gap, as `leaver offboard` does. Without it, everything is only read.
        #[arg(long)]
        apply: bool,
        /// Ends with exit code 1 also where there are gaps, or something waits for a person.
        #[arg(long)]
        exit_code: bool,
    },
    /// Lists what others were told of offboardings, newest first; repeats one, or tries a target.
    Callbacks {
        /// What to do besides listing.
        #[command(subcommand)]
        command: Option<CallbacksCommand>,
        /// Only this status: waiting, delivered or gave_up.
        #[arg(long)]
        status: Option<String>,
        /// Only those about this offboarding.
        #[arg(long, value_name = "ID")]
        offboarding: Option<String>,
        /// Only what comes after this: the `next` of a page before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// At most so many; more than 200 are never given at once.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Puts back what an offboarding took away, in the reverse order; says what can't come back.
    Restore {
        /// The offboarding's id. It must not be scheduled: cancel that first.
        id: String,
    },
    /// Writes the completions for a shell to standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Writes the manual page, or all of them, one for each command.
    Man {
        /// The folder that gets a page for each command; standard output gets the first one if it is left out.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// What is done with callbacks besides listing them.
#[derive(Debug, Subcommand)]
pub enum CallbacksCommand {
    /// Sends one once more, under the same id.
    Repeat {
        /// The callback's id.
        id: String,
    },
    /// Sends a signed test to a target and says what it answers; nothing is stored.
    Test {
        /// The target's name in the configuration.
        name: String,
    },
}

/// What is done with the audit chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Computes the chain anew, compares it with the journal and with signed checkpoints; exit code 1 where anything differs.
    Verify {
        /// A file of checkpoints, as often as there are some; the configured one, where it is there, if it is left out.
        #[arg(long, value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// The public key that proves them, as often as keys were replaced; that of the configured key if it is left out.
        #[arg(long, value_name = "KEY", requires = "checkpoints")]
        public_key: Vec<String>,
    },
    /// Writes the evidence to standard output.
    Export {
        /// journal (every entry with its hash) or offboardings (the population to sample from).
        #[arg(long, default_value = "journal")]
        what: String,
        /// jsonl or csv.
        #[arg(long, default_value = "jsonl")]
        format: String,
        /// Not before: RFC 3339, or a date, which is a day in UTC.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Before: RFC 3339; or a date, to the end of that day in UTC.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Prints the public key of the configured checkpoint key.
    Key {
        /// Makes a new pair of keys and prints both.
        #[arg(long)]
        new: bool,
    },
}

/// What `leaver layoff` can do.
#[derive(Debug, Subcommand)]
pub enum LayoffCommand {
    /// Stores a list, a window and a count; prints the digest that an approver has to name.
    Plan {
        /// The list: one person per line in the first column, an e-mail address, a Genesys user id or SOURCE:ID.
        #[arg(long, value_name = "FILE")]
        csv: PathBuf,
        /// When it begins: RFC 3339, or a date or a local time in the policy's zone.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// When it is over, at most 31 days later.
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// The most people that pass; the whole list if it is left out.
        #[arg(long)]
        count: Option<u32>,
    },
    /// Lists layoffs, newest first.
    List,
    /// Approves a layoff. Who planned it can't.
    Approve {
        /// The layoff's id.
        id: String,
        /// The digest of the list, so that this list is approved and no other.
        #[arg(long, value_name = "HEX")]
        digest: String,
    },
    /// Lets nobody more through.
    Cancel {
        /// The layoff's id.
        id: String,
    },
}
