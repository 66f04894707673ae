//! Why a decision about an offboarding was refused, in the words of the API, the console and the commands.

use crate::store::decisions::{Decided, Fact};

/// How whoever asks says what is missing: `at` or `--at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// In a body or a form.
    Api,
    /// On a command line.
    CommandLine,
}

/// A sentence, or nothing where it was not refused.
pub fn why_refused(decided: Decided, asker: Asker) -> Option<String> {
    let option = match asker {
        Asker::Api => "",
        Asker::CommandLine => "--",
    };
    Some(match decided {
        Decided::Yes => return None,
        Decided::Unknown => "no offboarding has this id".to_owned(),
        Decided::NotFrom(status) => format!("the offboarding is {status}, which does not allow this"),
        Decided::UnderLease => {
            "a worker is at it at this moment, and what comes of it will stand in the journal".to_owned()
        }
        Decided::OwnRequest => "who asked for an offboarding can't approve it".to_owned(),
        Decided::AnotherOpen(other) => format!("another offboarding of the same person is open: {other}"),
        Decided::ApprovalNeeded(reason) => {
            format!("the offboarding is held for {reason}, which an approver has to release")
        }
        Decided::NothingToRestore => {
            "there is nothing to restore: nothing was changed, or everything has been put back".to_owned()
        }
        Decided::FactsMissing(reason, fact) => {
            let asked = match fact {
                Fact::Person => format!("an approver has to say whom it is about ({option}email)"),
                Fact::Moment => format!("an approver has to say when it takes effect ({option}at)"),
                Fact::User => {
                    "who is meant can't be approved; mend it where the people are kept and retry, or cancel"
                        .to_owned()
                }
            };
            format!("the offboarding is held for {reason}: {asked}")
        }
        Decided::NamedAlready => {
            "the event names the person by another address, and an approval changes nobody into somebody else"
                .to_owned()
        }
        Decided::HeldFor(reason) => format!("the offboarding is held for {reason}"),
    })
}
