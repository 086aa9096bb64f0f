//! The report, tested over hand-built records.

mod books;
mod build;
mod comparisons;
mod controls;
mod cpu;
mod dialects;
mod evidence;
mod failures;
mod fates;
mod faults;
mod html_pages;
mod latency_logs;
mod pages;
mod partitions;
mod phases;
mod plan;
mod properties;
mod renderings;
mod repeats;
mod routing;
mod samples;
mod sessions;
mod tls;
mod unavailable;
mod validity;
mod verdicts;
