//! The three records of each request side by side, joined by id.

use std::iter;

use model::access_log::Logged;
use model::identity::RequestId;
use model::ledger::Execution;
use model::request::Request;

/// Everything that is known about one id.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traces<'a> {
    /// The client's records: one, if the books balance.
    pub requests: &'a [&'a Request],
    /// Executions, in the order of receipt.
    pub executions: &'a [&'a Execution],
    /// Lines of the access log.
    pub logged: &'a [&'a Logged],
}

/// A cell's records in the order of ids. Nothing is joined by time.
#[derive(Clone, Debug, Default)]
pub struct Joined<'a> {
    requests: Vec<&'a Request>,
    executions: Vec<&'a Execution>,
    logged: Vec<&'a Logged>,
}

impl<'a> Joined<'a> {
    /// Joins records by id; lines of the log without one are left out.
    pub fn of(
        requests: impl IntoIterator<Item = &'a Request>,
        executions: impl IntoIterator<Item = &'a Execution>,
        access: impl IntoIterator<Item = &'a Logged>,
    ) -> Joined<'a> {
        let mut joined = Joined {
            requests: requests.into_iter().collect(),
            executions: executions.into_iter().collect(),
            logged: access.into_iter().filter(|line| line.id.is_some()).collect(),
        };
        joined.requests.sort_by_key(|request| request.id);
        joined.executions.sort_by_key(|execution| (execution.id, execution.received));
        joined.logged.sort_by_key(|line| line.id);
        joined
    }

    /// The same with `executions`, each after those that are known of its request.
    pub fn with(mut self, executions: &'a [Execution]) -> Joined<'a> {
        self.executions.extend(executions);
        self.executions.sort_by_key(|execution| execution.id);
        self
    }

    /// The client's first record of each request, in the order of ids.
    pub fn recorded(&self) -> impl Iterator<Item = &'a Request> {
        self.requests.chunk_by(|a, b| a.id == b.id).map(|records| records[0])
    }

    /// What is known about `id`: nothing, if no record names it.
    pub fn get(&self, id: RequestId) -> Traces<'_> {
        Traces {
            requests: about(&self.requests, id, |it| it.id),
            executions: about(&self.executions, id, |it| it.id),
            logged: about(&self.logged, id, id_of_line),
        }
    }

    /// What is known about each id, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (RequestId, Traces<'_>)> {
        let (mut requests, mut executions, mut logged) =
            (&self.requests[..], &self.executions[..], &self.logged[..]);
        iter::from_fn(move || {
            let next = [
                requests.first().map(|it| it.id),
                executions.first().map(|it| it.id),
                logged.first().map(|it| id_of_line(it)),
            ];
            let id = next.into_iter().flatten().min()?;
            let traces = Traces {
                requests: take(&mut requests, id, |it| it.id),
                executions: take(&mut executions, id, |it| it.id),
                logged: take(&mut logged, id, id_of_line),
            };
            Some((id, traces))
        })
    }

    /// The same without the ids.
    pub fn values(&self) -> impl Iterator<Item = Traces<'_>> {
        self.iter().map(|(_, traces)| traces)
    }

    /// Every execution.
    pub fn executions(&self) -> impl Iterator<Item = &'a Execution> {
        self.executions.iter().copied()
    }
}

fn id_of_line(line: &Logged) -> RequestId {
    line.id.unwrap_or(RequestId(u64::MAX))
}

/// Those at the beginning of `records` that are about `id`; they are taken off.
fn take<'j, T>(records: &mut &'j [&'j T], id: RequestId, id_of: impl Fn(&T) -> RequestId) -> &'j [&'j T] {
    let count = records.iter().take_while(|it| id_of(it) == id).count();
    let (taken, rest) = records.split_at(count);
    *records = rest;
    taken
}

/// Those of `records` that are about `id`.
fn about<'j, T>(records: &'j [&'j T], id: RequestId, id_of: impl Fn(&T) -> RequestId) -> &'j [&'j T] {
    let mut from = &records[first_of(records, id, &id_of)..];
    take(&mut from, id, id_of)
}

/// The place of the first of `records` that is about `id` or a later one. An id is a place in the schedule, so the record lies
/// about there: the search begins at that place, in steps that grow.
fn first_of<T>(records: &[&T], id: RequestId, id_of: impl Fn(&T) -> RequestId) -> usize {
    let is_before = |place: usize| records.get(place).is_some_and(|it| id_of(it) < id);
    let guess = usize::try_from(id.0).unwrap_or(usize::MAX).min(records.len());
    let (mut from, mut to, mut step) = (guess, guess, 1);
    while is_before(to) {
        from = to + 1;
        to = (to + step).min(records.len());
        step *= 2;
    }
    while from > 0 && !is_before(from - 1) {
        to = from - 1;
        from = from.saturating_sub(step);
        step *= 2;
    }
    from + records[from..to].partition_point(|it| id_of(it) < id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_wherever_others_are_missing_or_come_twice() {
        let ids: Vec<RequestId> = [0, 1, 1, 1, 1, 5, 6, 40, 41, 42, 42, 43, u64::MAX].map(RequestId).to_vec();
        let records: Vec<&RequestId> = ids.iter().collect();
        for id in (0..60).chain([u64::MAX - 1, u64::MAX]).map(RequestId) {
            let found = about(&records, id, |it| *it);
            let all: Vec<&RequestId> = ids.iter().filter(|it| **it == id).collect();
            assert_eq!(found, all, "{id}");
        }
        assert!(about(&[], RequestId(3), |it: &RequestId| *it).is_empty());
    }
}
