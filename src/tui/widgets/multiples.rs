//! An interval of multiples on a logarithmic axis: one glance tells whether it lies left of what is
//! tolerated, right of it, or astride.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::theme::{Role, Theme};
use super::chart::nearest;
use super::text::{Pen, width};

/// The labels of the axis, as powers of two.
const TICKS: [(f64, &str); 7] = [
    (-2.0, "0.25x"),
    (-1.0, "0.5x"),
    (0.0, "1x"),
    (1.0, "2x"),
    (2.0, "4x"),
    (3.0, "8x"),
    (4.0, "16x"),
];
/// Where the axis begins and ends, as powers of two.
const ENDS: (f64, f64) = (-2.5, 4.5);
/// The fewest cells in which an axis can be read.
const LEAST: u16 = 30;
/// The most cells that an axis is worth.
const WIDEST: u16 = 64;

/// Paints the axis into the first line of an area and the interval into the second, with `words`
/// behind where there is room; `mark` is what is tolerated. Ends that are not known, or lie beyond the
/// axis, are arrows.
pub fn multiples(
    buffer: &mut Buffer,
    area: Rect,
    theme: &Theme,
    (lower, upper): (f64, f64),
    mark: Option<f64>,
    words: &str,
) {
    let area = area.intersection(buffer.area);
    let beside = u16::try_from(width(words) + 3).unwrap_or(u16::MAX);
    let room = area.width.saturating_sub(beside);
    let cols = if room < LEAST { area.width } else { room }.min(WIDEST);
    if area.height < 2 || cols < LEAST || lower.is_nan() || upper.is_nan() {
        return;
    }
    let column = |power: f64| -> Option<u16> {
        let share = (power - ENDS.0) / (ENDS.1 - ENDS.0);
        let within = (0.0..=1.0).contains(&share);
        within.then(|| area.x + nearest(share, cols))
    };
    for (power, label) in TICKS {
        if let Some(x) = column(power) {
            let cells = u16::try_from(label.len()).unwrap_or(0);
            let from = x.saturating_sub(cells / 2).max(area.x);
            buffer.set_stringn(
                from,
                area.y,
                label,
                usize::from(cells),
                theme.style(Role::Axis),
            );
        }
    }
    let y = area.y + 1;
    let signs = match theme.unicode() {
        true => ["╌", "━", "├", "┤", "◂", "▸", "┊"],
        false => ["-", "=", "[", "]", "<", ">", ":"],
    };
    let [rest, line, from_sign, to_sign, below, above, mark_sign] = signs;
    let last = area.x + cols - 1;
    let known = |value: f64| column(value.log2());
    let from = known(lower).unwrap_or(if lower > 1.0 { last } else { area.x });
    let to = known(upper).unwrap_or(if upper < 1.0 { area.x } else { last });
    for x in area.x..=last {
        let within = (from..=to).contains(&x);
        let sign = match within {
            true if x == to && known(upper).is_none() && upper > 1.0 => above,
            true if x == from && known(lower).is_none() && lower < 1.0 => below,
            true if x == from => from_sign,
            true if x == to => to_sign,
            true => line,
            false => rest,
        };
        let role = if within { Role::BandEnd } else { Role::Axis };
        buffer[(x, y)].set_symbol(sign).set_style(theme.style(role));
    }
    if let Some(x) = mark.filter(|mark| *mark > 0.0).and_then(known) {
        buffer[(x, y)]
            .set_symbol(mark_sign)
            .set_style(theme.style(Role::Strong));
    }
    let behind = Rect {
        x: last + 3,
        width: beside - 2,
        height: 1,
        ..area
    };
    for (y, role, words) in [
        (area.y, Role::Axis, "times the old"),
        (y, Role::Tolerated, words),
    ] {
        if room >= LEAST {
            let line = Rect { y, ..behind }.intersection(area);
            Pen::new(buffer, theme, line).text(role, words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::caps::Caps;
    use crate::tui::theme::Themes;

    fn painted(between: (f64, f64), mark: Option<f64>, cols: u16, unicode: bool) -> [String; 2] {
        let theme = Themes::auto(Caps {
            unicode,
            ..Caps::default()
        });
        let area = Rect::new(0, 0, cols, 2);
        let mut buffer = Buffer::empty(area);
        multiples(&mut buffer, area, &theme, between, mark, "allowed: 1.25x");
        [0, 1].map(|y| {
            let line: String = (0..cols).map(|x| buffer[(x, y)].symbol()).collect();
            line.trim_end().to_owned()
        })
    }

    #[test]
    fn left_of_the_mark_right_of_it_and_astride() {
        assert_eq!(
            painted((1.7, 2.6), Some(1.25), 62, true),
            [
                " 0.25x 0.5x    1x    2x    4x     8x    16x    times the old",
                "╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┊╌╌├━━┤╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  allowed: 1.25x",
            ]
            .map(str::to_owned)
        );
        let [_, astride] = painted((0.9, 1.6), Some(1.25), 62, false);
        assert!(astride.contains("[==:="), "{astride}");
    }

    #[test]
    fn open_and_far_ends_are_arrows_and_nothing_is_no_interval() {
        let [_, open] = painted((1.7, f64::INFINITY), None, 60, true);
        assert!(open.contains("━▸") && open.contains('├'), "{open}");
        let [_, both] = painted((0.0, f64::INFINITY), None, 60, false);
        assert!(both.starts_with('<') && both.contains("=>"), "{both}");
        let [_, far] = painted((400.0, 9000.0), None, 60, true);
        assert!(far.contains("╌▸") && !far.contains('├'), "{far}");
        let [_, none] = painted((f64::NAN, 1.0), None, 60, true);
        assert_eq!(none, "");
        for cols in 0..70 {
            painted((0.0, f64::INFINITY), Some(0.0), cols, true);
            painted((2.0, 1.0), Some(f64::NAN), cols, false);
        }
    }
}
