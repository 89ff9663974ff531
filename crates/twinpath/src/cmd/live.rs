//! `--live`: a run on the whole terminal.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use twinpath_metrics::{Record, Series};
use twinpath_report::is_one_host;
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Sample;

use super::companions::Companion;
use super::remark;
use super::subject::Beginning;
use crate::args::{LiveOptions, OutputFormat};
use crate::failure::Failure;
use crate::live::{self, About, View};
use crate::output::style;
use crate::signals::Signals;

/// The most sessions that it shows.
const MOST_SESSIONS: usize = 64;

/// The view, while it is up.
pub(super) struct Live(Option<View>);

impl Live {
    pub(super) fn open(options: &LiveOptions) -> Option<Box<dyn Companion>> {
        options.live.then(|| Box::new(Self(None)) as _)
    }
}

impl Companion for Live {
    fn columns(&self) -> Option<usize> {
        Some(View::COLUMNS)
    }

    fn reads_records(&self) -> bool {
        true
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

    fn record(&mut self, session: usize, record: &Record) {
        if let Some(view) = &mut self.0 {
            view.record(session, record);
        }
    }

    fn overdue(&mut self, session: usize, lost: &Sample) {
        if let Some(view) = &mut self.0 {
            view.overdue(session, lost.seq, lost.t1.at);
        }
    }

    fn event(&mut self, line: &str) {
        if let Some(view) = &mut self.0 {
            view.event(line);
        }
    }

    fn show(&mut self, series: &[Arc<Series>], handles: &[SessionHandle]) -> bool {
        let turn = self.0.as_mut().map(|view| view.turn(series, handles));
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

    fn leave(&mut self) {
        self.0 = None;
    }
}

/// What is known of a run in advance.
fn about(run: &Beginning<'_>) -> About {
    let subject = run.subject;
    let ends = run.identities.iter();
    let mut ends = ends.map(|it| (it.sender.ip(), it.reflector.ip()));
    let plans = || run.planned.iter().map(|planned| &planned.plan);
    About {
        command: subject.command,
        far: subject.far.clone(),
        what: subject.what.clone(),
        sessions: match run.names {
            [] => vec![None],
            names => names.iter().map(|name| Some(name.text.clone())).collect(),
        },
        interval: plans()
            .map(|plan| plan.schedule.usual_gap())
            .min()
            .unwrap_or_default(),
        timeout: plans().map(|plan| plan.timeout).max().unwrap_or_default(),
        one_host: ends.all(|(sender, far)| is_one_host(sender, far)),
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
    } else if run.sessions.len() > MOST_SESSIONS {
        Some("it shows at most 64 sessions")
    } else {
        None
    }
}
