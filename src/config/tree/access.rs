//! The items of a list, the entries of a table, the content of a choice, as `serde` asks for them.

use serde::de::{self, DeserializeSeed, Visitor};

use super::fault::{Fault, Spot, What};
use super::passes::Reading;
use super::read::{At, KeyOf};
use super::{NodeId, Value};

/// The items of a list that are not known to be wrong.
pub(crate) struct Items<'r> {
    reading: &'r Reading<'r>,
    rest: std::slice::Iter<'r, NodeId>,
}

impl<'r> Items<'r> {
    pub(crate) fn new(reading: &'r Reading<'r>, items: &'r [NodeId]) -> Items<'r> {
        Items {
            reading,
            rest: items.iter(),
        }
    }

    /// How many items nobody asked for.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let reading = self.reading;
        match self.rest.find(|id| !reading.is_left_out(**id)) {
            Some(id) => At { reading, id: *id }.enter(seed).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The entries of a table that are known and not known to be wrong.
pub(crate) struct Entries<'r> {
    reading: &'r Reading<'r>,
    rest: std::slice::Iter<'r, NodeId>,
    known: Option<&'static [&'static str]>,
    /// The entry whose key was read last.
    open: Option<NodeId>,
}

impl<'r> Entries<'r> {
    pub(crate) fn new(
        reading: &'r Reading<'r>,
        entries: &'r [NodeId],
        known: Option<&'static [&'static str]>,
    ) -> Entries<'r> {
        Entries {
            reading,
            rest: entries.iter(),
            known,
            open: None,
        }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        for id in self.rest.by_ref().copied() {
            let name = self.reading.tree.key(id).unwrap_or_default();
            let unknown = self.known.is_some_and(|known| !known.contains(&name));
            if unknown || self.reading.is_left_out(id) {
                continue;
            }
            self.open = Some(id);
            let key = seed.deserialize(KeyOf(name));
            return key.map(Some).map_err(|fault| fault.or_at(Spot::Key(id)));
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.open.take() {
            Some(id) => {
                let reading = self.reading;
                At { reading, id }.enter(seed)
            }
            None => Err(Fault::new(What::Told)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// One word of several, with or without content: `manual`, `http: {url: …}`.
pub(crate) struct Choice<'r> {
    at: At<'r>,
    word: &'r str,
    content: Option<NodeId>,
}

impl<'r> Choice<'r> {
    /// A word alone.
    pub(crate) const fn bare(at: At<'r>, word: &'r str) -> Choice<'r> {
        Choice {
            at,
            word,
            content: None,
        }
    }

    /// The only key of a table and its value.
    pub(crate) fn with_content(at: At<'r>, entry: NodeId) -> Choice<'r> {
        Choice {
            at,
            word: at.reading.tree.key(entry).unwrap_or_default(),
            content: Some(entry),
        }
    }

    /// The content, for a word that needs some.
    fn content(&self) -> Result<At<'r>, Fault> {
        let reading = self.at.reading;
        match self.content {
            Some(id) if reading.is_left_out(id) => Err(Fault::new(What::Told)),
            Some(id) => Ok(At { reading, id }),
            None => Err(self
                .at
                .expected(format!("more than the word: `{}` needs a value", self.word))),
        }
    }
}

impl<'de, 'r> de::EnumAccess<'de> for Choice<'r> {
    type Error = Fault;
    type Variant = Choice<'r>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Choice<'r>), Fault> {
        let spot = match self.content {
            Some(entry) => Spot::Key(entry),
            None => Spot::Value(self.at.id),
        };
        let word = seed.deserialize(KeyOf(self.word));
        Ok((word.map_err(|fault| fault.or_at(spot))?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Choice<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if self.content.is_none() {
            return Ok(());
        }
        let content = self.content()?;
        let empty = matches!(content.value(), Value::Table(entries) if entries.is_empty());
        if content.is_nothing() || empty {
            Ok(())
        } else {
            Err(content.expected(format!("nothing behind `{}`", self.word)))
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.content()?.enter(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content()?.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content()?.table(Some(fields), visitor)
    }
}
