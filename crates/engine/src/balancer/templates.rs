//! The balancers' configuration templates: embedded in the binary, replaceable by a directory of the user's.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};
use model::catalog::BalancerKind;
use model::identity::BalancerName;
use model::plan::{SavedPlan, Variant};
use model::records::TemplateUsed;
use sha2::{Digest, Sha256};

use super::{Adoption, ConfigFile, RenderError, adapter};
use crate::help::Help;
use crate::host::HostError;

/// The templates of this build, by their names.
fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
    BalancerKind::ALL.into_iter().flat_map(|kind| adapter(kind).templates().iter().copied())
}

/// The directory beside a configuration of the user's that has the files it reads.
pub const COMPANIONS: &str = "files";
/// How deep they lie at most.
const DEEPEST: usize = 12;

/// The largest template that is read: one that is written by hand is shorter.
const LARGEST: u64 = 1 << 20;

/// Where templates come from.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    own: BTreeMap<&'static str, Own>,
    /// The one of these that is a whole configuration of the user's.
    whole: Option<&'static str>,
    /// The files that go with it, by their absolute paths where it runs.
    companions: BTreeMap<String, String>,
    /// All configurations of the user's, by their paths.
    wholes: BTreeMap<PathBuf, WholeConfig>,
}

/// A configuration of the user's, with the files that it reads.
#[derive(Clone, Debug)]
pub(super) struct WholeConfig {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) companions: BTreeMap<String, String>,
}

impl WholeConfig {
    fn read(path: &Path) -> Result<WholeConfig, WholeError> {
        let unreadable = |path: &Path, source| WholeError { path: path.to_owned(), source };
        let text = read(path).map_err(|source| unreadable(path, source))?;
        let beside = path.parent().unwrap_or(Path::new("")).join(COMPANIONS);
        let mut companions = BTreeMap::new();
        if beside.is_dir() {
            let all = files_below(&beside, DEEPEST).map_err(|(path, source)| unreadable(&path, source))?;
            for (file, _) in all.into_iter().filter(|(_, is_file)| *is_file) {
                let text = read(&file).map_err(|source| unreadable(&file, source))?;
                companions
                    .insert(format!("/{}", file.strip_prefix(&beside).unwrap_or(&file).display()), text);
            }
        }
        Ok(WholeConfig { path: path.to_owned(), text, companions })
    }
}

/// A template of the user's.
#[derive(Clone, Debug)]
struct Own {
    path: PathBuf,
    text: String,
}

/// A directory that holds no templates, or something else beside them.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// It, or a file in it, can't be read.
    #[error("--proxy-configs {}: {} can't be read: {source}", directory.display(), path.display())]
    Unreadable {
        /// The directory.
        directory: PathBuf,
        /// What can't be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has files that rig would never look at, or none.
    #[error("--proxy-configs {}: {}", directory.display(), found.join("\n  "))]
    Layout {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        found: Vec<String>,
    },
}

/// A configuration of the user's, or a file that goes with it, can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the configuration {} can't be read: {source}", path.display())]
pub struct WholeError {
    path: PathBuf,
    source: io::Error,
}

impl Help for WholeError {
    fn help(&self) -> Option<String> {
        Some("`config` is a path from the scenario's directory; `rig adopt FILE` writes both".to_owned())
    }
}

impl Help for TemplatesError {
    fn help(&self) -> Option<String> {
        match self {
            TemplatesError::Unreadable { .. } => None,
            TemplatesError::Layout { .. } => Some(format!(
                "a template has one of these names, and what is missing is built in: {}; `rig render --templates DIR` \
                 writes the built-in ones",
                names().collect::<Vec<_>>().join(", ")
            )),
        }
    }
}

/// The names that templates have.
fn names() -> impl Iterator<Item = &'static str> {
    built_in().map(|(name, _)| name)
}

impl Templates {
    /// The templates of this build.
    pub fn embedded() -> Templates {
        Templates::default()
    }

    /// Templates of `directory`, laid out like `proxy-configs/`; what it lacks comes from this build. They are read
    /// now: what changes later changes nothing.
    ///
    /// # Errors
    /// If it can't be read, holds no template, or holds a file that is none.
    pub fn with_directory(directory: &Path) -> Result<Templates, TemplatesError> {
        let unreadable = |path: &Path, source| TemplatesError::Unreadable {
            directory: directory.to_owned(),
            path: path.to_owned(),
            source,
        };
        let (mut own, mut found) = (BTreeMap::new(), Vec::new());
        for (path, is_file) in files(directory).map_err(|(path, source)| unreadable(&path, source))? {
            let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
            match names().find(|known| *known == name) {
                Some(known) if is_file => {
                    let text = read(&path).map_err(|source| unreadable(&path, source))?;
                    own.insert(known, Own { path, text });
                }
                Some(_) => found.push(format!("`{name}` is no regular file")),
                None => found.push(format!("`{name}` is no template{}", meant(&name))),
            }
        }
        if own.is_empty() && found.is_empty() {
            found.push("it holds no template".to_owned());
        }
        match found.is_empty() {
            true => Ok(Templates { own, ..Templates::default() }),
            false => Err(TemplatesError::Layout { directory: directory.to_owned(), found }),
        }
    }

    /// These, and the configurations of the user's that the balancers of `plan` have.
    ///
    /// # Errors
    /// If one of them, or a file that goes with it, can't be read.
    pub fn holding(mut self, plan: &SavedPlan) -> Result<Templates, WholeError> {
        for own in plan.variants.iter().flat_map(|variant| variant.own.values()) {
            if !self.wholes.contains_key(&own.config) {
                self.wholes.insert(own.config.clone(), WholeConfig::read(&own.config)?);
            }
        }
        Ok(self)
    }

    /// The templates of one balancer: where it has a configuration of the user's, that takes the place of its own.
    pub fn of(&self, variant: &Variant, balancer: BalancerName) -> Templates {
        match variant.own.get(&balancer).and_then(|own| Some((own.kind, self.wholes.get(&own.config)?))) {
            Some((kind, whole)) => self.with_whole(kind, whole.clone()),
            None => self.clone(),
        }
    }

    pub(super) fn with_whole(&self, kind: BalancerKind, whole: WholeConfig) -> Templates {
        let name = adapter(kind).whole_template();
        let mut own = self.own.clone();
        own.insert(name, Own { path: whole.path, text: whole.text });
        Templates { own, whole: Some(name), companions: whole.companions, wholes: BTreeMap::new() }
    }

    /// The name of the whole configuration of the user's, if there is one.
    pub(crate) fn whole(&self) -> Option<&'static str> {
        self.whole
    }

    /// The files that go with it.
    pub(super) fn companions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.companions.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Writes the templates of this build to `directory`, to start from. Nothing is overwritten.
    ///
    /// # Errors
    /// If a file can't be written, or is there.
    pub fn write_embedded(directory: &Path) -> Result<Vec<PathBuf>, HostError> {
        written(directory, built_in())
    }

    /// Writes those of `kind` alone, in the same way.
    ///
    /// # Errors
    /// If a file can't be written, or is there.
    pub fn eject(kind: BalancerKind, directory: &Path) -> Result<Vec<PathBuf>, HostError> {
        written(directory, adapter(kind).templates().iter().copied())
    }

    /// These, and a configuration that was taken over.
    pub fn with_adopted(&self, kind: BalancerKind, adoption: &Adoption) -> Templates {
        let (path, companions) = (adoption.file.clone(), adoption.files.clone());
        self.with_whole(kind, WholeConfig { path, text: adoption.template(), companions })
    }

    /// Renders the template `name` (`nginx/nginx.conf`) with `values`, as the file `path`. Undefined values are errors.
    pub fn render(
        &self,
        path: impl Into<String>,
        name: &'static str,
        values: Value,
    ) -> Result<ConfigFile, RenderError> {
        let template = match self.own.get(name) {
            Some(own) => own.path.display().to_string(),
            None => name.to_owned(),
        };
        let failed = |error: minijinja::Error| RenderError::Template {
            template: template.clone(),
            reason: format!("{error:#}"),
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()
                .map_err(failed)?,
        );
        environment.add_template(name, self.text(name)).map_err(failed)?;
        let text = environment.get_template(name).and_then(|it| it.render(values)).map_err(failed)?;
        Ok(ConfigFile { path: path.into(), text, template: Some(name) })
    }

    /// Whose the template `name` is: the path of the user's; `None`: it is built in.
    pub fn own(&self, name: &str) -> Option<&Path> {
        self.own.get(name).map(|own| own.path.as_path())
    }

    /// What a run's records say of the template `name`.
    pub fn used(&self, name: &str) -> TemplateUsed {
        let text = self.text(name);
        let hash = Sha256::digest(text);
        TemplateUsed {
            own: self.own(name).map(|path| path.display().to_string()),
            sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            diff: match self.whole == Some(name) {
                // It changes nothing of rig's.
                true => String::new(),
                false => similar::TextDiff::from_lines(embedded(name), text)
                    .unified_diff()
                    .header("built-in", "own")
                    .to_string(),
            },
        }
    }

    /// Where `line` of a rendered file stands in the template `name`, counted from 1; `None`: it has placeholders.
    pub fn line_of(&self, name: &str, line: &str) -> Option<usize> {
        let wanted = line.trim();
        self.text(name).lines().position(|line| line.trim() == wanted).map(|at| at + 1)
    }

    fn text(&self, name: &str) -> &str {
        self.own.get(name).map_or_else(|| embedded(name), |own| own.text.as_str())
    }
}

/// Writes templates below `directory`.
fn written(
    directory: &Path,
    templates: impl Iterator<Item = (&'static str, &'static str)>,
) -> Result<Vec<PathBuf>, HostError> {
    let mut written = Vec::new();
    for (name, text) in templates {
        let path = directory.join(name);
        let make = || {
            std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
            let mut file = std::fs::File::create_new(&path)?;
            io::Write::write_all(&mut file, text.as_bytes())
        };
        make().map_err(HostError::file::<HostError>(&path))?;
        written.push(path);
    }
    Ok(written)
}

/// The built-in template `name`: adapters name no other than those of the table.
fn embedded(name: &str) -> &'static str {
    built_in().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

/// What a file of this name was probably meant to be.
fn meant(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or_default();
    match names().find(|known| known.rsplit('/').next() == Some(file)) {
        Some(known) => format!(" there: move it to `{known}`"),
        None => String::new(),
    }
}

/// Everything in `directory` that isn't hidden, and whether it is a file; in an order that is always the same.
fn files(directory: &Path) -> Result<Vec<(PathBuf, bool)>, (PathBuf, io::Error)> {
    files_below(directory, 1)
}

/// The same, so many folders deep.
fn files_below(directory: &Path, deepest: usize) -> Result<Vec<(PathBuf, bool)>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    let mut open = vec![(directory.to_owned(), 0)];
    while let Some((path, depth)) = open.pop() {
        let failed = |source| (path.clone(), source);
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if deepest == 1 && entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Through links: a template may well be one.
            match std::fs::metadata(entry.path()).map_err(|source| (entry.path(), source))? {
                it if it.is_dir() && depth < deepest => open.push((entry.path(), depth + 1)),
                it => found.push((entry.path(), it.is_file())),
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    let length = io::Read::read_to_string(&mut io::Read::take(file, LARGEST + 1), &mut text)?;
    if length as u64 > LARGEST {
        return Err(io::Error::other(format!("it has more than {LARGEST} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::help::with_help;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn refused(files: &[(&str, &str)]) -> String {
        with_help(&Templates::with_directory(directory(files).path()).unwrap_err())
    }

    #[test]
    fn a_directory_without_templates_or_with_something_else_is_refused_with_the_names_that_are_known() {
        for (files, says) in [
            (&[][..], "it holds no template"),
            (&[("nginx.conf", "x")][..], "`nginx.conf` is no template there: move it to `nginx/nginx.conf`"),
            (&[("proxy-configs/nginx/nginx.conf", "x")][..], "`proxy-configs/nginx` is no template"),
            (
                &[("nginx/nginx.cnf", "x"), ("haproxy/haproxy.cfg", "y")][..],
                "`nginx/nginx.cnf` is no template",
            ),
            (&[("envoy/layer4.conf", "x")][..], "move it to `nginx/layer4.conf`"),
        ] {
            let said = refused(files);
            assert!(said.contains(says), "{said}");
            assert!(names().all(|name| said.contains(name)), "{said}");
        }
        let missing = Templates::with_directory(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent can't be read"), "{missing}");
    }

    #[test]
    fn one_balancers_templates_are_enough_and_hidden_files_are_nobodys() {
        let directory = directory(&[("nginx/nginx.conf", "own {{ listener }}"), (".git/config", "x")]);
        let templates = Templates::with_directory(directory.path()).unwrap();
        assert_eq!(
            templates.own("nginx/nginx.conf"),
            Some(directory.path().join("nginx/nginx.conf").as_path())
        );
        assert_eq!(templates.own("haproxy/haproxy.cfg"), None);
        let values = minijinja::context! { listener => "1.2.3.4:5" };
        let file = templates.render("nginx.conf", "nginx/nginx.conf", values).unwrap();
        assert_eq!((file.text.as_str(), file.template), ("own 1.2.3.4:5", Some("nginx/nginx.conf")));
    }

    #[test]
    fn what_is_no_text_can_not_be_read() {
        let directory = directory(&[]);
        fs::create_dir(directory.path().join("nginx")).unwrap();
        fs::write(directory.path().join("nginx/nginx.conf"), [0xff, 0xfe]).unwrap();
        let said = Templates::with_directory(directory.path()).unwrap_err().to_string();
        assert!(said.contains("nginx/nginx.conf can't be read"), "{said}");
    }

    #[test]
    fn a_used_template_has_its_hash_and_what_it_changes() {
        let changed = embedded("haproxy/haproxy.cfg").replace("timeout connect 1s", "timeout connect 9s");
        let directory = directory(&[("haproxy/haproxy.cfg", &changed)]);
        let own = Templates::with_directory(directory.path()).unwrap().used("haproxy/haproxy.cfg");
        let built_in = Templates::embedded().used("haproxy/haproxy.cfg");
        assert!(own.diff.contains("-  timeout connect 1s\n+  timeout connect 9s\n"), "{}", own.diff);
        assert_eq!((built_in.own, built_in.diff.as_str()), (None, ""));
        assert_ne!(own.sha256, built_in.sha256);
        assert_eq!(own.sha256.len(), 64);
    }

    #[test]
    fn the_built_in_ones_can_be_written_to_start_from_and_overwrite_nothing() {
        let directory = directory(&[]);
        Templates::write_embedded(directory.path()).unwrap();
        let own = Templates::with_directory(directory.path()).unwrap();
        assert!(names().all(|name| own.own(name).is_some() && own.used(name).diff.is_empty()));
        assert!(Templates::write_embedded(directory.path()).is_err());
    }
}
