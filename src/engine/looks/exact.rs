//! Samples with their floats to the last bit: histograms are added up only where their bounds are the
//! same, and JSON may be read back a bit beside what was written.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::judge::Sample;

/// A sample that is read back as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exact(pub Sample);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bits {
    Ratio { bad: u64, total: u64 },
    Histogram { bounds: Vec<u64>, counts: Vec<u64> },
    Gauge { mean: u64, n: u32 },
    Missing { why: Arc<str> },
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let bits = match self.0.clone() {
            Sample::Ratio { bad, total } => Bits::Ratio { bad, total },
            Sample::Histogram { bounds, counts } => Bits::Histogram {
                bounds: bounds.into_iter().map(f64::to_bits).collect(),
                counts,
            },
            Sample::Gauge { mean, n } => Bits::Gauge {
                mean: mean.to_bits(),
                n,
            },
            Sample::Missing { why } => Bits::Missing { why },
        };
        bits.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let sample = match Bits::deserialize(from)? {
            Bits::Ratio { bad, total } => Sample::Ratio { bad, total },
            Bits::Histogram { bounds, counts } => Sample::Histogram {
                bounds: bounds.into_iter().map(f64::from_bits).collect(),
                counts,
            },
            Bits::Gauge { mean, n } => Sample::Gauge {
                mean: f64::from_bits(mean),
                n,
            },
            Bits::Missing { why } => Sample::Missing { why },
        };
        // the file may be anybody's: no more of it is believed than a look could have brought
        match sane(&sample) {
            true => Ok(Exact(sample)),
            false => Err(serde::de::Error::custom("no look brings such a sample")),
        }
    }
}

/// Whether a sample is one that a look can bring; sums over many of them cannot overflow.
fn sane(sample: &Sample) -> bool {
    const MOST: u64 = 1 << 53;
    match sample {
        Sample::Ratio { bad, total } => bad <= total && *total <= MOST,
        Sample::Histogram { bounds, counts } => {
            counts.len() == bounds.len() + 1
                && bounds.is_sorted_by(|a, b| a < b)
                && counts.iter().all(|n| *n <= MOST)
        }
        Sample::Gauge { mean, .. } => mean.is_finite(),
        Sample::Missing { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(sample: &Sample) -> Result<Exact, serde_json::Error> {
        let text = serde_json::to_string(&Exact(sample.clone())).unwrap();
        serde_json::from_str(&text)
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let bounds = (1..40).map(|n| 1.1_f64.powi(n)).collect::<Vec<f64>>();
        let histogram = Sample::Histogram {
            counts: vec![7; bounds.len() + 1],
            bounds,
        };
        let gauge = Sample::Gauge {
            mean: 0.1 + 0.2,
            n: 3,
        };
        for sample in [
            Sample::Ratio { bad: 1, total: 10 },
            histogram,
            gauge,
            Sample::first_look(),
        ] {
            assert_eq!(again(&sample).unwrap(), Exact(sample));
        }
    }

    #[test]
    fn what_no_look_brings_is_not_believed() {
        let histogram = |bounds: &[f64]| Sample::Histogram {
            bounds: bounds.to_vec(),
            counts: vec![0; 3],
        };
        for sample in [
            Sample::Ratio { bad: 2, total: 1 },
            Sample::Ratio {
                bad: 0,
                total: u64::MAX,
            },
            histogram(&[1.0, 1.0]),
            histogram(&[1.0]),
            Sample::Gauge {
                mean: f64::NAN,
                n: 1,
            },
        ] {
            assert!(again(&sample).is_err(), "{sample:?}");
        }
    }
}
