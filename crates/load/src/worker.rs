//! A worker: at most one connection, and one request at a time on it.

use std::pin::pin;
use std::rc::Rc;

use agent::clock;
use model::outcome::Outcome;

use crate::connection::Connection;
use crate::context::{Context, Tally, count};
use crate::exchange::Exchange;
use crate::failure::opening_outcome;
use crate::flight::Flight;
use crate::pace::Pace;
use crate::pool::Released;
use crate::schedule::{Arrival, Connect};

/// Carries `first`, then waiting requests, then those that it gets while idle. Ends when its connection ends.
pub(crate) async fn work(context: Rc<Context>, first: Released) {
    let _place = WorkerPlace(&context);
    let mut connection = None;
    let mut next = Some(first);
    while let Some(released) = next {
        connection = carry(&context, released, connection).await;
        next = match (context.next_waiting(clock::now()), &mut connection) {
            (Some(waiting), _) => Some(waiting),
            (None, Some(connection)) => idle(&context, connection).await,
            (None, None) => None,
        };
    }
}

/// A worker's place in the pool, given back however it ends.
struct WorkerPlace<'a>(&'a Context);

impl Drop for WorkerPlace<'_> {
    fn drop(&mut self) {
        self.0.pool.borrow_mut().leave();
    }
}

/// Waits for the next request; `None` if the peer ends the connection first.
async fn idle(context: &Context, connection: &mut Connection) -> Option<Released> {
    let inbox = context.pool.borrow_mut().park(connection.source());
    tokio::select! {
        biased;
        next = inbox => next.ok(),
        () = connection.disturbed() => {
            count_end(context, connection);
            None
        }
    }
}

/// Carries one request to its end and its record. Returns the connection if another may follow on it.
async fn carry(context: &Rc<Context>, released: Released, idle: Option<Connection>) -> Option<Connection> {
    let mut flight = Flight::new(context.clone(), released);
    let deadline = context.deadline(&released);
    let ended = {
        let mut attempt = pin!(attempt(&mut flight, idle));
        tokio::select! {
            biased;
            ended = &mut attempt => Some(ended),
            () = context.timer.sleep_until(deadline) => {
                // If this process was late to wake up, a response may have arrived that it has not seen yet.
                tokio::task::yield_now().await;
                tokio::select! {
                    biased;
                    ended = &mut attempt => Some(ended),
                    () = std::future::ready(()) => None,
                }
            }
        }
    };
    let (outcome, connection) = ended.unwrap_or_else(|| (flight.timed_out(), None));
    flight.outcome = Some(outcome);
    connection
}

/// The one attempt at a request. It is never sent twice: before its first byte is written, another connection may be chosen;
/// afterwards it ends as its connection does.
async fn attempt(flight: &mut Flight, idle: Option<Connection>) -> (Outcome, Option<Connection>) {
    let context = flight.context.clone();
    let arrival = flight.released.arrival;
    let mut connection = match reusable(&context, &arrival, idle) {
        Some(connection) => connection,
        None => {
            flight.sent = Some(clock::now());
            let (number, tls) = (|| context.connection_number(), context.tls.as_ref());
            match Connection::open(context.target(), arrival.source, number, tls, &mut flight.opening).await {
                Ok(connection) => connection,
                Err(error) => {
                    let outcome = opening_outcome(&error, flight.opening);
                    if matches!(outcome, Outcome::NotSent(_)) {
                        flight.sent = None;
                    }
                    return (outcome, None);
                }
            }
        }
    };
    let now = clock::now();
    flight.sent.get_or_insert(now);
    let on = flight.on.insert(connection.begin(now));
    let (more, held) = context.holdings.borrow().send(arrival.user);
    flight.held = held;
    let request = context.templates[arrival.class].request(arrival.id, arrival.connect, &more);
    let class = &context.classes[arrival.class];
    let pace = class.upload.map(|over| Pace::new(context.timer.clone(), over.0));
    let exchange =
        flight.exchange.insert(Exchange::new(class.method, context.identity_header.clone(), request, pace));
    if let Err(cause) = connection.carry(exchange, &context.read_buffer).await {
        let stage = exchange.stage();
        return (Outcome::Failed { stage, cause }, None);
    }
    let head = exchange.response().head();
    on.close_announced = head.close;
    let outcome = Outcome::Answered {
        status: head.status,
        body: exchange.response().body_check(),
        expected: class.expect_status.as_ref().map(|statuses| statuses.contain(head.status)),
    };
    if exchange.response().has_surplus() {
        count(&context.tally.surplus);
    }
    // The close was requested, so it says nothing about the peer.
    if head.close && arrival.connect == Connect::Reuse {
        count(&context.tally.announced_closes);
    }
    let keep = exchange.leaves_reusable() && arrival.connect == Connect::Reuse;
    (outcome, keep.then_some(connection))
}

/// The worker's connection, if the request may use it and the peer hasn't closed it while it was idle.
fn reusable(context: &Context, arrival: &Arrival, idle: Option<Connection>) -> Option<Connection> {
    let fits = |idle: &Connection| arrival.connect == Connect::Reuse && idle.source() == arrival.source;
    let mut connection = idle.filter(fits)?;
    if !connection.is_quiet() {
        count_end(context, &mut connection);
        return None;
    }
    Some(connection)
}

/// Counts an idle connection that the peer closed or wrote to.
fn count_end(context: &Context, connection: &mut Connection) {
    let Tally { surplus, unannounced_closes, .. } = &context.tally;
    count(if connection.has_surplus() { surplus } else { unannounced_closes });
}
