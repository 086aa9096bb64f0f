//! Settings are read from what was rendered, and never from what rig would have written: with a template of the user's the
//! two may differ. What an adapter can't find in a template of the user's is *not known*.

use model::history::Setting;
use model::plan::Variant;
use model::version::Version;

use super::{ConfigFile, Templates, setting};

/// What is said of a setting that may be anything.
pub(super) const NOT_KNOWN: &str = "own file: not known";

/// A configuration as it was rendered.
#[derive(Clone, Copy, Debug)]
pub struct Rendered<'a> {
    /// What it was rendered for.
    pub variant: &'a Variant,
    /// The files.
    pub files: &'a [ConfigFile],
    /// The balancer's command line.
    pub arguments: &'a [String],
    /// Where the files come from.
    pub templates: &'a Templates,
    /// The version that runs, by which defaults differ.
    pub version: Option<Version>,
}

impl Rendered<'_> {
    /// The file of that path.
    pub(super) fn file(&self, path: &str) -> Option<&ConfigFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The templates, and whose they are: the first of all settings.
    pub(super) fn source(&self) -> Setting {
        let mut names: Vec<&str> = self.files.iter().filter_map(|file| file.template).collect();
        names.sort_unstable();
        names.dedup();
        let own =
            names.iter().filter_map(|name| Some(format!("own: {}", self.templates.own(name)?.display())));
        let own: Vec<String> = own.collect();
        let rest = if own.len() < names.len() { vec!["built-in".to_owned()] } else { vec![] };
        setting("template", own.into_iter().chain(rest).collect::<Vec<_>>().join("; "))
    }

    /// Whether any of it comes from a template of the user's.
    pub(super) fn is_own(&self) -> bool {
        self.files.iter().filter_map(|file| file.template).any(|name| self.templates.own(name).is_some())
    }

    /// What can't be read back: as the built-in template does it.
    pub(super) fn built_in(&self, words: impl Into<String>) -> String {
        if self.is_own() { NOT_KNOWN.to_owned() } else { words.into() }
    }

    /// Whether what runs is of version `first` or later.
    pub(super) fn is_since(&self, first: Version) -> bool {
        self.version.is_some_and(|version| !version.is_before(&first))
    }

    /// What follows `flag` on the command line.
    pub(super) fn argument(&self, flag: &str) -> Option<&str> {
        let at = self.arguments.iter().position(|argument| argument == flag)?;
        self.arguments.get(at + 1).map(String::as_str)
    }
}

/// Each form that was found once; of nothing, what the balancer then does.
pub(super) fn forms(found: impl IntoIterator<Item = String>, otherwise: impl Into<String>) -> String {
    let otherwise = otherwise.into();
    let mut forms: Vec<String> = Vec::new();
    for form in found {
        let form = if form.is_empty() { otherwise.clone() } else { form };
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    if forms.is_empty() { otherwise } else { forms.join(" · elsewhere: ") }
}

/// What `balancer` does where its configuration says nothing.
pub(super) fn default(balancer: &str, does: &str) -> String {
    format!("(nothing: {balancer}'s default, {does})")
}
