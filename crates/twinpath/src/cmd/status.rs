//! `twinpath status`.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_runtime::wall;

use super::unwritten;
use crate::args::StatusArgs;
use crate::failure::{Exit, Failure};
use crate::output::status::{self as output, Program};
use crate::output::{print_to_stderr, rfc3339, stdout};
use crate::signals::Signals;
use crate::status::{Answer, Refusal, Search, ask_all, search};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Moves to the upper left corner and clears what is below: less flicker than clearing first.
const TO_THE_TOP: &str = "\x1b[H";
const CLEAR_LINE_END: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    if !args.watch {
        let found = Found::now(args)?;
        let view = View {
            args,
            found: &found,
            before: &HashMap::new(),
        };
        let written = view.show(&mut stdout());
        return written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done));
    }
    let signals = Signals::listen()?.with_hangups()?;
    let is_screen = io::stdout().is_terminal() && !args.json;
    let mut before = HashMap::new();
    let mut said = None;
    // What does not run from the start is a mistake; what ends meanwhile may come again.
    let mut found = Found::now(args).map(Some)?;
    while !signals.stop_requested() {
        if let Some(found) = &found {
            said = None;
            let view = View {
                args,
                found,
                before: &before,
            };
            let written = if is_screen {
                view.on_screen(&mut stdout())
            } else {
                view.in_lines(&mut stdout())
            };
            if let Err(error) = written {
                return unwritten(&error);
            }
            before = found.by_name();
        }
        let until = Instant::now() + args.interval.0;
        while Instant::now() < until && !signals.stop_requested() {
            thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        found = match Found::now(args) {
            Ok(found) => Some(found),
            Err(failure) => {
                let line = failure.to_string();
                if said.as_ref() != Some(&line) {
                    print_to_stderr(&line);
                    said = Some(line);
                }
                None
            }
        };
    }
    Ok(Exit::Done)
}

/// The programs that answered.
struct Found {
    /// Each with its document.
    programs: Vec<(String, Program)>,
    /// Sockets that gave none.
    failed: Vec<(PathBuf, Refusal)>,
}

impl Found {
    fn now(args: &StatusArgs) -> Result<Self, Failure> {
        let asked = args.program.as_deref();
        let searched = match asked {
            Some(path) if path.contains('/') => Search {
                sockets: vec![path.into()],
                ..Search::default()
            },
            name => search(name),
        };
        if searched.sockets.is_empty() {
            return Err(nothing(asked, &searched));
        }
        let answers = ask_all(&searched.sockets)
            .map_err(|error| Failure::could_not(format!("cannot ask: {error}")))?;
        let mut found = Self {
            programs: Vec::new(),
            failed: Vec::new(),
        };
        for Answer { socket, document } in answers {
            let program = document.and_then(|document| {
                let program = Program::read(&document).ok_or(Refusal::Foreign)?;
                Ok((document, program))
            });
            match program {
                Ok(program) => found.programs.push(program),
                Err(why) => found.failed.push((socket, why)),
            }
        }
        if found.programs.is_empty() {
            return Err(none_answered(&found.failed));
        }
        Ok(found)
    }

    fn by_name(&self) -> HashMap<String, Program> {
        let programs = self.programs.iter();
        programs
            .map(|(_, program)| (program.name.clone(), program.clone()))
            .collect()
    }
}

/// No socket was found.
fn nothing(asked: Option<&str>, searched: &Search) -> Failure {
    if let Some((directory, why)) = searched.unreadable.first() {
        let line = format!("cannot look into {}: {why}", directory.display());
        return Failure::could_not(line).with_remedy(Some("use sudo"));
    }
    let directories: Vec<String> = searched
        .searched
        .iter()
        .map(|directory| directory.display().to_string())
        .collect();
    let directories = directories.join(" and ");
    let Some(name) = asked else {
        let line = format!("nothing runs: no control socket in {directories}");
        let remedy = "a responder or server with another --control-socket is asked by its path";
        return Failure::could_not(line).with_remedy(Some(remedy));
    };
    let others = search(None).sockets;
    let others: Vec<String> = others.iter().filter_map(|path| name_of(path)).collect();
    let line = format!("no program {name}: no such control socket in {directories}");
    let remedy = (!others.is_empty()).then(|| format!("there is {}", others.join(", ")));
    Failure::could_not(line).with_remedy(remedy)
}

fn name_of(socket: &Path) -> Option<String> {
    Some(socket.file_stem()?.to_string_lossy().into_owned())
}

/// Each socket with the reason, the last as the failure.
fn none_answered(failed: &[(PathBuf, Refusal)]) -> Failure {
    let mut failures: Vec<Failure> = failed
        .iter()
        .map(|(socket, why)| {
            let line = format!("cannot ask {}: {why}", socket.display());
            Failure::could_not(line).with_remedy(remedy(why))
        })
        .collect();
    let last = failures.pop();
    last.unwrap_or_else(|| Failure::could_not("no program answered"))
        .after(failures)
}

fn remedy(why: &Refusal) -> Option<&'static str> {
    match why {
        Refusal::Stale => Some("it was killed; the next one with its name replaces the socket"),
        Refusal::Permission => Some("use sudo"),
        Refusal::Missing | Refusal::Silent | Refusal::Foreign | Refusal::System(_) => None,
    }
}

/// Those that did not answer, for people.
fn tell_failed(failed: &[(PathBuf, Refusal)]) {
    for (socket, why) in failed {
        print_to_stderr(&format!("note: {}: {why}", socket.display()));
    }
}

/// What is shown of the programs that answered.
struct View<'a> {
    args: &'a StatusArgs,
    found: &'a Found,
    /// The programs as they were before, by name.
    before: &'a HashMap<String, Program>,
}

impl View<'_> {
    fn show(&self, out: &mut impl Write) -> io::Result<()> {
        if self.args.json {
            out.write_all(self.json().as_bytes())?;
            return out.flush();
        }
        tell_failed(&self.found.failed);
        self.text(out)
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.found.programs[..] {
            [(_, program)] => output::text(program, self.before_of(program), out),
            programs => {
                let programs: Vec<&Program> = programs.iter().map(|(_, program)| program).collect();
                output::list(&programs, out)
            }
        }
    }

    fn before_of(&self, program: &Program) -> Option<&Program> {
        self.before.get(&program.name)
    }

    /// The document of the program that was asked for, or that of all.
    fn json(&self) -> String {
        let found = self.found;
        if let (Some(_), [(document, _)]) = (&self.args.program, &found.programs[..]) {
            return document.clone();
        }
        let documents = found.programs.iter();
        let documents: Vec<&str> = documents.map(|(document, _)| &**document).collect();
        let failed = found.failed.iter();
        let failed: Vec<(String, String)> = failed
            .map(|(socket, why)| (socket.display().to_string(), why.to_string()))
            .collect();
        output::json(&documents, &failed)
    }

    /// In place of what was there before.
    fn on_screen(&self, out: &mut impl Write) -> io::Result<()> {
        let mut lines = Vec::new();
        self.text(&mut lines)?;
        let lines = String::from_utf8_lossy(&lines).replace('\n', &format!("{CLEAR_LINE_END}\n"));
        let every = self.args.interval.0.as_secs_f64();
        let heading = format!("{}, every {every} s", rfc3339(wall()));
        write!(
            out,
            "{TO_THE_TOP}{heading}{CLEAR_LINE_END}\n{CLEAR_LINE_END}\n{lines}{CLEAR_BELOW}"
        )?;
        out.flush()
    }

    /// A line for each program, or the document in one.
    fn in_lines(&self, out: &mut impl Write) -> io::Result<()> {
        if self.args.json {
            writeln!(out, "{}", output::in_one_line(&self.json()))?;
            return out.flush();
        }
        let now = rfc3339(wall());
        for (_, program) in &self.found.programs {
            let line = output::line(program, self.before_of(program), &now);
            writeln!(out, "{line}")?;
        }
        out.flush()
    }
}
