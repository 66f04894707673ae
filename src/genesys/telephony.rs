//! Telephony: the stations (phones) of a user, and taking them away.

use serde::Deserialize;

use super::{
    Genesys,
    call::{Done, Missing, OneCall},
    error::{CallFailed, Error, Trace},
    ids::{StationId, UserId, segment},
    send::Request,
};

/// A phone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Station {
    /// The station's id.
    pub id: StationId,
    /// The station's name.
    pub name: Option<String>,
}

/// The phones of a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stations {
    /// The phone that the user has chosen for now.
    #[serde(rename = "associatedStation")]
    pub associated: Option<Station>,
    /// The phone that belongs to the user.
    pub default_station: Option<Station>,
}

impl Genesys {
    /// Reads the phones of the user. Genesys leaves out, or gives as null, what there isn't.
    pub async fn stations_of(&self, user: &UserId) -> Result<Stations, Error> {
        let path = format!("/api/v2/users/{}/station", segment(user.as_str()));
        let (found, _): (Stations, Trace) = self.read("the stations of a user", &Request::get(path)).await?;
        Ok(found)
    }
}

impl OneCall {
    /// Takes the chosen phone from the user.
    pub async fn delete_associated_station(self, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}/station/associatedstation", segment(user.as_str()));
        self.send(Request::delete(path), Missing::Gone).await
    }

    /// Takes the user's own phone from the user.
    pub async fn delete_default_station(self, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}/station/defaultstation", segment(user.as_str()));
        self.send(Request::delete(path), Missing::Gone).await
    }
}
