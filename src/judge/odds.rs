//! An allowed odds ratio as a straight line.

use super::counts::Line;

/// The tangent at `c0` of `g(p) = odds p / (1 - p + odds p)`, the canary's fraction at which its odds
/// are `odds` times the baseline's:
///
/// `D = 1 - c0 + odds c0`, `rho = odds / D^2`, `delta = odds c0 / D - rho c0`.
///
/// `g` is concave for `odds >= 1`, so the line lies nowhere below it: the null only grows. At `c0 = 0`
/// it is `odds * p`.
pub fn tangent(odds: f64, c0: f64) -> Line {
    let d = 1.0 - c0 + odds * c0;
    let rho = odds / (d * d);
    Line {
        rho,
        delta: odds * c0 / d - rho * c0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_touches_the_curve_and_lies_above_it() {
        for odds in [1.0, 1.25, 3.0] {
            for c0 in [0.0, 0.05, 0.5, 0.9] {
                let line = tangent(odds, c0);
                for step in 0..=100 {
                    let p = f64::from(step) / 100.0;
                    let curve = odds * p / (1.0 - p + odds * p);
                    assert!(line.rho * p + line.delta >= curve - 1e-12);
                }
                let curve = odds * c0 / (1.0 - c0 + odds * c0);
                assert!((line.rho * c0 + line.delta - curve).abs() < 1e-15);
            }
        }
    }
}
