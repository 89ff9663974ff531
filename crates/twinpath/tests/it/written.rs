//! Files that a run is written into: when they cannot be, and when the output cannot be written.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Done, Responder, Running, run, shell, twinpath};

/// Runs the program on a disk of so many octets, mounted at `at` for it alone; `None` where that cannot
/// be had, and says so. `before`: what a shell does there first.
fn on_small_disk(at: &Path, octets: u32, before: &str, line: &str) -> Option<Done> {
    let at = at.display();
    let possible = shell(&format!("unshare -m mount -t tmpfs none {at}"));
    if possible.status != 0 {
        println!("skipped: no disk of its own here ({})", possible.stderr);
        return None;
    }
    let program = env!("CARGO_BIN_EXE_twinpath");
    let script = format!(
        "mount -t tmpfs -o size={octets} none {at} && cd {at} && {before} {program} {line}; \
         status=$?; ls -A {at} >&2; exit $status"
    );
    Some(shell(&format!("unshare -m bash -c '{script}'")))
}

/// The document on stdout, whatever the exit status.
fn document(done: &Done) -> Value {
    serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr))
}

#[test]
fn a_disk_that_fills_fails_a_quiet_run_too_whose_report_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let responder = Responder::on_loopback();
    let server = Responder::server("");
    for command in [
        format!("sender {} -c 3000 -i 0.5", responder.at),
        format!("controller {} 127.0.0.1:0 -c 3000 -i 0.5", server.at),
    ] {
        for quiet in ["-q", ""] {
            let line = format!("{command} --timeout 20 --json {quiet} --save run.parquet");
            let Some(done) = on_small_disk(directory.path(), 16 << 10, "", &line) else {
                return;
            };
            assert_eq!(done.status, 1, "{line}: {}", done.stderr);
            let said = done
                .stderr
                .lines()
                .find(|line| line.starts_with("twinpath: "));
            let said = said.unwrap_or_else(|| panic!("{line}: {}", done.stderr));
            assert!(
                said.contains("run.parquet")
                    && said.contains("No space left on device")
                    && said.contains("; free some space"),
                "{said}"
            );
            let document = document(&done);
            let packets = &document["sessions"][0]["packets"];
            assert_eq!(packets["sent"], 3_000, "{packets}");
            assert_eq!(packets["received"], 3_000, "{packets}");
            let saved = &document["saved"];
            assert_eq!(saved["complete"], false, "{saved}");
            assert_eq!(saved["path"], "run.parquet");
            assert!(
                saved["error"].as_str().unwrap().contains("No space"),
                "{saved}"
            );
            let [held, all] = ["records", "records_of_run"].map(|key| saved[key].as_u64().unwrap());
            assert!(held < all && all > 3_000, "{saved}");
        }
    }
}

#[test]
fn a_full_disk_ends_a_file_and_the_run_goes_on_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} -c 5000 -i 0.5 --timeout 20 --json --save run.parquet --rotate 1s",
        responder.at
    );
    let Some(done) = on_small_disk(directory.path(), 16 << 10, "", &line) else {
        return;
    };
    assert_eq!(done.status, 1, "{}", done.stderr);
    let failed = |line: &&str| line.starts_with("warning: saving to run-20");
    assert_eq!(
        done.stderr.lines().filter(failed).count(),
        1,
        "{}",
        done.stderr
    );
    let document = document(&done);
    assert_eq!(document["sessions"][0]["packets"]["received"], 5_000);
    let saved = &document["saved"];
    assert_eq!(saved["complete"], false, "{saved}");
    assert!(
        saved["error"].as_str().unwrap().contains("No space"),
        "{saved}"
    );
}

#[test]
fn a_run_that_is_saved_whole_says_so_in_its_document() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet").display().to_string();
    let page = directory.path().join("run.html").display().to_string();
    let responder = Responder::on_loopback();
    let done = run(&format!(
        "sender {} -c 5 -i 1 --json --save {file} --html {page}",
        responder.at
    ));
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let document = document(&done);
    let saved = &document["saved"];
    assert_eq!(saved["complete"], true, "{saved}");
    assert_eq!(saved["path"], file.as_str());
    assert_eq!(saved["records"], saved["records_of_run"], "{saved}");
    assert!(saved["error"].is_null());
    assert_eq!(document["pictures"][0]["complete"], true);
    assert_eq!(document["pictures"][0]["path"], page.as_str());
}

#[test]
fn a_picture_without_room_fails_the_run_and_leaves_the_picture_of_before() {
    let directory = tempfile::tempdir().unwrap();
    let saved = tempfile::tempdir().unwrap();
    let file = saved.path().join("run.parquet").display().to_string();
    let responder = Responder::on_loopback();
    let measured = format!("sender {} -c 50 -i 1 -q", responder.at);
    for line in [
        format!("{measured} --json --save {file}"),
        format!("report -q --json {file}"),
        format!("report -q --json --merge {file} {file}"),
    ] {
        for picture in ["--html a.html", "--graph a.svg"] {
            let name = picture.split(' ').nth(1).unwrap();
            // Room for the check before the run, and for no picture.
            let before = format!("printf before > {name};");
            let line = format!("{line} {picture}");
            let Some(done) = on_small_disk(directory.path(), 12 << 10, &before, &line) else {
                return;
            };
            assert_eq!(done.status, 1, "{line}: {}", done.stderr);
            let mut lines = done.stderr.lines();
            let said = lines.next().unwrap();
            assert!(
                said.starts_with(&format!("twinpath: cannot write {name}: No space left")),
                "{line}: {said}"
            );
            assert_eq!(
                lines.collect::<Vec<_>>(),
                [name],
                "what is left on the disk"
            );
            let document = document(&done);
            assert_eq!(document["pictures"][0]["complete"], false, "{line}");
            assert!(document["sessions"][0]["packets"]["received"].as_u64() >= Some(50));
        }
    }
}

#[test]
fn an_output_without_room_leaves_the_files_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet").display().to_string();
    let page = directory.path().join("run.html");
    let responder = Responder::on_loopback();
    for form in ["text", "text -v", "json", "jsonl"] {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let Ok(full) = full else {
            println!("skipped: this host has no /dev/full");
            return;
        };
        let _ = fs::remove_file(&page);
        let mut command = twinpath(&format!(
            "sender {} -c 300 -i 1 --output {form} --save {file} --html {}",
            responder.at,
            page.display()
        ));
        command.stdout(full).stderr(Stdio::piped());
        let done = Running::of(command.spawn().unwrap()).finish();
        assert_eq!(done.status, 1, "{form}: {}", done.stderr);
        assert!(
            done.stderr
                .contains("twinpath: cannot write the result: No space left"),
            "{form}: {}",
            done.stderr
        );
        assert!(page.exists(), "{form}");
        let again = run(&format!("report {file} --json"));
        let packets = &again.session()["packets"];
        assert_eq!(
            packets["received"], 300,
            "the run went on: {form} {packets}"
        );
    }
}

#[test]
fn a_closed_pipe_ends_a_saved_run_quietly_and_its_file_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet").display().to_string();
    let responder = Responder::on_loopback();
    let mut sender = Running::start(&format!(
        "sender {} --duration 600 -i 5 -v --save {file}",
        responder.at
    ));
    let mut stdout = BufReader::new(sender.0.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let done = sender.finish();
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let again = run(&format!("report {file} --json"));
    let session = again.session();
    assert!(session["packets"]["received"].as_u64() >= Some(1));
    let notes = session["notes"].to_string();
    assert!(!notes.contains("interrupted"), "{notes}");
}

/// A directory with one of each that is not a file. `None` where pipes cannot be made.
fn other_kinds() -> Option<(tempfile::TempDir, UnixListener)> {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.args(["-m", "600"]).arg(at("pipe"));
    if !mkfifo.status().is_ok_and(|status| status.success()) {
        println!("skipped: no mkfifo here");
        return None;
    }
    fs::write(at("kept"), "kept").unwrap();
    for (link, target) in [("link", "kept"), ("dangling", "new"), ("to-pipe", "pipe")] {
        symlink(target, at(link)).unwrap();
    }
    fs::create_dir(at("folder")).unwrap();
    let socket = UnixListener::bind(at("socket")).unwrap();
    Some((directory, socket))
}

/// Refused in one line with what is wrong and what to do, before anything is measured.
fn refused(line: &str, said: &str, remedy: &str) {
    let done = run(line);
    assert_eq!(
        (done.status, done.stdout.as_str()),
        (1, ""),
        "{line}: {}",
        done.stderr
    );
    assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
    assert!(
        done.stderr.contains(said) && done.stderr.contains(remedy),
        "{line}: {}",
        done.stderr
    );
}

#[test]
fn what_is_no_file_is_not_written_into_and_stays_as_it_is() {
    let Some((directory, _socket)) = other_kinds() else {
        return;
    };
    let at = directory.path().display();
    let responder = Responder::on_loopback();
    for (name, said) in [
        ("pipe", "it is a pipe"),
        ("socket", "it is a socket"),
        ("folder", "it is a directory"),
        ("link", "it is a symbolic link to kept"),
        ("dangling", "it is a symbolic link to new"),
        ("/dev/full", "it is a device"),
    ] {
        let is_link = said.contains("link");
        let remedy = if is_link {
            "; give the name of that file"
        } else {
            "; give the name of a file"
        };
        let path = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("{at}/{name}")
        };
        for option in ["--save", "--html", "--logfile"] {
            // A log adds to what is there.
            if option == "--logfile" && (is_link || name == "/dev/full") {
                continue;
            }
            let line = format!("sender {} -c 2 -i 1 {option} {path}", responder.at);
            refused(&line, said, remedy);
        }
    }
    assert_eq!(fs::read(directory.path().join("kept")).unwrap(), b"kept");
    let link = fs::symlink_metadata(directory.path().join("link")).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 7);
}

#[test]
fn what_is_no_file_is_not_waited_for_when_it_is_to_be_read() {
    let Some((directory, _socket)) = other_kinds() else {
        return;
    };
    let at = directory.path().display();
    let file = "; write its output to a file";
    let other = "; give the name of a raw file";
    for (path, said, remedy) in [
        (format!("{at}/pipe"), "it is a pipe", file),
        (format!("{at}/to-pipe"), "it is a pipe", file),
        (format!("{at}/socket"), "it is a socket", other),
        ("/dev/zero".to_owned(), "it is a device", other),
    ] {
        refused(&format!("report {path}"), said, remedy);
        refused(&format!("report --merge {path} {path}"), said, remedy);
    }
    let folder = format!("{at}/folder");
    let remedy = "; give the path of [store], or a file";
    refused(
        &format!("report {folder}"),
        "is not the directory of a store",
        remedy,
    );
    let twice = run(&format!("report --merge {folder} {folder}"));
    assert_eq!(twice.status, 2, "{}", twice.stderr);
    assert!(twice.stderr.contains("a store is reported on alone"));
    for (name, said) in [
        ("pipe", "is a pipe without a writer, not a key file"),
        ("socket", "is a socket, not a key file"),
    ] {
        let keys = format!("--keys {at}/{name}");
        let remedy = "; give a file with one line per key";
        refused(
            &format!("server 127.0.0.1:0 --mode encrypted {keys}"),
            said,
            remedy,
        );
        refused(
            &format!("controller 127.0.0.1:1 --key-id a {keys}"),
            said,
            remedy,
        );
    }
}

#[test]
fn a_run_that_is_killed_leaves_the_file_of_before_or_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let responder = Responder::on_loopback();
    fs::write(&file, "before").unwrap();
    let line = format!(
        "sender {} --duration 600 -i 5 --save {}",
        responder.at,
        file.display()
    );
    // Its session has begun, its first packet has not left.
    let waiting = format!("{line} --start-delay 600");
    let mut sender = Running::start(&waiting);
    sender.wait_until_it_catches("QUIT");
    let mut stderr = BufReader::new(sender.0.stderr.take().unwrap());
    // Each is answered when what happened before it has been recorded.
    for _ in 0..3 {
        sender.signal(&["QUIT"]);
        stderr.read_line(&mut String::new()).unwrap();
    }
    drop(sender);
    assert_eq!(fs::read(&file).unwrap(), b"before");
    // The same run comes to its end instead, without a packet: that is its result.
    let sender = Running::start(&waiting);
    sender.wait_until_it_catches("QUIT");
    sender.signal(&["INT"]);
    let done = sender.finish();
    assert!(
        done.stdout.contains("No packet was sent"),
        "{}",
        done.stdout
    );
    let done = run(&format!("report {} --json", file.display()));
    assert_eq!(done.session()["packets"]["sent"], 0);
    assert_eq!(
        done.session()["notes"].to_string().find("interrupted"),
        None
    );
    // A moment after its first packet.
    fs::write(&file, "before").unwrap();
    let mut sender = Running::start(&format!("{line} -v"));
    let stdout = BufReader::new(sender.0.stdout.take().unwrap());
    let mut lines = stdout.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("seq=")));
    drop(sender);
    assert_eq!(fs::read(&file).unwrap()[..4], *b"PAR1");
    let done = run(&format!("report {}", file.display()));
    assert!(
        done.status == 0 || done.stderr.contains("killed soon after it began"),
        "{}",
        done.stderr
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
