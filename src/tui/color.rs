//! Colours: how people write them, and the nearest one that a terminal has.

use ratatui::style::Color;

use super::caps::Depth;

/// The sixteen names in the order of their numbers, as terminals call them.
pub const NAMES: [(&str, Color); 16] = [
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// What the sixteen look like in xterm; every terminal has its own, so this is a guess.
const XTERM: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];

/// The steps of the colour cube of 256-colour terminals.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// A colour as a theme has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    /// Where there are many colours.
    pub full: Color,
    /// Where there are sixteen, if the theme says so.
    pub few: Option<Color>,
}

impl Paint {
    /// The colour for a terminal of this depth.
    pub fn at(self, depth: Depth) -> Color {
        match (depth, self.full) {
            (Depth::None, _) => Color::Reset,
            (Depth::Ansi16, full) => self.few.unwrap_or_else(|| sixteen(full)),
            (Depth::Ansi256, Color::Rgb(r, g, b)) => nearest_256([r, g, b]),
            (Depth::Ansi256 | Depth::True, full) => full,
        }
    }
}

/// Reads `#rrggbb`, one of the sixteen names, a number up to 255, or `default` (the terminal's own).
pub fn parse(word: &str) -> Option<Color> {
    if let Some(hex) = word.strip_prefix('#') {
        if hex.len() != 6 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(hex, 16).ok()?;
        let [_, r, g, b] = value.to_be_bytes();
        return Some(Color::Rgb(r, g, b));
    }
    if word == "default" {
        return Some(Color::Reset);
    }
    if let Ok(number) = word.parse::<u8>() {
        return Some(Color::Indexed(number));
    }
    NAMES
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, color)| *color)
}

/// Red, green and blue of a colour, where that is known; a guess for the sixteen.
pub fn rgb(color: Color) -> Option<[u8; 3]> {
    match color {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(n) => Some(indexed(n)),
        Color::Reset => None,
        named => {
            let at = NAMES.iter().position(|(_, color)| *color == named)?;
            Some(XTERM[at])
        }
    }
}

fn indexed(n: u8) -> [u8; 3] {
    match n {
        0..16 => XTERM[usize::from(n)],
        16..232 => {
            let n = usize::from(n - 16);
            [STEPS[n / 36], STEPS[n / 6 % 6], STEPS[n % 6]]
        }
        232.. => [8 + 10 * (n - 232); 3],
    }
}

/// The nearest of the 240 colours that look the same everywhere (the first sixteen do not).
fn nearest_256(wanted: [u8; 3]) -> Color {
    let n = (16..=255u8)
        .min_by(|a, b| distance(wanted, indexed(*a)).total_cmp(&distance(wanted, indexed(*b))));
    Color::Indexed(n.unwrap_or(15))
}

fn sixteen(color: Color) -> Color {
    let wanted = match color {
        Color::Rgb(..) | Color::Indexed(16..) => rgb(color),
        Color::Indexed(n) => return NAMES[usize::from(n)].1,
        _ => None,
    };
    let Some(wanted) = wanted else {
        return color;
    };
    let at = (0..16usize)
        .min_by(|a, b| distance(wanted, XTERM[*a]).total_cmp(&distance(wanted, XTERM[*b])))
        .unwrap_or(15);
    NAMES[at].1
}

/// How far apart two colours look: the distance in OKLab, where black and white are 1 apart.
pub fn distance(a: [u8; 3], b: [u8; 3]) -> f32 {
    let (a, b) = (oklab(a.map(linear)), oklab(b.map(linear)));
    lab_distance(a, b)
}

fn lab_distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).powi(2))
        .sum::<f32>()
        .sqrt()
}

/// A channel's light, from its sRGB value.
fn linear(channel: u8) -> f32 {
    let c = f32::from(channel) / 255.0;
    if c <= 0.04045 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

/// Linear light to OKLab (Ottosson 2020).
fn oklab([r, g, b]: [f32; 3]) -> [f32; 3] {
    let l = (0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_99 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

/// How well text in one colour reads on the other: the contrast ratio of WCAG 2, 1 to 21.
pub fn contrast(a: [u8; 3], b: [u8; 3]) -> f32 {
    let light = |c: [u8; 3]| {
        let [r, g, b] = c.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
    };
    let (a, b) = (light(a), light(b));
    a.max(b) / a.min(b)
}

/// How far apart two colours look to somebody without green cones (Machado, Oliveira and
/// Fernandes 2009, severity 1).
pub fn distance_without_green(a: [u8; 3], b: [u8; 3]) -> f32 {
    const MATRIX: [[f32; 3]; 3] = [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ];
    let seen = |c: [u8; 3]| {
        let c = c.map(linear);
        MATRIX.map(|row| {
            row.iter()
                .zip(c)
                .map(|(m, x)| m * x)
                .sum::<f32>()
                .clamp(0.0, 1.0)
        })
    };
    lab_distance(oklab(seen(a)), oklab(seen(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_people_write_them() {
        assert_eq!(parse("#ff8800"), Some(Color::Rgb(255, 136, 0)));
        assert_eq!(parse("bright-red"), Some(Color::LightRed));
        assert_eq!(parse("214"), Some(Color::Indexed(214)));
        assert_eq!(parse("default"), Some(Color::Reset));
        for wrong in ["#ff88", "#gggggg", "256", "rad", "", "#+12345"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn fewer_colours_give_the_nearest() {
        let paint = |full| Paint { full, few: None };
        let orange = Color::Rgb(255, 135, 0);
        assert_eq!(paint(orange).at(Depth::True), orange);
        assert_eq!(paint(orange).at(Depth::Ansi256), Color::Indexed(208));
        assert_eq!(
            paint(Color::Rgb(28, 28, 28)).at(Depth::Ansi256),
            Color::Indexed(234)
        );
        assert_eq!(
            paint(Color::Rgb(250, 5, 5)).at(Depth::Ansi16),
            Color::LightRed
        );
        assert_eq!(paint(orange).at(Depth::None), Color::Reset);
        assert_eq!(paint(Color::Indexed(1)).at(Depth::Ansi16), Color::Red);
        let both = Paint {
            full: orange,
            few: Some(Color::Yellow),
        };
        assert_eq!(both.at(Depth::Ansi16), Color::Yellow);
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
        assert!((contrast([119, 119, 119], [255; 3]) - 4.48).abs() < 0.02);
        // red and green of a traffic light are near for many men
        assert!(
            distance_without_green([200, 60, 40], [110, 110, 30])
                < distance([200, 60, 40], [110, 110, 30])
        );
    }
}
