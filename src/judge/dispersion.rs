//! How much requests come in clusters, measured from looks that are over.

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::numeric::exact;

/// The measured size of clusters.
///
/// Per look with bad requests: `X2 = (k1 - th m)^2 / (m th (1-th))` with `m = k1 + k0`,
/// `th = r n1/(r n1 + n0)` and `r = ((K1+.5)/(N1+1)) / ((K0+.5)/(N0+1))` from earlier looks. Then
/// `phi = max(1, (15 + Σ X2)/(5 + count))`: about 3 until something is known. (The holdpoint judge,
/// section 6.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dispersion {
    sum: Counts,
    #[serde(with = "exact")]
    squares: f64,
    count: u32,
}

impl Dispersion {
    /// `phi` for the look to come; it knows nothing of that look.
    pub fn phi(&self) -> f64 {
        ((15.0 + self.squares) / (5.0 + f64::from(self.count))).max(1.0)
    }

    /// Takes a look in, after it was judged.
    pub fn take(&mut self, look: Counts) {
        let m = look.k1 + look.k0;
        let seen = self.sum.k1 + self.sum.k0;
        if m > 0.0 && seen > 0.0 && look.n1 > 0.0 && look.n0 > 0.0 {
            let canary = (self.sum.k1 + 0.5) / (self.sum.n1 + 1.0);
            let baseline = (self.sum.k0 + 0.5) / (self.sum.n0 + 1.0);
            let r = canary / baseline;
            let th = r * look.n1 / (r * look.n1 + look.n0);
            self.squares += (look.k1 - th * m).powi(2) / (m * th * (1.0 - th));
            self.count = self.count.saturating_add(1);
        }
        self.sum = self.sum.plus(look);
    }
}
