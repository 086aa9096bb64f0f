//! How people operate a balancer: the commands of a runbook, as its adapter gives them.

/// Where a balancer stands, as its commands name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The socket of its control interface.
    pub admin: String,
    /// Its own directory.
    pub directory: String,
    /// The pool that the commands are about.
    pub pool: String,
    /// The backend that the commands are about.
    pub backend: String,
    /// That backend's host.
    pub host: String,
    /// That backend's port.
    pub port: String,
}

impl Whereabouts {
    /// Names to be replaced: a page knows no addresses.
    pub fn placeholders() -> Whereabouts {
        let [admin, directory, pool, backend, host, port] =
            ["ADMIN", "DIRECTORY", "POOL", "BACKEND", "BACKEND_HOST", "BACKEND_PORT"].map(str::to_owned);
        Whereabouts { admin, directory, pool, backend, host, port }
    }
}

/// Everything that a page for on-call has to say about one balancer beside its measured figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations {
    /// What the names to be replaced stand for.
    pub names: &'static str,
    /// Who gets how many requests.
    pub distribution: LookedAt,
    /// Which backends the balancer holds to be well.
    pub health: LookedAt,
    /// Which backends are being drained, and whether they are done.
    pub drain: LookedAt,
    /// How many requests end in a server error.
    pub errors: LookedAt,
    /// Takes one backend out.
    pub take_out: String,
    /// Puts it back.
    pub put_back: String,
    /// What its log says where a backend is lost, and what that means.
    pub log_words: Vec<(&'static str, &'static str)>,
}

impl Operations {
    /// The four signals, each with its name.
    pub fn signals(&self) -> [(&'static str, &LookedAt); 4] {
        [
            ("Distribution per backend", &self.distribution),
            ("Health-check status", &self.health),
            ("Drain state", &self.drain),
            ("5xx rate", &self.errors),
        ]
    }
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedAt {
    /// A command for a shell, of one line; it changes nothing.
    pub command: String,
    /// How its output is read.
    pub reading: &'static str,
}
