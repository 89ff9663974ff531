//! `twinpath sender`, and the rows that `twinpath controller` shares with it.

mod rows;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

#[cfg(feature = "control")]
use super::agreeing::Server;
use super::{Answers, FarEnd, Packet, acts, complete, each_row, file, json, judged};
use crate::hosts::{Hosts, ip};
use crate::program::{Done, Running, free_port, run, twinpath};

use rows::uncontrolled;
pub(super) use rows::{ON_TWO_HOSTS, sending};

/// What a run came to.
pub(super) struct Seen {
    pub(super) done: Done,
    /// The document, or its last one; null where there is none.
    pub(super) json: Value,
    pub(super) directory: tempfile::TempDir,
    /// What the far end got.
    packets: Vec<Packet>,
    /// The same of a second run with the same arguments, where the row has one.
    again: Vec<Packet>,
    begun: SystemTime,
    /// How often the sender's thread gave the processor back, for each packet.
    sleeps: f64,
    /// Its threads that sessions share, where it was looked at.
    threads: usize,
    /// What a Server was told, message by message, where there is one.
    #[cfg(feature = "control")]
    pub(super) told: Vec<Vec<u8>>,
}

impl Seen {
    pub(super) fn session(&self) -> &Value {
        &self.json["sessions"][0]
    }

    fn sessions(&self) -> usize {
        self.json["sessions"].as_array().map_or(0, Vec::len)
    }

    pub(super) fn file(&self, name: &str) -> String {
        file(self.directory.path(), name)
    }

    pub(super) fn of(done: Done, directory: tempfile::TempDir) -> Self {
        Self {
            json: json(&done.stdout),
            done,
            directory,
            packets: Vec::new(),
            again: Vec::new(),
            begun: UNIX_EPOCH,
            sleeps: 0.0,
            threads: 0,
            #[cfg(feature = "control")]
            told: Vec::new(),
        }
    }

    pub(super) fn all(&self, is: impl FnMut(&Packet) -> bool) -> bool {
        !self.packets.is_empty() && self.packets.iter().all(is)
    }
}

/// An option that is given, and what is seen then.
pub(super) struct Row {
    pub(super) option: &'static str,
    /// The command without it. `{measure}` is the command's name; `{far}`, `{dir}` and `{port}` are
    /// the run's own.
    base: &'static str,
    /// It with its value.
    pub(super) given: &'static str,
    far: Answers,
    sees: fn(&Seen) -> bool,
    /// Beside what it does when it is given, the run without it is no proof of the contrary.
    pub(super) alone: bool,
    /// What happens while it runs.
    during: During,
}

#[derive(Clone, Copy, PartialEq)]
enum During {
    Nothing,
    /// It is stopped for a while, and misses departures.
    Stall,
    /// Its thread is looked at.
    Look,
    /// It is run a second time.
    Again,
}

pub(super) const fn row(
    option: &'static str,
    base: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
) -> Row {
    Row {
        option,
        base,
        given,
        far: Answers::All,
        sees,
        alone: false,
        during: During::Nothing,
    }
}

/// A key of STAMP.
const KEY: &str = "00112233445566778899aabbccddeeff";
/// Authenticated, to a far end that has no key.
const STAMP_WITH_KEY: &str =
    "{measure} {far} 127.0.0.1:0 --stamp --authenticated -c 3 -i 2 --timeout 0.3 --json";

pub(super) const THREE: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 20 --json";
/// Where not all is answered.
pub(super) const LOSING: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 2 --json";
const TEXT: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 20";
const LONG: &str = "{measure} {far} 127.0.0.1:0 -c 2000 -i 1 --timeout 20 --json";
const CALL: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 20 --json --voice g711";
const SAVED: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 20 --save {dir}/a.parquet";
const PUSHED: &str =
    "{measure} {far} 127.0.0.1:0 -c 20 -i 100 --timeout 20 --debug --otlp http://127.0.0.1:9";
const DRAWN: &str = "{measure} {far} 127.0.0.1:0 -c 3 -i 2 --timeout 20 --graph {dir}/a.svg";

impl Row {
    /// The same with another far end.
    #[cfg(feature = "control")]
    pub(super) const fn answered(self, far: Answers) -> Self {
        Self { far, ..self }
    }

    /// Whether the option acts on this command.
    pub(super) fn judge(&self, command: Sends) -> Result<(), String> {
        acts(self.option, self.given, self.alone, |given| {
            let seen = observe(self, given, command)?;
            Some(judged(&seen, &seen.done, self.sees))
        })
    }
}

/// A command that sends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sends {
    Sender,
    #[cfg(feature = "control")]
    Controller,
}

impl Sends {
    fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            #[cfg(feature = "control")]
            Self::Controller => "controller",
        }
    }
}

/// Runs a row's command; `None` where the wire cannot be seen.
fn observe(row: &Row, given: &str, command: Sends) -> Option<Seen> {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    fs::write(directory.path().join("port"), &port).unwrap();
    let target = format!("127.0.0.1:{port} other\n");
    fs::write(directory.path().join("targets"), target).unwrap();
    for (name, mode) in [("secret", 0o600), ("readable", 0o644)] {
        let path = directory.path().join(name);
        fs::write(&path, format!("{KEY}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let far = FarEnd::start(row.far)?;
    #[cfg(feature = "control")]
    let server = (command == Sends::Controller).then(|| Server::start(far.at));
    #[cfg(feature = "control")]
    let at = server.as_ref().map_or(far.at, |server| server.at);
    #[cfg(not(feature = "control"))]
    let at = far.at;
    let line = format!("{} {given}", row.base)
        .replace("{measure}", command.name())
        .replace("{far}", &at.to_string())
        .replace("{dir}", &directory.path().display().to_string())
        .replace("{port}", &port);
    let begun = SystemTime::now();
    let mut running = Running::spawn(twinpath(&line));
    let (mut sleeps, mut threads) = (0.0, 0);
    match row.during {
        During::Nothing | During::Again => {}
        During::Stall => {
            wait_until(&mut running, || far.count() > 20);
            running.signal(&["STOP"]);
            std::thread::sleep(Duration::from_millis(200));
            running.signal(&["CONT"]);
        }
        During::Look => {
            wait_until(&mut running, || far.count() > 200);
            let sent = far.count();
            #[expect(clippy::cast_precision_loss, reason = "hundreds")]
            let share = voluntary_switches(running.0.id()) as f64 / sent as f64;
            sleeps = share;
            threads = threads_of(running.0.id(), "sessions").count();
        }
    }
    let done = running.finish();
    let again = if row.during == During::Again {
        let first = far.count();
        run(&line);
        first
    } else {
        usize::MAX
    };
    // What is on the way to the tap.
    let mut packets = far.finish();
    let again = packets.split_off(again.min(packets.len()));
    Some(Seen {
        packets,
        again,
        begun,
        sleeps,
        threads,
        #[cfg(feature = "control")]
        told: server.map(Server::finish).unwrap_or_default(),
        ..Seen::of(done, directory)
    })
}

/// Waits for something in a run, or for its end.
fn wait_until(running: &mut Running, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is() && running.0.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The threads of this process with this name.
fn threads_of(process: u32, name: &str) -> impl Iterator<Item = PathBuf> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    threads.map(|thread| thread.path()).filter(move |thread| {
        let comm = fs::read_to_string(thread.join("comm"));
        comm.is_ok_and(|comm| comm.trim() == name)
    })
}

/// How often the sender's thread of this process gave the processor back by itself.
fn voluntary_switches(process: u32) -> u64 {
    let of = |thread: &Path| -> Option<u64> {
        let status = fs::read_to_string(thread.join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok()
    };
    let threads = threads_of(process, "sender");
    threads.filter_map(|thread| of(&thread)).sum()
}

/// Makes sure that `--interface` leads packets, not the routes: `line` measures with 10.98.0.2, for
/// which there is a route to a device that leads nowhere.
pub(super) fn the_interface_leads(listener: &str, line: &str) {
    let Some(hosts) = Hosts::new() else { return };
    let _far = hosts.listener(listener);
    for words in [
        "link add d0 type veth peer name d1",
        "addr add 10.99.0.1/24 dev d0",
        "link set d0 up",
        "link set d1 up",
        "route add 10.98.0.2/32 dev d0",
    ] {
        ip(&format!("-n {} {words}", hosts.near)).unwrap();
    }
    let line = format!("{line} -c 3 -i 5 --timeout 2 --json");
    let done = hosts.run(&format!("{line} --interface v0"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["received"], 3);
}

#[test]
fn every_option_of_the_sender_acts() {
    let rows: Vec<Row> = sending().into_iter().chain(uncontrolled()).collect();
    let names = rows.iter().map(|row| row.option);
    complete("sender", names.chain(ON_TWO_HOSTS));
    each_row(&rows, |row| row.judge(Sends::Sender));
}

#[test]
fn the_interface_leads_a_sender_s_packets() {
    the_interface_leads("responder :9862", "sender 10.98.0.2:9862");
    // Without it the route does, and nothing comes back.
    let Some(hosts) = Hosts::new() else { return };
    let _far = hosts.listener("responder :9862");
    let line = "sender 10.98.0.2:9862 -c 3 -i 5 --timeout 2";
    assert_eq!(hosts.run(&format!("{line} --interface lo")).status, 3);
    assert_eq!(hosts.run(line).status, 0);
}
