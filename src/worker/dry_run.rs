//! The dry run of the whole service: one look at everything that a person holds, and what would be done about it, in the
//! journal. Nothing of it is stored as a snapshot, because a later restore would take that for what was there.

use super::person::Person;
use super::runner::Runner;
use super::verdict::Stop;
use crate::genesys::{Error, UserId};
use crate::offboarding::{Action, Inherited, Reason, StepName};
use crate::plan::{GROUPS, Look, Step};
use crate::store::leases::Release;
use crate::store::progress::Note;

/// What one step would take away, and what it would meet that can't be taken from the person.
struct Seen {
    step: StepName,
    targets: Vec<String>,
    inherited: Vec<Inherited>,
}

impl Runner {
    /// Looks at everybody who could be worked on now, and holds them with what was seen.
    pub(super) async fn preview_all(&self, people: Vec<Person>) {
        for mut person in people {
            if person.is_live() {
                let stop = self.preview(&mut person).await.unwrap_or_else(|stop| stop);
                person.end(stop);
            }
            // One after the other, so that the brake's answer to the next one counts this one.
            self.give_back(person).await;
        }
    }

    /// Writes down what would be removed, and says how the attempt ends.
    async fn preview(&self, person: &mut Person) -> Result<Stop, Stop> {
        self.still_working()?;
        let look = self.look_at(&self.genesys, &[&*person]);
        if let Some(user) = person.just_read.take() {
            look.take_over(user);
        }
        let Some(user) = person.user.clone() else { return Err(Stop::LeaseLost) };
        let mut seen = Vec::new();
        for step in self.settings.plan.all() {
            let one = see(*step, &look, &user).await.map_err(|error| self.stop_for(person, &error))?;
            seen.push(one);
        }
        self.check_administrator(person, &look).await?;
        person.inherited = what_stays(&mut seen);
        let would_remove = seen.iter().map(|seen| seen.targets.len()).sum::<usize>();
        let mut notes: Vec<Note> = seen.iter().filter_map(Seen::note).collect();
        notes.push(self.brakes_answer(person).await?);
        let inherited = person.holds_nothing_inherited(self.settings.plan.choices().inherited_access);
        if inherited.is_ok() {
            notes.extend(person.left_in_place());
        }
        self.store.mark(&self.fence, person.lease.id, Vec::new(), notes).await?;
        inherited?;
        Ok(held_as_dry_run(format!("{would_remove} would be removed, nothing was")))
    }

    /// What the brake would say, with everybody counted whom it let through and who was looked at since. It is not asked
    /// itself: that would count the person.
    async fn brakes_answer(&self, person: &Person) -> Result<Note, Stop> {
        let (hour, day) = self.store.would_be_changed(&person.user_id()).await?;
        let limits = self.settings.brake;
        let holds = hour >= u64::from(limits.per_hour) || day >= u64::from(limits.per_day);
        let released = person.lease.approved.contains(&Reason::Brake);
        let answer = match (holds, released) {
            (false, _) => "would go ahead",
            (true, true) => "would go ahead, by its approval",
            (true, false) => "would be held: brake",
        };
        let text = format!(
            "{answer}; {hour} of {} others within the hour, {day} of {} within the day",
            limits.per_hour, limits.per_day
        );
        Ok(Note { action: Action::WouldBrake, step: None, target: None, text: Some(text) })
    }
}

impl Seen {
    fn note(&self) -> Option<Note> {
        let targets = &self.targets;
        (!targets.is_empty()).then(|| Note {
            action: Action::WouldRemove,
            step: Some(self.step),
            target: Some(targets.join(", ")),
            text: Some(format!("{} would be removed", targets.len())),
        })
    }
}

/// How a dry run ends.
pub(super) fn held_as_dry_run(what: String) -> Stop {
    Release::Held(Reason::DryRun, Some(format!("the service runs dry: {what}"))).into()
}

async fn see(step: &dyn Step, look: &Look<'_>, user: &UserId) -> Result<Seen, Error> {
    let mut seen = Seen { step: step.name(), targets: Vec::new(), inherited: Vec::new() };
    for observed in step.observe(look, std::slice::from_ref(user)).await {
        let mut observed = observed?;
        step.inspect(look, &mut observed.assignments).await?;
        seen.inherited.extend(observed.inherited);
        for one in observed.assignments {
            match step.held_through(&one.detail) {
                Some(via) => seen.inherited.push(Inherited { step: one.step, target: one.target, via }),
                None => seen.targets.push(one.target),
            }
        }
    }
    Ok(seen)
}

/// What would be left because it comes through a group. What comes through groups that the person would leave goes with
/// them, and is counted among what its step would remove.
fn what_stays(seen: &mut [Seen]) -> Vec<Inherited> {
    let groups = seen.iter().filter(|seen| seen.step == GROUPS).flat_map(|seen| seen.targets.clone());
    let leaving: Vec<String> = groups.collect();
    let mut stays = Vec::new();
    for seen in seen {
        for one in std::mem::take(&mut seen.inherited) {
            match one.via.split(" or ").all(|group| leaving.iter().any(|left| left == group)) {
                true => seen.targets.push(one.target),
                false => stays.push(one),
            }
        }
    }
    stays
}
