//! What the OAuth client may do, against what it has to: each permission that is missing, with who needs it and where it is
//! granted, and each that it has and does not need.

use std::collections::BTreeSet;

use super::check::Finding;
use crate::config::{Config, OffQueue, Protected, ShiftEnd};
use crate::genesys::{Error, permits};
use crate::plan::{self, Plan, Step, reports};

/// Where a permission is given to the client.
pub(super) const WHERE: &str = "give it to a role of the OAuth client: Admin > Roles / Permissions; the role stands with all divisions under Admin > Integrations > OAuth > the client > Roles";

/// What fails, or is lost, without a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// Offboardings.
    Needed,
    /// Restores.
    Restore,
    /// What the words say.
    Optional(&'static str),
}

/// One thing that has to be permitted.
#[derive(Clone, Debug)]
struct Need {
    who: String,
    /// One of them is enough.
    any_of: &'static [&'static str],
    weight: Weight,
}

/// Compares what is granted with what this configuration needs.
pub(super) fn findings(config: &Config, granted: Result<Vec<String>, Error>) -> Vec<Finding> {
    let needs = needs(config);
    match granted {
        Ok(granted) if granted.is_empty() => vec![unreadable("its roles name no policies", &needs)],
        Ok(granted) => compare(&needs, &granted),
        Err(error) => vec![unreadable(&error.code(), &needs)],
    }
}

/// The least that an OAuth client has to be given for this configuration, restores and the optional ones included.
pub fn needed(config: &Config) -> BTreeSet<&'static str> {
    needs(config).iter().filter_map(|need| need.any_of.first().copied()).collect()
}

fn needs(config: &Config) -> Vec<Need> {
    let plan = Plan::new(config.plan.clone());
    let mut needs = vec![need("finding people", &["directory:user:view"], Weight::Needed)];
    if config.policy.protected.iter().any(|protected| matches!(protected, Protected::Role(_))) {
        needs.push(need("policy.protected", &["authorization:grant:view"], Weight::Needed));
    }
    if !config.policy.administrator_roles.is_empty() {
        needs.push(need("policy.administrator_roles", &["authorization:grant:view"], Weight::Needed));
    }
    for step in plan.all() {
        needs.extend(step.permissions().iter().map(|any_of| need(step.name(), any_of, Weight::Needed)));
        let back = step.restore_permissions().iter();
        needs.extend(back.map(|any_of| need(step.name(), any_of, Weight::Restore)));
    }
    for report in reports::read_under(plan.choices()) {
        let needed = report.permissions().iter();
        needs.extend(needed.map(|any_of| need(report.name(), any_of, Weight::Needed)));
    }
    let lost = "nobody who is waited for is taken off queue";
    if config.policy.off_queue == OffQueue::Unjoin {
        let of_calls = plan::OffQueue.permissions().iter();
        needs.extend(of_calls.map(|any_of| need("policy.off_queue", any_of, Weight::Optional(lost))));
    }
    let lost = "no end of a shift is known, and only policy.busy_wait_max ends the waiting";
    if config.policy.shift_end == ShiftEnd::Wait {
        let of_read = plan::SHIFT_PERMISSIONS.iter();
        needs.extend(of_read.map(|any_of| need("policy.shift_end", any_of, Weight::Optional(lost))));
    }
    let audit = "keeps_returning can't say who assigns what was taken away";
    needs.push(need("the audit", &["audits:audit:view"], Weight::Optional(audit)));
    let own = "this check can't read what the client may do";
    needs.push(need("leaver check", &["authorization:grant:view"], Weight::Optional(own)));
    needs
}

fn need(who: &str, any_of: &'static [&'static str], weight: Weight) -> Need {
    Need { who: who.to_owned(), any_of, weight }
}

fn compare(needs: &[Need], granted: &[String]) -> Vec<Finding> {
    let has = |need: &&Need| need.any_of.iter().any(|wanted| permits(granted, wanted));
    let missing: Vec<&Need> = needs.iter().filter(|need| !has(need)).collect();
    let mut findings = Vec::new();
    let mut named: BTreeSet<&[&str]> = BTreeSet::new();
    for need in &missing {
        if named.insert(need.any_of) {
            findings.push(absent(need.any_of, &missing));
        }
    }
    if missing.iter().all(|need| need.weight != Weight::Needed) {
        let needed: BTreeSet<_> =
            needs.iter().filter(|need| need.weight == Weight::Needed).map(|need| need.any_of).collect();
        findings.insert(0, Finding::good("permissions", format!("all {} that are needed", needed.len())));
    }
    findings.extend(excess(needs, granted));
    findings
}

/// One missing permission, with everybody who needs it.
fn absent(any_of: &[&str], missing: &[&Need]) -> Finding {
    let (first, others) = any_of.split_first().map_or(("", any_of), |(first, others)| (*first, others));
    let what = format!("permission {first}");
    let or = match others {
        [] => String::new(),
        others => format!(" (or {})", others.join(" or ")),
    };
    let of_weight = |weight: Weight| -> Vec<&str> {
        let same = missing.iter().filter(|need| need.any_of == any_of && need.weight == weight);
        same.map(|need| need.who.as_str()).collect()
    };
    let (needed, restore) = (of_weight(Weight::Needed), of_weight(Weight::Restore));
    if !needed.is_empty() {
        return Finding::bad(&what, format!("missing{or}: needed by {}", needed.join(", ")))
            .with_advice(WHERE);
    }
    if !restore.is_empty() {
        let restore = restore.join(", ");
        return Finding::doubtful(&what, format!("missing{or}: a restore of {restore} needs it"))
            .with_advice(WHERE);
    }
    let lost = missing.iter().find(|need| need.any_of == any_of).map(|need| match need.weight {
        Weight::Optional(lost) => lost,
        Weight::Needed | Weight::Restore => "",
    });
    Finding::doubtful(&what, format!("missing{or}: without it {}", lost.unwrap_or_default()))
        .with_advice(WHERE)
}

/// What the client may do beyond everything that it could ever need here.
fn excess(needs: &[Need], granted: &[String]) -> Vec<Finding> {
    let (wide, narrow): (Vec<_>, Vec<_>) = granted.iter().partition(|granted| granted.contains('*'));
    let of_use = |granted: &&&String| needs.iter().any(|need| need.any_of.contains(&granted.as_str()));
    let unneeded: Vec<&str> = narrow.iter().filter(|one| !of_use(one)).map(|one| one.as_str()).collect();
    let wide: Vec<&str> = wide.iter().map(|granted| granted.as_str()).collect();
    let mut findings = Vec::new();
    if !wide.is_empty() {
        let detail = format!("{}: a stolen secret could do all of that", wide.join(", "));
        let todo =
            "grant single permissions instead: ops/terraform has a role with exactly those that are needed";
        findings.push(Finding::doubtful("permissions too wide", detail).with_advice(todo));
    }
    if !unneeded.is_empty() {
        let detail = format!("{} that nothing here needs: {}", unneeded.len(), unneeded.join(", "));
        let todo = "take them out of the client's roles: Admin > Roles / Permissions";
        findings.push(Finding::doubtful("permissions in excess", detail).with_advice(todo));
    }
    findings
}

/// What to compare by hand where the client can't be asked.
fn unreadable(why: &str, needs: &[Need]) -> Finding {
    let list = |weight: fn(Weight) -> bool| {
        let mut seen = BTreeSet::new();
        let of_weight = needs.iter().filter(|need| weight(need.weight) && seen.insert(need.any_of));
        of_weight.map(|need| need.any_of.join(" or ")).collect::<Vec<_>>().join(", ")
    };
    let needed = list(|weight| weight == Weight::Needed);
    let restore = list(|weight| weight == Weight::Restore);
    let detail = format!(
        "what the OAuth client may do can't be read ({why}); needed are {needed}; for restores {restore}"
    );
    Finding::doubtful("permissions", detail)
        .with_advice("compare the client's roles with that list: Admin > Roles / Permissions")
}

#[cfg(test)]
mod tests {
    use super::super::check::Level;
    use super::*;

    const NEEDS: fn() -> Vec<Need> = || {
        vec![
            need("strip.a", &["a:a:edit", "a:b:manage"], Weight::Needed),
            need("strip.b", &["a:a:edit", "a:b:manage"], Weight::Needed),
            need("strip.a", &["a:a:add"], Weight::Restore),
            need("the audit", &["audits:audit:view"], Weight::Optional("nobody is named")),
        ]
    };

    fn compared(granted: &[&str]) -> Vec<(String, Level, String)> {
        let granted: Vec<_> = granted.iter().map(|one| (*one).to_owned()).collect();
        let told = |one: Finding| {
            (one.check, one.severity, format!("{} {}", one.what, one.todo.unwrap_or_default()))
        };
        compare(&NEEDS(), &granted).into_iter().map(told).collect()
    }

    #[test]
    fn a_missing_permission_is_named_once_with_everybody_who_needs_it_and_its_alternatives() {
        let found = compared(&["a:a:add", "audits:audit:view"]);
        let [(what, level, detail)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((what.as_str(), *level), ("permission a:a:edit", Level::Fail));
        assert!(detail.contains("or a:b:manage") && detail.contains("strip.a, strip.b"), "{detail}");
        assert!(detail.contains("Admin > Roles"), "{detail}");
    }

    #[test]
    fn what_only_a_restore_or_the_audit_needs_is_a_warning_and_an_alternative_is_enough() {
        let found = compared(&["a:b:manage"]);
        let levels: Vec<_> = found.iter().map(|(what, level, _)| (what.as_str(), *level)).collect();
        assert_eq!(
            levels,
            [
                ("permissions", Level::Ok),
                ("permission a:a:add", Level::Warn),
                ("permission audits:audit:view", Level::Warn)
            ]
        );
        assert!(found[1].2.contains("restore of strip.a") && found[2].2.contains("nobody is named"));
    }

    #[test]
    fn what_nothing_needs_and_what_is_too_wide_is_named() {
        let found = compared(&["a:*:*", "audits:audit:view", "x:y:z"]);
        let whats: Vec<_> = found.iter().map(|(what, ..)| what.as_str()).collect();
        assert_eq!(whats, ["permissions", "permissions too wide", "permissions in excess"]);
        assert!(found[1].2.contains("a:*:*") && found[2].2.contains(": x:y:z "), "{found:?}");
        let exact = compared(&["a:a:edit", "a:b:manage", "a:a:add", "audits:audit:view"]);
        assert_eq!(exact.len(), 1, "{exact:?}");
    }
}
