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
            "500 ┤",
            "    │                        ⣀⣀⠤⠤⠒⠒⠉",
            "300 ┤                ⣀⣀⠤⠤⠒⠒⠉⠉",
            "    │⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉",
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
    assert!(rows[0].ends_with("***********"), "{rows:#?}");
    assert!(rows[2].contains("............"), "{rows:#?}");
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
        (0.34, 0.5),
        (412.0, 500.0),
        (1000.0, 1000.0),
        (1001.0, 2000.0),
        (f64::NAN, 1.0),
    ] {
        assert!((round_up(most) - top).abs() < 1e-9 * top, "{most}");
    }
}
