//! A request between its release and its record.

use std::rc::Rc;

use agent::clock;
use model::outcome::{Cause, NotSent, Outcome, Stage};
use model::request::{ConnectionUse, Request};
use model::units::Nanos;

use crate::context::Context;
use crate::exchange::Exchange;
use crate::pool::Released;
use crate::users::Held;

/// A request that a worker has taken up. It is recorded when this is dropped, so that no request is lost, however the
/// worker ends.
pub(crate) struct Flight {
    pub(crate) context: Rc<Context>,
    pub(crate) released: Released,
    /// When a worker took it up. From then on it had a connection, or could open one.
    pub(crate) begun: Nanos,
    pub(crate) sent: Option<Nanos>,
    /// How far its connection has come, before there is an exchange.
    pub(crate) opening: Stage,
    pub(crate) on: Option<ConnectionUse>,
    pub(crate) exchange: Option<Exchange>,
    /// What its user held when it was sent.
    pub(crate) held: Held,
    /// `None` until it has ended by itself.
    pub(crate) outcome: Option<Outcome>,
}

impl Flight {
    pub(crate) fn new(context: Rc<Context>, released: Released) -> Flight {
        Flight {
            context,
            released,
            begun: clock::now(),
            sent: None,
            opening: Stage::Connect,
            on: None,
            exchange: None,
            held: Held::default(),
            outcome: None,
        }
    }

    /// How it ends if its time has run out.
    pub(crate) fn timed_out(&self) -> Outcome {
        let stage = self.exchange.as_ref().map_or(self.opening, Exchange::stage);
        Outcome::Failed { stage, cause: Cause::Timeout }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let arrival = self.released.arrival;
        let class = &self.context.classes[arrival.class];
        let exchange = self.exchange.take();
        let exchange = exchange.as_ref();
        // A browser stores cookies as soon as it has read the head, whatever happens to the body.
        let session = exchange.and_then(|exchange| {
            let head = exchange.response().head();
            self.context.holdings.borrow_mut().receive(arrival.user, &self.held, head)
        });
        self.context.record(&Request {
            id: arrival.id,
            class: class.name.as_str().into(),
            method: class.method,
            due: arrival.due,
            released: self.released.at,
            sent: self.sent,
            waited: self.released.waited_until(self.begun),
            first_byte: exchange.and_then(Exchange::first_byte),
            end: clock::now(),
            on: self.on,
            bytes_out: exchange.map_or(0, Exchange::bytes_out),
            bytes_in: exchange.map_or(0, Exchange::bytes_in),
            served_by: exchange.and_then(|exchange| exchange.response().head().served_by),
            identity: exchange.and_then(|exchange| exchange.response().head().identity.clone()),
            outcome: self.outcome.unwrap_or(Outcome::NotSent(NotSent::Cancelled)),
            user: arrival.user,
            session: session.map(Box::new),
        });
    }
}
