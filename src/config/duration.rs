//! How durations are written in the configuration: `250ms`, `30s`, `5m`, `4h`, `2d`; leaves ranges to each setting.

use std::time::Duration;

/// What an error message says a duration looks like.
pub(super) const EXPECTED: &str = "a duration such as 250ms, 30s, 5m, 4h or 2d";

/// A year: longer than any sensible wait, and far from where adding to a timestamp overflows.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The units with their milliseconds, the longest first, so that the first that fits exactly is the shortest text.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads one whole number with one unit; `None` for anything else and for more than 366 days.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let total = number.parse::<u64>().ok()?.checked_mul(*milliseconds)?;
    Some(Duration::from_millis(total)).filter(|duration| *duration <= LONGEST)
}

/// Writes a duration as the configuration would, in the largest unit that loses nothing but parts of a millisecond.
pub fn format_duration(duration: Duration) -> String {
    let total = duration.as_millis();
    UNITS
        .iter()
        .map(|(unit, milliseconds)| (unit, u128::from(*milliseconds)))
        .find(|(_, milliseconds)| total != 0 && total.is_multiple_of(*milliseconds))
        .map_or_else(|| "0s".to_owned(), |(unit, milliseconds)| format!("{}{unit}", total / milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read_and_written_back() {
        for (text, seconds) in
            [("30s", 30.0), ("5m", 300.0), ("4h", 14_400.0), ("2d", 172_800.0), ("250ms", 0.25)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
            assert_eq!(format_duration(Duration::from_secs_f64(seconds)), text);
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn whatever_is_not_one_number_and_one_unit_is_not_a_duration() {
        let too_long = ["367d", "99999999999999999999s", "18446744073709551615d"];
        for text in ["", "30", "s", "-1s", "+1s", "1.5h", "30 s", "30S", "1h30m", "5min", "\u{663}s"]
            .iter()
            .chain(&too_long)
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(parse_duration("366d"), Some(LONGEST));
    }
}
