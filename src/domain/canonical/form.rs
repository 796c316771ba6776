//! Any value as what JSON can say, through `serde`.

use std::fmt::Display;

use serde::ser::{self, Serialize};

/// What JSON can say, and what it cannot.
#[derive(Debug)]
pub(super) enum Form {
    Nothing,
    Bool(bool),
    /// A whole number, in digits.
    Whole(String),
    Fraction(f64),
    Text(String),
    List(Vec<Form>),
    /// Keys and values in the order given.
    Table(Vec<(Form, Form)>),
    /// Why there is no form.
    Unfit(String),
}

impl Form {
    /// The form of a value.
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Form {
        value
            .serialize(Maker)
            .unwrap_or_else(|Failed(why)| Form::Unfit(why))
    }

    /// The form of a choice with content.
    fn tagged(word: &str, content: Form) -> Form {
        Form::Table(vec![(Form::Text(word.to_owned()), content)])
    }
}

/// A type that would not say what it is.
#[derive(Debug)]
pub(super) struct Failed(String);

impl std::error::Error for Failed {}

impl Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ser::Error for Failed {
    fn custom<T: Display>(message: T) -> Failed {
        Failed(message.to_string())
    }
}

struct Maker;

/// Methods for all whole numbers.
macro_rules! whole {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, number: $type) -> Result<Form, Failed> {
            Ok(Form::Whole(number.to_string()))
        })*
    };
}

impl ser::Serializer for Maker {
    type Ok = Form;
    type Error = Failed;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Table;
    type SerializeStruct = Table;
    type SerializeStructVariant = Table;

    whole! { serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
    serialize_i128 i128, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32,
    serialize_u64 u64, serialize_u128 u128 }

    fn serialize_bool(self, yes: bool) -> Result<Form, Failed> {
        Ok(Form::Bool(yes))
    }

    fn serialize_f32(self, number: f32) -> Result<Form, Failed> {
        Ok(Form::Fraction(number.into()))
    }

    fn serialize_f64(self, number: f64) -> Result<Form, Failed> {
        Ok(Form::Fraction(number))
    }

    fn serialize_char(self, c: char) -> Result<Form, Failed> {
        Ok(Form::Text(c.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Form, Failed> {
        Ok(Form::Text(text.to_owned()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Form, Failed> {
        let numbers = bytes.iter().map(|b| Form::Whole(b.to_string()));
        Ok(Form::List(numbers.collect()))
    }

    fn serialize_none(self) -> Result<Form, Failed> {
        Ok(Form::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Form, Failed> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Form, Failed> {
        Ok(Form::Nothing)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Form, Failed> {
        Ok(Form::Nothing)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        word: &'static str,
    ) -> Result<Form, Failed> {
        Ok(Form::Text(word.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Form, Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        word: &'static str,
        value: &T,
    ) -> Result<Form, Failed> {
        Ok(Form::tagged(word, value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Failed> {
        Ok(List::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<List, Failed> {
        Ok(List::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List, Failed> {
        Ok(List::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        word: &'static str,
        _: usize,
    ) -> Result<List, Failed> {
        Ok(List {
            word: Some(word),
            items: Vec::new(),
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Table, Failed> {
        Ok(Table::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Table, Failed> {
        Ok(Table::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        word: &'static str,
        _: usize,
    ) -> Result<Table, Failed> {
        Ok(Table {
            word: Some(word),
            ..Table::default()
        })
    }
}

/// A list that is being said.
#[derive(Default)]
pub(super) struct List {
    /// The choice of which it is the content.
    word: Option<&'static str>,
    items: Vec<Form>,
}

impl List {
    fn finish(self) -> Form {
        let list = Form::List(self.items);
        match self.word {
            Some(word) => Form::tagged(word, list),
            None => list,
        }
    }
}

/// The traits of everything that has items.
macro_rules! items {
    ($($trait:ident $method:ident),*) => {
        $(impl ser::$trait for List {
            type Ok = Form;
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.items.push(value.serialize(Maker)?);
                Ok(())
            }

            fn end(self) -> Result<Form, Failed> {
                Ok(self.finish())
            }
        })*
    };
}

items! { SerializeSeq serialize_element, SerializeTuple serialize_element,
SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field }

/// A table that is being said.
#[derive(Default)]
pub(super) struct Table {
    /// The choice of which it is the content.
    word: Option<&'static str>,
    /// The key whose value comes next.
    key: Option<Form>,
    entries: Vec<(Form, Form)>,
}

impl Table {
    fn finish(self) -> Form {
        let table = Form::Table(self.entries);
        match self.word {
            Some(word) => Form::tagged(word, table),
            None => table,
        }
    }
}

impl ser::SerializeMap for Table {
    type Ok = Form;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.key = Some(key.serialize(Maker)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let key = self.key.take().unwrap_or(Form::Nothing);
        self.entries.push((key, value.serialize(Maker)?));
        Ok(())
    }

    fn end(self) -> Result<Form, Failed> {
        Ok(self.finish())
    }
}

/// The traits of everything that has named fields.
macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Table {
            type Ok = Form;
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                let value = value.serialize(Maker)?;
                self.entries.push((Form::Text(name.to_owned()), value));
                Ok(())
            }

            fn end(self) -> Result<Form, Failed> {
                Ok(self.finish())
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }
