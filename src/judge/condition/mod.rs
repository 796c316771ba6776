//! Conditions as Argo Rollouts writes them (`result[0] >= 0.95`, `all(result, # < 0.1)`): the part of
//! the expr language that conditions use. Nothing here can loop or reach outside.
//!
//! `||`/`or`, `&&`/`and`, `!`/`not`, comparisons, `in`, `+ - * / %`, `a[b]`, `a.b`, lists, and the
//! functions `len isNaN isInf isNil asFloat asInt default abs min max all any none one count`; `#` is the
//! element in the last five.

mod eval;
mod parse;

use thiserror::Error;

pub use eval::Value;
use parse::Node;

/// What is wrong with a condition or its value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// The text is no condition.
    #[error("at sign {at}: {why}")]
    Text {
        /// Which sign of the text, from 1.
        at: usize,
        /// What is wrong there.
        why: String,
    },
    /// It cannot be computed with this value.
    #[error("{0}")]
    Value(String),
}

/// A condition, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Node);

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Where the text stops being one.
    pub fn parse(text: &str) -> Result<Condition, Fault> {
        parse::parse(text).map(Condition)
    }

    /// Whether it holds for `result`.
    ///
    /// # Errors
    /// When it cannot be computed: an index beyond the end, a comparison of unlike things, no yes or no.
    pub fn holds(&self, result: &Value) -> Result<bool, Fault> {
        match eval::eval(&self.0, result)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(Fault::Value(format!("{} is no yes or no", other.kind()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(numbers: &[f64]) -> Value {
        Value::List(numbers.iter().copied().map(Value::Number).collect())
    }

    #[track_caller]
    fn says(text: &str, result: &Value, should: bool) {
        let condition = Condition::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(condition.holds(result), Ok(should), "{text}");
    }

    #[test]
    fn conditions_as_people_write_them() {
        let one = list(&[0.97]);
        says("result[0] >= 0.95", &one, true);
        says("result[0] > 0.95 && result[0] < 0.96", &one, false);
        says("len(result) == 0 || result[0] >= 0.95", &list(&[]), true);
        says(
            "isNaN(result[0]) or result[0] < 1",
            &list(&[f64::NAN]),
            true,
        );
        says("result[0] < 1", &list(&[f64::NAN]), false);
        says("all(result, # <= 0.99)", &one, true);
        says("any(result, {# > 1})", &one, false);
        says("default(result, 0) < 0.05", &Value::Nil, true);
        says("not (1 + 2 * 3 == 7)", &one, false);
        says("result.status == \"ok\"", &object("status", "ok"), true);
        says(
            "result[\"status\"] in ['ok', \"good\"]",
            &object("status", "ok"),
            true,
        );
        says("-result[0] < -0.9", &one, true);
        says("asInt(\"7\") % 4 == 3", &one, true);
    }

    fn object(key: &str, text: &str) -> Value {
        Value::Object(vec![(key.to_owned(), Value::Text(text.to_owned()))])
    }

    #[test]
    fn what_cannot_be_computed_is_an_error() {
        for (text, result) in [
            ("result[0] > 1", list(&[])),
            ("result > 1", list(&[1.0])),
            ("result[0]", list(&[1.0])),
            ("result.a.b == 1", object("a", "x")),
            ("nosuch == 1", list(&[])),
        ] {
            let condition = Condition::parse(text);
            let holds = condition.and_then(|condition| condition.holds(&result));
            assert!(holds.is_err(), "{text}: {holds:?}");
        }
    }

    #[test]
    fn mistakes_say_where() {
        for (text, place) in [
            ("result[0] >", 12),
            ("1 == == 2", 6),
            ("(1 == 1", 8),
            ("a $ b", 3),
        ] {
            match Condition::parse(text) {
                Err(Fault::Text { at, .. }) => assert_eq!(at, place, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let deep = "(".repeat(100_000);
        assert!(Condition::parse(&deep).is_err());
        assert!(Condition::parse(&"!".repeat(100_000)).is_err());
    }

    #[test]
    fn there_is_an_end_to_computing() {
        let within = (0..12).fold("# > 0".to_owned(), |inner, _| {
            format!("all(result, {inner})")
        });
        let condition = Condition::parse(&within).unwrap();
        let held = condition.holds(&list(&[1.0; 40])).unwrap_err();
        assert_eq!(held.to_string(), "it takes more than 1000000 steps");
        says(
            "count(result, # > 0) == 100000",
            &list(&[1.0; 100_000]),
            true,
        );
    }

    /// Conditions of all that there is in them, well formed and not.
    fn pieces() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let piece = prop::sample::select(vec![
            "result", "#", "[0]", "[-1]", ".a", "[\"a\"]", "len(", "all(", "any(", "count(",
            "default(", "isNaN(", "asInt(", "min(", ")", "(", "{", "}", "[", "]", ",", " ", "&&",
            "or", "not ", "!", "-", "+", "*", "/", "%", "<", ">=", "==", "in", "1", "0.95",
            "1e999", "1_0", "1e", "'x'", "\"", "nil", "true", "nosuch", "ä",
        ]);
        prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(5),
            failure_persistence: None,
            ..proptest::prelude::ProptestConfig::with_cases(2000)
        })]
        #[test]
        fn pieces_of_conditions_do_not_break_it(text in pieces()) {
            match Condition::parse(&text) {
                Ok(condition) => for value in [
                    list(&[1.0, f64::NAN]), list(&[]), object("a", "7"), Value::Nil,
                    Value::Number(f64::INFINITY),
                ] {
                    let _ = condition.holds(&value);
                },
                Err(Fault::Text { at, why }) => {
                    proptest::prop_assert!(at >= 1 && at <= text.chars().count() + 1, "{}", why);
                }
                Err(other) => proptest::prop_assert!(false, "no place: {}", other),
            }
        }

        #[test]
        fn no_text_breaks_it(text in "[-a#0-9.()\\[\\]{}'\" ,<>=!&|+*/%]{0,40}|\\PC{0,30}") {
            if let Ok(condition) = Condition::parse(&text) {
                let _ = condition.holds(&list(&[1.0, 2.0]));
            }
        }
    }
}
