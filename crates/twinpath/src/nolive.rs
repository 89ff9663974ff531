//! A program without the view: there is nothing to open.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use twinpath_metrics::{Books, Record};
use twinpath_runtime::sender::SessionHandle;
use twinpath_wire::Wall;

use crate::args::{LiveOptions, LogOptions, ResultOptions};

/// There is none.
pub(crate) struct View(Infallible);

/// What is known of a run in advance.
pub(crate) struct About {
    pub(crate) command: &'static str,
    pub(crate) far: String,
    pub(crate) what: String,
    pub(crate) sessions: Vec<Option<String>>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) one_host: bool,
}

/// Nothing was taken.
pub(crate) fn give_back() {}

impl View {
    /// Nobody asked.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "as where there is a view")]
    pub(crate) fn open(
        _options: &LiveOptions,
        _results: &ResultOptions,
        _log: &LogOptions,
        _about: &About,
    ) -> Result<Option<Self>, String> {
        Ok(None)
    }

    /// Of nothing.
    pub(crate) const COLUMNS: usize = 0;

    pub(crate) fn record(&mut self, _session: usize, _record: &Record) {
        match self.0 {}
    }

    pub(crate) fn overdue(&mut self, _session: usize, _seq: u64, _at: Wall) {
        match self.0 {}
    }

    pub(crate) fn event(&mut self, _line: &str) {
        match self.0 {}
    }

    pub(crate) fn hurry(&mut self) {
        match self.0 {}
    }

    /// # Errors
    /// None.
    pub(crate) fn turn(
        &mut self,
        _books: &[Books],
        _handles: &[SessionHandle],
    ) -> io::Result<bool> {
        match self.0 {}
    }
}
