//! Names of far ends that get other addresses while they are measured, or one at last.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::ChildStderr;

use serde_json::Value;

use crate::hosts::{Hosts, Names};
use crate::program::{Done, Running, run, twinpath};

/// A run on the near host, and what it says.
struct Measuring {
    run: Running,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Measuring {
    fn on(hosts: &Hosts, line: &str) -> Self {
        let mut run = Running::spawn(Hosts::on(&hosts.near, &twinpath(line)));
        let stderr = BufReader::new(run.0.stderr.take().unwrap());
        Self {
            run,
            stderr,
            said: String::new(),
        }
    }

    fn wait_for(&mut self, part: &str) {
        while !self.said.contains(part) {
            let octets = self.stderr.read_line(&mut self.said).unwrap();
            assert!(octets > 0, "{part}: it said {}", self.said);
        }
    }

    fn stop(mut self) -> Done {
        self.run.signal(&["INT"]);
        let mut done = self.run.finish();
        self.stderr.read_to_string(&mut self.said).unwrap();
        done.stderr = self.said;
        done
    }
}

fn keys(session: &Value) -> Vec<&str> {
    let notes = session["notes"].as_array().unwrap();
    notes
        .iter()
        .map(|note| note["key"].as_str().unwrap())
        .filter(|key| ["name-changed", "measured-late"].contains(key))
        .collect()
}

fn check(document: &Value) {
    let sessions = document["sessions"].as_array().unwrap();
    let told = sessions.iter().map(|session| {
        let target = &session["target"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let reflector = text(&session["reflector"]);
        assert_eq!(text(&target["address"]), reflector);
        assert!(
            session["packets"]["received"].as_u64() > Some(0),
            "{session}"
        );
        (text(&target["name"]), reflector, keys(session))
    });
    let told: Vec<_> = told.collect();
    let one = |name: &str, address: &str, key: &'static [&'static str]| {
        (name.to_owned(), address.to_owned(), key.to_vec())
    };
    let (first, second) = ("10.98.0.2:20001", "10.98.0.3:20001");
    assert_eq!(
        told,
        [
            one("moves.example", first, &["name-changed"]),
            one("moves.example", first, &["name-changed"]),
            one("stays.example", first, &[]),
            one("stays.example", first, &[]),
            one("late.example", second, &["measured-late"]),
            one("late.example", second, &["measured-late"]),
            one("moves.example", second, &["measured-late"]),
            one("moves.example", second, &["measured-late"]),
        ]
    );
    // From the same ports, which the system chose.
    let sender = |place: usize| &sessions[place]["sender"];
    assert_eq!([sender(0), sender(1)], [sender(6), sender(7)]);
    assert!(document.get("failed").is_none(), "{document}");
}

#[test]
fn a_name_that_changes_is_followed_and_one_that_comes_late_is_measured() {
    let Some(hosts) = Hosts::new() else { return };
    let first = ["10.98.0.2 stays.example moves.example"];
    let Some(names) = Names::of(&hosts.near, &first) else {
        return;
    };
    let responders = ["10.98.0.2:20001", "10.98.0.3:20001"].map(|at| hosts.responder(at));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let line = format!(
        "sender moves.example --near :0 --to stays.example --to late.example --paths 2 -c inf \
         -i 50ms --timeout 0.5 --json --save {}",
        file.display()
    );
    let mut measuring = Measuring::on(&hosts, &line);
    measuring.wait_for("late.example not measured yet: cannot resolve late.example");
    names.set(&[
        "10.98.0.2 stays.example",
        "10.98.0.3 late.example moves.example",
    ]);
    measuring.wait_for("late.example has an address: 10.98.0.3:20001 is measured from now on");
    let [first, _second] = responders;
    drop(first);
    measuring.wait_for(
        "10.98.0.2:20001 no longer answers, and moves.example has another address: \
         10.98.0.3:20001 is measured from now on",
    );
    let _again = hosts.responder("10.98.0.2:20001");
    // For some packets of the sessions that began last.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let done = measuring.stop();
    assert_eq!(done.status, 0, "{}", done.stderr);
    check(&serde_json::from_str(&done.stdout).unwrap());
    let moved = "stays.example has another address";
    assert!(!done.stderr.contains(moved), "{}", done.stderr);
    if cfg!(feature = "report") {
        let saved = run(&format!("report {} --json", file.display()));
        check(&serde_json::from_str(&saved.stdout).unwrap());
        let text = run(&format!("report {}", file.display())).stdout;
        let row = "\nmoves.example at 10.98.0.3:20001 path 1\n";
        assert!(text.contains(row), "{text}");
    }
}
