//! Keys: from a file, the environment and a terminal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Responder, Running, finish, run, twinpath};
use crate::secured::{ANY, keys, secured_server};

#[test]
fn the_keys_are_read_again_while_a_session_runs() {
    let held = keys("alice secret\n");
    let mut server = secured_server(&held, "-v");
    let at = server.at;
    let mut long = Running::start(&format!(
        "controller {at} {ANY} --keys {} --duration 600 -i 10 --output jsonl",
        held.path().display()
    ));
    long.wait_for("\"received\"");
    let with = |lines: &str| {
        let file = keys(lines);
        let line = format!(
            "controller {at} {ANY} --keys {} -c 2 -i 2",
            file.path().display()
        );
        run(&line).status
    };
    assert_eq!((with("alice secret"), with("bob other")), (0, 1));
    std::fs::write(held.path(), "bob other\n").unwrap();
    server.signal("HUP");
    let said = server.wait_for("note: ");
    assert!(
        said.ends_with(": 1 key read; added bob; removed alice; 0 as before\n"),
        "{said}"
    );
    server.wait_for("new keys are in force");
    assert_eq!((with("alice secret"), with("bob other")), (1, 0));
    // What cannot be used changes nothing.
    std::fs::write(held.path(), "carol\n").unwrap();
    server.signal("HUP");
    let said = server.wait_for("keeping the old keys");
    assert!(said.contains(":1: the Key-ID has no passphrase"), "{said}");
    assert_eq!(with("bob other"), 0);
    std::fs::write(held.path(), "bob other\n").unwrap();
    server.signal("HUP");
    let said = server.wait_for("note: ");
    assert!(said.ends_with(": 1 key read; nothing changed\n"), "{said}");
    long.signal(&["INT"]);
    let done = long.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let packets = &done.session()["packets"];
    assert!(packets["received"].as_u64().unwrap() > 1, "{packets}");
    assert_eq!(packets["lost"], 0, "{packets}");
}

#[cfg(unix)]
#[test]
fn a_server_without_keys_outlives_a_hang_up_and_says_that_it_has_nothing_to_read() {
    let mut server = Responder::server("");
    server.signal("HUP");
    server.wait_for("SIGHUP: no key file to reread");
    assert_eq!(
        run(&format!("controller {} {ANY} -c 2 -i 2", server.at)).status,
        0
    );
    assert_eq!(server.stop("TERM").status, 0);
}

/// Where the memory of a process has these octets; `None`: we may not look.
#[cfg(target_os = "linux")]
fn places_in_memory(process: u32, octets: &[u8]) -> Option<Vec<String>> {
    use std::os::unix::fs::FileExt as _;
    let memory = std::fs::File::open(format!("/proc/{process}/mem")).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut found = Vec::new();
    let mut read = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let at = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let mut area = vec![0; usize::try_from(at(to) - at(from)).unwrap()];
        // What is being unmapped is no place to keep anything.
        if memory.read_exact_at(&mut area, at(from)).is_ok() {
            read += 1;
            if area.windows(octets.len()).any(|window| window == octets) {
                found.push(line.to_owned());
            }
        }
    }
    assert!(read > 3, "{maps}");
    Some(found)
}

#[cfg(target_os = "linux")]
#[test]
fn no_copy_of_a_passphrase_stays_in_the_memory_of_a_command_that_has_no_more_use_for_it() {
    let held = keys("alice quite-a secret\n");
    let server = secured_server(&held, "");
    let responder = Responder::start("127.0.0.1:0");
    let (at, far) = (server.at, responder.at);
    let long = "--duration 600 -i 20 --output jsonl";
    let mut checked = 0;
    for (line, listens) in [
        (format!("responder {ANY}"), true),
        (format!("server {ANY}"), true),
        (format!("sender {far} {ANY} {long}"), false),
        (
            format!("controller {at} {ANY} --key-id alice {long}"),
            false,
        ),
        (
            format!(
                "controller {at} {ANY} --keys {} {long}",
                held.path().display()
            ),
            false,
        ),
    ] {
        let mut command = twinpath(&line);
        command.env("TWINPATH_PASSPHRASE", "quite-a secret");
        let mut process = Running::spawn(command);
        // Its first words come after all that it does with keys.
        if listens {
            let mut stderr = BufReader::new(process.0.stderr.take().unwrap());
            let mut words = String::new();
            while !words.contains("listening on ") {
                assert!(stderr.read_line(&mut words).unwrap() > 0, "{line}: {words}");
            }
        } else {
            let stdout = process.0.stdout.as_mut().unwrap();
            stdout.read_exact(&mut [0]).unwrap();
        }
        let Some(places) = places_in_memory(process.0.id(), b"quite-a secret") else {
            println!("skipped: no look into the memory of processes");
            return;
        };
        assert_eq!(places, Vec::<String>::new(), "{line}");
        checked += 1;
    }
    assert_eq!(checked, 5);
}

#[cfg(unix)]
#[test]
fn a_server_that_derives_its_keys_says_so_and_ends_at_the_first_signal() {
    use std::os::unix::process::ExitStatusExt as _;
    // Hours of work.
    let lines: Vec<String> = (0..4_096).map(|key| format!("key{key} secret")).collect();
    let many = keys(&lines.join("\n"));
    let mut server = Running::start(&format!(
        "server {ANY} --keys {} --pbkdf2-count 1048576",
        many.path().display()
    ));
    let mut said = String::new();
    let mut stderr = BufReader::new(server.0.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    let line = "deriving 4096 keys, 1048576 PBKDF2 iterations each\n";
    assert_eq!(said, line);
    // Not SIGINT: where the tests themselves run in the background, it is ignored from birth.
    server.signal(&["TERM"]);
    let status = server.ended();
    assert_eq!(status.signal(), Some(15), "{status}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused_unless_told_otherwise() {
    use std::os::unix::fs::PermissionsExt as _;
    let keys = keys("alice secret");
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(keys.path(), open).unwrap();
    let file = keys.path().display();
    for line in [
        format!("server {ANY} --keys {file}"),
        format!("controller 127.0.0.1:1 --keys {file}"),
        format!("controlclient 127.0.0.1 127.0.0.1:1 --keys {file}"),
    ] {
        let done = run(&line);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{line}");
        let said = &done.stderr;
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains("(mode 0640)") && said.contains("chmod 600"),
            "{said}"
        );
    }
    let server = secured_server(&keys, "--insecure-key-file");
    let line = format!(
        "controller {} {ANY} --keys {file} --insecure-key-file -c 2 -i 2",
        server.at
    );
    assert_eq!(run(&line).status, 0);
}

#[test]
fn a_passphrase_comes_from_the_environment_and_leaves_it() {
    let keys = keys("alice a secret  phrase\n");
    let server = secured_server(&keys, "");
    let line = format!(
        "controller {} {ANY} --key-id alice -c 2 -i 2 --json",
        server.at
    );
    let mut command = twinpath(&line);
    command.env("TWINPATH_PASSPHRASE", "a secret  phrase");
    let done = finish(command);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["mode"], "encrypted");
    let mut wrong = twinpath(&line);
    wrong.env("TWINPATH_PASSPHRASE", "a secret phrase");
    assert_eq!(finish(wrong).status, 1);
    let mut broken = twinpath(&line);
    broken.env("TWINPATH_PASSPHRASE", "two\nlines");
    let broken = finish(broken);
    assert_eq!(broken.status, 1);
    assert!(
        broken.stderr.contains("TWINPATH_PASSPHRASE: "),
        "{}",
        broken.stderr
    );
    let nothing = run(&line);
    assert_eq!(nothing.status, 2);
    assert!(
        nothing.stderr.contains("no terminal to ask"),
        "{}",
        nothing.stderr
    );
    if cfg!(target_os = "linux") {
        let line = format!(
            "controller {} {ANY} --key-id alice --duration 600 -i 5 -v",
            server.at
        );
        let mut command = twinpath(&line);
        command.env("TWINPATH_PASSPHRASE", "a secret  phrase");
        let mut running = Running::spawn(command);
        // Its first words come after its keys.
        let mut octet = [0];
        running
            .0
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut octet)
            .unwrap();
        let path = format!("/proc/{}/environ", running.0.id());
        // Only root may look, for the process cannot be dumped either.
        if let Ok(environment) = std::fs::read(path) {
            let shown = String::from_utf8_lossy(&environment);
            assert!(shown.contains("TWINPATH_PASSPHRASE=") && !shown.contains("secret"));
        }
    }
}

#[test]
fn a_passphrase_that_is_not_used_is_said_and_leaves_the_environment_too() {
    let keys = keys("alice secret\n");
    let file = keys.path().display();
    let with = |line: &str, value: &str| {
        let mut command = twinpath(line);
        command.env("TWINPATH_PASSPHRASE", value);
        command
    };
    let server = secured_server(&keys, "");
    let keyed = format!("controller {} {ANY} --keys {file} -c 2 -i 2", server.at);
    let open = format!("controller {} {ANY} -c 2", server.at);
    let client = format!("controlclient 127.0.0.1 127.0.0.1:1 --keys {file}");
    for (line, value, why) in [
        (
            &keyed,
            "other words",
            Some("the passphrase is that of --keys"),
        ),
        (
            &open,
            "other words",
            Some("give the name of its key: --key-id NAME"),
        ),
        (
            &client,
            "two\nlines",
            Some("the passphrase is that of --keys"),
        ),
        (&keyed, "", None),
        (&format!("{keyed} -q"), "other words", None),
    ] {
        let done = finish(with(line, value));
        let warning = "warning: TWINPATH_PASSPHRASE is not used: ";
        let said = done.stderr.lines().find(|said| said.starts_with(warning));
        assert_eq!(said.is_some(), why.is_some(), "{line}: {}", done.stderr);
        if let (Some(said), Some(why)) = (said, why) {
            assert!(said.contains(why), "{said}");
        }
        assert!(!done.stderr.contains("other words"), "{}", done.stderr);
    }
    // Who goes on has it no more, whatever the command.
    for (line, said) in [
        (format!("server {ANY} --keys {file}"), true),
        (format!("responder {ANY}"), false),
    ] {
        let mut process = Running::spawn(with(&line, "other words"));
        let mut stderr = BufReader::new(process.0.stderr.take().unwrap());
        let mut words = String::new();
        while !words.contains("listening on ") {
            assert!(stderr.read_line(&mut words).unwrap() > 0, "{line}: {words}");
        }
        assert_eq!(words.contains("is not used: a server"), said, "{words}");
        // Only root may look.
        if let Ok(environment) = std::fs::read(format!("/proc/{}/environ", process.0.id())) {
            let shown = String::from_utf8_lossy(&environment);
            assert!(shown.contains("TWINPATH_PASSPHRASE=") && !shown.contains("words"));
        }
    }
}

#[test]
fn a_passphrase_is_typed_on_a_terminal_and_not_shown() {
    let keys = keys("alice typed by hand\n");
    let server = secured_server(&keys, "");
    let line = format!(
        "tty; exec {} controller {} {ANY} --key-id alice -c 2 -i 2",
        env!("CARGO_BIN_EXE_twinpath"),
        server.at
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]);
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut script) = script.spawn() else {
        println!("skipped: this host has no script(1)");
        return;
    };
    let mut stdout = script.stdout.take().unwrap();
    let mut shown = String::new();
    let mut octet = [0];
    while !shown.ends_with("Passphrase of alice: ") {
        let more = stdout.read(&mut octet).unwrap();
        assert_eq!(more, 1, "{shown}");
        shown.push(char::from(octet[0]));
    }
    // What is typed before the prompt hides it would be shown.
    let terminal = shown.lines().next().unwrap().trim().to_owned();
    let hides = || {
        let state = Command::new("stty").args(["-a", "-F", &terminal]).output();
        String::from_utf8(state.unwrap().stdout)
            .unwrap()
            .contains("-echo ")
    };
    let patience = Instant::now() + Duration::from_secs(20);
    while !hides() {
        assert!(Instant::now() < patience, "{terminal} shows what is typed");
    }
    let mut stdin = script.stdin.take().unwrap();
    stdin.write_all(b"typed by hand\n").unwrap();
    stdout.read_to_string(&mut shown).unwrap();
    drop(stdin);
    assert!(script.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("TWAMP (encrypted) from "), "{shown}");
    assert!(!shown.contains("typed by hand"), "{shown}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_has_no_key_or_no_mode_is_bad_usage() {
    let two = keys("alice secret\nbob other\n");
    let file = two.path().display();
    for (line, status, part) in [
        (
            format!("server {ANY} --mode encrypted"),
            2,
            "--mode encrypted needs keys: use --keys",
        ),
        (
            format!("server {ANY} --keys {file} --mode unauthenticated"),
            2,
            "--keys is for the secured modes",
        ),
        (
            format!("server {ANY} --mode secret"),
            2,
            "use unauthenticated, authenticated,",
        ),
        (
            format!("server {ANY} --pbkdf2-count 2048"),
            2,
            "--insecure-key-file need --keys: add --keys FILE",
        ),
        (
            format!("server {ANY} --insecure-key-file"),
            2,
            "--insecure-key-file need --keys: add --keys FILE",
        ),
        (
            format!("server {ANY} --keys {file} --allow-any-port"),
            2,
            "--allow-any-port applies only to clients without a key",
        ),
        (
            format!("server {ANY} --keys {file} --pbkdf2-count 1000"),
            2,
            "use 1024 to 1048576",
        ),
        (
            "controller ::1 --max-pbkdf2-count 2048".to_owned(),
            2,
            "--max-pbkdf2-count needs a key",
        ),
        (
            "controlclient ::1 ::1 --mode unauthenticated --max-pbkdf2-count 2048".to_owned(),
            2,
            "--max-pbkdf2-count needs a key",
        ),
        (
            "controller ::1 --mode mixed".to_owned(),
            2,
            "--mode mixed needs a key",
        ),
        (
            format!("controller ::1 --mode unauthenticated --keys {file}"),
            2,
            "uses no key",
        ),
        (
            format!("controller ::1 --keys {file}"),
            2,
            "has 2 keys: choose one with --key-id",
        ),
        (
            format!("controller ::1 --keys {file} --key-id carol"),
            1,
            "has no key carol",
        ),
        (
            "controller ::1 --mode mixed --key-id alice".to_owned(),
            2,
            "no passphrase for alice, and no terminal",
        ),
        (
            format!("controlclient ::1 ::1 --keys {file} --mode encrypted"),
            2,
            "cannot get the session's keys; use mixed or unauthenticated",
        ),
        (
            "controller ::1 --keys /no/such/file".to_owned(),
            1,
            "cannot read key file /no/such/file: No such file or directory (os error 2); give a file",
        ),
    ] {
        let done = run(&line);
        assert_eq!(
            (done.status, done.stdout.as_str()),
            (status, ""),
            "{line}: {}",
            done.stderr
        );
        assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
        assert!(done.stderr.contains(part), "{line}: {}", done.stderr);
    }
}

#[test]
fn iterations_are_bounded_on_both_sides() {
    let keys = keys("alice secret");
    let file = keys.path().display();
    let mut server = secured_server(&keys, "--pbkdf2-count 40000");
    let said = server.wait_for("PBKDF2");
    assert!(said.contains("note: ") && said.contains("65536"), "{said}");
    let line = format!("controller {} {ANY} --keys {file} -c 2 -i 2", server.at);
    let refused = run(&line);
    assert_eq!(refused.status, 1);
    let said = &refused.stderr;
    assert!(
        said.contains("65536 PBKDF2 iterations") && said.contains("--max-pbkdf2-count"),
        "{said}"
    );
    assert_eq!(run(&format!("{line} --max-pbkdf2-count 65536")).status, 0);
}
