//! The keys of `target`: what rig did not launch, and the commands that deploy it.

use super::class::is_header_name;
use crate::scenario::form::{Form, Is, either, list, quantity, text};
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::scenario::shape::{Shape, Text};
use crate::scenario::written::Written;
use crate::target::{CommandName, Target, TargetCommand, TargetCommands, TargetUrl};
use crate::units::Span;

/// How long a command may take, unless it says otherwise.
const WITHIN: Span = Span::millis(300_000);
/// Words of a command, names of variables.
const WORDS: usize = 64;
const BACKENDS: usize = 64;

/// What stands there until the URL has been read.
fn nowhere() -> Target {
    Target {
        url: TargetUrl { tls: false, host: String::new(), port: 80, path: "/".to_owned() },
        host: None,
        authority: None,
        identity_header: None,
        backends: Vec::new(),
        commands: TargetCommands::default(),
        directory: std::path::PathBuf::new(),
    }
}

pub(crate) fn target<'s>() -> Form<'s, Target> {
    let name = |item: Item<'_>| item.own_name();
    Section::new(
        "target",
        "What the load goes to, where rig launches neither balancer nor backends.",
        nowhere(),
    )
    .key("url", text(Text::Url, url).written(Written::quoted), |it| &mut it.url)
    .about("Where it is: `http://` or `https://`, host and port. Paths are the load's.")
    .required()
    .maybe("host", text(Text::Host, host), |it| &mut it.host)
    .about("The name that requests (Host) and TLS handshakes (SNI) ask for.")
    .unless("the host of `url`")
    .maybe("ca", file(), |it| &mut it.authority)
    .about("A PEM file of the authorities that its certificate is verified by.")
    .unless("the authorities that the system trusts")
    .maybe("identity_header", text(Text::HeaderName, header).written(Written::plain), |it| {
        &mut it.identity_header
    })
    .about("The response header that says who answered, such as `X-Version`.")
    .key("backends", list(text(Text::Name, name).written(Written::plain), 0, BACKENDS), |it| &mut it.backends)
    .about("The instances that a deploy replaces one after another, step by step.")
    .optional()
    .key("commands", commands(), |it| &mut it.commands)
    .about("What deploys it: `roll` at once, or a command for each step.")
    .optional()
    .form(|read| Some(checked(&read)), |target| Some(target.clone()))
}

fn checked(read: &Read<'_, Target>) -> Target {
    let target = &read.value;
    let (item, commands) = (read.item, &target.commands);
    if target.url.path != "/"
        && let Some(url) = read.given("url")
    {
        let problem =
            url.wrong(format!("`url` has a path, `{}`, which is the load's to say", target.url.path));
        item.found.add(problem.help(format!("write `load: {{ path: {:?} }}`", target.url.path)));
    }
    if target.authority.is_some()
        && !target.url.tls
        && let Some(ca) = read.given("ca")
    {
        item.found.add(Problem::new("`ca` means nothing without TLS", ca.key()).help("`url: https://…`"));
    }
    let steps = commands.all().any(|(name, _)| name.is_step());
    if let (true, Some(given)) = (steps, read.given("commands")) {
        let needed = [
            (CommandName::Terminate, &commands.terminate),
            (CommandName::Launch, &commands.launch),
            (CommandName::Ready, &commands.ready),
        ];
        let missing: Vec<_> =
            needed.iter().filter(|(_, step)| step.is_none()).map(|(name, _)| name.name()).collect();
        if !missing.is_empty() {
            let message =
                format!("a deploy step by step needs the commands {} as well", missing.join(" and "));
            item.found.add(Problem::new(message, given.key()));
        }
        if target.backends.is_empty() {
            let message = "the steps of a deploy need the names of the instances that they are about";
            item.found
                .add(Problem::new(message, given.key()).help("add `target: { backends: [app-1, app-2] }`"));
        }
        if commands.roll.is_some() {
            let message = "`roll` deploys at once, and stands beside the commands of single steps";
            item.found.add(Problem::new(message, given.key()).help("keep one way of the two"));
        }
        if commands.deregister.is_some() != commands.register.is_some() {
            let message = "`deregister` and `register` go together";
            item.found.add(Problem::new(message, given.key()));
        }
    }
    target.clone()
}

fn commands<'s>() -> Form<'s, TargetCommands> {
    Section::new("commands", "What deploys a target.", TargetCommands::default())
        .maybe(CommandName::Roll.name(), command(), |it| &mut it.roll)
        .about("The whole deploy, such as `[kubectl, rollout, restart, deploy/shop]`.")
        .maybe(CommandName::Deregister.name(), command(), |it| &mut it.deregister)
        .about("Takes `{backend}` out of the balancer.")
        .maybe(CommandName::Drained.name(), command(), |it| &mut it.drained)
        .about("Whether `{backend}` has nothing in flight: exit code 0 is yes, 1 is not yet.")
        .maybe(CommandName::Terminate.name(), command(), |it| &mut it.terminate)
        .about("Ends `{backend}`, and returns once it has ended.")
        .maybe(CommandName::Launch.name(), command(), |it| &mut it.launch)
        .about(
            "Starts the next generation of `{backend}`, and returns; `{generation}` is its number, from 2.",
        )
        .maybe(CommandName::Ready.name(), command(), |it| &mut it.ready)
        .about("Whether the new `{backend}` can serve: exit code 0 is yes, 1 is not yet.")
        .maybe(CommandName::Register.name(), command(), |it| &mut it.register)
        .about("Puts `{backend}` back into the balancer.")
        .maybe(CommandName::Restore.name(), command(), |it| &mut it.restore)
        .about("Puts everything back as it was, at every orderly end of a cell.")
        .whole()
}

/// A list of words, or a map that says more.
fn command<'s>() -> Form<'s, TargetCommand> {
    let start = TargetCommand { run: Vec::new(), within: WITHIN, environment: Some(Vec::new()) };
    let short = words().map(
        |run| TargetCommand { run, within: WITHIN, environment: Some(Vec::new()) },
        |command: &TargetCommand| Some(command.run.clone()),
    );
    let full = Section::new("command", "A program, run without a shell.", start)
        .key("run", words(), |it| &mut it.run)
        .about("The program and its arguments.")
        .required()
        .key("within", quantity(Span::millis(100)..=Span::millis(3_600_000)), |it| &mut it.within)
        .about("How long it may take; it is ended after that, with its process group.")
        .key("environment", environment(), |it| &mut it.environment)
        .about(
            "Variables of rig's environment that it gets, by name, or `all`. Their values are kept out of the results.",
        )
        .unless("`PATH`, `HOME`, `USER`, `LANG` and `TMPDIR`, which it always gets")
        .on_a_line()
        .whole();
    let written = full.clone();
    either(full, short).written(move |command| written.write(command))
}

/// Names of variables, or all there are.
fn environment<'s>() -> Form<'s, Option<Vec<String>>> {
    let named = list(text(Text::Variable, variable).written(Written::plain), 0, WORDS);
    let (shape, read) = (named.clone(), named.clone());
    Form::new(
        Is::List,
        move || Shape::Either(vec![Shape::Words(vec!["all"]), shape.shape()]),
        move |item| match item.is_list() {
            true => read.read(item).map(Some),
            false => item.word_or(&[("all", None)], "a list of names"),
        },
        move |names| match names {
            None => Written::plain(&"all"),
            Some(names) => named.write(names),
        },
    )
}

pub(super) fn words<'s>() -> Form<'s, Vec<String>> {
    list(text(Text::Word, |item: Item<'_>| item.text("a word of a command").map(str::to_owned)), 1, WORDS)
        .checked(|item, words: &Vec<String>| {
            if words.first().is_none_or(String::is_empty) {
                item.found.add(item.wrong("a command begins with a program"));
            }
        })
}

fn url(item: Item<'_>) -> Option<TargetUrl> {
    match item.text("a URL")?.parse() {
        Ok(url) => Some(url),
        Err(error) => item.refuse(item.wrong(format!("{error}"))),
    }
}

fn host(item: Item<'_>) -> Option<String> {
    let text = item.text("a host")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match !text.is_empty() && text.chars().all(fits) {
        true => Some(text.to_owned()),
        false => item.refuse(item.wrong("`host`: expected a name, such as `shop.example.com`")),
    }
}

pub(super) fn header(item: Item<'_>) -> Option<String> {
    let text = item.text("a header")?;
    match is_header_name(text) {
        true => Some(text.to_owned()),
        false => item.refuse(item.wrong("it is not a header's name")),
    }
}

/// Whether an environment variable may be called so.
pub(super) fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn variable(item: Item<'_>) -> Option<String> {
    let text = item.text("the name of a variable")?;
    match is_variable(text) {
        true => Some(text.to_owned()),
        false => {
            item.refuse(item.wrong("it is not the name of a variable; values have no place in a scenario"))
        }
    }
}

/// The path of a file, from the scenario's directory on.
pub(super) fn file<'s>() -> Form<'s, std::path::PathBuf> {
    let read = |item: Item<'_>| item.text("a file").map(str::to_owned);
    text(Text::File, read).map(Into::into, |path: &std::path::PathBuf| Some(path.display().to_string()))
}
