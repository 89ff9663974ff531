//! `twinpath status`.

use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

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
    if args.watch {
        return watch(args);
    }
    let found = Found::now(args)?;
    let before = &Found::default();
    let found = &found;
    let view = View {
        args,
        found,
        before,
    };
    let written = view.show(&mut stdout());
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}

fn watch(args: &StatusArgs) -> Result<Exit, Failure> {
    let signals = Signals::listen()?.with_hangups()?;
    let is_screen = io::stdout().is_terminal() && !args.json;
    let mut before = Found::default();
    let mut said = None;
    // What does not run from the start is a mistake; what ends meanwhile may come again.
    let mut found = Found::now(args).map(Some)?;
    while !signals.stop_requested() {
        if let Some(found) = found {
            said = None;
            let view = View {
                args,
                found: &found,
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
            before = found;
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

/// What the sockets gave.
#[derive(Default)]
struct Found {
    programs: Vec<Answered>,
    /// Sockets that gave no document.
    failed: Vec<(PathBuf, Refusal)>,
}

/// A program that answered.
struct Answered {
    socket: PathBuf,
    /// As it came.
    document: String,
    program: Program,
}

impl Found {
    fn now(args: &StatusArgs) -> Result<Self, Failure> {
        let asked = args.program.as_deref();
        let searched = sockets(asked);
        if searched.sockets.is_empty() {
            return Err(nothing(asked, &searched));
        }
        let answers = ask_all(&searched.sockets)
            .map_err(|error| Failure::could_not(format!("cannot ask: {error}")))?;
        let mut found = Self::default();
        for Answer { socket, document } in answers {
            let program = document.and_then(|document| {
                let program = Program::read(&document).ok_or(Refusal::Foreign)?;
                Ok((document, program))
            });
            match program {
                Ok((document, program)) => found.programs.push(Answered {
                    socket,
                    document,
                    program,
                }),
                Err(why) => found.failed.push((socket, why)),
            }
        }
        if found.programs.is_empty() {
            return Err(none_answered(&found.failed));
        }
        Ok(found)
    }

    fn program_at(&self, socket: &Path) -> Option<&Program> {
        let mut programs = self.programs.iter();
        Some(&programs.find(|it| it.socket == socket)?.program)
    }

    /// Notes of what differs from `before`: programs that have ended, and sockets that give no document. One that was left
    /// behind before the watch began is no news.
    fn news(&self, before: &Self) -> Vec<String> {
        let had = |socket: &PathBuf| before.programs.iter().any(|it| it.socket == *socket);
        let failed = self.failed.iter();
        let silent = failed
            .filter(|it| !before.failed.contains(it) && (it.1 != Refusal::Stale || had(&it.0)))
            .map(|(socket, why)| format!("note: {}: {why}", socket.display()));
        let there = self.programs.iter().map(|it| &it.socket);
        let there: Vec<&PathBuf> = there.chain(self.failed.iter().map(|it| &it.0)).collect();
        let ended = before.programs.iter();
        let ended = ended
            .filter(|it| !there.contains(&&it.socket))
            .map(|it| format!("note: {} has ended", it.program.name));
        ended.chain(silent).collect()
    }
}

/// Those to ask: that of a path, those of a name, or all. What is no name may be a file of the current directory.
fn sockets(asked: Option<&str>) -> Search {
    let at = |path: &str| Search {
        sockets: vec![path.into()],
        ..Search::default()
    };
    let searched = match asked {
        Some(path) if path.contains('/') => return at(path),
        name => search(name),
    };
    let is_socket = |path: &str| fs::metadata(path).is_ok_and(|it| it.file_type().is_socket());
    match asked {
        Some(path) if searched.sockets.is_empty() && is_socket(path) => at(path),
        Some(_) | None => searched,
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

/// Each socket with the reason, the last as the failure; several that were left behind as one.
fn none_answered(failed: &[(PathBuf, Refusal)]) -> Failure {
    let (stale, other): (Vec<_>, Vec<_>) = failed.iter().partition(|it| it.1 == Refusal::Stale);
    let (stale, single) = match &stale[..] {
        [(first, _), _, ..] => (Some((first, stale.len())), Vec::new()),
        _ => (None, stale),
    };
    let of_stale = stale.map(|(first, count)| {
        let directory = first.parent().unwrap_or(first).display();
        let line = format!(
            "nothing runs: {count} control sockets in {directory} are of programs that were killed"
        );
        let remedy = "the next responder or server removes them";
        Failure::could_not(line).with_remedy(Some(remedy))
    });
    let of_each = single.iter().chain(&other).map(|(socket, why)| {
        let line = format!("cannot ask {}: {why}", socket.display());
        Failure::could_not(line).with_remedy(remedy(why))
    });
    let mut failures: Vec<Failure> = of_stale.into_iter().chain(of_each).collect();
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

/// What is shown of the programs that answered.
struct View<'a> {
    args: &'a StatusArgs,
    found: &'a Found,
    /// As they were before.
    before: &'a Found,
}

impl View<'_> {
    fn show(&self, out: &mut impl Write) -> io::Result<()> {
        if self.args.json {
            out.write_all(self.json().as_bytes())?;
            return out.flush();
        }
        self.tell_news();
        self.text(out)
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.found.programs[..] {
            [only] => output::text(&only.program, self.before_of(only), out),
            several => {
                let programs: Vec<&Program> = several.iter().map(|it| &it.program).collect();
                output::list(&programs, out)
            }
        }
    }

    fn before_of(&self, program: &Answered) -> Option<&Program> {
        self.before.program_at(&program.socket)
    }

    fn tell_news(&self) {
        for line in self.found.news(self.before) {
            print_to_stderr(&line);
        }
    }

    /// The document of the program that was asked for, or that of all.
    fn json(&self) -> String {
        let found = self.found;
        if let (Some(_), [only]) = (&self.args.program, &found.programs[..]) {
            return only.document.clone();
        }
        let documents: Vec<&str> = found.programs.iter().map(|it| &*it.document).collect();
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
        for line in self.found.news(&Found::default()) {
            writeln!(lines, "{line}")?;
        }
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
        for answered in &self.found.programs {
            let line = output::line(&answered.program, self.before_of(answered), &now);
            writeln!(out, "{line}")?;
        }
        self.tell_news();
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(socket: &str, reflected: u64, uptime_s: u64) -> Answered {
        let document = serde_json::json!({
            "schema": "twinpath-status-1",
            "name": "responder-862",
            "process": 7,
            "uptime_ns": uptime_s * 1_000_000_000,
            "summary": { "reflected": reflected },
        });
        let document = document.to_string();
        Answered {
            socket: socket.into(),
            program: Program::read(&document).unwrap(),
            document,
        }
    }

    fn failed(socket: &str, why: Refusal) -> Found {
        Found {
            programs: vec![answered("/b/it.sock", 0, 1)],
            failed: vec![(socket.into(), why)],
        }
    }

    #[test]
    fn what_changed_of_the_programs_is_said_once() {
        let both = Found {
            programs: vec![answered("/a/it.sock", 0, 1), answered("/b/it.sock", 0, 1)],
            ..Found::default()
        };
        let silent = failed("/a/it.sock", Refusal::Silent);
        let stale = failed("/a/it.sock", Refusal::Stale);
        let none = [""; 0];
        assert_eq!(both.news(&Found::default()), none);
        assert_eq!(
            silent.news(&both),
            ["note: /a/it.sock: no answer within 3 s"]
        );
        assert_eq!(silent.news(&silent), none);
        assert_eq!(both.news(&silent), none);
        let killed = ["note: /a/it.sock: no program listens there any more"];
        assert_eq!(stale.news(&both), killed);
        // Left behind before anyone looked.
        assert_eq!(stale.news(&Found::default()), none);
        let one = Found {
            programs: vec![answered("/b/it.sock", 0, 2)],
            ..Found::default()
        };
        assert_eq!(one.news(&both), ["note: responder-862 has ended"]);
    }

    #[test]
    fn of_two_programs_of_one_name_each_has_its_own_rate() {
        let before = Found {
            programs: vec![answered("/a/it.sock", 100, 1), answered("/b/it.sock", 0, 1)],
            ..Found::default()
        };
        let found = Found {
            programs: vec![
                answered("/a/it.sock", 110, 2),
                answered("/b/it.sock", 30, 2),
            ],
            ..Found::default()
        };
        let before_of = |number: usize| before.program_at(&found.programs[number].socket).unwrap();
        let line = |number: usize| {
            let program = &found.programs[number].program;
            output::line(program, Some(before_of(number)), "now")
        };
        assert!(line(0).contains(" rate 10 "), "{}", line(0));
        assert!(line(1).contains(" rate 30 "), "{}", line(1));
    }
}
