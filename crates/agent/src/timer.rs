//! A timer that is precise to some ten microseconds, where tokio's own rounds up to whole milliseconds.
//!
//! One `timerfd` per process, set to the soonest of all deadlines ([`crate::deadlines`]): thousands of
//! concurrent sleeps cost one descriptor, and setting the timer is the one system call per wake-up.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::units::Nanos;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::net::unix::pipe;

use crate::clock;
use crate::deadlines::{DeadlineKey, Deadlines};

/// Wakes tasks at points in time. Clones share one timer; it belongs to the runtime that made it.
#[derive(Clone)]
pub struct Timer {
    shared: Rc<Shared>,
}

struct Shared {
    /// The timerfd, to set it.
    fd: OwnedFd,
    deadlines: RefCell<Deadlines>,
    armed: Cell<Option<Nanos>>,
}

impl Timer {
    /// Makes the timer and starts its driver; from one wake-up to the next it takes at least `quantum`. To be called on tokio's `LocalRuntime` or in a `LocalSet`.
    pub fn new(quantum: Duration) -> io::Result<Timer> {
        // The kernel may otherwise delay our wake-ups by 50 µs to merge them with others.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Like a pipe it is polled, so that tokio's pipe takes it; `AsyncFd` would ask for unsafe code.
        let expirations = pipe::Receiver::from_owned_fd_unchecked(fd.try_clone()?)?;
        let shared =
            Rc::new(Shared { fd, deadlines: RefCell::new(Deadlines::new(quantum)), armed: Cell::new(None) });
        tokio::task::spawn_local(drive(shared.clone(), expirations));
        Ok(Timer { shared })
    }

    /// Sleeps until `due`; not at all if that has passed.
    pub fn sleep_until(&self, due: Nanos) -> Sleep {
        Sleep { shared: self.shared.clone(), due, key: None }
    }
}

/// Wakes the sleepers whose deadlines have passed, for as long as the runtime lives.
async fn drive(shared: Rc<Shared>, expirations: pipe::Receiver) {
    // Fails only when the runtime is shutting down.
    while expirations.readable().await.is_ok() {
        // Each expiration is an event of its own, and setting the timer anew forgets those before: none has to be read.
        let _ = expirations.try_io(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        let now = clock::now();
        shared.armed.set(None);
        shared.deadlines.borrow_mut().woke(now);
        while let Some(waker) = shared.pop_passed(now) {
            waker.wake();
        }
        // A woken task may sleep again. Setting the timer after that saves one call.
        after_the_others().await;
        shared.arm();
    }
}

/// Lets the tasks run that have been woken so far. tokio's `yield_now` would ask the kernel for events as well.
async fn after_the_others() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Shared {
    fn pop_passed(&self, now: Nanos) -> Option<std::task::Waker> {
        self.deadlines.borrow_mut().pop_passed(now)
    }

    /// Sets the timerfd, unless it already fires soon enough.
    fn arm(&self) {
        let Some(wake) = self.deadlines.borrow().next_wake() else {
            return;
        };
        if self.armed.get().is_some_and(|armed| armed <= wake) {
            return;
        }
        let setting = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: wake.0.div_euclid(1_000_000_000),
                tv_nsec: wake.0.rem_euclid(1_000_000_000),
            },
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &setting)
            .expect("a timerfd takes every normalised absolute time");
        self.armed.set(Some(wake));
    }
}

/// Ready once its deadline has passed. Dropping it forgets the deadline.
pub struct Sleep {
    shared: Rc<Shared>,
    due: Nanos,
    key: Option<DeadlineKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        if let Some(key) = self.key {
            return match shared.deadlines.borrow_mut().waker(key) {
                Some(waker) => {
                    waker.clone_from(cx.waker());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            };
        }
        if self.due <= clock::now() {
            return Poll::Ready(());
        }
        let key = shared.deadlines.borrow_mut().insert(self.due, cx.waker().clone());
        self.key = Some(key);
        shared.arm();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.deadlines.borrow_mut().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::job::WAKE_QUANTUM;

    use super::*;

    #[tokio::test(flavor = "local")]
    async fn sleepers_wake_in_the_order_of_their_deadlines_and_never_early() {
        let timer = Timer::new(WAKE_QUANTUM).unwrap();
        let start = clock::now();
        let order = Rc::new(RefCell::new(Vec::new()));
        let sleepers: Vec<_> = [30u64, 10, 20, 0]
            .into_iter()
            .map(|ms| {
                let (timer, order) = (timer.clone(), order.clone());
                tokio::task::spawn_local(async move {
                    let due = start + Duration::from_millis(ms);
                    timer.sleep_until(due).await;
                    assert!(clock::now() >= due, "woken early");
                    order.borrow_mut().push(ms);
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(*order.borrow(), [0, 10, 20, 30]);
    }

    #[tokio::test(flavor = "local")]
    async fn a_sooner_deadline_overtakes_one_that_is_already_set() {
        let timer = Timer::new(WAKE_QUANTUM).unwrap();
        let far = timer.sleep_until(clock::now() + Duration::from_secs(3600));
        let near = timer.sleep_until(clock::now() + Duration::from_millis(5));
        tokio::select! {
            biased;
            () = far => panic!("an hour passed"),
            () = near => {}
        }
        let deadlines = timer.shared.deadlines.borrow();
        assert_eq!(deadlines.next_wake(), None, "the sleeper that was dropped is forgotten");
    }

    #[tokio::test(flavor = "local")]
    async fn ten_thousand_sleepers_share_one_descriptor() {
        let timer = Timer::new(WAKE_QUANTUM).unwrap();
        let start = clock::now();
        let sleepers: Vec<_> = (0..10_000u64)
            .map(|n| {
                let sleep = timer.sleep_until(start + Duration::from_micros(n % 500 * 100));
                tokio::task::spawn_local(sleep)
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(timer.shared.deadlines.borrow().next_wake(), None);
    }
}
