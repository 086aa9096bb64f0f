//! Deploys on a key press.

use std::cell::Cell;
use std::io::{IsTerminal, Read, stdin};

use model::timeline::Drain;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use super::deploys::{Deploys, Refusal};
use crate::exit::tell;

/// Whether standard input is a terminal.
pub(super) fn has_keyboard() -> bool {
    stdin().is_terminal()
}

/// What the keys do.
pub(super) fn help(pools: &[&str]) -> String {
    let deploy = "d deploys with draining, u without, q quits";
    match pools {
        [_] => deploy.to_owned(),
        several => {
            let numbered: Vec<_> = several.iter().zip(1..).map(|(pool, n)| format!("{n} {pool}")).collect();
            format!("{deploy}; choose a pool: {}", numbered.join(", "))
        }
    }
}

/// Follows the keys until `q`.
pub(super) async fn follow(deploys: &Deploys<'_>) {
    let Some(_restored_at_the_end) = EveryKey::of_the_terminal() else {
        return std::future::pending().await;
    };
    let mut keys = pressed();
    let pools: Vec<String> = deploys.pools().into_iter().map(str::to_owned).collect();
    let chosen = Cell::new(0);
    let drain = |key: char| if key == 'u' { Some(Drain::Off) } else { None };
    while let Some(key) = keys.recv().await {
        match key {
            'q' => return,
            'd' | 'u' => {
                let mut deploy = std::pin::pin!(deploys.deploy(&pools[chosen.get()], drain(key)));
                loop {
                    tokio::select! {
                        ended = &mut deploy => {
                            if let Err(Refusal::Wrong(why) | Refusal::Failed(why)) = ended {
                                tell(&format!("no deploy: {why}"));
                            }
                            break;
                        }
                        key = keys.recv() => match key {
                            Some('q') | None => return,
                            Some(_) => tell("a deploy is running; q quits"),
                        }
                    }
                }
            }
            digit => {
                let number = digit.to_digit(10).and_then(|n| usize::try_from(n).ok()?.checked_sub(1));
                if let Some(number) = number.filter(|number| *number < pools.len()) {
                    chosen.set(number);
                    tell(&format!("pool: {}", pools[number]));
                }
            }
        }
    }
    std::future::pending().await
}

/// Keys as they are pressed. Reading standard input needs a thread, which ends with the process.
fn pressed() -> mpsc::UnboundedReceiver<char> {
    let (sender, keys) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while let Ok(1) = stdin().lock().read(&mut byte) {
            if sender.send(char::from(byte[0])).is_err() {
                return;
            }
        }
    });
    keys
}

/// Makes the terminal deliver each key at once and without echo, until this is dropped. Ctrl-C stays a signal.
struct EveryKey(Termios);

impl EveryKey {
    fn of_the_terminal() -> Option<EveryKey> {
        if !has_keyboard() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut every_key = before.clone();
        every_key.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Now, &every_key).ok()?;
        Some(EveryKey(before))
    }
}

impl Drop for EveryKey {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
