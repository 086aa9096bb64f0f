//! The keys of a pool whose backends are a service of the user's: how it is launched, and when it is ready.

use std::collections::BTreeMap;

use super::pool::behaviour;
use super::target::{header, is_variable, words as command};
use crate::scenario::form::{Form, Is, list, number, path, quantity, text, words};
use crate::scenario::limits::BACKENDS;
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::scenario::shape::{Shape, Text};
use crate::scenario::written::{Written, quoted};
use crate::service::{OwnService, Readiness, StopSignal};
use crate::topology::{Backend, Pool};
use crate::units::Span;

/// Versions of a service.
const VERSIONS: usize = 16;
/// Variables of an environment.
const VARIABLES: usize = 64;

/// Whether it says anything.
pub(super) fn is_one(service: &OwnService) -> bool {
    *service != OwnService::none()
}

/// Keys of a pool.
pub(super) fn service<'s>() -> Section<'s, OwnService> {
    Section::loose(OwnService::none())
        .key("command", command(), |it| &mut it.command)
        .about(
            "Your own service in the place of rig's backends: a program with its arguments, run without a shell in the \
             scenario's directory. `{host}`, `{port}`, `{address}`, `{backend}`, `{generation}` and `{version}` are \
             filled in. With `image`, what replaces the image's own command.",
        )
        .unless("the backends are rig's own")
        .explained_if(|it| !it.command.is_empty())
        .maybe("image", text(Text::Word, image).written(Written::plain), |it| &mut it.image)
        .about("Your own service as a container of this image, in the Docker runtime. It may exist only locally.")
        .unless("the backends are rig's own")
        .key("port", number(1..=65_535), |it| &mut it.port)
        .about("The port that a container of `image` listens on.")
        .explained_if(|it| it.image.is_some())
        .key("environment", environment(), |it| &mut it.environment)
        .about(
            "Variables that your service gets beside HOST, PORT and VERSION. They are saved with the results: keep \
             secrets in rig's own environment, which a local process gets as well.",
        )
        .optional()
        .explained_if(|it| !it.environment.is_empty())
        .key("versions", list(text(Text::Word, version).written(Written::quoted), 0, VERSIONS), |it| {
            &mut it.versions
        })
        .about(
            "The version of each generation of your service: `{version}` in its words, VERSION in its environment, the \
             tag of an image without one. The last one goes on.",
        )
        .optional()
        .explained_if(|it| !it.versions.is_empty())
        .key("ready", ready(), |it| &mut it.ready)
        .about("When your service can serve: once this path is answered with a status of 200 to 299.")
        .unless("`health_path`, within 30s")
        .explained_if(is_one)
        .key(
            "stop_signal",
            words([("TERM", StopSignal::Term), ("INT", StopSignal::Int), ("QUIT", StopSignal::Quit)]),
            |it| &mut it.stop_signal,
        )
        .about("The signal that a deploy ends your service with.")
        .explained_if(is_one)
        .maybe("identity_header", text(Text::HeaderName, header).written(Written::plain), |it| {
            &mut it.identity_header
        })
        .about("The response header by which your service says who or which version answered, such as `X-Version`.")
}

fn ready<'s>() -> Form<'s, Readiness> {
    Section::new("ready", "When a service can serve.", OwnService::none().ready)
        .maybe("path", path().written(Written::plain), |it| &mut it.path)
        .about("The path that is asked.")
        .unless("`health_path` of the pool")
        .key("within", quantity(Span::millis(100)..=Span::millis(300_000)), |it| &mut it.within)
        .about("How long that may take from the launch on.")
        .on_a_line()
        .whole()
}

fn version(item: Item<'_>) -> Option<String> {
    let text = item.text("a version")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
    match !text.is_empty() && text.len() <= 128 && text.chars().all(fits) {
        true => Some(text.to_owned()),
        false => item.refuse(item.wrong("a version has letters, digits and `- . _ +`")),
    }
}

fn image(item: Item<'_>) -> Option<String> {
    let text = item.text("an image")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._/:@{}".contains(c);
    match !text.is_empty() && text.len() <= 255 && text.chars().all(fits) {
        true => Some(text.to_owned()),
        false => item.refuse(item.wrong("`image`: expected the name of an image, such as `shop:1.2`")),
    }
}

/// Names and values. A value may have placeholders, as the words of the command do.
fn environment<'s>() -> Form<'s, BTreeMap<String, String>> {
    let shape =
        || Shape::Named { names: Text::Variable, of: Box::new(Shape::Text(Text::Word)), most: VARIABLES };
    let read = |item: Item<'_>| {
        let mut variables = BTreeMap::new();
        for item in item.entries(VARIABLES)? {
            if !is_variable(item.name) {
                let message = format!("`{}` is not the name of a variable", item.name);
                item.found.add(Problem::new(message, item.key()));
            }
            if let Some(value) = item.text("a value") {
                variables.insert(item.name.to_owned(), value.to_owned());
            }
        }
        Some(variables)
    };
    Form::new(Is::Map, shape, read, |variables: &BTreeMap<String, String>| {
        let each = variables.iter().map(|(name, value)| format!("{name}: {}", quoted(value)));
        Written::Plain(format!("{{ {} }}", each.collect::<Vec<_>>().join(", ")))
    })
}

/// What a pool says of its service; `None`: its backends are rig's own. What only those can do is refused beside it.
pub(super) fn of_pool<N: Clone>(read: &Read<'_, N>, service: OwnService) -> Option<OwnService> {
    let found = read.item.found;
    let [command, image, port] = ["command", "image", "port"].map(|key| read.given(key));
    if command.is_none() && image.is_none() {
        let keys = ["port", "environment", "versions", "ready", "stop_signal", "identity_header"];
        for item in read.given_of(&keys) {
            let message =
                format!("`{}` is of your own service, and the pool's backends are rig's own", item.name);
            found
                .add(Problem::new(message, item.key()).help("add `command: [./server, --port, \"{port}\"]`"));
        }
        return None;
    }
    if let (None, Some(port)) = (image, port) {
        let problem = Problem::new("`port` is the port of an `image`", port.key());
        found.add(
            problem
                .help("rig chooses the port of a `command`: `{port}` in its words, PORT in its environment"),
        );
    }
    // What only rig's own backends can do.
    let of_rig: Vec<_> = behaviour(Section::loose(Backend::default())).names().chain(["sessions"]).collect();
    for item in read.given_of(&of_rig) {
        let message =
            format!("`{}` is what rig's own backends can do; your service does what it does", item.name);
        found.add(Problem::new(message, item.key()).help("leave it out, or leave out `command` and `image`"));
    }
    let backends = read.given("backends").filter(|backends| backends.is_map());
    for item in backends.iter().flat_map(|backends| backends.named(BACKENDS).unwrap_or_default()) {
        let mut of_rig = of_rig.iter().chain(&["slower"]);
        if of_rig.any(|key| item.below(key).is_some()) {
            let message = format!("`{}` differs in what only rig's own backends can do", item.name);
            found.add(Problem::new(message, item.key()).help(format!("write `{}: {{}}`", item.name)));
        }
    }
    Some(service)
}

/// The path at which a pool is asked whether it is healthy: where its service says that it is ready, unless the pool says
/// otherwise.
pub(super) fn health_path<N: Clone>(read: &Read<'_, N>, pool: &Pool, service: Option<&OwnService>) -> String {
    let ready = service.and_then(|service| service.ready.path.clone());
    ready.filter(|_| read.given("health_path").is_none()).unwrap_or_else(|| pool.health_path.clone())
}
