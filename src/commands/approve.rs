//! `leaver approve`: releases what is held, all that is named or nothing.

use serde_json::json;

use super::{Failure, Output, actor, parse_id, print, print_view, refused};
use crate::config::Config;
use crate::offboarding::{OffboardingId, Reason};
use crate::operate::{self, Completion, InMode};
use crate::serve::{Parts, own_rules};
use crate::store::approvals::Approval;

/// Approves and prints the offboarding, or, of several, how many they were and the digest of the set.
pub async fn approve(
    config: &Config,
    ids: &[String],
    reason: Option<&str>,
    completion: &Completion,
    output: Output,
) -> Result<(), Failure> {
    let ids: Vec<OffboardingId> = ids.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?;
    if !completion.is_empty() {
        return complete(config, &ids, completion, output).await;
    }
    let reason: Option<Reason> = reason
        .map(|word| {
            word.parse().map_err(|_| Failure::Usage(format!("--reason: {word:?} is no reason for a hold")))
        })
        .transpose()?;
    let store = Parts::new(config)?.store;
    let set = match operate::approve(&store, &ids, reason, &actor()).await? {
        Approval::Given(set) => set,
        Approval::Refused(id, decided) => {
            let why = refused(&id.to_string(), decided).unwrap_or_default();
            return Err(Failure::Failed(format!("nothing was approved: {id}: {why}")));
        }
    };
    if let [id] = set.ids.as_slice()
        && let Some(view) = operate::show(&store, *id).await?
    {
        return print_view(config, &store, &view, output).await;
    }
    let digest = hex::encode(set.digest);
    match output {
        Output::Json => {
            let set = json!({ "ids": set.ids, "size": set.ids.len(), "digest": digest });
            print::json(&InMode::new(config.policy.mode, set));
        }
        Output::Text => {
            print::mode(config.policy.mode);
            print::approved(set.ids.len(), &digest);
        }
    }
    Ok(())
}

/// Says for one offboarding what its event did not, and releases it.
async fn complete(
    config: &Config,
    ids: &[OffboardingId],
    completion: &Completion,
    output: Output,
) -> Result<(), Failure> {
    let [id] = ids else {
        return Err(Failure::Usage("--email and --at are for one offboarding: name one ID".to_owned()));
    };
    let store = Parts::new(config)?.store;
    let (decided, view) = operate::complete(&store, &own_rules(config), *id, completion, &actor()).await?;
    if let Some(refused) = refused(&id.to_string(), decided) {
        return Err(Failure::Failed(refused));
    }
    match view {
        Some(view) => print_view(config, &store, &view, output).await,
        None => Ok(()),
    }
}
