//! Which of several events about a person is the last word: by the sender's own order, not by the order of arrival.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use super::case::HintOrder;

/// How long a withdrawal that had nothing to withdraw is kept in mind against a termination of unknown order: a delivery
/// that is later than this has been lost.
const EARLY_WITHDRAWAL_DAYS: i64 = 30;

/// What an event said about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The person leaves at this moment; at a moment that was not said.
    Leaves(Option<DateTime<Utc>>),
    /// The person stays: a termination is withdrawn, or they are hired again; from this moment on, where it was said.
    Stays(Option<DateTime<Utc>>),
}

/// What an event said, and everything that tells when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The source's name.
    pub source: String,
    /// What was said.
    pub said: Said,
    /// The sender's own count, comparable within a source.
    pub sequence: Option<i64>,
    /// When it happened at the sender.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The order of arrival.
    pub arrival: i64,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// What holds after everything that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWord {
    /// The person leaves. The word that says so, by its arrival.
    Leaves(i64),
    /// The person stays.
    Stays(i64),
    /// Words contradict each other of which none is the later one.
    Contradiction {
        /// The latest moment of those that say that the person leaves; `None` where they say no moment.
        leaves_at: Option<DateTime<Utc>>,
        /// Whether one of them says that the person stays.
        stays: bool,
    },
}

/// Which of two words is the later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    First,
    Second,
    Neither,
}

/// Finds the last word; `None` where nothing was said. The order of `words` does not matter.
pub fn last_word(words: &[Word]) -> Option<LastWord> {
    let is_last = |word: &&Word| words.iter().all(|other| later(other, word, words) != Later::First);
    let last: Vec<&Word> = words.iter().filter(is_last).collect();
    // Everything may be contradicted by something, in a circle.
    let last = if last.is_empty() { words.iter().collect() } else { last };
    let newest = last.iter().max_by_key(|word| word.arrival)?;
    if last.iter().all(|word| same(word.said, newest.said)) {
        return Some(match newest.said {
            Said::Leaves(_) => LastWord::Leaves(newest.arrival),
            Said::Stays(_) => LastWord::Stays(newest.arrival),
        });
    }
    let moment = |word: &&Word| match word.said {
        Said::Leaves(at) => at,
        Said::Stays(_) => None,
    };
    let leaves_at = last.iter().filter_map(moment).max();
    let stays = last.iter().any(|word| matches!(word.said, Said::Stays(_)));
    Some(LastWord::Contradiction { leaves_at, stays })
}

/// Tells whether an event that says nothing of its own may know something that the last words don't: not where the sender
/// puts it before one of them, nor where it comes from another sender.
pub fn hint_order(source: &str, occurred_at: Option<DateTime<Utc>>, words: &[Word]) -> HintOrder {
    let is_told = |word: &Word| matches!(word.said, Said::Leaves(_)) && word.source == source;
    let is_later = |word: &Word| word.occurred_at.zip(occurred_at).is_some_and(|(word, hint)| word >= hint);
    let told: Vec<&Word> = words.iter().filter(|word| is_told(word)).collect();
    if told.is_empty() || told.iter().any(|word| is_later(word)) {
        HintOrder::Older
    } else {
        HintOrder::Newer
    }
}

/// Whether it does not matter which of both holds.
fn same(one: Said, other: Said) -> bool {
    match (one, other) {
        (Said::Leaves(one), Said::Leaves(other)) => one == other,
        (Said::Stays(_), Said::Stays(_)) => true,
        (Said::Leaves(_), Said::Stays(_)) | (Said::Stays(_), Said::Leaves(_)) => false,
    }
}

fn later(one: &Word, other: &Word, all: &[Word]) -> Later {
    if one.arrival == other.arrival {
        return Later::Neither;
    }
    match (one.said, other.said) {
        (Said::Leaves(_), Said::Leaves(_)) | (Said::Stays(_), Said::Stays(_)) => {
            match own_order(one, other) {
                Some(Ordering::Equal) if !same(one.said, other.said) => Later::Neither,
                Some(Ordering::Equal) | None => by(one.arrival.cmp(&other.arrival)),
                Some(order @ (Ordering::Less | Ordering::Greater)) => by(order),
            }
        }
        (Said::Leaves(at), Said::Stays(from)) => leaves_or_stays((one, at), (other, from), all),
        (Said::Stays(from), Said::Leaves(at)) => match leaves_or_stays((other, at), (one, from), all) {
            Later::First => Later::Second,
            Later::Second => Later::First,
            Later::Neither => Later::Neither,
        },
    }
}

/// The sender's order of two words; `None` where it has none.
fn own_order(one: &Word, other: &Word) -> Option<Ordering> {
    let counted = (one.source == other.source).then(|| one.sequence.zip(other.sequence)).flatten();
    let dated = || one.occurred_at.zip(other.occurred_at);
    counted.map(|(one, other)| one.cmp(&other)).or_else(|| dated().map(|(one, other)| one.cmp(&other)))
}

fn by(order: Ordering) -> Later {
    match order {
        Ordering::Less => Later::Second,
        Ordering::Equal => Later::Neither,
        Ordering::Greater => Later::First,
    }
}

/// `First` where the person leaves, `Second` where they stay.
fn leaves_or_stays(
    (leaves, at): (&Word, Option<DateTime<Utc>>),
    (stays, from): (&Word, Option<DateTime<Utc>>),
    all: &[Word],
) -> Later {
    let counted = leaves.source == stays.source && leaves.sequence.is_some() && stays.sequence.is_some();
    // Senders also give the date of the very termination that they withdraw.
    let withdrawn = |from: &DateTime<Utc>| all.iter().any(|word| word.said == Said::Leaves(Some(*from)));
    let from = from.filter(|from| !withdrawn(from));
    let moments = at.zip(from).map(|(at, from)| from.cmp(&at));
    let decided = match (own_order(leaves, stays), moments) {
        (Some(order), _) if counted => by(order),
        // Somebody who is hired after the termination works; where that was told before the termination, nobody can tell.
        (None, Some(Ordering::Greater)) if leaves.arrival > stays.arrival => Later::Neither,
        (None, Some(Ordering::Greater)) => Later::Second,
        (Some(Ordering::Less), Some(Ordering::Greater)) => Later::Second,
        (Some(Ordering::Equal | Ordering::Greater), Some(Ordering::Greater)) => Later::Neither,
        (Some(order), Some(Ordering::Less | Ordering::Equal) | None) => by(order),
        (None, Some(Ordering::Less)) if leaves.arrival < stays.arrival => Later::Neither,
        (None, Some(Ordering::Less)) => Later::First,
        (None, Some(Ordering::Equal) | None) => by_arrival(leaves, stays, all),
    };
    match decided {
        // One sender's withdrawal does not undo what another one asked for.
        Later::Second if leaves.source != stays.source => Later::Neither,
        Later::First | Later::Second | Later::Neither => decided,
    }
}

/// Without any order of the sender's own. A withdrawal that found nothing to withdraw may be the one of a termination
/// that is still on its way.
fn by_arrival(leaves: &Word, stays: &Word, all: &[Word]) -> Later {
    let had_something = |word: &Word| matches!(word.said, Said::Leaves(_)) && word.arrival < stays.arrival;
    let early = leaves.source == stays.source
        && !all.iter().any(had_something)
        && leaves.received_at < stays.received_at + TimeDelta::days(EARLY_WITHDRAWAL_DAYS);
    match by(leaves.arrival.cmp(&stays.arrival)) {
        Later::First if early => Later::Neither,
        decided @ (Later::First | Later::Second | Later::Neither) => decided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
    }

    fn word(arrival: i64, said: Said, occurred: Option<i64>) -> Word {
        Word {
            source: "hr".to_owned(),
            said,
            sequence: None,
            occurred_at: occurred.map(day),
            arrival,
            received_at: day(0) + TimeDelta::seconds(arrival),
        }
    }

    fn leaves(at: i64) -> Said {
        Said::Leaves(Some(day(at)))
    }

    const STAYS: Said = Said::Stays(None);

    fn both(at: i64) -> LastWord {
        LastWord::Contradiction { leaves_at: Some(day(at)), stays: true }
    }

    #[test]
    fn nothing_said_is_no_word() {
        assert_eq!(last_word(&[]), None);
    }

    #[test]
    fn without_an_order_of_its_own_the_later_arrival_counts() {
        let words = [word(1, leaves(5), None), word(2, STAYS, None)];
        assert_eq!(last_word(&words), Some(LastWord::Stays(2)));
        let again = [&words[..], &[word(3, leaves(6), None)]].concat();
        assert_eq!(last_word(&again), Some(LastWord::Leaves(3)));
    }

    #[test]
    fn what_happened_later_at_the_sender_counts_however_it_arrives() {
        let words = [word(1, STAYS, Some(2)), word(2, leaves(5), Some(1))];
        assert_eq!(last_word(&words), Some(LastWord::Stays(1)));
        let corrected = [word(1, leaves(9), Some(3)), word(2, leaves(5), Some(1)), word(3, STAYS, Some(2))];
        assert_eq!(last_word(&corrected), Some(LastWord::Leaves(1)));
    }

    #[test]
    fn the_senders_count_comes_before_its_times_but_only_within_one_source() {
        let counted = |word: Word, sequence| Word { sequence: Some(sequence), ..word };
        let words = [counted(word(1, STAYS, Some(1)), 8), counted(word(2, leaves(5), Some(2)), 7)];
        assert_eq!(last_word(&words), Some(LastWord::Stays(1)));
        let elsewhere = Word { source: "other".to_owned(), ..words[0].clone() };
        assert_eq!(last_word(&[elsewhere, words[1].clone()]), Some(LastWord::Leaves(2)));
    }

    #[test]
    fn of_two_contradicting_words_of_one_moment_none_counts() {
        assert_eq!(last_word(&[word(1, leaves(5), Some(1)), word(2, STAYS, Some(1))]), Some(both(5)));
        let dates = [word(1, leaves(5), Some(1)), word(2, leaves(4), Some(1))];
        let held = LastWord::Contradiction { leaves_at: Some(day(5)), stays: false };
        assert_eq!(last_word(&dates), Some(held));
        assert_eq!(
            last_word(&[word(1, leaves(5), Some(1)), word(2, leaves(5), Some(1))]),
            Some(LastWord::Leaves(2))
        );
        let settled = [&dates[..], &[word(3, leaves(7), Some(2))]].concat();
        assert_eq!(last_word(&settled), Some(LastWord::Leaves(3)));
    }

    #[test]
    fn a_withdrawal_that_came_first_and_has_no_order_is_in_doubt_for_a_month() {
        let early = [word(1, STAYS, None), word(2, leaves(5), None)];
        assert_eq!(last_word(&early), Some(both(5)));
        let long_ago = Word { received_at: day(-31), ..early[0].clone() };
        assert_eq!(last_word(&[long_ago, early[1].clone()]), Some(LastWord::Leaves(2)));
    }

    #[test]
    fn whoever_is_hired_after_the_termination_is_never_just_taken_out() {
        let hired = |arrival, from, occurred| word(arrival, Said::Stays(Some(day(from))), occurred);
        assert_eq!(last_word(&[word(1, leaves(5), None), hired(2, 9, None)]), Some(LastWord::Stays(2)));
        assert_eq!(last_word(&[hired(1, 9, None), word(2, leaves(5), None)]), Some(both(5)));
        assert_eq!(last_word(&[hired(1, 9, Some(1)), word(2, leaves(5), Some(2))]), Some(both(5)));
        // Hired before: the termination ends that employment.
        assert_eq!(last_word(&[hired(1, 2, None), word(2, leaves(5), None)]), Some(LastWord::Leaves(2)));
        assert_eq!(last_word(&[word(1, leaves(5), None), hired(2, 2, None)]), Some(both(5)));
    }

    #[test]
    fn a_withdrawal_that_names_the_date_of_its_termination_does_not_outlast_an_earlier_date() {
        let withdrawn = |occurred| word(2, Said::Stays(Some(day(31))), occurred);
        let story = |a, b, c| [word(1, leaves(31), a), withdrawn(b), word(3, leaves(15), c)];
        assert_eq!(last_word(&story(None, None, None)), Some(LastWord::Leaves(3)));
        assert_eq!(last_word(&story(Some(1), Some(2), Some(3))), Some(LastWord::Leaves(3)));
        assert_eq!(last_word(&story(Some(1), Some(3), Some(2))), Some(LastWord::Stays(2)));
    }

    #[test]
    fn one_source_does_not_withdraw_what_another_asked_for() {
        let asked = word(1, leaves(5), None);
        let other = Word { source: "other".to_owned(), ..word(2, STAYS, None) };
        assert_eq!(last_word(&[asked.clone(), other.clone()]), Some(both(5)));
        let again = Word { arrival: 3, ..asked };
        assert_eq!(
            last_word(&[other, again]),
            Some(LastWord::Leaves(3)),
            "nor is it kept in mind for another"
        );
    }

    #[test]
    fn the_last_word_does_not_depend_on_the_order_in_which_words_are_kept() {
        let words = [
            word(4, leaves(5), Some(1)),
            word(1, STAYS, Some(2)),
            word(3, leaves(7), Some(3)),
            word(2, Said::Stays(Some(day(6))), Some(4)),
        ];
        let mut turned = words.to_vec();
        for _ in 0..4 {
            turned.rotate_left(1);
            assert_eq!(last_word(&turned), last_word(&words));
        }
    }
}
