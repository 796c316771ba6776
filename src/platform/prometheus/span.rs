//! The span of time that a look covers, pure.

/// How many scrapes the first look goes back, so that series that are seldom shown are known.
const FIRST: i64 = 20;

/// The longest that it goes back, in milliseconds.
const FIRST_LONGEST: i64 = 5 * 60 * 1000;

/// How many scrapes a look goes back at most, after the source was away. What a counter grew by
/// before that is still counted: differences need only the ends.
const MOST: i64 = 60;

/// From when to when samples are read, in milliseconds of the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// From here, to know what was there before.
    pub from: i64,
    /// What was read at the look before ends here.
    pub after: i64,
    /// To here.
    pub to: i64,
    /// The time between two scrapes.
    pub step: i64,
}

impl Reach {
    /// The span of a look at a moment, after one that reached to `read`.
    pub fn new(read: Option<i64>, to: i64, step: i64) -> Reach {
        // the newest sample may be two scrapes old and still speak for now
        let near = to - 2 * step;
        let (from, after) = match read {
            None => {
                let back = (FIRST * step).min(FIRST_LONGEST);
                (near.min(to - back), to - step)
            }
            Some(read) => {
                let after = read.max(to - MOST * step);
                // the scrape that was counted last may be two scrapes older than the look that did it
                (near.min(after - 2 * step), after)
            }
        };
        Reach {
            from,
            after,
            to,
            step,
        }
    }

    /// Whether a sample is recent enough to speak for the end of the span.
    pub fn is_fresh(&self, at: i64) -> bool {
        self.to - at < 2 * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_begins_where_the_last_one_ended() {
        let reach = Reach::new(Some(85_000), 100_000, 15_000);
        assert_eq!((reach.from, reach.after), (55_000, 85_000));
        assert!(reach.is_fresh(70_001) && !reach.is_fresh(70_000));
        let away = Reach::new(Some(0), 10_000_000, 15_000);
        assert_eq!(away.after, 10_000_000 - 900_000);
        let first = Reach::new(None, 1_000_000, 15_000);
        assert_eq!((first.from, first.after), (700_000, 985_000));
        assert_eq!(Reach::new(None, 1_000_000, 1_000).from, 980_000);
        assert_eq!(Reach::new(None, 10_000_000, 200_000).from, 9_600_000);
    }
}
