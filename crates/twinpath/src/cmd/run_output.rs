//! Where records and results go.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Stderr, Write};

use twinpath_proto::extension::ReplyTlvs;
use twinpath_report::{Identity, Note};
use twinpath_wire::Sample;

use crate::args::{LogOptions, OutputFormat, ResultOptions};
use crate::output::json::Json;
use crate::output::lines as packet_lines;
use crate::output::names::Differing;
use crate::output::packets::{Csv, JsonLines};
use crate::output::progress::ProgressLine;
use crate::output::prometheus::Prometheus;
use crate::output::rows::Row;
use crate::output::style::Style;
use crate::output::table;
use crate::output::text::Text;
use crate::output::units;
use crate::output::words;
use crate::output::{Meta, Outcome, SessionName, Sink, print_to_stderr, stdout};

/// The most warnings of a document that are printed on stderr as well.
const MOST_WARNINGS: usize = 20;

/// The warnings of a run, each once, but not the one that its end says.
fn lines(outcome: Outcome<'_>) -> Vec<Note> {
    let mut last: Option<String> = None;
    let mut said: Vec<Note> = Vec::new();
    let mut lines: HashSet<String> = HashSet::new();
    let of_sessions = outcome.sessions.iter().map(|report| {
        let finding = report.incompletely_measured();
        last = last.take().or_else(|| finding.map(words::finding::line));
        report.notes.clone()
    });
    let of_control = outcome.control.map(|control| control.notes.clone());
    for note in of_sessions.chain(of_control).flatten() {
        if note.warning && lines.insert(note.line.clone()) {
            said.push(note);
        }
    }
    let last = last.filter(|_| outcome.failed.is_empty());
    said.retain(|note| last.as_ref() != Some(&note.line));
    said
}

/// The same of many sessions: one of each kind, with the only session that it is of, or their number.
fn kinds(outcome: Outcome<'_>) -> Vec<Note> {
    let mut last: Option<String> = None;
    // With the first session, and how many there are.
    let mut kinds: Vec<(Note, Identity, u64)> = Vec::new();
    let differing = Differing::of(outcome.sessions.iter().map(|report| {
        let finding = report.incompletely_measured();
        last = last.take().or_else(|| finding.map(|it| it.key().into()));
        let mut keys = HashSet::new();
        let warnings = report.notes.iter().filter(|note| note.warning);
        for note in warnings.filter(|note| keys.insert(&*note.key)) {
            match kinds.iter_mut().find(|(known, ..)| known.key == note.key) {
                Some((.., count)) => *count += 1,
                None => kinds.push((note.clone(), report.identity.clone(), 1)),
            }
        }
        report.identity.clone()
    }));
    let last = last.filter(|_| outcome.failed.is_empty());
    kinds.retain(|(note, ..)| last.as_deref() != Some(&*note.key));
    kinds.sort_by_key(|(.., count)| Reverse(*count));
    let kinds = kinds.into_iter().map(|(note, first, count)| {
        let whose = match count {
            1 => differing.name(&first),
            _ => units::count(count, "session", "sessions"),
        };
        let line = format!("{} ({whose})", note.line);
        Note { line, ..note }
    });
    let of_control = outcome.control.map_or(&[][..], |control| &control.notes);
    let of_control = of_control.iter().filter(|note| note.warning).cloned();
    kinds.chain(of_control).collect()
}

/// Where all output of a run goes.
pub(super) struct RunOutput {
    sink: Box<dyn Sink>,
    /// Lines for people keep away from results for machines.
    aside: Option<Stderr>,
    /// Which warnings are said on stderr, where they have no other place that people see.
    warnings: Option<fn(Outcome<'_>) -> Vec<Note>>,
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
    /// On stdout, in the requested form. `names`: of several sessions. `label_keys`: of labels that
    /// targets have, of later ones too. `has_tlvs`: packets of some session have TLVs.
    pub(super) fn open(
        options: &ResultOptions,
        log: &LogOptions,
        names: &[SessionName],
        label_keys: &[String],
        has_tlvs: bool,
    ) -> io::Result<Self> {
        let meta = Meta {
            label_keys: label_keys.to_vec(),
            has_tlvs,
            ..Meta::here(&options.labels)
        };
        Self::of(meta, options, log, names)
    }

    /// Into this, and nowhere else.
    pub(super) fn into_sink(sink: Box<dyn Sink>) -> Self {
        Self {
            sink,
            aside: None,
            warnings: None,
            written: false,
            state: State::Alone,
        }
    }

    /// The same for what was measured elsewhere.
    pub(super) fn of(
        meta: Meta,
        options: &ResultOptions,
        log: &LogOptions,
        names: &[SessionName],
    ) -> io::Result<Self> {
        let style = Style::of(&io::stdout());
        let out = Box::new(BufWriter::new(stdout()));
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
        let are_many = names.len() > 1 && names.iter().any(|name| name.target.is_some());
        let warnings = if are_many { kinds } else { lines };
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
            warnings: (machine && !log.quiet).then_some(warnings),
            written: false,
            state: State::Alone,
        })
    }

    /// `files`: the run is written into files too, which are made whatever becomes of the output. Then
    /// only [`Self::report`] returns its errors. Without them the output has to take something.
    pub(super) fn beside(mut self, files: bool) -> io::Result<Self> {
        if files {
            self.state = State::BesideFiles;
        } else {
            self.sink.flush()?;
        }
        Ok(self)
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
        tlvs: Option<&ReplyTlvs>,
    ) -> io::Result<()> {
        self.written = true;
        self.put(|output| {
            output.sink.sample(session, sample, tlvs)?;
            if let Some(aside) = &mut output.aside {
                // Where stderr is gone, the results are not.
                let _ = packet_lines::write(session, sample, aside);
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
        if let Some(warnings) = self.warnings {
            let mut said = warnings(outcome);
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

#[cfg(test)]
mod tests {
    use twinpath_report::{SessionReport, Target};

    use super::*;
    use crate::output::fixtures;

    fn report(target: &str, warnings: &[(&'static str, &str)]) -> SessionReport {
        let mut report = fixtures::quiet_path();
        report.identity.target = Some(Target {
            name: target.to_owned(),
            ..Target::default()
        });
        let warnings = warnings.iter();
        report.notes = warnings
            .map(|(key, line)| fixtures::warning(key, (*line).to_owned()))
            .collect();
        report
            .notes
            .push(fixtures::remark("other", "a remark".into()));
        report
    }

    #[test]
    fn of_many_sessions_a_warning_of_each_kind_is_said_with_its_session_or_their_number() {
        let reports = [
            report("a", &[("silent", "nothing came back")]),
            report("b", &[("stalled", "stalled for 7 ms")]),
            report(
                "c",
                &[("stalled", "stalled for 9 ms"), ("stalled", "again")],
            ),
        ];
        let said = |said: Vec<Note>| -> Vec<String> {
            let said = said.into_iter();
            said.map(|note| note.line).collect()
        };
        assert_eq!(
            said(kinds(reports.as_slice().into())),
            ["stalled for 7 ms (2 sessions)", "nothing came back (a)"]
        );
        assert_eq!(said(lines(reports.as_slice().into())).len(), 4);
    }
}
