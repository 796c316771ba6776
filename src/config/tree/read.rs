//! From a tree to the types of Rust: a `serde` deserializer that knows where it is.
//!
//! Types should say exactly what they are: `flatten`, `untagged` and internally tagged enums read
//! through a buffer of `serde` that knows no places, so their mistakes are told at the start of the
//! whole value. Unknown keys are always a mistake, with or without `deny_unknown_fields`.

use serde::de::{self, IntoDeserializer as _, Visitor};

use super::access::{Choice, Entries, Items};
use super::fault::{Fault, Spot, What, people};
use super::passes::Reading;
use super::{Kind, NodeId, Scalar, Value};
use crate::domain::spelled::HIDDEN_NEWTYPE;
use crate::domain::words::listing;

/// A value to be read.
#[derive(Clone, Copy)]
pub(crate) struct At<'r> {
    pub(crate) reading: &'r Reading<'r>,
    pub(crate) id: NodeId,
}

impl<'r> At<'r> {
    pub(crate) fn root(reading: &'r Reading<'r>) -> At<'r> {
        At {
            reading,
            id: NodeId::ROOT,
        }
    }

    pub(crate) fn value(self) -> &'r Value {
        &self.reading.tree.node(self.id).value
    }

    fn scalar(self) -> Option<&'r Scalar> {
        match self.value() {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Table(_) => None,
        }
    }

    pub(crate) fn is_nothing(self) -> bool {
        self.scalar().is_some_and(|s| s.kind == Kind::Nothing)
    }

    /// The text of a scalar where text is expected: also that of a number or date, as written.
    fn text(self) -> Option<&'r str> {
        let scalar = self.scalar()?;
        match scalar.kind {
            Kind::Text | Kind::Whole(_) | Kind::Fraction(_) | Kind::Date => Some(&scalar.text),
            Kind::Nothing | Kind::Bool(_) => None,
        }
    }

    pub(crate) fn expected(self, expected: impl Into<String>) -> Fault {
        Fault {
            spot: Some(Spot::Value(self.id)),
            what: What::Expected(expected.into()),
        }
    }

    fn wrong<'de, V: Visitor<'de>>(self, visitor: &V) -> Fault {
        self.expected(people(&(visitor as &dyn de::Expected).to_string()))
    }

    pub(crate) fn here(self) -> impl Fn(Fault) -> Fault {
        move |fault| fault.or_at(Spot::Value(self.id))
    }

    /// Reads the value of a table or list, unless it is known to be wrong.
    pub(crate) fn enter<'de, T: de::DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Fault> {
        if self.reading.is_left_out(self.id) {
            return Err(Fault::new(What::Told));
        }
        seed.deserialize(self).map_err(self.here())
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Some(scalar) = self.scalar() else {
            return Err(self.wrong(&visitor));
        };
        let number = match scalar.kind {
            Kind::Whole(Some(number)) => number,
            Kind::Whole(None) => return Err(self.expected("a number of fewer digits")),
            _ => return Err(self.wrong(&visitor)),
        };
        let read = if let Ok(small) = i64::try_from(number) {
            visitor.visit_i64(small)
        } else if let Ok(large) = u64::try_from(number) {
            visitor.visit_u64(large)
        } else {
            visitor.visit_i128(number)
        };
        read.map_err(self.here())
    }

    fn fraction<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = match self.scalar().map(|s| s.kind) {
            // the nearest fraction is what the writer of a large number means
            #[expect(
                clippy::cast_precision_loss,
                reason = "a number written with a fraction is read as one"
            )]
            Some(Kind::Whole(Some(number))) => number as f64,
            Some(Kind::Fraction(number)) if number.is_finite() => number,
            Some(Kind::Fraction(_)) => return Err(self.expected("a finite number")),
            _ => return Err(self.wrong(&visitor)),
        };
        visitor.visit_f64(number).map_err(self.here())
    }

    fn word<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text() {
            Some(text) => visitor.visit_str(text).map_err(self.here()),
            None => Err(self.wrong(&visitor)),
        }
    }

    /// Reads a list whose items may be fewer or more than the type wants.
    pub(crate) fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::List(items) = self.value() else {
            return Err(self.wrong(&visitor));
        };
        let mut items = Items::new(self.reading, items);
        let value = visitor.visit_seq(&mut items).map_err(self.here())?;
        match items.left() {
            0 => Ok(value),
            left => {
                let most = self.reading.tree.children(self.id).len() - left;
                Err(self.expected(format!("a list of {most}")))
            }
        }
    }

    /// Reads a table; `known` are all keys it can have, if there is such a list.
    pub(crate) fn table<'de, V: Visitor<'de>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries: &[NodeId] = match self.value() {
            Value::Table(entries) => entries,
            // an empty YAML file is an empty table, as an empty TOML file is
            _ if self.id == NodeId::ROOT && self.is_nothing() => &[],
            _ => {
                let words = people(&(&visitor as &dyn de::Expected).to_string());
                return Err(self.expected(match known {
                    Some(known) if words == "a table" && !known.is_empty() => {
                        format!(
                            "a table with keys like {}",
                            listing(known.iter().copied().take(3), 3)
                        )
                    }
                    _ => words,
                }));
            }
        };
        if let Some(known) = known {
            self.reading.note_unknown(self.id, known);
        }
        let entries = Entries::new(self.reading, entries, known);
        let read = visitor.visit_map(entries).map_err(self.here());
        read.map_err(|mut fault| {
            let own = fault.spot == Some(Spot::Value(self.id));
            if let (true, Some(all), What::Missing { known, .. }) = (own, known, &mut fault.what) {
                *known = all;
            }
            fault
        })
    }
}

/// Methods that all do the same.
macro_rules! each {
    ($($name:ident)* => $how:ident) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$how(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for At<'_> {
    type Error = Fault;

    each! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
    deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 => number }
    each! { deserialize_f32 deserialize_f64 => fraction }
    each! { deserialize_char deserialize_str deserialize_string deserialize_identifier
    deserialize_bytes deserialize_byte_buf => word }
    each! { deserialize_seq => list }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let scalar = match self.value() {
            Value::List(_) => return self.list(visitor),
            Value::Table(_) => return self.table(None, visitor),
            Value::Scalar(scalar) => scalar,
        };
        match scalar.kind {
            Kind::Nothing => visitor.visit_unit().map_err(self.here()),
            Kind::Bool(yes) => visitor.visit_bool(yes).map_err(self.here()),
            Kind::Whole(_) => self.number(visitor),
            Kind::Fraction(_) => self.fraction(visitor),
            Kind::Date | Kind::Text => self.word(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar().map(|s| s.kind) {
            Some(Kind::Bool(yes)) => visitor.visit_bool(yes).map_err(self.here()),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_nothing() {
            visitor.visit_none().map_err(self.here())
        } else {
            visitor.visit_some(self).map_err(self.here())
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let empty = matches!(self.value(), Value::Table(entries) if entries.is_empty());
        if empty || self.is_nothing() {
            visitor.visit_unit().map_err(self.here())
        } else {
            Err(self.wrong(&visitor))
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let expected =
            (name == HIDDEN_NEWTYPE).then(|| people(&(&visitor as &dyn de::Expected).to_string()));
        let read = visitor.visit_newtype_struct(self).map_err(self.here());
        match expected {
            Some(expected) => read.map_err(|fault| fault.hidden(&expected)),
            None => read,
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.table(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.table(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let one_of = || format!("one of {}", listing(words.iter().copied(), words.len()));
        let choice = match self.value() {
            Value::Table(entries) => match entries.as_slice() {
                [entry] if self.reading.is_left_out(*entry) => {
                    return Err(Fault::new(What::Told).or_at(Spot::Value(self.id)));
                }
                [entry] => Choice::with_content(self, *entry),
                _ => return Err(self.expected(format!("a table with {}", one_of()))),
            },
            _ => match self.text() {
                Some(word) => Choice::bare(self, word),
                None => return Err(self.expected(one_of())),
            },
        };
        visitor.visit_enum(choice).map_err(self.here())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

/// A key as a deserializer: text, or what text can be read as.
pub(crate) struct KeyOf<'r>(pub(crate) &'r str);

impl<'de> de::Deserializer<'de> for KeyOf<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.0)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.parse() {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => visitor.visit_str(self.0),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.parse() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => visitor.visit_str(self.0),
        }
    }

    each! { deserialize_u8 deserialize_u16 deserialize_u32 => deserialize_u64 }
    each! { deserialize_i8 deserialize_i16 deserialize_i32 => deserialize_i64 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
