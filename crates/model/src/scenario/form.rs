//! What may stand at a place: how it is read, how a plan's value is written again, and what the schema says of it.
//! A key of the language is declared with one of these, so that the three can't differ.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::str::FromStr;

use super::limits;
use super::reader::Item;
use super::shape::{Measured, Shape, Text};
use super::written::Written;
use crate::units::{QuantityError, Share};

type ReadItem<'s, T> = Rc<dyn Fn(Item<'_>) -> Option<T> + 's>;

/// What may stand at a place whose value is a `T`. It may refer to what else the scenario has, for `'s`.
pub(crate) struct Form<'s, T> {
    is: Is,
    shape: Rc<dyn Fn() -> Shape + 's>,
    read: ReadItem<'s, T>,
    write: Rc<dyn Fn(&T) -> Written + 's>,
}

impl<T> Clone for Form<'_, T> {
    fn clone(&self) -> Self {
        let Form { is, shape, read, write } = self;
        Form { is: *is, shape: Rc::clone(shape), read: Rc::clone(read), write: Rc::clone(write) }
    }
}

/// By which readers tell alternatives apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Scalar,
    List,
    Map,
}

impl<'s, T: 's> Form<'s, T> {
    pub(crate) fn new(
        is: Is,
        shape: impl Fn() -> Shape + 's,
        read: impl Fn(Item<'_>) -> Option<T> + 's,
        write: impl Fn(&T) -> Written + 's,
    ) -> Form<'s, T> {
        Form { is, shape: Rc::new(shape), read: Rc::new(read), write: Rc::new(write) }
    }

    pub(crate) fn shape(&self) -> Shape {
        (self.shape)()
    }

    /// What stands there; what is wrong with it is recorded.
    pub(crate) fn read(&self, item: Item<'_>) -> Option<T> {
        (self.read)(item)
    }

    pub(crate) fn write(&self, value: &T) -> Written {
        (self.write)(value)
    }

    /// Goes on with what was read. `back` is the way back, where there is one.
    pub(crate) fn then<U: 's>(
        self,
        go_on: impl Fn(Item<'_>, T) -> Option<U> + 's,
        back: impl Fn(&U) -> Option<T> + 's,
    ) -> Form<'s, U> {
        let Form { is, shape, read, write } = self;
        Form {
            is,
            shape,
            read: Rc::new(move |item| go_on(item, read(item)?)),
            write: Rc::new(move |value| back(value).map_or(Written::Nothing, |value| write(&value))),
        }
    }

    /// The same as a value of another type.
    pub(crate) fn map<U: 's>(
        self,
        make: impl Fn(T) -> U + 's,
        back: impl Fn(&U) -> Option<T> + 's,
    ) -> Form<'s, U> {
        self.then(move |_, value| Some(make(value)), back)
    }

    /// The same, where there may be none of it.
    pub(crate) fn some(self) -> Form<'s, Option<T>>
    where
        T: Clone,
    {
        self.map(Some, Option::clone)
    }

    /// Looks at what was read, beside what the scenario says elsewhere.
    pub(crate) fn checked(self, check: impl Fn(Item<'_>, &T) + 's) -> Form<'s, T> {
        let read = self.read;
        let read = move |item: Item<'_>| read(item).inspect(|value| check(item, value));
        Form { read: Rc::new(read), ..self }
    }

    /// Goes on with `harmless` where what stands there can't be read.
    pub(crate) fn or_harmless(self, harmless: T) -> Form<'s, T>
    where
        T: Clone,
    {
        let read = self.read;
        let read = move |item: Item<'_>| read(item).or_else(|| Some(harmless.clone()));
        Form { read: Rc::new(read), ..self }
    }

    /// Writes it in another way.
    pub(crate) fn written(self, write: impl Fn(&T) -> Written + 's) -> Form<'s, T> {
        Form { write: Rc::new(write), ..self }
    }

    /// Writes a remark instead, where there is one.
    pub(crate) fn remarked(self, remark: impl Fn(&T) -> Option<String> + 's) -> Form<'s, T> {
        let write = self.write;
        let write = move |value: &T| remark(value).map_or_else(|| write(value), Written::Remark);
        Form { write: Rc::new(write), ..self }
    }

    /// A word may stand there instead; `otherwise` is how messages call what else may.
    pub(crate) fn or_words<const N: usize>(
        self,
        words: [(&'static str, T); N],
        otherwise: &'static str,
    ) -> Form<'s, T>
    where
        T: Clone + PartialEq,
    {
        let Form { is, shape, read, write } = self;
        let (named, known) = (names(&words), words.clone());
        Form {
            is,
            shape: Rc::new(move || Shape::Either(vec![Shape::Words(named.clone()), shape()])),
            read: Rc::new(move |item| match if is == Is::Map { item.is_map() } else { item.is_number() } {
                true => read(item),
                false => item.word_or(&words, otherwise),
            }),
            write: Rc::new(move |value| word_of(&known, value).unwrap_or_else(|| write(value))),
        }
    }
}

fn names<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Option<Written> {
    words.iter().find(|(_, known)| known == value).map(|(word, _)| Written::plain(word))
}

/// One of a few words.
pub(crate) fn words<'s, T: Clone + PartialEq + 's, const N: usize>(
    words: [(&'static str, T); N],
) -> Form<'s, T> {
    let (named, known) = (names(&words), words.clone());
    let write = move |value: &T| word_of(&known, value).unwrap_or(Written::Nothing);
    Form::new(Is::Scalar, move || Shape::Words(named.clone()), move |item| item.word(&words), write)
}

/// A quantity with its unit.
pub(crate) fn quantity<'s, T>(limits: RangeInclusive<T>) -> Form<'s, T>
where
    T: FromStr<Err = QuantityError> + PartialOrd + Measured + 's,
{
    let limits = Rc::new(limits);
    let described = Rc::clone(&limits);
    let shape = move || {
        let (least, most) = (described.start().to_string(), described.end().to_string());
        Shape::Quantity { unit: T::UNIT, least, most }
    };
    Form::new(Is::Scalar, shape, move |item| item.quantity(&limits), Written::plain)
}

/// Any share.
pub(crate) fn share<'s>() -> Form<'s, Share> {
    quantity(Share(0.0)..=Share(1.0))
}

/// A whole number.
pub(crate) fn number<'s, T>(limits: RangeInclusive<u64>) -> Form<'s, T>
where
    T: TryFrom<u64> + Display + 's,
{
    let described = limits.clone();
    let shape = move || Shape::Whole(described.clone());
    Form::new(Is::Scalar, shape, move |item| item.whole(&limits)?.try_into().ok(), Written::plain)
}

/// A text that `read` makes something of.
pub(crate) fn text<'s, T: Display + 's>(
    text: Text,
    read: impl Fn(Item<'_>) -> Option<T> + 's,
) -> Form<'s, T> {
    Form::new(Is::Scalar, move || Shape::Text(text), read, Written::quoted)
}

/// The name of something that the scenario has: one of `names`.
pub(crate) fn name_of<'s>(what: &'static str, names: Vec<String>) -> Form<'s, String> {
    text(Text::NameOf(what), move |item| item.known_name(what, &names)).written(Written::plain)
}

/// A list whose items can all be read.
pub(crate) fn list<'s, T: 's>(of: Form<'s, T>, least: usize, most: usize) -> Form<'s, Vec<T>> {
    let Form { shape, read, write, .. } = of;
    Form::new(
        Is::List,
        move || Shape::List { of: Box::new(shape()), least, most },
        // Each is read before one is missed, so that all problems are found.
        move |item| {
            item.list(most)?.into_iter().map(|item| read(item)).collect::<Vec<_>>().into_iter().collect()
        },
        move |values: &Vec<T>| Written::list(values.iter().map(|value| write(value))),
    )
}

/// A map by names of rig's kind: what the form of each name reads. `check` sees them side by side.
pub(crate) fn named<'s, T: 's>(
    most: usize,
    of: impl Fn(&str) -> Form<'s, T> + Clone + 's,
    name: impl Fn(&T) -> &str + 's,
    check: impl Fn(Item<'_>, &[(Item<'_>, T)]) + 's,
) -> Form<'s, Vec<T>> {
    let (form, described) = (of.clone(), of.clone());
    let shape = move || Shape::Named { names: Text::Name, of: Box::new(described("").shape()), most };
    let read = move |item: Item<'_>| {
        let items = item.named(most)?.into_iter();
        let read: Vec<_> = items.filter_map(|item| Some((item, of(item.name).read(item)?))).collect();
        check(item, &read);
        Some(read.into_iter().map(|(_, value)| value).collect())
    };
    let write = move |values: &Vec<T>| {
        Written::map(values.iter().map(|value| (name(value), form(name(value)).write(value))))
    };
    Form::new(Is::Map, shape, read, write)
}

/// One of two forms, which are told apart by whether a map or a list stands there.
pub(crate) fn either<'s, T: 's>(first: Form<'s, T>, second: Form<'s, T>) -> Form<'s, T> {
    let Form { is, shape, read, write } = second;
    let (first_shape, first_read) = (first.shape, first.read);
    Form::new(
        is,
        move || Shape::Either(vec![first_shape(), shape()]),
        move |item| match if is == Is::List { item.is_list() } else { item.is_map() } {
            true => read(item),
            false => first_read(item),
        },
        move |value| write(value),
    )
}

/// A path prefix. It goes into the balancers' configurations, so it holds nothing that means something there.
pub(crate) fn path<'s>() -> Form<'s, String> {
    text(Text::Path, |item| {
        let text = item.text("a path")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
        if !text.starts_with('/') || !text.chars().all(fits) {
            let message = format!("`{}`: expected a path that begins with `/`, found `{text}`", item.name);
            return item.refuse(item.wrong(message).help("letters, digits and `/ - . _ ~ %` are allowed"));
        }
        Some(text.to_owned())
    })
}

/// A map by header names, which are what the author wants.
pub(crate) fn headers_shape(of: Shape) -> Shape {
    Shape::Named { names: Text::HeaderName, of: Box::new(of), most: limits::HEADERS }
}
