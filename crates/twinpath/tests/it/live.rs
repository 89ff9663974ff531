//! The view on a terminal: a pseudo-terminal that `script` (util-linux) makes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::program::{Responder, Running, run, twinpath};

const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
/// Nothing takes that long.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program on a terminal of its own.
struct Terminal {
    script: Child,
    heard: Receiver<Vec<u8>>,
    /// All that it wrote.
    said: String,
    screen: Screen,
}

/// What a terminal shows: a change may be drawn as the cells that differ, and in several parts.
#[derive(Default)]
struct Screen {
    rows: BTreeMap<usize, Vec<char>>,
    /// Row and column of the next character, from 1.
    at: (usize, usize),
    /// Octets of a character or a sequence that has not come to its end.
    rest: Vec<u8>,
}

impl Screen {
    fn draw(&mut self, octets: &[u8]) {
        self.rest.extend(octets);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8_lossy(&self.rest[..whole]).into_owned();
        let mut left = text.as_str();
        while let Some(first) = left.chars().next() {
            if let Some(sequence) = left.strip_prefix("\u{1b}[") {
                let Some(end) = sequence.find(|c: char| matches!(c, '@'..='~')) else {
                    break;
                };
                self.obey(&sequence[..=end]);
                left = &sequence[end + 1..];
                continue;
            }
            if left == "\u{1b}" {
                break;
            }
            left = &left[first.len_utf8()..];
            let row = self.rows.entry(self.at.0).or_default();
            row.resize(row.len().max(self.at.1 + 1), ' ');
            row[self.at.1] = first;
            self.at.1 += 1;
        }
        let drawn = whole - left.len();
        self.rest.drain(..drawn);
    }

    /// The cursor's place, and a screen that is cleared; colours are of no account.
    fn obey(&mut self, sequence: &str) {
        if let Some(place) = sequence.strip_suffix('H') {
            let mut numbers = place.split(';').map(|number| number.parse().unwrap_or(1));
            let mut number = || numbers.next().unwrap_or(1);
            self.at = (number(), number());
        } else if sequence.ends_with('J') {
            self.rows.clear();
        }
    }

    fn shows(&self, text: &str) -> bool {
        let has = |row: &Vec<char>| row.iter().collect::<String>().contains(text);
        self.rows.values().any(has)
    }
}

impl Terminal {
    /// Runs `twinpath` with these arguments and whatever else a shell makes of them; `None` where
    /// there is no `script`.
    fn start(line: &str) -> Option<Self> {
        if Command::new("script").arg("--version").output().is_err() {
            println!("skipped: there is no program named script (util-linux)");
            return None;
        }
        let program = env!("CARGO_BIN_EXE_twinpath");
        let shell =
            format!("stty rows 24 cols 80; stty -g; {program} {line}; echo \"status=$?\"; stty -g");
        let mut script = Command::new("script")
            .args(["-q", "-c", &shell, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = script.stdout.take().unwrap();
        let (teller, heard) = channel();
        std::thread::spawn(move || {
            let mut octets = [0; 4_096];
            while let Ok(count @ 1..) = stdout.read(&mut octets) {
                if teller.send(octets[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Some(Self {
            script,
            heard,
            said: String::new(),
            screen: Screen::default(),
        })
    }

    /// Until the program said this.
    fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |terminal| terminal.said.contains(text));
    }

    /// Until the screen shows this after these keys, and did not before.
    fn press_and_wait_for(&mut self, keys: &str, text: &str) {
        assert!(!self.screen.shows(text), "{text}");
        self.press(keys);
        self.wait_until(text, |terminal| terminal.screen.shows(text));
    }

    fn wait_until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let octets = self.heard.recv_timeout(left);
            let octets = octets.unwrap_or_else(|_| {
                let end: String = self.said.chars().rev().take(2_000).collect();
                let end: String = end.chars().rev().collect();
                panic!("no {what:?} in {end:?}")
            });
            self.hear(&octets);
        }
    }

    fn hear(&mut self, octets: &[u8]) {
        self.said.push_str(&String::from_utf8_lossy(octets));
        self.screen.draw(octets);
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// What stood on the terminal after the view, once its modes are checked to be what they were.
    fn finish(mut self, status: i32) -> String {
        self.wait_for(&format!("status={status}"));
        while let Ok(octets) = self.heard.recv_timeout(PATIENCE) {
            self.hear(&octets);
        }
        self.script.wait().unwrap();
        let modes: Vec<&str> = self
            .said
            .lines()
            .map(str::trim)
            .filter(|line| line.matches(':').count() > 10)
            .filter(|line| line.chars().all(|c| c == ':' || c.is_ascii_hexdigit()))
            .collect();
        assert_eq!(modes.len(), 2, "{:?}", self.said);
        assert_eq!(modes[0], modes[1], "{:?}", self.said);
        assert_eq!(self.said.matches(ENTER).count(), 1, "{:?}", self.said);
        // Nobody is asked for the cursor's place: a terminal may not answer.
        assert!(!self.said.contains("\u{1b}[6n"), "{:?}", self.said);
        let (view, after) = self.said.split_once(LEAVE).unwrap();
        assert!(view.contains(ENTER), "{view:?}");
        assert!(!after.contains("\u{1b}[?25l"), "{after:?}");
        assert!(after.contains("\u{1b}[?25h"), "{after:?}");
        after.to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

#[test]
fn q_ends_a_run_with_its_report_on_a_terminal_as_it_was() {
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} 127.0.0.1:0 --live -i 10 -c 100000 -d",
        responder.at
    );
    let Some(mut terminal) = Terminal::start(&line) else {
        return;
    };
    terminal.wait_for("Stamps");
    terminal.press("p");
    terminal.wait_for("paused");
    terminal.press("p+-q");
    let after = terminal.finish(0);
    for text in ["TWAMP Light from 127.0.0.1:", "Roundtrip", " 0 lost, in "] {
        assert!(after.contains(text), "{after}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_hangs_up_takes_the_view_with_it_and_not_the_run() {
    use rustix::pty;
    let responder = Responder::on_loopback();
    // Nobody's controlling terminal: no signal tells.
    // Neither end is the program's but as a stream.
    let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY | pty::OpenptFlags::CLOEXEC;
    let terminal = pty::openpt(flags).unwrap();
    pty::unlockpt(&terminal).unwrap();
    let ours = pty::ioctl_tiocgptpeer(&terminal, flags).unwrap();
    let line = format!("sender {} 127.0.0.1:0 --live -i 10 -c 200", responder.at);
    let mut command = twinpath(&line);
    command
        .env("TERM", "xterm")
        .stdin(ours.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(ours);
    let child = Running::of(command.spawn().unwrap());
    drop(command);
    let mut terminal = File::from(terminal);
    let mut screen = String::new();
    let mut octets = [0; 4_096];
    while !screen.contains("Stamps") {
        let count = terminal.read(&mut octets).unwrap();
        screen.push_str(&String::from_utf8_lossy(&octets[..count]));
    }
    drop(terminal);
    let done = child.finish();
    let report = done.stdout;
    assert!(report.contains("200 sent, 200 received"), "{report}");
    assert_eq!(done.status, 0);
}

#[test]
fn a_controller_shows_its_classes_and_ends_by_itself() {
    let server = Responder::server("");
    let line = format!(
        "controller {} 127.0.0.1:0 --live -i 10 -c 200 --dscp be,ef",
        server.at
    );
    let Some(mut terminal) = Terminal::start(&line) else {
        return;
    };
    terminal.wait_for("2 classes");
    let after = terminal.finish(0);
    assert!(after.contains("Round trips and losses by class"), "{after}");
}

#[test]
fn many_sessions_are_a_list_and_each_row_opens_its_charts() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} --paths 100 -i 50ms -c inf --live", responder.at);
    let Some(mut terminal) = Terminal::start(&line) else {
        return;
    };
    terminal.wait_for("History");
    terminal.press_and_wait_for("/path 77", "1 of 100 sessions");
    terminal.press_and_wait_for("\r", "/path 77: 1 of 100");
    terminal.press_and_wait_for("\r", "Stamps");
    terminal.press_and_wait_for("\u{1b}", "History");
    terminal.press("q");
    let after = terminal.finish(0);
    assert!(after.contains("no loss on 100 paths"), "{after}");
}

#[test]
fn results_for_machines_go_where_stdout_goes_and_the_view_to_the_terminal() {
    let responder = Responder::on_loopback();
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = format!(
        "sender {} 127.0.0.1:0 --live -i 10 -c 100000 --output jsonl > {}",
        responder.at,
        file.path().display()
    );
    let Some(mut terminal) = Terminal::start(&line) else {
        return;
    };
    terminal.wait_for("Stamps");
    terminal.press("\u{1b}");
    let after = terminal.finish(0);
    assert!(!after.contains("round_trip"), "{after}");
    let written = std::fs::read_to_string(file.path()).unwrap();
    let documents = written
        .lines()
        .map(serde_json::from_str::<serde_json::Value>);
    let documents: Vec<_> = documents.collect::<Result<_, _>>().unwrap();
    let report = documents.last().unwrap();
    assert_eq!(report["schema"], "twinpath-report-1");
    assert!(documents.len() > 1);
}

#[test]
fn the_second_interrupt_ends_at_once_and_gives_the_terminal_back() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let line = format!(
        "sender {} 127.0.0.1:0 --live -i 10 -c 100000",
        silent.local_addr().unwrap()
    );
    let Some(mut terminal) = Terminal::start(&line) else {
        return;
    };
    terminal.wait_for("Outbound");
    terminal.press("\u{3}\u{3}");
    let after = terminal.finish(130);
    assert!(!after.contains("Roundtrip"), "{after}");
}

#[test]
fn without_a_terminal_lines_have_to_do() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} 127.0.0.1:0 --live -i 1 -c 5", responder.at);
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(
        done.stderr,
        "note: no live view: neither stderr nor stdout is a terminal\n"
    );
    assert!(done.stdout.contains("Roundtrip"), "{}", done.stdout);
}

#[test]
fn lines_on_the_same_terminal_are_preferred_to_the_view() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} 127.0.0.1:0 --live -i 1 -c 5 -v", responder.at);
    let Some(mut terminal) = Terminal::start(&line) else {
        return;
    };
    terminal.wait_for("status=0");
    let screen = &terminal.said;
    assert!(
        screen.contains("note: no live view: lines go to"),
        "{screen}"
    );
    assert!(screen.contains("seq=4 "), "{screen}");
    assert!(!screen.contains(ENTER), "{screen}");
}

#[test]
fn a_view_is_not_quiet() {
    let done = run("sender 127.0.0.1 --live -q");
    assert_eq!(done.status, 2);
}
