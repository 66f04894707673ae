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
