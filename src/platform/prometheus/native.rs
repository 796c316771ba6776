//! Native histograms, brought onto one grid of bounds, pure.
//!
//! Their buckets are sparse and their resolution may change while a process lives, and a judge needs
//! the same bounds at every look and on both sides. The grid has four buckets for each doubling
//! (the schema 2 of Prometheus), from 2^-20 to 2^20: a microsecond to twelve days. The buckets of
//! finer schemas lie wholly within one of the grid, so nothing is lost but resolution. A bucket
//! that is wider than the grid counts where its upper bound lies: sizes seem rather too large.

use serde::Deserialize;

/// How many buckets there are for a doubling.
const FOR_A_DOUBLING: i32 = 4;

/// The grid ends at two to the power of this, and begins at its inverse.
const DOUBLINGS: i32 = 20;

/// How far a bound may lie beside one of the grid and still be the same: floats of a server that
/// computed it another way.
const SAME: f64 = 1e-9;

/// Upper bounds and how many events lie at or below each, the last one infinite.
pub(super) type Cumulated = Vec<(f64, f64)>;

/// A native histogram as the API writes it: `rule` says which ends belong to a bucket, which makes
/// no difference here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RawHistogram {
    count: String,
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

/// The upper bounds of the grid but for the infinite one.
fn bounds() -> impl Iterator<Item = f64> {
    let last = FOR_A_DOUBLING * DOUBLINGS;
    (0..=2 * last)
        .map(move |n| f64::from(n - last) / f64::from(FOR_A_DOUBLING))
        .map(f64::exp2)
}

impl RawHistogram {
    /// The counts on the grid.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn cumulated(&self) -> Result<Cumulated, String> {
        let number = |text: &str| {
            let number: Result<f64, _> = text.parse();
            number.map_err(|_| "a bucket of it is no number".to_owned())
        };
        let all: Vec<f64> = bounds().collect();
        let mut counts = vec![0.0; all.len() + 1];
        let mut sum = 0.0;
        for (_, _, upper, count) in &self.buckets {
            let (upper, count) = (number(upper)?, number(count)?);
            if upper.is_nan() || !count.is_finite() || count < 0.0 {
                return Err("a bucket of it is no count".to_owned());
            }
            let at = all.partition_point(|bound| *bound < upper * (1.0 - SAME));
            counts[at] += count;
            sum += count;
        }
        let count = number(&self.count)?;
        // what is no number lies in no bucket, so there may be more than are in buckets
        if !count.is_finite() || count < sum {
            return Err("its count is not the sum of its buckets".to_owned());
        }
        counts[all.len()] += count - sum;
        let mut below = 0.0;
        let bounds = all.into_iter().chain([f64::INFINITY]);
        let cumulated = bounds.zip(counts).map(|(bound, here)| {
            below += here;
            (bound, below)
        });
        Ok(cumulated.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buckets of equal ratio, `schema` halvings of a doubling, with these counts.
    fn histogram(schema: i32, counts: &[(i32, u32)]) -> RawHistogram {
        let bound = |n: i32| (f64::from(n) / 2f64.powi(schema)).exp2().to_string();
        let bucket = |(n, count): &(i32, u32)| (0, bound(n - 1), bound(*n), count.to_string());
        let sum: u32 = counts.iter().map(|(_, count)| count).sum();
        RawHistogram {
            count: sum.to_string(),
            buckets: counts.iter().map(bucket).collect(),
        }
    }

    fn at_most(cumulated: &Cumulated, bound: f64) -> f64 {
        let found = cumulated.iter().find(|(upper, _)| *upper == bound);
        found.unwrap().1
    }

    #[test]
    fn finer_buckets_lie_within_the_grid() {
        for schema in 2..=8 {
            let doubling = 1 << schema;
            let counts: Vec<(i32, u32)> = (1 - doubling..=doubling).map(|n| (n, 3)).collect();
            let cumulated = histogram(schema, &counts).cumulated().unwrap();
            let all = 6 * doubling as u32;
            assert_eq!(at_most(&cumulated, 0.5), 0.0, "schema {schema}");
            assert_eq!(
                at_most(&cumulated, 1.0),
                f64::from(all / 2),
                "schema {schema}"
            );
            assert_eq!(at_most(&cumulated, 2.0), f64::from(all), "schema {schema}");
            assert_eq!(cumulated.last(), Some(&(f64::INFINITY, f64::from(all))));
        }
    }

    #[test]
    fn coarser_buckets_count_at_their_upper_bound() {
        let cumulated = histogram(0, &[(1, 5)]).cumulated().unwrap();
        assert_eq!(at_most(&cumulated, 1.75_f64.log2().floor().exp2()), 0.0);
        assert_eq!(at_most(&cumulated, 2.0), 5.0);
    }

    #[test]
    fn odd_ones_are_refused_and_none_is_lost() {
        let raw = |text: &str| serde_json::from_str::<RawHistogram>(text).unwrap();
        let whole = raw(
            r#"{"count":"7","sum":"NaN","buckets":[[1,"-4","-2","1"],[3,"-1","1","2"],[0,"1e9","2e9","1"]]}"#,
        );
        let cumulated = whole.cumulated().unwrap();
        assert_eq!(cumulated[0].1, 1.0, "below the grid");
        assert_eq!(at_most(&cumulated, 1.0), 3.0);
        assert_eq!(
            cumulated.last().unwrap().1,
            7.0,
            "above it, or not a number"
        );
        assert_eq!(
            raw(r#"{"count":"0"}"#)
                .cumulated()
                .unwrap()
                .last()
                .unwrap()
                .1,
            0.0
        );
        for bad in [
            r#"{"count":"x"}"#,
            r#"{"count":"NaN"}"#,
            r#"{"count":"1","buckets":[[0,"1","2","2"]]}"#,
            r#"{"count":"1","buckets":[[0,"1","NaN","1"]]}"#,
            r#"{"count":"1","buckets":[[0,"1","2","-1"]]}"#,
        ] {
            assert!(raw(bad).cumulated().is_err(), "{bad}");
        }
    }
}
