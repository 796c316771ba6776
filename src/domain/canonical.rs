//! Canonical JSON, and its digest.
//!
//! A value has one canonical form, byte for byte, whoever writes it: RFC 8785 (JSON Canonicalization
//! Scheme). Keys are sorted by their UTF-16 code units, there is no white space, text is escaped as
//! little as JSON allows, and fractions are written with the fewest digits that read back as the
//! same number, as ECMAScript writes them. One thing is stricter than the RFC: whole numbers are
//! always exact, also above 2^53, where the RFC would round them (values of holdpoint stay below).
//!
//! Any tool that follows the RFC computes the same digest from a plan's JSON:
//!
//! ```
//! use holdpoint::domain::canonical;
//!
//! let plan = serde_json::json!({"title": "Refunds", "batches": [{"share": 0.10}], "by": null});
//! let text = r#"{"batches":[{"share":0.1}],"by":null,"title":"Refunds"}"#;
//! assert_eq!(canonical::json(&plan).as_deref(), Ok(text));
//! // printf '%s' "$text" | sha256sum
//! let hash = "6613de3b8a8e1a35997113e02c5dd73b8cc36bd1b6a949a026767c1e411b97c0";
//! assert_eq!(canonical::digest(&plan), format!("sha256:{hash}"));
//! ```

mod form;

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use form::Form;

/// A value that JSON cannot say: an infinite number, a key that is no text, two equal keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no canonical JSON: {0}")]
pub struct Unfit(String);

/// The canonical JSON of a value.
///
/// # Errors
/// What in the value JSON cannot say.
pub fn json(value: &impl Serialize) -> Result<String, Unfit> {
    let (text, unfit) = written(value);
    unfit.map_or(Ok(text), |why| Err(Unfit(why)))
}

/// The SHA-256 of the canonical JSON of a value: `sha256:` and 64 hexadecimal digits.
///
/// A value that JSON cannot say has a digest too, for the sake of those who only compare: what is
/// wrong takes its place in the text, in a way that is no JSON, so that no other value shares it.
pub fn digest(value: &impl Serialize) -> String {
    let hash = Sha256::digest(written(value).0.as_bytes());
    let mut out = String::with_capacity(7 + 64);
    out.push_str("sha256:");
    for byte in hash {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The text of a value, and the first thing in it that is no JSON.
fn written(value: &impl Serialize) -> (String, Option<String>) {
    let form = Form::of(value);
    let mut writer = Writer::default();
    writer.write(&form);
    (writer.text, writer.unfit)
}

#[derive(Default)]
struct Writer {
    text: String,
    unfit: Option<String>,
}

impl Writer {
    fn write(&mut self, form: &Form) {
        match form {
            Form::Nothing => self.text.push_str("null"),
            Form::Bool(yes) => self.text.push_str(if *yes { "true" } else { "false" }),
            Form::Whole(digits) => self.text.push_str(digits),
            Form::Fraction(number) => match fraction(*number) {
                Some(digits) => self.text.push_str(&digits),
                None => self.unfit(&format!("the number {number}")),
            },
            Form::Text(text) => self.quote(text),
            Form::List(items) => {
                self.text.push('[');
                for (n, item) in items.iter().enumerate() {
                    self.comma(n);
                    self.write(item);
                }
                self.text.push(']');
            }
            Form::Table(entries) => self.table(entries),
            Form::Unfit(why) => self.unfit(why),
        }
    }

    fn table(&mut self, entries: &[(Form, Form)]) {
        let mut keyed: Vec<(String, bool, &Form)> = entries
            .iter()
            .map(|(key, value)| match key {
                Form::Text(text) => (text.clone(), true, value),
                Form::Whole(digits) => (digits.clone(), true, value),
                Form::Bool(yes) => (yes.to_string(), true, value),
                other => {
                    let mut writer = Writer::default();
                    writer.write(other);
                    (writer.text, false, value)
                }
            })
            .collect();
        keyed.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
        self.text.push('{');
        for (n, (key, fit, value)) in keyed.iter().enumerate() {
            self.comma(n);
            let twin = n > 0 && keyed.get(n - 1).is_some_and(|before| before.0 == *key);
            if !fit {
                self.unfit(&format!("the key {key}"));
            } else if twin {
                self.unfit(&format!("two keys {key}"));
            } else {
                self.quote(key);
            }
            self.text.push(':');
            self.write(value);
        }
        self.text.push('}');
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.text.push(',');
        }
    }

    fn quote(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\u{8}' => self.text.push_str("\\b"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\u{c}' => self.text.push_str("\\f"),
                '\r' => self.text.push_str("\\r"),
                c if c < ' ' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    /// Puts something there that no JSON has.
    fn unfit(&mut self, why: &str) {
        self.text.push('!');
        self.quote(why);
        self.unfit.get_or_insert_with(|| why.to_owned());
    }
}

/// A finite number as ECMAScript writes it (ECMA-262, Number::toString).
fn fraction(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    if number == 0.0 {
        return Some("0".to_owned());
    }
    // the fewest digits that read back as the same number; of two equally near the even one, which
    // the standard library's own notation does not promise
    let written = serde_json::Number::from_f64(number)?.to_string();
    let (sign, written) = match written.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", written.as_str()),
    };
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{rest}");
    let digits = all.trim_start_matches('0');
    let leading = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    // where the point stands, counted from the first digit
    let shift = i32::try_from(whole.len()).ok()? - i32::try_from(leading).ok()?;
    let point = exponent.parse::<i32>().ok()? + shift;
    let count = i32::try_from(digits.len()).ok()?;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let body = if (count..=21).contains(&point) {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, rest) = digits.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{rest}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let exponent = point - 1;
        let sign = if exponent < 0 { '-' } else { '+' };
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{sign}{}", exponent.abs())
    };
    Some(format!("{sign}{body}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json as value;

    use super::*;

    #[test]
    fn numbers_as_in_appendix_b_of_the_rfc() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let number = f64::from_bits(bits);
            assert_eq!(json(&number).as_deref(), Ok(text), "{bits:x}");
        }
    }

    #[test]
    fn keys_are_sorted_as_in_section_3_2_3_of_the_rfc() {
        let table = value!({
            "\u{20ac}": "Euro Sign",
            "\r": "Carriage Return",
            "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\u{1f600}": "Emoji: Grinning Face",
            "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let expected = "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
            \"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\
            \"\u{1f600}\":\"Emoji: Grinning Face\",\
            \"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}";
        assert_eq!(json(&table).as_deref(), Ok(expected));
    }

    #[test]
    fn text_and_literals_as_in_section_3_2_2_of_the_rfc() {
        let table = value!({
            "numbers": [333_333_333.333_333_3, 1e30, 4.50, 2e-3, 1e-27],
            "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
            "literals": [null, true, false]
        });
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,\
            0.002,1e-27],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(json(&table).as_deref(), Ok(expected));
    }

    #[test]
    fn the_digest_is_that_of_the_text() {
        // printf '{}' | sha256sum
        let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest(&value!({})), empty);
        assert_eq!(
            digest(&value!({"b": 1, "a": [2.0]})),
            digest(&BTreeMap::from([("a", value!([2])), ("b", value!(1))]))
        );
    }

    #[test]
    fn derived_types_look_as_in_plain_json() {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        enum Choice {
            Bare,
            Held(u8),
            Pair(u8, char),
            Named { z: Option<i8>, a: () },
        }
        #[derive(Serialize)]
        struct All {
            choices: Vec<Choice>,
            by_number: BTreeMap<u64, bool>,
            nothing: Option<u8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            skipped: Option<u8>,
            large: (u64, i64),
            single: f32,
        }
        let all = All {
            choices: vec![
                Choice::Bare,
                Choice::Held(1),
                Choice::Pair(2, 'x'),
                Choice::Named { z: Some(-3), a: () },
            ],
            by_number: BTreeMap::from([(2, true), (10, false)]),
            nothing: None,
            skipped: None,
            large: (u64::MAX, i64::MIN),
            single: 0.5,
        };
        let plain: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&all).unwrap()).unwrap();
        assert_eq!(json(&all), json(&plain));
        let expected = r#"{"by_number":{"10":false,"2":true},"choices":["bare",{"held":1},{"pair":[2,"x"]},{"named":{"a":null,"z":-3}}],"large":[18446744073709551615,-9223372036854775808],"nothing":null,"single":0.5}"#;
        assert_eq!(json(&all).as_deref(), Ok(expected));
    }

    #[test]
    fn what_json_cannot_say_is_refused_and_shares_no_digest() {
        let nan = json(&[f64::NAN]).unwrap_err();
        assert_eq!(nan.to_string(), "no canonical JSON: the number NaN");
        let by_list = BTreeMap::from([(vec![1], 1)]);
        assert!(json(&by_list).is_err());
        let digests = [
            digest(&[f64::NAN]),
            digest(&[f64::INFINITY]),
            digest(&[f64::NEG_INFINITY]),
            digest(&[Option::<u8>::None]),
            digest(&["NaN"]),
            digest(&["the number NaN"]),
            digest(&["!"]),
            digest(&by_list),
        ];
        let different: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
    }
}
