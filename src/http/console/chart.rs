//! The chart of the last days, drawn here as SVG: what came beside what ended, day by day. The same numbers stand below it as
//! a table for whoever can't see it.

use std::fmt::Write as _;

use crate::store::console::Day;

/// How wide a chart is drawn; the style shows the one that the screen has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    name: &'static str,
    units: i64,
    /// Every how many days one has its name.
    named: i64,
}

/// For a screen with room.
pub(super) const WIDE: Width = Width { name: "wide", units: 1_060, named: 2 };

/// For a phone, where a wide one would shrink until nobody can read it.
pub(super) const NARROW: Width = Width { name: "narrow", units: 330, named: 3 };

const HEIGHT: i64 = 190;
/// Room for the scale on the left, for half of the last name on the right, and for the days below.
const LEFT: i64 = 34;
const RIGHT: i64 = 12;
const BELOW: i64 = 24;
const ABOVE: i64 = 10;

/// A chart as SVG. Nothing in it comes from outside but numbers and days.
pub(super) fn draw(days: &[Day], width: Width) -> String {
    let Width { name, units, named } = width;
    let ended = |day: &Day| day.done + day.failed + day.cancelled;
    let top = scale(days.iter().map(|day| day.events.max(ended(day))).max().unwrap_or_default());
    let (plot, base) = (HEIGHT - ABOVE - BELOW, HEIGHT - BELOW);
    let height = |count: i64| if count == 0 { 0 } else { (count * plot / top).max(2) };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {units} {HEIGHT}\" class=\"chart {name}\" role=\"img\" aria-labelledby=\"chart-{name}\"><title id=\"chart-{name}\">Events \
         received and offboardings ended per day, the last 14 days. The table below has the numbers.</title>"
    );
    for part in [0, top / 2, top] {
        let y = base - part * plot / top;
        push(
            &mut svg,
            format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {y}H{units}\"/><text x=\"{}\" y=\"{}\" class=\"scale\">{part}</text>",
                LEFT - 8,
                y + 4
            ),
        );
    }
    let days_count = i64::try_from(days.len().max(1)).unwrap_or(1);
    let column = (units - LEFT - RIGHT) / days_count;
    let bar = (column / 3).clamp(4, 20);
    for (index, day) in (0_i64..).zip(days) {
        let x = LEFT + index * column + (column - 2 * bar - 2) / 2;
        let mut rect = |x: i64, from: i64, count: i64, class: &str| {
            let tall = height(count);
            if tall > 0 {
                push(
                    &mut svg,
                    format_args!(
                        "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{bar}\" height=\"{tall}\" rx=\"1.500\"/>",
                        base - from - tall
                    ),
                );
            }
            tall
        };
        rect(x, 0, day.events, "events");
        let mut stacked = 0;
        for (count, class) in [(day.done, "done"), (day.failed, "failed"), (day.cancelled, "cancelled")] {
            stacked += rect(x + bar + 2, stacked, count, class);
        }
        // Counted from the end, so that today has its name.
        if (days_count - 1 - index) % named == 0 {
            push(
                &mut svg,
                format_args!(
                    "<text x=\"{}\" y=\"{}\" class=\"day\">{}</text>",
                    x + bar,
                    HEIGHT - 6,
                    day.day.format("%d %b")
                ),
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string can't fail.
    let _ = svg.write_fmt(text);
}

/// The top of the scale: an even number not below the largest, of which half is a number too.
fn scale(largest: i64) -> i64 {
    let mut step = 1;
    loop {
        for factor in [2, 4, 6, 10] {
            if factor * step >= largest {
                return factor * step;
            }
        }
        step *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_an_even_number_not_below_the_largest() {
        let cases =
            [(0, 2), (1, 2), (3, 4), (7, 10), (10, 10), (11, 20), (55, 60), (61, 100), (1_234, 2_000)];
        for (largest, top) in cases {
            assert_eq!(scale(largest), top, "{largest}");
        }
    }
}
