//! Where records and results go.

use std::collections::HashSet;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Stderr, Write};

use twinpath_report::Note;
use twinpath_wire::Sample;

use crate::args::{LogOptions, OutputFormat, ResultOptions};
use crate::output::json::Json;
use crate::output::packets::{Csv, JsonLines};
use crate::output::progress::ProgressLine;
use crate::output::prometheus::Prometheus;
use crate::output::rows::Row;
use crate::output::style::Style;
use crate::output::table;
use crate::output::text::Text;
use crate::output::units;
use crate::output::words;
use crate::output::{Meta, Outcome, SessionName, Sink, lines, print_to_stderr};

/// The most warnings of a document that are printed on stderr as well.
const MOST_WARNINGS: usize = 20;

/// Where all output of a run goes.
pub(super) struct RunOutput {
    sink: Box<dyn Sink>,
    /// Lines for people keep away from results for machines.
    aside: Option<Stderr>,
    /// Warnings have no other place that people see.
    warns: bool,
    quiet: bool,
    written: bool,
    state: State,
}

/// What becomes of a run whose output cannot be written.
enum State {
    /// It is given up: it has no other result.
    Alone,
    /// It goes on: it is written into files too.
    BesideFiles,
    /// That has happened.
    Broken(io::Error),
}

impl RunOutput {
    /// On stdout, in the requested form. `names`: of several sessions.
    pub(super) fn open(
        options: &ResultOptions,
        log: &LogOptions,
        names: &[SessionName],
    ) -> io::Result<Self> {
        Self::of(Meta::here(&options.labels), options, log, names)
    }

    /// The same for what was measured elsewhere.
    pub(super) fn of(
        meta: Meta,
        options: &ResultOptions,
        log: &LogOptions,
        names: &[SessionName],
    ) -> io::Result<Self> {
        let stdout = io::stdout();
        let style = Style::of(&stdout);
        let out = Box::new(BufWriter::new(stdout.lock()));
        Self::on(out, style, meta, options, log, names)
    }

    /// The same on any stream.
    pub(super) fn on(
        out: Box<dyn Write>,
        style: Style,
        meta: Meta,
        options: &ResultOptions,
        log: &LogOptions,
        names: &[SessionName],
    ) -> io::Result<Self> {
        let form = options.form();
        let machine = form != OutputFormat::Text;
        let meta = Meta {
            requested: options.figures.requested(),
            ..meta
        };
        let sink: Box<dyn Sink> = match form {
            OutputFormat::Text => Box::new(Text::new(out, meta, style, options.verbose)),
            OutputFormat::Json => Box::new(Json::new(out, meta)),
            OutputFormat::Jsonl => Box::new(JsonLines::new(out, meta)),
            OutputFormat::Prometheus => Box::new(Prometheus::new(out, meta)),
            OutputFormat::Csv => Box::new(Csv::new(out, meta, names)?),
        };
        Ok(Self {
            sink,
            aside: (options.verbose && machine).then(io::stderr),
            warns: machine,
            quiet: log.quiet,
            written: false,
            state: State::Alone,
        })
    }

    /// `files`: the run is written into files too, which are made whatever becomes of the output. Then
    /// only [`Self::report`] returns its errors.
    pub(super) fn beside(mut self, files: bool) -> Self {
        if files {
            self.state = State::BesideFiles;
        }
        self
    }

    /// The reader of the output is gone.
    pub(super) fn is_closed(&self) -> bool {
        matches!(&self.state, State::Broken(error) if error.kind() == ErrorKind::BrokenPipe)
    }

    /// Writes, if the output still takes something.
    fn put(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        match self.state {
            State::Alone => write(self),
            State::BesideFiles => {
                if let Err(error) = write(self) {
                    self.state = State::Broken(error);
                }
                Ok(())
            }
            State::Broken(_) => Ok(()),
        }
    }

    /// A progress line, where nothing else is written to the terminal.
    pub(super) fn progress(
        &self,
        options: &ResultOptions,
        log: &LogOptions,
    ) -> ProgressLine<Stderr> {
        let busy = log.quiet
            || self.aside.is_some()
            || (options.records() && io::stdout().is_terminal())
            || (log.debug && log.logfile.is_none());
        ProgressLine::on_stderr(busy)
    }

    /// A packet's end.
    pub(super) fn sample(
        &mut self,
        session: Option<&SessionName>,
        sample: &Sample,
    ) -> io::Result<()> {
        self.written = true;
        self.put(|output| {
            output.sink.sample(session, sample)?;
            if let Some(aside) = &mut output.aside {
                // Where stderr is gone, the results are not.
                let _ = lines::write(session, sample, aside);
            }
            Ok(())
        })
    }

    /// An interval that is over.
    pub(super) fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.written = true;
        self.put(|output| output.sink.row(row))
    }

    /// A line of the negotiation.
    pub(super) fn event(&mut self, line: &str) -> io::Result<()> {
        use io::Write as _;
        self.written = true;
        self.put(|output| {
            output.sink.event(line)?;
            if let Some(aside) = &mut output.aside {
                // Where stderr is gone, the results are not.
                let _ = writeln!(aside, "{line}");
            }
            Ok(())
        })
    }

    /// What was written since the last time can be read.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.written) {
            self.put(|output| output.sink.flush())?;
        }
        Ok(())
    }

    /// The result; its warnings on stderr, where it is for machines.
    pub(super) fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        if self.warns && !self.quiet {
            let of_control = outcome.control.map(|control| control.notes.clone());
            // The end of the run is printed then.
            let mut last: Option<String> = None;
            let mut said: Vec<Note> = Vec::new();
            let mut lines: HashSet<String> = HashSet::new();
            let of_sessions = outcome.sessions.iter().map(|report| {
                let finding = report.incompletely_measured();
                last = last.take().or_else(|| finding.map(words::finding::line));
                report.notes.clone()
            });
            for note in of_sessions.chain(of_control).flatten() {
                if note.warning && lines.insert(note.line.clone()) {
                    said.push(note);
                }
            }
            said.retain(|note| last.as_ref() != Some(&note.line));
            let more = said.len().saturating_sub(MOST_WARNINGS);
            said.truncate(MOST_WARNINGS);
            let mut stderr = io::stderr();
            // Where stderr is closed, the document has them too.
            let _ = table::warnings(&said, Style::of(&stderr), &mut stderr);
            if more > 0 {
                let more = units::count(more as u64, "other warning", "other warnings");
                print_to_stderr(&format!("note: {more} in the notes of the sessions"));
            }
        }
        match std::mem::replace(&mut self.state, State::Alone) {
            State::Broken(error) => Err(error),
            State::Alone | State::BesideFiles => self.sink.report(outcome),
        }
    }
}
