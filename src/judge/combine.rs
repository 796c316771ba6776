//! Many metrics together: weighted averages, which metric is to blame, false discoveries.
//!
//! Averages of e-values are e-values under any dependence (Vovk and Wang, arXiv 1912.06116). Average
//! current values, never running maxima. (The holdpoint judge, section 2.)

/// `Σ w E / Σ w`; 1 without weights, since nothing was staked.
pub fn average(e: &[f64], weights: &[f64]) -> f64 {
    let all: f64 = weights.iter().sum();
    if all <= 0.0 {
        return 1.0;
    }
    let staked = e.iter().zip(weights).filter(|(_, w)| **w > 0.0);
    let sum: f64 = staked.map(|(e, w)| e * w).sum();
    sum / all
}

/// Per metric the least weighted average over the sets that contain it: what is still evidence
/// against this one when any others may be to blame (closed testing; family-wise at `1/alpha`).
///
/// Greedy: begin with the metric, add others in ascending order while they lower the average.
pub fn closed(e: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut rising: Vec<usize> = (0..e.len()).collect();
    rising.sort_by(|a, b| e[*a].total_cmp(&e[*b]));
    let one = |own: usize| {
        let (mut sum, mut weight) = (weights[own] * e[own], weights[own]);
        // a metric without a weight of its own brings no stake against it
        let mut mean = if weight > 0.0 { e[own] } else { 0.0 };
        for other in rising.iter().copied().filter(|other| *other != own) {
            if e[other] >= mean {
                break;
            }
            sum += weights[other] * e[other];
            weight += weights[other];
            if weight > 0.0 {
                mean = sum / weight;
            }
        }
        mean
    };
    (0..e.len()).map(one).collect()
}

/// The metrics to report when a share `alpha` of the reports may be false (e-BH, Wang and Ramdas,
/// arXiv 2009.02824): the largest `r` with `r E_(r) / n >= 1/alpha`, as rising indices.
pub fn e_bh(e: &[f64], alpha: f64) -> Vec<usize> {
    let mut falling: Vec<usize> = (0..e.len()).collect();
    falling.sort_by(|a, b| e[*b].total_cmp(&e[*a]));
    let n = e.len() as f64;
    let enough = |r: &usize| *r as f64 * e[falling[r - 1]] / n >= 1.0 / alpha;
    let count = (1..=e.len()).rfind(enough).unwrap_or(0);
    falling.truncate(count);
    falling.sort_unstable();
    falling
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least average over all sets, by trying all of them.
    fn exhaustive(e: &[f64], w: &[f64], own: usize) -> f64 {
        (0u32..1 << e.len())
            .filter(|set| set & (1 << own) != 0)
            .map(|set| {
                let chosen: Vec<usize> = (0..e.len()).filter(|i| set & (1 << i) != 0).collect();
                let weight: f64 = chosen.iter().map(|i| w[*i]).sum();
                chosen.iter().map(|i| e[*i] * w[*i]).sum::<f64>() / weight
            })
            .fold(f64::INFINITY, f64::min)
    }

    proptest::proptest! {
        #[test]
        fn greedy_is_as_good_as_trying_all(
            metrics in proptest::collection::vec((0.001f64..1000.0, 0.1f64..5.0), 1..9)
        ) {
            let (e, w): (Vec<f64>, Vec<f64>) = metrics.into_iter().unzip();
            for (own, found) in closed(&e, &w).into_iter().enumerate() {
                let least = exhaustive(&e, &w, own);
                proptest::prop_assert!((found - least).abs() <= 1e-9 * least);
            }
        }
    }

    #[test]
    fn the_edges() {
        assert_eq!(average(&[], &[]), 1.0);
        assert!(closed(&[], &[]).is_empty());
        assert!(e_bh(&[], 0.1).is_empty());
        assert_eq!(e_bh(&[900.0, 40.0, 0.2, 0.2], 0.1), [0, 1]);
    }
}
