//! What readers ask of the values that they meet: the schema is held against it by a test.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::panic::Location;

use super::schema::{Measured, Unit};
use super::tree::Node;

/// What a reader wants a value to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Want {
    Text,
    Words(Vec<&'static str>),
    Quantity {
        unit: Unit,
        least: String,
        most: String,
    },
    Whole(RangeInclusive<u64>),
    List {
        most: usize,
    },
    Named {
        most: usize,
    },
    Fields,
    /// A map that may have this key, which this file reads.
    Key {
        name: &'static str,
        file: &'static str,
    },
}

impl Want {
    pub(crate) fn quantity<T: Measured>(limits: &RangeInclusive<T>) -> Want {
        Want::Quantity { unit: T::UNIT, least: limits.start().to_string(), most: limits.end().to_string() }
    }
}

/// Everything that was asked, of which value. Values are told apart by where they lie.
#[derive(Debug, Default)]
pub(crate) struct Asked(RefCell<Vec<(*const Node, Want)>>);

impl Asked {
    pub(crate) fn add(&self, node: &Node, want: Want) {
        self.0.borrow_mut().push((std::ptr::from_ref(node), want));
    }

    #[track_caller]
    pub(crate) fn add_key(&self, node: &Node, name: &'static str) {
        self.add(node, Want::Key { name, file: Location::caller().file() });
    }

    /// What was asked of `node`.
    pub(crate) fn of(&self, node: &Node) -> Vec<Want> {
        let wants = self.0.borrow();
        wants.iter().filter(|(asked, _)| std::ptr::eq(*asked, node)).map(|(_, want)| want.clone()).collect()
    }
}
