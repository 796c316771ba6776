use super::*;
use crate::tui::caps::Caps;
use crate::tui::theme::Themes;

fn painted(chart: &Chart<'_>, cols: u16, rows: u16, unicode: bool) -> Vec<String> {
    let theme = Themes::auto(Caps {
        unicode,
        ..Caps::default()
    });
    let area = Rect::new(0, 0, cols, rows);
    let mut buffer = Buffer::empty(area);
    chart.paint(&mut buffer, area, &theme);
    (0..rows)
        .map(|y| {
            let line: String = (0..cols).map(|x| buffer[(x, y)].symbol()).collect();
            line.trim_end().to_owned()
        })
        .collect()
}

fn chart<'a>(series: &'a [Series<'a>]) -> Chart<'a> {
    Chart {
        series,
        span: (0.0, 30.0),
        join: 2.0,
        top: None,
        levels: &[],
        band: None,
        markers: &[],
        value: &|v| format!("{v:.0}"),
        moment: &|x| {
            if x >= 30.0 {
                "now".into()
            } else {
                format!("{x:.0}")
            }
        },
    }
}

fn line<'a>(points: &'a [(f64, Option<f64>)], role: Role, sign: &'a str) -> Series<'a> {
    Series {
        points,
        role,
        sign,
        name: "",
    }
}

#[test]
fn two_lines_with_scale_and_axis() {
    let new: Vec<_> = (15..=30)
        .map(|x| (f64::from(x), Some(f64::from(x) * 13.0)))
        .collect();
    let old: Vec<_> = (0..=30).map(|x| (f64::from(x), Some(190.0))).collect();
    let series = [line(&old, Role::Old, "."), line(&new, Role::New, "*")];
    assert_eq!(
        painted(&chart(&series), 36, 7, true),
        [
            "400 ┤                          ⣀⠤⠤⠒⠉",
            "    │                   ⣀⣀⠤⠒⠒⠉⠉",
            "200 ┤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠶⠶⠭⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤",
            "    │",
            "    │",
            "  0 ┼┬─────────┬─────────┬─────────┬",
            "     0        10        20       now",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn what_is_not_known_is_a_gap() {
    let points: Vec<_> = (0..=30)
        .map(|x| {
            (
                f64::from(x),
                match x {
                    10..15 => None,
                    20..25 => Some(f64::NAN),
                    _ => Some(5.0),
                },
            )
        })
        .collect();
    let series = [line(&points, Role::New, "*")];
    let rows = painted(&chart(&series), 40, 4, false);
    let plot = &rows[0][3..];
    assert_eq!(plot, "************      ******      *******");
    // points far apart are not joined either
    let points = [(0.0, Some(5.0)), (30.0, Some(5.0))];
    let series = [line(&points, Role::New, "*")];
    let rows = painted(&chart(&series), 40, 4, false);
    assert_eq!(
        rows.iter().map(|r| r.matches('*').count()).sum::<usize>(),
        2
    );
}

#[test]
fn limit_markers_and_what_is_beyond_the_scale() {
    let points: Vec<_> = (0..=30)
        .map(|x| (f64::from(x), Some(if x < 20 { 1.0 } else { 99.0 })))
        .collect();
    let series = [line(&points, Role::New, "*")];
    let chart = Chart {
        top: Some(10.0),
        levels: &[Level {
            at: 5.0,
            name: "allowed",
            role: Role::Tolerated,
            glyph: Glyph::Dotted,
        }],
        markers: &[15.0, 99.0],
        ..chart(&series)
    };
    let rows = painted(&chart, 34, 7, false);
    assert!(rows[0].ends_with("*******"), "{rows:#?}");
    assert!(rows[2].ends_with("------- allowed 5"), "{rows:#?}");
    assert_eq!(rows[3].matches(':').count(), 1, "{rows:#?}");
    assert!(rows.iter().all(|row| row.is_ascii()));
}

#[test]
fn nothing_known_is_an_empty_chart_and_any_size_is_survived() {
    let none = [
        (3.0, None),
        (f64::NAN, Some(1.0)),
        (f64::INFINITY, Some(f64::INFINITY)),
    ];
    let series = [line(&none, Role::New, "*")];
    for unicode in [true, false] {
        for cols in 0..30 {
            for rows in 0..9 {
                let rows = painted(&chart(&series), cols, rows, unicode);
                assert!(rows.iter().all(|row| !row.contains('*')));
            }
        }
    }
    let flat = Chart {
        span: (5.0, 5.0),
        ..chart(&series)
    };
    painted(&flat, 30, 9, true);
}

#[test]
fn scales_end_at_round_numbers() {
    for (most, top) in [
        (0.0, 1.0),
        (0.34, 0.4),
        (412.0, 500.0),
        (1000.0, 1000.0),
        (1001.0, 1500.0),
        (f64::NAN, 1.0),
    ] {
        assert!((round_up(most) - top).abs() < 1e-9 * top, "{most}");
    }
}

/// A line at 100 with a band round it, which another line has left.
fn banded(times: (f64, f64), cols: u16, rows: u16, unicode: bool) -> Vec<String> {
    let old: Vec<_> = (0..=30).map(|x| (f64::from(x), Some(100.0))).collect();
    let new: Vec<_> = (10..=30).map(|x| (f64::from(x), Some(190.0))).collect();
    let series = [line(&old, Role::Old, "o"), line(&new, Role::New, "*")];
    let chart = Chart {
        levels: &[
            Level {
                at: 125.0,
                name: "allowed",
                role: Role::Tolerated,
                glyph: Glyph::Dotted,
            },
            Level {
                at: 5000.0,
                name: "limit",
                role: Role::Limit,
                glyph: Glyph::HardLine,
            },
        ],
        band: Some(Band {
            of: &old[10..],
            times,
        }),
        ..chart(&series)
    };
    painted(&chart, cols, rows, unicode)
}

#[test]
fn the_band_is_shaded_and_its_ends_are_named() {
    let rows = banded((1.6, 2.2), 50, 12, false);
    let plot = |row: &String| row.chars().skip(5).take(28).collect::<String>();
    // 160 to 220 of 250 by ten lines, from the 10th second on
    let shaded: Vec<usize> = (0..10).filter(|n| plot(&rows[*n]).contains("..")).collect();
    assert_eq!(shaded, [1, 3], "{rows:#?}");
    assert!(
        plot(&rows[1]).trim_end().starts_with(&" ".repeat(8)),
        "{rows:#?}"
    );
    assert!(rows[2].contains("****"), "{rows:#?}");
    // what is far above is told, and not drawn to scale
    assert!(rows[0].contains("^ limit 5000"), "{rows:#?}");
    assert!(
        rows[1].ends_with("] 2.2x") && rows[3].ends_with("] 1.6x"),
        "{rows:#?}"
    );
    assert!(
        rows.iter().any(|r| r.ends_with("- allowed 125")),
        "{rows:#?}"
    );
}

#[test]
fn a_band_without_ends_says_so_and_one_in_a_line_is_told_at_once() {
    let open = banded((0.0, f64::INFINITY), 60, 12, true).join("\n");
    assert!(open.contains("↑ no upper end"), "{open}");
    assert!(open.contains("┘ no lower end"), "{open}");
    let thin = banded((1.01, 1.02), 60, 7, true).join("\n");
    assert!(thin.contains("┐ 1.01x to 1.02x"), "{thin}");
    // a band far above is only told, and the lines keep their scale
    let far = banded((50.0, 9000.0), 60, 12, true).join("\n");
    assert!(
        far.contains("↑ 50x to over 999x") && !far.contains('░'),
        "{far}"
    );
    for times in [(f64::NAN, 1.0), (2.0, 1.0), (-1.0, 1.0)] {
        assert!(!banded(times, 60, 12, true).join("").contains('░'));
    }
}

#[test]
fn names_leave_room_and_what_matters_less_is_left_out() {
    // four lines of plot: both levels and both ends, and no more
    let rows = banded((1.6, 2.2), 60, 5, true).join("\n");
    for name in ["allowed 125", "limit 5000", "2.2x", "1.6x"] {
        assert!(rows.contains(name), "{rows}");
    }
    // without room beside the plot a level's name stands on its line
    let rows = banded((1.6, 2.2), 34, 12, true).join("\n");
    assert!(rows.contains(" allowed 125 ╌"), "{rows}");
    for cols in 0..60 {
        for rows in 0..12 {
            banded((0.5, 3.0), cols, rows, true);
            banded((0.0, f64::INFINITY), cols, rows, false);
        }
    }
}
