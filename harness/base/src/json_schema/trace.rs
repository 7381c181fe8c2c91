//! What a type reads at a place of a document, found by letting it read.
//!
//! A [`Tracer`] walks a type's own `Deserialize` along one path: each table gets the one key of the path, each list one item.
//! At the end of the path it notes which kind of value is asked for, and refuses to give one.

use std::{cell::RefCell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

/// One step of a path into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathStep {
    /// The value of a known key.
    Key(&'static str),
    /// The value of any key, where the user chooses the names.
    AnyName,
    /// An item of a list.
    Item,
}

/// The kind of value that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A table with these keys.
    Table(&'static [&'static str]),
    /// A table whose keys the user chooses.
    Names,
    /// A list.
    List,
    /// A text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number, with the least and the greatest one.
    Integer(Option<(u64, Option<u64>)>),
    /// Any number.
    Number,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Whatever the reader itself decides on, with what it expects in its own words.
    Custom(String),
}

/// Returns what `T` reads at a place.
pub(super) fn shape<T: DeserializeOwned>(path: &[PathStep]) -> Shape {
    let found = RefCell::new(None);
    drop(T::deserialize(Tracer { path, found: &found }));
    found.into_inner().unwrap_or_else(|| Shape::Custom(String::new()))
}

/// The end of every walk.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place was reached")
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Stop
    }
}

#[derive(Clone, Copy)]
struct Tracer<'a> {
    path: &'a [PathStep],
    found: &'a RefCell<Option<Shape>>,
}

/// What the reader expects of a custom value.
struct Expecting<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expecting<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

impl<'a> Tracer<'a> {
    fn note<T>(self, shape: Shape) -> Result<T, Stop> {
        *self.found.borrow_mut() = Some(shape);
        Err(Stop)
    }

    /// Goes one step down, where the path does so in the expected way.
    fn below(self) -> Option<(PathStep, Self)> {
        let (first, path) = self.path.split_first()?;
        Some((*first, Tracer { path, found: self.found }))
    }

    fn integer<T>(self, maximum: Option<u64>) -> Result<T, Stop> {
        self.note(Shape::Integer(Some((0, maximum))))
    }
}

macro_rules! noted {
    ($($method:ident => $shape:expr),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            self.note($shape)
        })*
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Stop;

    noted! {
        deserialize_bool => Shape::Boolean,
        deserialize_i8 => Shape::Integer(None),
        deserialize_i16 => Shape::Integer(None),
        deserialize_i32 => Shape::Integer(None),
        deserialize_i64 => Shape::Integer(None),
        deserialize_f32 => Shape::Number,
        deserialize_f64 => Shape::Number,
        deserialize_char => Shape::Text,
        deserialize_str => Shape::Text,
        deserialize_string => Shape::Text,
        deserialize_identifier => Shape::Text,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let expected = Expecting(&visitor).to_string();
        self.note(Shape::Custom(expected))
    }

    fn deserialize_u8<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.integer(Some(u8::MAX.into()))
    }

    fn deserialize_u16<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.integer(Some(u16::MAX.into()))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.integer(Some(u32::MAX.into()))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.integer(None)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.below() {
            Some((PathStep::Item, below)) => visitor.visit_seq(One(below)),
            _ => self.note(Shape::List),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.below() {
            Some((PathStep::AnyName, below)) => visitor.visit_map(Entry { key: Some("name"), value: below }),
            _ => self.note(Shape::Names),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if is_placed(name) {
            return visitor.visit_map(Placed { fields, next: 0, value: self });
        }
        match self.below() {
            Some((PathStep::Key(key), below)) => visitor.visit_map(Entry { key: Some(key), value: below }),
            _ => self.note(Shape::Table(fields)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(Shape::Words(variants))
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct ignored_any }
}

/// Returns whether a table is a value with its place in the text, [`toml::Spanned`]: the value is what is read.
fn is_placed(name: &str) -> bool {
    name.ends_with("_Spanned")
}

/// A list of one item.
struct One<'a>(Tracer<'a>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        seed.deserialize(self.0).map(Some)
    }
}

/// A table of one entry.
struct Entry<'a> {
    key: Option<&'static str>,
    value: Tracer<'a>,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        self.key.take().map(|key| seed.deserialize(Name(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.value)
    }
}

/// A name that a user chose, or a key of a table.
#[derive(Clone, Copy)]
struct Name(&'static str);

impl<'de> Deserializer<'de> for Name {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match is_placed(name) {
            true => visitor.visit_map(Placed { fields, next: 0, value: self }),
            false => Err(Stop),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A value with its place in the text: start, end, value.
struct Placed<D> {
    fields: &'static [&'static str],
    next: usize,
    value: D,
}

impl<'de, D: Deserializer<'de, Error = Stop> + Copy> MapAccess<'de> for Placed<D> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let field = self.fields.get(self.next).copied();
        self.next += 1;
        field.map(|field| seed.deserialize(Name(field))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        if self.next < self.fields.len() {
            return seed.deserialize(0_u64.into_deserializer());
        }
        seed.deserialize(self.value)
    }
}
