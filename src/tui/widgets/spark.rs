//! A line of tiny bars.

use super::super::theme::Theme;

const UNICODE: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII: [&str; 8] = ["_", "_", ".", ".", "-", "-", "=", "#"];

/// The last `cells` values as tiny bars, from zero to `top` (the largest value where not given).
/// What is not known is blank, never a bar.
pub fn spark(values: &[Option<f64>], cells: usize, top: Option<f64>, theme: &Theme) -> String {
    let values = &values[values.len().saturating_sub(cells)..];
    let known = |v: &Option<f64>| v.filter(|v| v.is_finite());
    let top = top.unwrap_or_else(|| values.iter().filter_map(known).fold(0.0, f64::max));
    let signs = if theme.unicode() { UNICODE } else { ASCII };
    values
        .iter()
        .map(|value| match known(value) {
            None => " ",
            Some(_) if top <= 0.0 => signs[0],
            Some(value) => signs[level(value / top)],
        })
        .collect()
}

/// One of eight levels for a share of the whole.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=7"
)]
fn level(share: f64) -> usize {
    (share * 7.0).round().clamp(0.0, 7.0) as usize
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::Caps;
    use super::super::super::theme::Themes;
    use super::*;

    #[test]
    fn values_are_bars_and_gaps_are_blank() {
        let theme = Themes::auto(Caps::default());
        let values = [
            Some(9.0),
            Some(0.0),
            None,
            Some(4.0),
            Some(8.0),
            Some(f64::NAN),
        ];
        assert_eq!(spark(&values, 5, None, &theme), "▁ ▅█ ");
        assert_eq!(spark(&values, 5, Some(80.0), &theme), "▁ ▁▂ ");
        assert_eq!(spark(&[Some(0.0); 3], 9, None, &theme), "▁▁▁");
        assert_eq!(spark(&[], 9, None, &theme), "");
        let ascii = Themes::auto(Caps {
            unicode: false,
            ..Caps::default()
        });
        assert!(spark(&values, 5, None, &ascii).is_ascii());
    }
}
