//! What a cell leaves: ledgers and logs are read into its directory, the configuration is kept, the rest removed.

use std::path::Path;

use model::access_log::LogGap;
use model::component::Component;
use model::history::Happening;
use model::topology::Layer;

use super::error::CellError;
use super::generators::directories;
use super::ledgers::{AccessLogReader, read_ledger};
use super::lines::{LINE_END, Lines};
use super::testbed::Testbed;
use crate::balancer::{adapter, tells_of_shortage};
use crate::program::{STDERR_FILE, STDOUT_FILE};
use crate::runtime::Runtime;

impl<R: Runtime> Testbed<'_, R> {
    /// Reads ledgers and logs into the cell's directory, keeps the configuration, removes the rest. Everything
    /// has exited before.
    pub(super) fn collect(&self) -> Result<(), CellError> {
        let offset = self.read_clocks();
        let dir = self.order.dir;
        let kind = self.kind;
        let mut executions = Vec::new();
        for life in self.backends.lives.borrow().iter() {
            let ledger = read_ledger(&life.incarnation, &life.ledger)?;
            executions.extend(ledger.executions);
            for (from, to) in ledger.stood {
                let component = Component::from(&life.incarnation);
                self.recorder.record(Happening::Stood { component, from, to });
            }
        }
        self.record_shortage()?;
        executions.sort_by_key(|execution| execution.received);
        dir.write_ledger(&executions)?;

        let logs = adapter(kind).logs();
        let raw = self.site.directory.join(logs.access);
        let mut reader = AccessLogReader::open(kind, &raw, &self.site, self.variant, offset)?;
        dir.write_access(&mut reader)?;
        let mut log = reader.found()?;
        if logs.notices != logs.access {
            log.read_notices(kind, &self.site.directory.join(logs.notices), &self.site)?;
        }
        self.recorder.record(Happening::AccessLog {
            lines: log.lines,
            unreadable: log.unreadable,
            unwritten: self.unwritten.get(),
            whole: self.log_is_whole.get(),
            gaps: match self.variant.topology.listener.layer {
                Layer::Four => vec![LogGap::PerConnection],
                Layer::Seven if log.has_ids => {
                    adapter(kind).request_log().map_or_else(Vec::new, |log| log.gaps(self.variant))
                }
                Layer::Seven => vec![LogGap::WithoutIds],
            },
            meanings: log.meanings,
            notices: log.notices,
        });
        if raw.is_file() {
            dir.keep_access_log(&raw)?;
        }
        self.keep_own_words(logs.access)?;
        for file in self.files.iter().filter(|file| !file.text.is_empty()) {
            keep(&self.site.directory.join(&file.path), &dir.config_dir().join(&file.path))?;
        }
        dir.compress_requests(self.variant.traffic.generators)?;
        std::fs::remove_dir_all(&self.scratch).map_err(CellError::file(&self.scratch))
    }

    /// Whether the balancer says that it ran out of something.
    fn record_shortage(&self) -> Result<(), CellError> {
        let balancer = adapter(self.kind);
        let (mut first, mut lines) = (None, 0);
        let mut names = self.own_words();
        names.push(balancer.logs().access);
        names.sort_unstable();
        names.dedup();
        for name in names {
            for line in Lines::of(&self.site.directory.join(name))?.into_iter().flatten() {
                let line = line?;
                if tells_of_shortage(balancer, &line) {
                    first.get_or_insert_with(|| line.trim_end_matches(LINE_END).to_owned());
                    lines += 1;
                }
            }
        }
        if let Some(line) = first {
            self.recorder.record(Happening::Shortage { component: Component::Balancer, line, lines });
        }
        Ok(())
    }

    /// Everything that balancer and agents said about themselves, in one file.
    fn keep_own_words(&self, access: &str) -> Result<(), CellError> {
        let mut words = Vec::new();
        for name in self.own_words().into_iter().filter(|name| *name != access) {
            words.extend(std::fs::read(self.site.directory.join(name)).unwrap_or_default());
        }
        self.keep_words_of_services()?;
        let agents = self.backends.lives.borrow();
        let agents = agents.iter().filter(|life| !self.backends.is_own(&life.incarnation.backend));
        let agents = agents.filter_map(|life| life.ledger.parent().map(Path::to_owned));
        for directory in agents.chain(directories(&self.scratch, self.variant.traffic.generators)) {
            words.extend(std::fs::read(directory.join(STDERR_FILE)).unwrap_or_default());
        }
        let path = self.order.dir.balancer_log();
        std::fs::write(&path, words).map_err(CellError::file(path))
    }
}

impl<R: Runtime> Testbed<'_, R> {
    /// What each life of a user's service said, in a file of its own.
    fn keep_words_of_services(&self) -> Result<(), CellError> {
        let lives = self.backends.lives.borrow();
        for life in lives.iter().filter(|life| self.backends.is_own(&life.incarnation.backend)) {
            let mut words = Vec::new();
            for name in [STDOUT_FILE, STDERR_FILE] {
                let path = life.ledger.with_file_name(name);
                words.extend(std::fs::read(path).unwrap_or_default());
            }
            let path = self.order.dir.service_log(&life.incarnation);
            let directory = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(directory).map_err(CellError::file(directory))?;
            std::fs::write(&path, words).map_err(CellError::file(path))?;
        }
        Ok(())
    }
}

/// Copies a file that may not be there.
fn keep(from: &Path, to: &Path) -> Result<(), CellError> {
    if !from.is_file() {
        return Ok(());
    }
    if let Some(directory) = to.parent() {
        std::fs::create_dir_all(directory).map_err(CellError::file(directory))?;
    }
    std::fs::copy(from, to).map(drop).map_err(CellError::file(to))
}
