//! Versions of programs, as far as they are numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most numbers that a version has.
const PARTS: usize = 3;

/// A version such as `1.31.3`, or the first numbers of one, which stand for all versions that begin so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Those that are not said are 0.
    numbers: [u16; PARTS],
    said: u8,
}

impl Version {
    /// `major.minor`.
    pub const fn minor(major: u16, minor: u16) -> Version {
        Version { numbers: [major, minor, 0], said: 2 }
    }

    /// `major.minor.patch`.
    pub const fn patch(major: u16, minor: u16, patch: u16) -> Version {
        Version { numbers: [major, minor, patch], said: 3 }
    }

    /// What a program prints as its version, without what follows the numbers: `2.6.12-1+deb12u1` is 2.6.12.
    pub fn of_words(words: &str) -> Option<Version> {
        let numbers = words.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let first: Vec<&str> = numbers.split('.').filter(|part| !part.is_empty()).take(PARTS).collect();
        first.join(".").parse().ok()
    }

    /// Whether it is one version, and not a line of them.
    pub fn is_whole(&self) -> bool {
        usize::from(self.said) == PARTS
    }

    fn said(&self) -> &[u16] {
        &self.numbers[..usize::from(self.said)]
    }

    /// Whether `version` begins with these numbers.
    pub fn covers(&self, version: &Version) -> bool {
        version.said().starts_with(self.said())
    }

    /// Whether a version that this stands for came out before `first`.
    pub fn is_before(&self, first: &Version) -> bool {
        self.numbers < first.numbers
    }

    /// Whether it is of a later line than `known`, by the numbers that both say.
    pub fn is_after(&self, known: &Version) -> bool {
        let both = usize::from(self.said.min(known.said));
        self.numbers[..both] > known.numbers[..both]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.said().iter().map(u16::to_string).collect();
        f.pad(&numbers.join("."))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version, such as `1.31` or `3.2.22`")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Version, VersionError> {
        let wrong = || VersionError(text.to_owned());
        let mut version = Version { numbers: [0; PARTS], said: 0 };
        for part in text.split('.') {
            let place = version.numbers.get_mut(usize::from(version.said)).ok_or_else(wrong)?;
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            *place = part.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
            version.said += 1;
        }
        Ok(version)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn a_version_is_one_to_three_numbers() {
        for good in ["3", "1.31", "1.31.3", "0.0.0"] {
            assert_eq!(v(good).to_string(), good);
        }
        for bad in ["", ".", "1.", "1..2", "1.2.3.4", "1.x", "+1", "-1", "99999", "1.31 "] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_programs_print_begins_with_numbers() {
        for (words, version) in
            [("2.6.12-1+deb12u1", "2.6.12"), ("1.31.3", "1.31.3"), ("8.0.1.2", "8.0.1"), ("3", "3")]
        {
            assert_eq!(Version::of_words(words), Some(v(version)), "{words}");
        }
        assert_eq!(Version::of_words("unknown"), None);
    }

    #[test]
    fn the_first_numbers_stand_for_all_versions_that_begin_so() {
        assert!(v("1.31").covers(&v("1.31.3")) && v("1").covers(&v("1.31")) && v("1.31").covers(&v("1.31")));
        assert!(!v("1.3").covers(&v("1.31.3")) && !v("1.31.3").covers(&v("1.31")));
    }

    #[test]
    fn a_line_is_before_a_version_if_some_of_it_is() {
        let sticky = Version::patch(1, 29, 6);
        for before in ["1.22", "1.28.9", "1.29.5", "0.8"] {
            assert!(v(before).is_before(&sticky), "{before}");
        }
        // `1.29` may be 1.29.0, and `1` anything.
        assert!(v("1.29").is_before(&sticky) && v("1").is_before(&sticky));
        for has in ["1.29.6", "1.30", "1.31.3", "2", "2.0"] {
            assert!(!v(has).is_before(&sticky), "{has}");
        }
    }

    #[test]
    fn a_version_is_after_what_is_known_by_the_numbers_that_both_say() {
        let known = Version::minor(1, 31);
        assert!(v("1.32").is_after(&known) && v("2").is_after(&known) && v("1.32.1").is_after(&known));
        assert!(!v("1.31.9").is_after(&known) && !v("1").is_after(&known) && !v("1.22").is_after(&known));
    }
}
