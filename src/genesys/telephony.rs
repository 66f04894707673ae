//! Telephony: the stations, phones, numbers and call forwarding of a user, and what of them can be taken away and put
//! back.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Genesys,
    call::{Done, Missing, OneCall, only},
    error::{CallFailed, Error, Fault, Trace},
    ids::{PhoneId, StationId, UserId, segment},
    page::{Entry, LONG_ENTRIES_PAGE_SIZE, PAGE_SIZE, Page},
    send::Request,
};

/// The fields of call forwarding that can be set.
const FORWARDING_FIELDS: [&str; 4] = ["enabled", "phoneNumber", "calls", "voicemail"];

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

/// A phone as it is administered; a station is the place where it rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// The phone's id.
    pub id: PhoneId,
    /// The phone's name.
    pub name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPhone {
    id: PhoneId,
    name: Option<String>,
    web_rtc_user: Option<RawOwner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNumber {
    number: String,
    assigned: Option<bool>,
    owner: Option<RawOwner>,
    owner_type: Option<String>,
}

/// Whose something is; owners of numbers are not only users.
#[derive(Deserialize)]
struct RawOwner {
    id: String,
}

#[derive(Deserialize)]
struct RawForwarding {
    #[serde(rename = "enabled")]
    _enabled: bool,
    user: Option<RawOwner>,
}

impl Entry for RawPhone {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Entry for RawNumber {
    fn key(&self) -> &str {
        &self.number
    }
}

impl RawNumber {
    fn is_of(&self, user: &UserId) -> bool {
        self.owner_type.as_deref().is_none_or(|kind| kind == "USER")
            && self.owner.as_ref().is_some_and(|owner| owner.id == user.as_str())
    }
}

impl Genesys {
    /// Reads the phones of the user. Genesys leaves out, or gives as null, what there isn't.
    pub async fn stations_of(&self, user: &UserId) -> Result<Stations, Error> {
        let path = format!("/api/v2/users/{}/station", segment(user.as_str()));
        let (found, _): (Stations, Trace) = self.read("the stations of a user", &Request::get(path)).await?;
        Ok(found)
    }

    /// Reads the call forwarding of the user as Genesys gives it, `enabled` always with it; `None` when there is none.
    pub async fn call_forwarding_of(&self, user: &UserId) -> Result<Option<Value>, Error> {
        let judge = |found: RawForwarding| match found.user {
            Some(owner) if owner.id != user.as_str() => Err(Fault::Foreign),
            Some(_) | None => Ok(()),
        };
        self.read_checked("the call forwarding of a user", &Request::get(forwarding_path(user)), judge).await
    }

    /// Reads the WebRTC phones of the user. A phone that names somebody else is left out; that it names nobody is
    /// ordinary, and the question was for this user's.
    pub async fn phones_of(&self, user: &UserId) -> Result<Vec<Phone>, Error> {
        let filter = format!("webRtcUserId={}&pageSize={LONG_ENTRIES_PAGE_SIZE}", segment(user.as_str()));
        let page = |number| {
            Request::get(format!("/api/v2/telephony/providers/edges/phones?{filter}&pageNumber={number}"))
        };
        let found = self.read_pages::<RawPhone>("the phones of a user", page).await?;
        let is_theirs =
            |phone: &RawPhone| phone.web_rtc_user.as_ref().is_none_or(|owner| owner.id == user.as_str());
        let phones = found.into_iter().filter(is_theirs);
        Ok(phones.map(|raw| Phone { id: raw.id, name: raw.name }).collect())
    }

    /// Reads the direct inward dialling numbers of the user, E.164. Genesys can't be asked for one owner's: all numbers
    /// of the organization are read, and more than 10,000 are [`Fault::TooManyPages`]. An assigned number that doesn't
    /// say whose it is makes the answer malformed, because it might be the user's.
    pub async fn dids_of(&self, user: &UserId) -> Result<Vec<String>, Error> {
        let subject = "the numbers of a user";
        let page = |number| {
            let query = format!("type=ASSIGNED_AND_UNASSIGNED&pageSize={PAGE_SIZE}&pageNumber={number}");
            Request::get(format!("/api/v2/telephony/providers/edges/didpools/dids?{query}"))
        };
        let found = self.walk_pages::<Page<RawNumber>, RawNumber>(subject, page, |_| false).await?;
        if found.entries.iter().any(|number| number.assigned == Some(true) && number.owner.is_none()) {
            return Err(Error::Malformed { subject, fault: Fault::WrongShape, trace: found.trace });
        }
        let theirs = found.entries.into_iter().filter(|number| number.is_of(user));
        Ok(theirs.map(|raw| raw.number).collect())
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

    /// Gives a phone to the user for now. Genesys does it later (202), and refuses a station that somebody uses (409,
    /// which is [`Error::VersionConflict`] here like every 409).
    pub async fn put_associated_station(
        self,
        user: &UserId,
        station: &StationId,
    ) -> Result<Done, CallFailed> {
        let (user, station) = (segment(user.as_str()), segment(station.as_str()));
        let path = format!("/api/v2/users/{user}/station/associatedstation/{station}");
        self.apply(Request::put(path)).await
    }

    /// Gives a phone to the user as their own. Genesys does it later (202).
    pub async fn put_default_station(self, user: &UserId, station: &StationId) -> Result<Done, CallFailed> {
        let (user, station) = (segment(user.as_str()), segment(station.as_str()));
        let path = format!("/api/v2/users/{user}/station/defaultstation/{station}");
        self.apply(Request::put(path)).await
    }

    /// Sets the call forwarding of the user, as it was read; of what can't be set nothing is sent.
    pub async fn put_call_forwarding(self, user: &UserId, forwarding: &Value) -> Result<Done, CallFailed> {
        let body = Value::Object(only(forwarding, &FORWARDING_FIELDS)?);
        self.apply(Request::with_body(Method::PUT, forwarding_path(user), body)).await
    }
}

fn forwarding_path(user: &UserId) -> String {
    format!("/api/v2/users/{}/callforwarding", segment(user.as_str()))
}
