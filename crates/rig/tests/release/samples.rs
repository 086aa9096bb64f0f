//! What released versions wrote can be read: a sample of each is in `samples`, made by `make release-sample`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use model::plan::SCHEMA;
use testing::RunSummary;

use super::{RIG, root, text};

fn samples() -> Vec<PathBuf> {
    let found = std::fs::read_dir(root().join("crates/rig/tests/release/samples")).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

fn summary(json: &str) -> RunSummary {
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_schema_has_a_sample() {
    let schemas = samples().into_iter().map(|sample| summary(&text(sample.join("run/summary.json"))).schema);
    assert_eq!(schemas.collect::<BTreeSet<_>>(), (1..=SCHEMA).collect());
}

#[test]
fn saved_runs_of_released_versions_are_judged_as_they_were() {
    for sample in samples() {
        let kept = summary(&text(sample.join("run/summary.json")));
        let again = RIG.idle().command(["report", "--format", "json"]).args([sample.join("run")]);
        let again = again.exits(0).summary();
        assert_eq!(again.verdict, kept.verdict, "{}", sample.display());
        for (claim, before) in again.claims.iter().zip(&kept.claims) {
            assert_eq!((&claim.text, &claim.holding), (&before.text, &before.holding));
        }
        assert!(!kept.cells.is_empty() && again.cells.len() == kept.cells.len());
        for (cell, before) in again.cells.iter().zip(&kept.cells) {
            let counts = |cell| serde_json::to_value(cell).unwrap();
            assert_eq!(counts(&cell.counts), counts(&before.counts), "{}", sample.display());
        }
        // Their summary alone is enough as well.
        RIG.idle().command(["report"]).args([sample.join("run/summary.json")]).exits(0);
    }
}

#[test]
fn scenarios_of_released_versions_are_valid() {
    for sample in samples() {
        let scenarios = std::fs::read_dir(sample.join("scenarios")).unwrap();
        let scenarios: Vec<PathBuf> = scenarios.map(|entry| entry.unwrap().path()).collect();
        assert!(scenarios.len() > 5, "{} has few scenarios", sample.display());
        RIG.idle().command(["validate"]).args(scenarios).exits(0);
    }
}

#[test]
fn a_summary_of_a_later_schema_is_refused_before_anything_else_of_it_is_read() {
    let sandbox = RIG.idle();
    let path = sandbox.write("summary.json", r#"{"schema": 99, "cells": "of another shape"}"#);
    let refused = sandbox.command(["report"]).args([path]).exits(2);
    refused.says_nothing().complains("schema 99, but this rig reads schema 1");
}
