//! Layoffs, for people.

use chrono::{DateTime, Utc};

use crate::store::layoffs::{Layoff, LayoffId};

pub(in crate::commands) fn layoffs(layoffs: &[Layoff]) {
    if layoffs.is_empty() {
        say!("no layoffs");
    }
    for layoff in layoffs {
        say!("{}  {}", layoff.id, standing(layoff));
        say!("reason     {}", layoff.reason);
        say!("window     {} to {}", layoff.from.to_rfc3339(), layoff.until.to_rfc3339());
        say!("people     {} on the list, {} may pass, {} did", layoff.people, layoff.count, layoff.used);
        say!("planned    {}", by(Some(&layoff.requested_by), Some(layoff.created_at)));
        say!("digest     {}", layoff.digest);
    }
}

/// Says where the rest of a list is.
pub(in crate::commands) fn older_layoffs(next: Option<LayoffId>) {
    if let Some(next) = next {
        say!("there are older ones: GET /api/v1/layoffs?after={next}");
    }
}

fn standing(layoff: &Layoff) -> String {
    match (&layoff.cancelled_by, &layoff.approved_by) {
        (Some(_), _) => {
            format!("cancelled by {}", by(layoff.cancelled_by.as_deref(), layoff.cancelled_at))
        }
        (None, Some(_)) => format!("approved by {}", by(layoff.approved_by.as_deref(), layoff.approved_at)),
        (None, None) => "waits for an approver who did not plan it".to_owned(),
    }
}

fn by(who: Option<&str>, at: Option<DateTime<Utc>>) -> String {
    let at = at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
    format!("{}, {}", who.unwrap_or("nobody"), at.unwrap_or_default())
}
