//! Values that many records share. A cell has millions of records and few backends, classes and words of a log: each such value is
//! kept once, for as long as the process lives, and a record holds no more than the address of it.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The values of one type.
pub type InternedValues<T> = LazyLock<Mutex<HashSet<&'static T>>>;

/// What records may share.
pub trait Internable: Eq + Hash + 'static {
    /// Where its values are kept.
    fn table() -> &'static InternedValues<Self>
    where
        Self: Sized;
}

impl Internable for String {
    fn table() -> &'static InternedValues<String> {
        static TABLE: InternedValues<String> = LazyLock::new(Mutex::default);
        &TABLE
    }
}

impl Internable for Vec<String> {
    fn table() -> &'static InternedValues<Vec<String>> {
        static TABLE: InternedValues<Vec<String>> = LazyLock::new(Mutex::default);
        &TABLE
    }
}

/// A value of which there is one.
pub struct Interned<T: 'static>(&'static T);

impl<T: Internable> From<T> for Interned<T> {
    fn from(value: T) -> Interned<T> {
        let mut table = T::table().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = table.get(&value) {
            return Interned(known);
        }
        let kept: &'static T = Box::leak(Box::new(value));
        table.insert(kept);
        Interned(kept)
    }
}

impl From<&str> for Interned<String> {
    fn from(text: &str) -> Interned<String> {
        text.to_owned().into()
    }
}

impl<T> FromIterator<T> for Interned<Vec<T>>
where
    Vec<T>: Internable,
{
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Interned<Vec<T>> {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T: Internable + Default> Default for Interned<T> {
    fn default() -> Interned<T> {
        T::default().into()
    }
}

impl<T> Clone for Interned<T> {
    fn clone(&self) -> Interned<T> {
        *self
    }
}

impl<T> Copy for Interned<T> {}

impl<T> Deref for Interned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

impl<'a, T> IntoIterator for &'a Interned<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T> PartialEq for Interned<T> {
    fn eq(&self, other: &Interned<T>) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<T> Eq for Interned<T> {}

impl<T: PartialEq> PartialEq<T> for Interned<T> {
    fn eq(&self, other: &T) -> bool {
        self.0 == other
    }
}

impl PartialEq<str> for Interned<String> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<Interned<String>> for String {
    fn eq(&self, other: &Interned<String>) -> bool {
        self == other.0
    }
}

impl<T: Hash> Hash for Interned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Interned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Interned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Serialize> Serialize for Interned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Internable + Deserialize<'de>> Deserialize<'de> for Interned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Interned<T>, D::Error> {
        T::deserialize(deserializer).map(Interned::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_read_back_as_they_were_written() {
        let (one, same) = (Interned::from("web-1"), Interned::from(String::from("web-1")));
        assert!(std::ptr::eq(one.0, same.0) && one == same && one != Interned::from("web-2"));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#""web-1""#);
        assert_eq!(serde_json::from_str::<Interned<String>>(&text).unwrap(), one);
    }
}
