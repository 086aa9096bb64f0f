//! The command line: every command with its arguments. What several commands choose from is in `names`.

mod agents;
mod names;
mod up;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::catalog::BalancerKind;
use model::scenario::Set;

pub(crate) use agents::{Agent, Exec, Keep, Reap};
pub(crate) use names::{ComparisonFormat, FormatName, ListFormat, PullName, RuntimeName, SchemaFormat};
pub(crate) use up::Up;

/// Proves, with numbers, what a load balancer does to live traffic.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 every expectation held · 1 an expectation failed · 2 usage, or an invalid scenario · \
                  3 the environment cannot run it · 4 the measurement is invalid · 130 interrupted"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What rig can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario: every balancer that it names, every variant
    #[command(after_help = "Examples:\n  \
        rig run scenarios/drain.yaml\n  \
        rig run scenarios/drain.yaml --balancer nginx,envoy --seed 7\n  \
        rig run scenarios/drain.yaml --set load.rate=800/s --set load.for=30s\n  \
        rig run scenarios/drain.yaml --fail-on 'with-drain.p99 > 1s'\n  \
        rig run scenarios/drain.yaml --format json | jq '.cells[].counts'\n  \
        rig run scenarios/*.yaml --runtime process")]
    Run(Run),
    /// Check scenarios without running them; reports every problem at once
    #[command(
        after_help = "Examples:\n  rig validate scenarios/*.yaml\n  rig validate scenarios/drain.yaml --explain"
    )]
    Validate(Validate),
    /// Print the configuration that a balancer would get
    #[command(after_help = "Examples:\n  \
        rig render scenarios/drain.yaml --balancer haproxy\n  \
        rig render --templates my-configs                     # the built-in templates, to start from\n  \
        rig render drain --balancer haproxy --proxy-configs my-configs")]
    Render(Render),
    /// Leave a scenario's topology standing, to look at it and deploy by hand
    #[command(after_help = "Examples:\n  \
        rig up canary --balancer haproxy                      # curl lines for each route; Ctrl-C ends it\n  \
        rig up drain --balancer nginx --load                  # a light load; press d to deploy with draining, u without\n  \
        rig up --deploy web --drain off                       # from another shell, to the one that stands\n\n\
        Nothing is measured, and nothing is kept.")]
    Up(Up),
    /// Render a saved run again, from its records
    #[command(after_help = "Examples:\n  \
        rig report results/drain/latest\n  \
        rig report results/drain/latest --format markdown > drain.md\n  \
        rig report results/drain/latest --format html > drain.html\n  \
        rig report results/drain/latest --format openmetrics > /var/lib/node_exporter/drain.prom\n  \
        rig report results/*/latest")]
    Report(Report),
    /// Compare balancers, or two saved runs, figure by figure
    #[command(after_help = "Examples:\n  \
        rig compare nginx envoy\n  \
        rig compare nginx haproxy scenarios/drain.yaml --repeat 6\n  \
        rig compare haproxy envoy reload health-check --repeat 10 --format markdown > compared.md\n  \
        rig compare results/drain/20261122T135148Z results/drain/latest\n\n\
        Balancers: runs the scenarios named, or all bundled ones (canary, drain, drain-edges, half-dead, health-check, \
        path-routing, reload, round-robin-vs-least-connections, sticky-sessions, tls), on each of them, five times unless --repeat says \
        otherwise, cells in an order drawn from the seed. For two balancers all bundled ones are about 13 minutes of \
        load per repeat, besides what it takes to start and end each cell: half a second as local processes, three in \
        Docker. --repeat 1 gives a first look, and marks nothing. \
        Variants that not all of the balancers can run are listed and left out. The runs are saved like any other.\n\n\
        Saved runs: their plans must be alike but for the balancer, its version and its settings (topology.*, without \
        pools and routes); what else differs is an error that names the keys.\n\n\
        A figure is marked ✓ only if it is better at 1 % by an exact rank test over at least five repeats on each side.\n\n\
        Exit codes: those of the runs, as rig run and rig report give them.")]
    Compare(Compare),
    /// Write up what runs showed, as Markdown: layer, drain window, deploy sequence, both load tests, limits
    #[command(after_help = "Examples:\n  \
        rig writeup > writeup.md\n  \
        rig writeup results/drain/latest results/path-routing/latest\n\n\
        Every figure is from the runs. A section is there if a run has what it is about; what no run has is listed at the \
        end, with the command that would show it.")]
    Writeup(Writeup),
    /// Print a page for on-call about a balancer, as Markdown: its signals, the safe deploy, what to check first
    #[command(after_help = "Examples:\n  \
        rig runbook --balancer haproxy > runbook.md\n  \
        rig runbook results/drain/latest results/drain-edges/latest --balancer nginx\n\n\
        Commands name what you have to fill in: ADMIN, DIRECTORY, POOL, BACKEND. Times, and the patterns of lost requests, \
        are from the runs.")]
    Runbook(Runbook),
    /// Show which images containers run from, and bring them onto the engine
    #[command(after_help = "Examples:\n  \
        rig images\n  \
        rig images --fetch\n  \
        rig images --pull never --format json | jq '.images[] | select(.present | not)'\n\n\
        The engine is found as the docker command finds it: DOCKER_HOST, DOCKER_CONTEXT, its current context, \
        /var/run/docker.sock.")]
    Images(Images),
    /// Check what this machine can do for rig, and say how to mend what it can't
    #[command(after_help = "Examples:\n  \
        rig doctor\n  \
        rig doctor --format json | jq '.sections[].checks[] | select(.state == \"failed\")'\n\n\
        Marks: ✓ as it should be · ✗ keeps something from working · ! limits figures · – not checked, and why\n\n\
        Exit codes: 0 at least one runtime can run at least one balancer · 3 none can · 130 interrupted\n\n\
        On a Docker engine it packs rig's own image if that is not there, runs one toy backend in a container, as \
        a cell would, and removes it. Results are looked for in results/.")]
    Doctor(Doctor),
    /// Show the bundled scenarios, and the balancers that this machine has
    #[command(after_help = "Examples:\n  \
        rig list\n  \
        rig list --format json | jq -r '.scenarios[] | [.name, .load_seconds] | @tsv'\n\n\
        A bundled scenario can be run by its name, wherever rig is: rig run drain")]
    List(List),
    /// Print the JSON Schema of the scenario language
    #[command(after_help = "Examples:\n  \
        rig schema > schema.json\n  \
        rig schema --format markdown\n\n\
        An editor with a YAML language server completes and checks a scenario that begins with\n  \
        # yaml-language-server: $schema=schema.json")]
    Schema(Schema),
    /// Print what a shell needs to complete rig's command line
    #[command(after_help = "Examples:\n  \
        rig completions bash > ~/.local/share/bash-completion/completions/rig\n  \
        rig completions zsh > \"${fpath[1]}/_rig\"\n  \
        rig completions fish > ~/.config/fish/completions/rig.fish")]
    Completions(Completions),
    /// Write the manual pages, one per command
    #[command(hide = true, after_help = "Example:\n  rig man target/man && man target/man/rig.1")]
    Man(Man),
    /// Remove what killed runs have left, on disk and on the Docker engine; a live run is never touched
    #[command(after_help = "Examples:\n  rig clean\n  rig clean --out other-results\n  rig clean --images")]
    Clean(Clean),
    /// The processes that rig launches: not for people
    #[command(hide = true, subcommand)]
    Agent(Agent),
}

/// Where results go if nobody says otherwise.
pub(crate) const RESULTS: &str = "results";

/// `rig run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The scenarios' files, or names of bundled ones; several are run one after another, and summed up in one table
    #[arg(required = true)]
    pub(crate) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Where components run
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) runtime: RuntimeName,
    /// When official images are pulled, in Docker
    #[arg(long, value_enum, default_value = "missing")]
    pub(crate) pull: PullName,
    /// Where results go, as DIR/<scenario>/<run-id>/
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// The balancer's listener [default: a free loopback address]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Balancer templates that replace the built-in ones, laid out like proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// Exit with 1 also if this holds, in the language of the scenario's claims: `with-drain.reset > 0`
    #[arg(long, value_name = "CLAIM")]
    pub(crate) fail_on: Vec<String>,
    /// Exit with 4 also if a claim rests on a DEGRADED measurement
    #[arg(long)]
    pub(crate) strict: bool,
    /// No progress on standard error
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What of a scenario, and how.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only these balancers
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) balancer: Vec<BalancerKind>,
    /// Only these variants, and the negative controls
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) variant: Vec<String>,
    /// Change any key of the scenario, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Run each cell so often
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    /// Seed of arrivals, service times and the order of cells
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// How results are shown.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How results are printed
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: FormatName,
    /// No colours, whatever the terminal can do
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The scenarios' files
    #[arg(required = true)]
    pub(crate) scenarios: Vec<PathBuf>,
    /// Print every value of every variant, defaults included
    #[arg(long)]
    pub(crate) explain: bool,
    /// Change any key of the scenarios, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Check these balancer templates as well, laid out like proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// No colours, whatever the terminal can do
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig render`.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The scenario's file
    #[arg(required_unless_present = "templates")]
    pub(crate) scenario: Option<PathBuf>,
    /// The balancer
    #[arg(long, value_name = "NAME", required_unless_present = "templates")]
    pub(crate) balancer: Option<BalancerKind>,
    /// The variant [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Change any key of the scenario, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Balancer templates that replace the built-in ones, laid out like proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// Write the built-in templates there, to change them and give them with --proxy-configs
    #[arg(long, value_name = "DIR", conflicts_with_all = ["scenario", "balancer", "variant", "sets", "proxy_configs"])]
    pub(crate) templates: Option<PathBuf>,
}

/// `rig report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The runs' directories, e.g. results/drain/latest; several are summed up together
    #[arg(required = true)]
    pub(crate) runs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `rig compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Balancers (nginx, haproxy, envoy), then scenarios: files or names of bundled ones; or the directories of two runs
    #[arg(required = true, value_name = "BALANCER… [SCENARIO…] | RUN RUN")]
    pub(crate) targets: Vec<String>,
    /// Show runs that are unlike side by side, with what differs, and mark nothing
    #[arg(long)]
    pub(crate) force: bool,
    /// Change any key of the scenarios, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Run each cell so often [default: 5, the fewest that let a figure be marked]
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    /// Seed of arrivals, service times and the order of cells
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where components run
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) runtime: RuntimeName,
    /// When official images are pulled, in Docker
    #[arg(long, value_enum, default_value = "missing")]
    pub(crate) pull: PullName,
    /// Where results go, as DIR/<scenario>/<run-id>/
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Balancer templates that replace the built-in ones, laid out like proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// How the comparison is printed
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ComparisonFormat,
    /// No colours, whatever the terminal can do
    #[arg(long)]
    pub(crate) no_color: bool,
    /// No progress on standard error
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `rig writeup`.
#[derive(Debug, Args)]
pub(crate) struct Writeup {
    /// The runs' directories [default: the newest run of each scenario below results/]
    pub(crate) runs: Vec<PathBuf>,
}

/// `rig runbook`.
#[derive(Debug, Args)]
pub(crate) struct Runbook {
    /// The runs' directories [default: the newest run of each scenario below results/]
    pub(crate) runs: Vec<PathBuf>,
    /// The balancer [default: each that the runs have, a page each]
    #[arg(long, value_name = "NAME")]
    pub(crate) balancer: Option<BalancerKind>,
}

/// `rig images`.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// When official images are pulled
    #[arg(long, value_enum, value_name = "WHEN", default_value = "missing")]
    pub(crate) pull: PullName,
    /// Pull or pack them now
    #[arg(long)]
    pub(crate) fetch: bool,
    /// How the list is printed
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    /// No colours, whatever the terminal can do
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// How checks are printed
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    /// No colours, whatever the terminal can do
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How the list is printed
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    /// No colours, whatever the terminal can do
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// How the language is printed
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) format: SchemaFormat,
}

/// `rig completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `rig man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where the pages go
    pub(crate) directory: PathBuf,
}

/// `rig clean`.
#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// Where results of killed runs may be: their components' files go, their records stay
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Also runs whose owner can't be seen from here: started in a container, or before a restart
    #[arg(long)]
    pub(crate) unseen: bool,
    /// Also the images that rig has packed, if nothing uses them
    #[arg(long)]
    pub(crate) images: bool,
}
