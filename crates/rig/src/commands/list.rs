//! `rig list`: the bundled scenarios, and the balancers of this machine.

use engine::checkup::Check;
use engine::components::balancers;
use engine::program::installed;
use model::identity::BalancerName;
use model::plan::Plan;
use model::scenario::{Choice, Scenario};
use report::render_table;
use report::table::{Cell, Column, Emphasis, Table};

use super::judged::style;
use super::planning::problems;
use crate::bundled;
use crate::cli::{self, ListFormat};
use crate::exit::{Exit, Failure, print};

/// Lists bundled scenarios and the balancers that run as local processes.
pub(crate) fn perform(wanted: &cli::List) -> Result<Exit, Failure> {
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    let balancers = controller.block_on(installed::checks(balancers()));
    let with_others = |(program, check)| std::iter::once(check).chain(installed::other_versions(program));
    let balancers: Vec<Check> = balancers.into_iter().flat_map(with_others).collect();
    let scenarios =
        bundled::all().iter().map(|(name, text)| listed(name, text)).collect::<Result<Vec<_>, _>>()?;
    print(&match wanted.format {
        ListFormat::Table => {
            let style = style(wanted.no_color);
            format!(
                "{}\n{}",
                render_table(&of_scenarios(&scenarios), style),
                render_table(&of_balancers(&balancers), style)
            )
        }
        ListFormat::Json => json(&scenarios, &balancers),
    })?;
    Ok(Exit::Held)
}

/// A bundled scenario and its plan.
struct Listed {
    name: &'static str,
    plan: Plan,
}

fn listed(name: &'static str, text: &str) -> Result<Listed, Failure> {
    let scenario = Scenario::parse(name, text, &[]).map_err(|found| problems(&found))?;
    let plan = Plan::build(&scenario, &engine::balancer::catalog(), &Choice::default());
    Ok(Listed { name, plan: plan.map_err(|found| problems(&found))? })
}

impl Listed {
    fn balancers(&self) -> Vec<String> {
        self.plan.balancers().iter().map(BalancerName::to_string).collect()
    }

    /// The duration of the load of all cells together.
    fn load_seconds(&self) -> f64 {
        let cells = self.plan.cells();
        let variants = cells.iter().filter_map(|cell| self.plan.variant(&cell.variant));
        variants.map(|variant| variant.traffic.warmup.seconds() + variant.traffic.duration.seconds()).sum()
    }
}

fn of_scenarios(scenarios: &[Listed]) -> Table {
    let row = |scenario: &Listed| {
        let minutes = scenario.load_seconds() / 60.0;
        vec![
            Cell::plain(scenario.name),
            Cell::plain(scenario.plan.question.clone()),
            Cell::plain(scenario.balancers().join(", ")),
            Cell::plain(scenario.plan.variants.len().to_string()),
            Cell::plain(scenario.plan.cells().len().to_string()),
            Cell::plain(format!("{minutes:.1} min")),
        ]
    };
    let [name, question, balancers] = Column::left(["name", "question", "balancers"]);
    let [variants, cells, load] = Column::right(["variants", "cells", "load"]);
    Table {
        title: "Scenarios: rig run NAME".to_owned(),
        columns: vec![name, question, balancers, variants, cells, load],
        rows: scenarios.iter().map(row).collect(),
        notes: vec![
            "load: the duration of the load of all cells together, without starting and stopping them".into(),
        ],
    }
}

fn of_balancers(balancers: &[Check]) -> Table {
    let row = |check: &Check| {
        let emphasis = if check.has_failed() { Emphasis::Bad } else { Emphasis::Plain };
        vec![Cell::plain(check.name.clone()), Cell::with(emphasis, check.found.clone())]
    };
    Table {
        title: "Balancers, as local processes".to_owned(),
        columns: Column::left(["name", "found"]).into(),
        rows: balancers.iter().map(row).collect(),
        notes: vec!["for containers, see `rig images`; `rig doctor` says how to fix what is missing".into()],
    }
}

fn json(scenarios: &[Listed], balancers: &[Check]) -> String {
    let scenario = |scenario: &Listed| {
        let variants: Vec<_> = scenario.plan.variants.iter().map(|variant| variant.name.as_str()).collect();
        serde_json::json!({
            "name": scenario.name,
            "question": scenario.plan.question,
            "balancers": scenario.balancers(),
            "variants": variants,
            "cells": scenario.plan.cells().len(),
            "load_seconds": scenario.load_seconds(),
        })
    };
    let scenarios: Vec<_> = scenarios.iter().map(scenario).collect();
    format!("{:#}\n", serde_json::json!({ "scenarios": scenarios, "balancers": balancers }))
}
