//! What every runtime promises, run against each: local processes, and containers where an engine answers.
//!
//! A clause is a function over any runtime. That nothing is left afterwards is checked after each.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod balancers;
mod bench;
mod clauses;
mod client;
mod containers;

/// Makes a test of each clause on each runtime.
macro_rules! on_every_runtime {
    ($($clause:path as $name:ident),* $(,)?) => {
        mod on_processes {
            $(#[test]
            fn $name() {
                crate::bench::on_processes(async |bench| $clause(bench).await);
            })*
        }
        mod in_containers {
            $(#[test]
            fn $name() {
                crate::bench::in_containers(async |bench| $clause(bench).await);
            })*
        }
    };
}

on_every_runtime! {
    crate::clauses::an_address_outlives_its_processes as an_address_refuses_while_nobody_serves_and_outlives_its_processes,
    crate::clauses::an_agent_serves as an_agent_serves_and_its_files_are_ours_to_read,
    crate::clauses::a_signal_is_timed as a_signal_took_effect_between_its_call_and_its_return,
    crate::clauses::a_crash_ends_connections as a_crash_is_seen_and_ends_connections,
    crate::clauses::a_frozen_process_hangs as a_frozen_process_answers_nothing_until_it_thaws,
    crate::clauses::the_ended_are_left_alone as a_process_that_has_ended_is_left_alone,
    crate::clauses::cpu_time_is_counted as cpu_time_grows_with_work_and_never_falls,
    crate::clauses::an_agent_follows_its_controller as an_agent_exits_when_its_input_ends,
    crate::clauses::people_have_a_way_in as people_reach_a_pod_where_they_asked_for_it,
    crate::clauses::a_taken_listener_is_named as a_taken_listener_is_an_error_that_names_it,
    crate::clauses::what_it_lacks_it_explains as what_a_runtime_lacks_it_refuses_with_the_reason,
    crate::clauses::the_end_is_the_end_of_all as the_end_ends_all_even_what_stands_still,
    crate::balancers::a_balancer_is_operated as a_balancer_logs_to_files_reloads_and_stops_gracefully,
}
