//! The command line: every command with its arguments. Values that several commands share are in `names`.

mod adopt;
mod agents;
mod names;
mod pages;
mod run;
mod up;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use engine::program::named::ProgramPath;
use model::identity::BalancerName;
use model::scenario::Set;

pub(crate) use adopt::{Adopt, Eject, Templates};
pub(crate) use agents::{Agent, Exec, Keep, Reap};
pub(crate) use names::{FigureChoice, HistoryFormat, Jobs, ListFormat, PullName, RuntimeName, SchemaFormat};
use names::{comparison_format, result_format};
pub(crate) use pages::{Dossier, History, Report, Runbook, Writeup};
use report::Format;
pub(crate) use run::Run;
pub(crate) use up::Up;
pub(crate) use watch::{Deploys, Watch};

/// Proves, with numbers, what a load balancer does to live traffic.
#[derive(Debug, Parser)]
#[command(
    name = "rig",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 every expectation held · 1 an expectation failed · 2 wrong usage, or an invalid scenario · \
                  3 this environment can't run it · 4 the measurement is invalid · 130 interrupted"
)]
pub(crate) struct Cli {
    /// The executable of a balancer, perhaps in one version, such as nginx@1.31=/opt/nginx/sbin/nginx
    #[arg(long = "program", value_name = "NAME=PATH", global = true)]
    pub(crate) programs: Vec<ProgramPath>,
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
        rig run scenarios/drain.yaml --balancer nginx,envoy@1.40 --seed 7\n  \
        rig run scenarios/drain.yaml --set load.rate=800/s --set load.for=30s\n  \
        rig run scenarios/drain.yaml --fail-on 'with-drain.p99 > 1s'\n  \
        rig run scenarios/drain.yaml --format json | jq '.cells[].counts'\n  \
        rig run scenarios/*.yaml --runtime process")]
    Run(Run),
    /// Watch a running service while a command deploys it: what was lost, when, and who answered
    #[command(after_help = "Examples:\n  \
        rig watch https://shop.test/ --rate 200/s --identity-header X-Version -- kubectl rollout restart deploy/shop\n  \
        rig watch http://127.0.0.1:8080/health -- ./deploy.sh\n  \
        rig watch http://127.0.0.1:8080/ --control -- ./deploy.sh --no-drain -- ./deploy.sh --drain\n  \
        rig watch http://127.0.0.1:8080/ --for 30s             # no deploy: only look\n\n\
        Sends requests on a fixed schedule from before the command begins until one --timeout has passed without a loss \
        after its end. The command is run as it is, without a shell; its output is shown and kept.\n\n\
        That nothing was lost proves something only beside a careless deploy that did lose requests: --control runs one \
        first. Without it, a zero is unproved (exit 4), unless you take it anyway with --unproved-ok.\n\n\
        Exit codes: 0 nothing was lost, and that is proved · 1 requests were lost · 2 wrong usage · 3 the target can't be \
        reached, or does not answer as expected · 4 unproved or invalid · 130 interrupted")]
    Watch(Watch),
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
    /// Take over your nginx, HAProxy or Envoy configuration, and write a scenario that tests it
    #[command(after_help = "Examples:\n  \
        rig adopt /etc/nginx/nginx.conf                       # writes my-nginx/my-nginx.yaml and its template\n  \
        rig adopt haproxy.cfg --out shop --name shop\n  \
        rig run my-nginx/my-nginx.yaml\n\n\
        Listen addresses, servers, certificates, logs, paths and users become those of a cell; everything else stays as it \
        is. The changes are shown as a diff. What can't be taken over is listed with its line and a fix. Files that it reads \
        are looked for beside it, then at their paths on this machine. Nothing is overwritten without --force.")]
    Adopt(Adopt),
    /// Write rig's own templates
    #[command(subcommand, after_help = "Example:\n  rig templates eject haproxy my-configs")]
    Templates(Templates),
    /// Launch a scenario's topology and keep it running, to look at it and deploy by hand
    #[command(after_help = "Examples:\n  \
        rig up canary --balancer haproxy                      # prints a curl command for each route; Ctrl-C stops it\n  \
        rig up drain --balancer nginx --load                  # with background load; d deploys with draining, u without\n  \
        rig up --deploy web --drain off                       # from another shell\n\n\
        Nothing is measured, and no results are saved.")]
    Up(Up),
    /// Print the report of a saved run again, from its records
    #[command(after_help = "Examples:\n  \
        rig report results/drain/latest\n  \
        rig report results/drain/latest --format markdown > drain.md\n  \
        rig report results/drain/latest --format html > drain.html\n  \
        rig report results/drain/latest --format svg > drain.svg\n  \
        rig report results/drain/latest --format svg --figure 'share[*]' > shares.svg\n  \
        rig report results/drain/latest --format openmetrics > /var/lib/node_exporter/drain.prom\n  \
        rig report results/*/latest")]
    Report(Report),
    /// Compare balancers, or two saved runs, figure by figure
    #[command(after_help = "Examples:\n  \
        rig compare nginx envoy\n  \
        rig compare nginx haproxy scenarios/drain.yaml --repeat 6\n  \
        rig compare haproxy envoy reload health-check --repeat 10 --format markdown > compared.md\n  \
        rig compare results/drain/20261122T135148Z results/drain/latest\n\n\
        Balancers: runs the named scenarios, or all bundled ones (canary, defaults, discovery, drain, drain-edges, half-dead, \
        health-check, path-routing, reload, round-robin-vs-least-connections, scale, sticky-sessions, termination-race, tls), on each of them. Each cell \
        runs five times unless you set --repeat; cells run in an order drawn from the seed. All bundled scenarios on two \
        balancers take about 18 minutes of load per repeat, plus the time to start and stop each cell: half a second as \
        local processes, three seconds in Docker. --repeat 1 gives a first look, and marks nothing. Variants that one of \
        the balancers can't run are listed and left out. The runs are saved like any other.\n\n\
        Saved runs: their plans may differ only in the balancer, its version and its settings (topology.*, without pools \
        and routes). Any other difference is an error that names the keys.\n\n\
        A figure is marked ✓ only if it is better at the 1 % level, by an exact rank test over at least five repeats on \
        each side.\n\n\
        Exit codes: those of the runs, as for rig run and rig report.")]
    Compare(Compare),
    /// List saved runs with their verdicts, or follow a figure through them
    #[command(after_help = "Examples:\n  \
        rig history\n  \
        rig history drain --figure with-drain.p99             # and what changed from run to run\n  \
        rig history drain --figure dropped --last 20 --format json | jq '.trends[].points[]'\n  \
        rig history --format openmetrics > rig.om && promtool tsdb create-blocks-from openmetrics rig.om data/\n\n\
        A figure is any of `docs/metrics.md`, as claims write it; without a variant it is that of each. Beside each run stands \
        what differs from the run before: a balancer's version, rendered settings, keys of the plan, templates, the machine.\n\n\
        Runs stand as they were judged when they ended; rig report judges one again, from its records. The exit code is 0 \
        whatever the verdicts are.")]
    History(History),
    /// Run what is needed and write everything that one hands over: write-up, a runbook per balancer, and the page of each run
    #[command(after_help = "Examples:\n  \
        rig dossier                                           # writes to dossier/\n  \
        rig dossier haproxy-study --balancer haproxy\n  \
        rig dossier --runtime process --seed 7\n\n\
        It runs the fewest bundled scenarios that fill the write-up and the runbooks, on the balancers that all of them name \
        unless you choose others: about 5 minutes of load. README.md in the directory lists the files and the verdicts. The \
        runs are saved like any other.\n\n\
        Exit codes: those of the runs, as for rig run.")]
    Dossier(Dossier),
    /// Write up what runs showed, as Markdown: layer, drain window, deploy sequence, both load tests, limits
    #[command(after_help = "Examples:\n  \
        rig writeup > writeup.md\n  \
        rig writeup results/drain/latest results/path-routing/latest\n  \
        rig writeup --full                                    # all tables of all runs\n\n\
        It is one printed page. Every figure is from the runs. A section is left out if no run covers it; the end lists these, \
        with the command that would show them.")]
    Writeup(Writeup),
    /// Print a page for on-call about a balancer, as Markdown: its signals, the safe deploy, what to check first
    #[command(after_help = "Examples:\n  \
        rig runbook --balancer haproxy > runbook.md\n  \
        rig runbook results/drain/latest results/drain-edges/latest --balancer nginx\n\n\
        It is one printed page. In the commands, replace ADMIN, DIRECTORY, POOL and BACKEND. Thresholds, times, and the \
        patterns of lost requests are from the runs; each says from which, and runs are not added up.")]
    Runbook(Runbook),
    /// Show which images containers run from, and bring them onto the engine
    #[command(after_help = "Examples:\n  \
        rig images\n  \
        rig images --fetch\n  \
        rig images --pull never --format json | jq '.images[] | select(.present | not)'\n\n\
        rig finds the engine as the docker command does: by DOCKER_HOST, DOCKER_CONTEXT, the current context, or \
        /var/run/docker.sock.")]
    Images(Images),
    /// Check what rig can run on this machine, and how to fix what it can't
    #[command(after_help = "Examples:\n  \
        rig doctor\n  \
        rig doctor --format json | jq '.sections[].checks[] | select(.state == \"failed\")'\n\n\
        Marks: ✓ fine · ✗ prevents something · ! limits what the figures are worth · – not checked, with the reason\n\n\
        Exit codes: 0 at least one runtime can run at least one balancer · 3 none can · 130 interrupted\n\n\
        On a Docker engine, it builds rig's own image if it is missing, runs one toy backend in a container as a cell would, \
        and removes it. It looks for results in results/.")]
    Doctor(Doctor),
    /// Show the bundled scenarios, and the balancers that this machine has
    #[command(after_help = "Examples:\n  \
        rig list\n  \
        rig list --format json | jq -r '.scenarios[] | [.name, .load_seconds] | @tsv'\n\n\
        A bundled scenario runs by its name, in any directory: rig run drain")]
    List(List),
    /// Print the JSON Schema of the scenario language
    #[command(after_help = "Examples:\n  \
        rig schema > schema.json\n  \
        rig schema --format markdown\n\n\
        An editor with a YAML language server completes and checks a scenario that starts with\n  \
        # yaml-language-server: $schema=schema.json")]
    Schema(Schema),
    /// Print the completion script for a shell
    #[command(after_help = "Examples:\n  \
        rig completions bash > ~/.local/share/bash-completion/completions/rig\n  \
        rig completions zsh > \"${fpath[1]}/_rig\"\n  \
        rig completions fish > ~/.config/fish/completions/rig.fish")]
    Completions(Completions),
    /// Write the manual pages, one per command
    #[command(hide = true, after_help = "Example:\n  rig man target/man && man target/man/rig.1")]
    Man(Man),
    /// Remove what killed runs left on disk and on the Docker engine; live runs are not touched
    #[command(after_help = "Examples:\n  rig clean\n  rig clean --out other-results\n  rig clean --images")]
    Clean(Clean),
    /// The processes that rig launches; not for interactive use
    #[command(hide = true, subcommand)]
    Agent(Agent),
}

/// The highest rate for a target by default: enough to see a deploy, too little to be one's own outage.
pub(crate) const MAX_RATE: &str = "500/s";
/// Where results go by default.
pub(crate) const RESULTS: &str = "results";

/// Which part of a scenario to run, and how.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only these balancers; one that the scenario does not list is asked as well, but for variants with lists of their own
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) balancer: Vec<BalancerName>,
    /// Only these variants, and the controls that they need
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) variant: Vec<String>,
    /// Change any key of the scenario, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Run each cell N times
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    /// Seed for arrivals, service times and the order of cells
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// How results are shown.
#[derive(Clone, Debug, Args)]
pub(crate) struct Output {
    /// Output format
    #[arg(long, value_parser = result_format(), default_value = "table")]
    pub(crate) format: Format,
    /// In a terminal, print the whole report instead of the answer alone
    #[arg(long)]
    pub(crate) full: bool,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Scenario files, or names of bundled scenarios
    #[arg(required = true)]
    pub(crate) scenarios: Vec<PathBuf>,
    /// Print every value of every variant, defaults included
    #[arg(long)]
    pub(crate) explain: bool,
    /// Change any key of the scenarios, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Also check these balancer templates, with the layout of proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig render`.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Scenario file, or the name of a bundled scenario
    #[arg(required_unless_present = "templates")]
    pub(crate) scenario: Option<PathBuf>,
    /// The balancer
    #[arg(long, value_name = "NAME", required_unless_present = "templates")]
    pub(crate) balancer: Option<BalancerName>,
    /// The variant [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Change any key of the scenario, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Balancer templates that replace the built-in ones, with the layout of proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// Write the built-in templates to DIR, to edit and pass to --proxy-configs
    #[arg(long, value_name = "DIR", conflicts_with_all = ["scenario", "balancer", "variant", "sets", "proxy_configs"])]
    pub(crate) templates: Option<PathBuf>,
}

/// `rig compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Balancers (such as nginx and haproxy), then scenarios (files or names of bundled ones); or the directories of two runs
    #[arg(required = true, value_name = "BALANCER… [SCENARIO…] | RUN RUN")]
    pub(crate) targets: Vec<String>,
    /// Compare runs that are not comparable: show what differs, and mark nothing
    #[arg(long)]
    pub(crate) force: bool,
    /// Change any key of the scenarios, in every variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Run each cell N times [default: 5, the fewest for which a figure can be marked]
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    /// Seed for arrivals, service times and the order of cells
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where components run
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) runtime: RuntimeName,
    /// When to pull official images, in Docker
    #[arg(long, value_enum, default_value = "missing")]
    pub(crate) pull: PullName,
    /// Directory for results, as DIR/<scenario>/<run-id>/
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Balancer templates that replace the built-in ones, with the layout of proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// Output format
    #[arg(long, value_parser = comparison_format(), default_value = "table")]
    pub(crate) format: Format,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
    /// Print no progress on standard error
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `rig images`.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// When to pull official images
    #[arg(long, value_enum, value_name = "WHEN", default_value = "missing")]
    pub(crate) pull: PullName,
    /// Pull or build missing images now
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Output format
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
    /// Directory for the pages
    pub(crate) directory: PathBuf,
}

/// `rig clean`.
#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// Results directory; files of components are removed, records stay
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Also clean runs whose owner can't be seen from here: started in a container, or before a restart
    #[arg(long)]
    pub(crate) unseen: bool,
    /// Also remove images that rig built, if nothing uses them
    #[arg(long)]
    pub(crate) images: bool,
}
