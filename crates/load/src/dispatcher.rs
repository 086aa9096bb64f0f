//! Releases each request when it is due, and sees each to its end.

use std::cell::Cell;
use std::future::Future;
use std::iter::Peekable;
use std::pin::pin;
use std::rc::Rc;

use agent::clock;
use model::outcome::NotSent;
use model::units::Nanos;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::pool::{Dispatch, Released};
use crate::schedule::{Arrival, Schedule};
use crate::worker::work;

/// The open loop: no response, early, late or missing, moves the schedule.
pub(crate) struct Dispatcher {
    context: Rc<Context>,
    schedule: Peekable<Schedule>,
    workers: JoinSet<()>,
    /// What is due later is not sent.
    until: Nanos,
    /// When the last request was due that was released.
    released: Nanos,
}

impl Dispatcher {
    pub(crate) fn new(context: Rc<Context>, schedule: Schedule) -> Dispatcher {
        let (until, released) = (Nanos(i64::MAX), Nanos(i64::MIN));
        Dispatcher { context, schedule: schedule.peekable(), workers: JoinSet::new(), until, released }
    }

    /// Runs until every scheduled request has ended; if `stop` resolves first, the rest ends as cancelled.
    /// If `enough` does, what is due after that is not sent, and `shortened` learns since when that holds.
    pub(crate) async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        enough: impl Future<Output = Nanos>,
        shortened: &Cell<Option<Nanos>>,
    ) {
        let (mut stop, mut enough) = (pin!(stop), pin!(enough));
        while self.context.recorder.borrow().progress().ended < self.context.scheduled.get() {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = &mut stop => return self.cancel().await,
                at = &mut enough, if shortened.get().is_none() => shortened.set(Some(self.shorten(at))),
                () = self.context.all_ended.notified() => {}
                () = self.context.timer.sleep_until(wake) => self.release(clock::now()),
            }
        }
    }

    /// Forgets what is due after `at`, or after what has been released already; returns since when nothing more is due.
    fn shorten(&mut self, at: Nanos) -> Nanos {
        self.until = at.max(self.released);
        let to_come = self.schedule.clone().take_while(|arrival| arrival.due <= self.until).count() as u64;
        self.context.scheduled.set(self.context.recorder.borrow().progress().due + to_come);
        self.until
    }

    /// When the next request is due, or one in the queue times out; never, if there is none.
    fn next_wake(&mut self) -> Nanos {
        let due = self.schedule.peek().map(|arrival| arrival.due).filter(|due| *due <= self.until);
        let pool = self.context.pool.borrow();
        let expiry = pool.oldest_waiting().map(|oldest| self.context.deadline(oldest));
        due.into_iter().chain(expiry).min().unwrap_or(Nanos(i64::MAX))
    }

    /// Releases everything that is due, however late.
    fn release(&mut self, now: Nanos) {
        // Forgets workers that have ended. A worker's panic is a bug, and must not look like a slow server.
        while let Some(ended) = self.workers.try_join_next() {
            ended.expect("a worker doesn't panic");
        }
        self.context.expire_waiting(now);
        let until = now.min(self.until);
        while let Some(arrival) = self.schedule.next_if(|arrival| arrival.due <= until) {
            self.released = arrival.due;
            self.place(arrival, now);
        }
    }

    fn place(&mut self, arrival: Arrival, now: Nanos) {
        let released = Released { arrival, at: now, queued: false };
        self.context.recorder.borrow_mut().count_due();
        if self.context.deadline(&released) <= now {
            return self.context.record_unsent(&released, now, NotSent::Stall);
        }
        let placement = self.context.pool.borrow_mut().place(released);
        if let Dispatch::NewWorker(released) = placement {
            self.workers.spawn_local(work(self.context.clone(), released));
        }
    }

    /// Ends every request that hasn't ended, in flight, waiting or not yet due.
    async fn cancel(mut self) {
        self.workers.shutdown().await;
        let now = clock::now();
        while let Some(waiting) = self.context.pool.borrow_mut().pop_waiting() {
            self.context.record_unsent(&waiting, now, NotSent::Cancelled);
        }
        for arrival in self.schedule.take_while(|arrival| arrival.due <= self.until) {
            let released = Released { arrival, at: now, queued: false };
            self.context.record_unsent(&released, now, NotSent::Cancelled);
        }
    }
}
