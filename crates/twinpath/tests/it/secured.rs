//! The secured modes of TWAMP-Control, with keys from a file, the environment and a terminal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::program::{Done, Responder, Running, run, twinpath};

/// A local test port that nobody else needs.
const ANY: &str = "127.0.0.1:0";

/// A file of keys that its owner alone may read.
pub(crate) fn keys(lines: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

pub(crate) fn secured_server(keys: &NamedTempFile, options: &str) -> Responder {
    Responder::server(&format!("--keys {} {options}", keys.path().display()))
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_mode_measures_with_every_feature() {
    let keys = keys("# ours\n\nMüller grüne Brücke,  zwei Leerzeichen\nbob other\n");
    let server = secured_server(&keys, "--json");
    let file = keys.path().display();
    let mut packets = 0;
    for (mode, bit) in [("authenticated", 2), ("encrypted", 4), ("mixed", 8)] {
        let open = mode == "mixed";
        for (options, features, octets, open_features, open_octets) in [
            ("", 256, 112, 0, 41),
            ("--padding 27", 256, 48, 0, 41),
            ("--padding 200", 256, 214, 256, 214),
            ("--symmetrical-size", 64 | 256, 112, 64, 68),
            ("--symmetrical-size --padding 10", 64 | 256, 122, 64, 51),
            (
                "--reflect-octets --padding 200",
                32 | 256,
                214,
                32 | 256,
                214,
            ),
            (
                "--reflect-octets --symmetrical-size --padding 64",
                32 | 64 | 256,
                176,
                32 | 64,
                105,
            ),
            ("--dscp-monitoring", 256, 112, 256, 44),
            ("--timestamp-format ptp", 256 | 512, 112, 512, 41),
        ] {
            let line = format!(
                "controller {} {ANY} --keys {file} --key-id Müller --mode {mode} -c 4 -i 2 --json \
                 {options}",
                server.at
            );
            let done = run(&line);
            assert_eq!(done.status, 0, "{line}: {}", done.stderr);
            let document = json(&done.stdout);
            let session = &document["sessions"][0];
            let (features, octets) = if open {
                (open_features, open_octets)
            } else {
                (features, octets)
            };
            assert_eq!(document["control"]["modes"], bit | features, "{line}");
            assert_eq!(session["mode"], mode, "{line}");
            assert_eq!(session["packets"]["received"], 4, "{line}: {session}");
            assert_eq!(session["payload_octets"], octets, "{line}");
            assert_eq!(session["odd_replies"], json("{}"), "{line}");
            let says = done.stdout.contains("times-not-protected");
            assert_eq!(says, mode == "authenticated", "{line}");
            packets += 4;
        }
    }
    let last = json(&server.stop("INT").stdout);
    assert_eq!(last["reflected"], packets, "{last}");
    assert_eq!(
        (&last["replays"], &last["ignored"]["forged"]),
        (&0.into(), &0.into())
    );
    assert_eq!(last["connections"]["keys_refused"], 0);
}

#[test]
fn classes_and_sizes_of_imix_are_secured_too() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "");
    let line = format!(
        "controller {} {ANY} --keys {} -c 12 -i 2 --padding -1 --dscp be,ef --json",
        server.at,
        keys.path().display()
    );
    let document = json(&run(&line).stdout);
    // The strongest mode, Individual Session Control and DSCP and ECN Monitoring.
    assert_eq!(document["control"]["modes"], 4 | 16 | 256);
    for (session, dscp) in document["sessions"].as_array().unwrap().iter().zip([0, 46]) {
        assert_eq!(session["mode"], "encrypted");
        assert_eq!(session["packets"]["received"], 12, "{session}");
        assert_eq!(session["payload_octets"], json("[48, 548, 1472]"));
        assert_eq!(session["dscp_forward"][dscp.to_string()], 12, "{session}");
    }
    let text = run(&line.replace("--json", "")).stdout;
    assert!(
        text.starts_with("TWAMP (encrypted) from 127.0.0.1:"),
        "{text}"
    );
}

#[test]
fn padding_is_counted_in_every_mode_as_it_is_asked_for() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "");
    for (options, said) in [
        ("--mode mixed --padding 60", "padding 60 (74-octet packets)"),
        ("--padding 60", "padding 60 (74-octet packets)"),
        ("", "padding 98 (112-octet packets)"),
        ("--padding 34", "padding 34 (48-octet packets)"),
        (
            "--padding 5",
            "padding 5, raised to 34 for the mode chosen (48-octet packets)",
        ),
        (
            "--padding 5 --symmetrical-size",
            "padding 5 (117-octet packets)",
        ),
    ] {
        let done = run(&format!(
            "controller {} {ANY} --keys {} -c 2 -i 2 {options}",
            server.at,
            keys.path().display()
        ));
        assert!(done.stdout.contains(said), "{options}: {}", done.stdout);
    }
}

#[test]
fn a_client_is_never_secured_less_than_it_asked() {
    let keys = keys("alice secret");
    let file = keys.path().display();
    let open = Responder::server("");
    let line = format!("controller {} {ANY} --keys {file} -c 2 -i 2", open.at);
    let fell_back = run(&line);
    assert_eq!(fell_back.status, 0, "{}", fell_back.stderr);
    assert!(
        fell_back.stdout.contains("warning: ") && fell_back.stdout.contains("nothing is secured"),
        "{}",
        fell_back.stdout
    );
    for mode in ["authenticated", "encrypted", "mixed"] {
        let done = run(&format!("{line} --mode {mode}"));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{mode}");
        assert!(
            done.stderr.contains(&format!("wanted: {mode};")),
            "{}",
            done.stderr
        );
    }
    let mixed = secured_server(&keys, "--mode unauthenticated,mixed");
    let line = format!(
        "controller {} {ANY} --keys {file} -c 2 -i 2 --json",
        mixed.at
    );
    let done = run(&line);
    assert_eq!(json(&done.stdout)["control"]["modes"], 8);
    assert!(
        done.stderr.contains("test packets are open"),
        "{}",
        done.stderr
    );
    let bare = format!("controller {} {ANY} -c 2 -i 2 --json", mixed.at);
    assert_eq!(json(&run(&bare).stdout)["control"]["modes"], 1);
    let secured = secured_server(&keys, "");
    let done = run(&format!("controller {} {ANY} -c 2", secured.at));
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("write --keys FILE"), "{}", done.stderr);
}

/// Answers to a Set-Up-Response in the encrypted mode with this Key-ID and any token.
fn answer_to(server: SocketAddr, key_id: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut greeting = [0; 64];
    stream.read_exact(&mut greeting).unwrap();
    let mut response = [0x5a; 164];
    response[..4].copy_from_slice(&4_u32.to_be_bytes());
    response[4..84].fill(0);
    response[4..4 + key_id.len()].copy_from_slice(key_id);
    stream.write_all(&response).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn a_wrong_passphrase_and_an_unknown_key_id_are_answered_alike() {
    let known = keys("alice secret");
    let server = secured_server(&known, "");
    let wrong = answer_to(server.at, b"alice");
    assert_eq!(wrong.len(), 48);
    assert_eq!(wrong[15], 1, "Accept");
    assert!(wrong[16..].iter().all(|octet| *octet == 0), "{wrong:?}");
    for key_id in [b"bob".as_slice(), b"", b"\xff\xfe", &[b'x'; 80]] {
        assert_eq!(answer_to(server.at, key_id), wrong, "{key_id:?}");
    }
    let said = |lines: &str| {
        let file = keys(lines);
        let at = server.at;
        let done = run(&format!(
            "controller {at} {ANY} --keys {} -c 2",
            file.path().display()
        ));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""));
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        done.stderr
    };
    let wrong = said("alice Secret");
    assert_eq!(said("bob secret"), wrong);
    assert!(
        wrong.contains("Accept 1, failure") && wrong.contains("passphrase"),
        "{wrong}"
    );
    assert!(!wrong.to_lowercase().contains("secret"), "{wrong}");
    let last = server.stop("INT");
    assert!(
        last.stdout
            .contains("7 with unknown Key-ID or wrong passphrase"),
        "{}",
        last.stdout
    );
    assert!(
        last.stderr.contains("unknown Key-ID or wrong passphrase"),
        "{}",
        last.stderr
    );
}

#[test]
fn the_keys_are_read_again_while_a_session_runs() {
    let held = keys("alice secret\n");
    let mut server = secured_server(&held, "-v");
    let at = server.at;
    let long = Running::start(&format!(
        "controller {at} {ANY} --keys {} --duration 600 -i 10 --json",
        held.path().display()
    ));
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
    server.wait_for("new keys are in force");
    assert_eq!((with("alice secret"), with("bob other")), (1, 0));
    // What cannot be used changes nothing.
    std::fs::write(held.path(), "carol\n").unwrap();
    server.signal("HUP");
    let said = server.wait_for("the old keys stay");
    assert!(said.contains(":1: no passphrase"), "{said}");
    assert_eq!(with("bob other"), 0);
    long.signal(&["INT"]);
    let done = long.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let packets = &done.session()["packets"];
    assert!(packets["received"].as_u64().unwrap() > 1, "{packets}");
    assert_eq!(packets["lost"], 0, "{packets}");
}

#[cfg(unix)]
#[test]
fn a_server_that_derives_its_keys_says_so_and_ends_at_the_first_signal() {
    use std::os::unix::process::ExitStatusExt as _;
    // Hours of work.
    let lines: Vec<String> = (0..4_096).map(|key| format!("key{key} secret")).collect();
    let many = keys(&lines.join("\n"));
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let mut server = Running::start(&format!(
            "server {ANY} --keys {} --pbkdf2-count 1048576",
            many.path().display()
        ));
        let mut said = String::new();
        let mut stderr = BufReader::new(server.0.stderr.take().unwrap());
        stderr.read_line(&mut said).unwrap();
        let line = "deriving 4096 keys, 1048576 PBKDF2 iterations each\n";
        assert_eq!(said, line);
        server.signal(&[name]);
        let status = server.0.wait().unwrap();
        assert_eq!(status.signal(), Some(number), "{status}");
    }
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
    let done = Done::from(command.output().unwrap());
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["mode"], "encrypted");
    let mut wrong = twinpath(&line);
    wrong.env("TWINPATH_PASSPHRASE", "a secret phrase");
    assert_eq!(Done::from(wrong.output().unwrap()).status, 1);
    let mut broken = twinpath(&line);
    broken.env("TWINPATH_PASSPHRASE", "two\nlines");
    let broken = Done::from(broken.output().unwrap());
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
        (&open, "other words", Some("write --key-id NAME")),
        (
            &client,
            "two\nlines",
            Some("the passphrase is that of --keys"),
        ),
        (&keyed, "", None),
        (&format!("{keyed} -q"), "other words", None),
    ] {
        let done = Done::from(with(line, value).output().unwrap());
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
fn what_has_no_key_or_no_mode_is_bad_usage() {
    let two = keys("alice secret\nbob other\n");
    let file = two.path().display();
    for (line, status, part) in [
        (
            format!("server {ANY} --mode encrypted"),
            2,
            "--mode encrypted needs keys: write --keys",
        ),
        (
            format!("server {ANY} --keys {file} --mode unauthenticated"),
            2,
            "--keys is for the secured modes",
        ),
        (
            format!("server {ANY} --mode secret"),
            2,
            "write unauthenticated, authenticated,",
        ),
        (
            format!("server {ANY} --pbkdf2-count 2048"),
            2,
            "--keys is missing",
        ),
        (
            format!("server {ANY} --insecure-key-file"),
            2,
            "--keys is missing",
        ),
        (
            format!("server {ANY} --keys {file} --pbkdf2-count 1000"),
            2,
            "write 1024 to 1048576",
        ),
        (
            "controller ::1 --mode mixed".to_owned(),
            2,
            "--mode mixed needs a key",
        ),
        (
            format!("controller ::1 --mode unauthenticated --keys {file}"),
            2,
            "has no use for a key",
        ),
        (
            format!("controller ::1 --keys {file}"),
            2,
            "has 2 keys: say which with --key-id",
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
            "cannot be given; write mixed or unauthenticated",
        ),
        (
            "controller ::1 --keys /no/such/file".to_owned(),
            1,
            "cannot read the keys file",
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

#[test]
fn a_sender_elsewhere_is_served_in_the_mixed_mode() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "");
    let (held, port) = crate::program::taken_port();
    drop(held);
    let line = format!(
        "controlclient 127.0.0.1:{port} {} --keys {} --receiver-port 1 --duration 0.2 --json",
        server.at,
        keys.path().display()
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(json(&done.stdout)["modes"], 8);
}
