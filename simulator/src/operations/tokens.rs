//! Revoking the access tokens of a user; the client's own tokens are another matter.

use super::{Call, Operations};
use crate::answer::{Answer, Problem};
use crate::organisation::Organisation;
use crate::rules::RevokingNothing;

pub(super) const OPERATIONS: Operations = &[("deleteToken", revoke)];

fn revoke(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("userId");
    let revoked = call.change(organisation, id, &[], |person| {
        let revoked = std::mem::take(&mut person.tokens);
        person.tokens_revoked += revoked;
        revoked
    })?;
    match call.rules.revoking_nothing {
        RevokingNothing::NotFound if revoked == 0 => Err(Problem::not_found()),
        RevokingNothing::NotFound | RevokingNothing::NoContent => Ok(Answer::empty(204)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use crate::probe::Probe;

    #[tokio::test]
    async fn revoking_counts_the_tokens_and_a_second_time_is_204_or_404_by_switch() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        let path = format!("/api/v2/tokens/{agent}");
        assert_eq!(probe.delete(&path).await.status, 204);
        let person = probe.simulator.person(&agent).unwrap();
        assert_eq!((person.tokens, person.tokens_revoked), (0, 2));
        assert_eq!(probe.delete(&path).await.status, 204);
        probe.simulator.rules(|rules| rules.revoking_nothing = RevokingNothing::NotFound);
        assert_eq!(probe.delete(&path).await.status, 404);
        assert_eq!(probe.get(&format!("/api/v2/users/{agent}")).await.status, 200);
    }
}
