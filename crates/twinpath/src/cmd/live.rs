//! `--live`: a run on the whole terminal.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use twinpath_metrics::{Record, Series};
use twinpath_proto::extension::ReplyTlvs;
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Sample;

use super::companions::Companion;
use super::remark;
use super::subject::{Beginning, now};
use crate::args::{LiveOptions, OutputFormat};
use crate::failure::Failure;
use crate::live::{self, About, View};
use crate::output::style;
use crate::signals::Signals;

/// The view, while it is up.
pub(super) struct Live(Option<View>);

impl Live {
    pub(super) fn open(options: &LiveOptions) -> Option<Box<dyn Companion>> {
        options.live.then(|| Box::new(Self(None)) as _)
    }
}

impl Companion for Live {
    fn columns(&self, sessions: usize) -> Option<usize> {
        View::columns(sessions)
    }

    fn reads_records(&self, sessions: usize) -> bool {
        View::follows(sessions)
    }

    fn has_terminal(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the terminal, or remarks why it cannot.
    fn begin(&mut self, run: &Beginning<'_>, signals: &mut Signals) -> Result<(), Failure> {
        let view = match obstacle(run) {
            Some(why) => Err(why.to_owned()),
            None => View::open(style::colour_wanted(), &about(run))
                .map_err(|error| format!("the terminal cannot be used: {error}")),
        };
        match view {
            Ok(view) => {
                self.0 = Some(view);
                signals.with_cleanup(live::give_back)
            }
            Err(why) => {
                remark(&run.options.log, Some(format!("no live view: {why}")));
                Ok(())
            }
        }
    }

    fn grow(&mut self, run: &Beginning<'_>) {
        if let Some(view) = &mut self.0 {
            view.grow(&about(run));
        }
    }

    fn record(&mut self, session: usize, record: &Record, _: Option<&ReplyTlvs>) {
        if let Some(view) = &mut self.0 {
            view.record(session, record);
        }
    }

    fn overdue(&mut self, session: usize, lost: &Sample) {
        if let Some(view) = &mut self.0 {
            view.overdue(session, lost.seq, lost.t1.at);
        }
    }

    fn snapshot(&mut self, session: usize, series: &Arc<Series>) {
        if let Some(view) = &mut self.0 {
            view.snapshot(session, series);
        }
    }

    fn event(&mut self, line: &str) {
        if let Some(view) = &mut self.0 {
            view.event(line);
        }
    }

    fn show(&mut self, series: &[Arc<Series>], handles: &mut [SessionHandle]) -> bool {
        let view = self.0.as_mut();
        let turn = view.map(|view| view.turn(series, handles, now()));
        turn.is_some_and(|turn| {
            turn.unwrap_or_else(|_| {
                // Its terminal is gone: the run goes on without.
                self.0 = None;
                false
            })
        })
    }

    fn glance(&mut self) -> bool {
        self.0.as_mut().map(View::redraw_soon).is_some()
    }

    fn leave(&mut self, _: &[Arc<Series>], _: &[SessionHandle]) {
        self.0 = None;
    }
}

/// What is known of a run in advance.
fn about<'a>(run: &Beginning<'a>) -> About<'a> {
    About {
        command: run.subject.command,
        far: &run.subject.far,
        what: &run.subject.what,
        identities: run.identities,
        failed: run.failed,
    }
}

/// Why there can be no view.
fn obstacle(run: &Beginning<'_>) -> Option<&'static str> {
    let (results, log) = (&run.options.results, &run.options.log);
    let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
    let lines = results.records() || results.report_interval.is_some();
    let aside = results.verbose && results.form() != OutputFormat::Text;
    if !stdout && !stderr {
        Some("neither stderr nor stdout is a terminal")
    } else if style::is_dumb() {
        Some("TERM is dumb")
    } else if (lines && stdout) || (aside && stderr) {
        Some("lines go to the same terminal; send stdout to a file to have both")
    } else if log.quiet {
        Some("-q keeps the terminal quiet")
    } else {
        None
    }
}
