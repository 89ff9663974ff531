//! `twinpath import-owamp`: the configuration of a twampd becomes that of a server, which then serves by it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{Done, Responder, run};

/// "correct horse", in hexadecimal digits as .pfs files have it.
const HORSE: &str = "636f727265637420686f727365";

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

fn import(from: &TempDir, rest: &str) -> Done {
    run(&format!("import-owamp {} {rest}", from.path().display()))
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_server_serves_by_what_was_imported() {
    let from = directory(&[
        (
            "twamp-server.conf",
            "testports 21000-21100\ncontroltimeout 60\npbkdf2_count 2048\nuser twamp\n",
        ),
        (
            "twamp-server.limits",
            "limit root with allow_open_mode=off,test_sessions=2\nassign default root\n",
        ),
        ("twamp-server.pfs", &format!("# users\nnoc-1\t{HORSE}\n")),
    ]);
    let to = tempfile::tempdir().unwrap();
    let at = to.path().canonicalize().unwrap();
    let at = at.display();
    let done = import(&from, &format!("--to {at}"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(
        names(to.path()),
        ["server.conf", "server.keys", "server.limits"]
    );
    let path = |name: &str| to.path().join(name);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("server.keys"), "noc-1 correct horse\n");
    let mode = fs::metadata(path("server.keys"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let options =
        "--mode authenticated,encrypted --pbkdf2-count 2048 --servwait 60 --test-ports 21000-21100";
    let conf = read("server.conf");
    let line =
        format!("OPTIONS=\"--limits {at}/server.limits --keys credential:keys {options}\"\n");
    assert!(conf.ends_with(&line), "{conf}");
    let command = done.stdout.lines().last().unwrap();
    let command = command.strip_prefix("twinpath server ").unwrap();
    assert_eq!(
        command,
        format!("--limits {at}/server.limits --keys {at}/server.keys {options}")
    );
    let note = format!(
        "note: {}/twamp-server.conf:4: user: ",
        from.path().display()
    );
    assert!(done.stderr.contains(&note), "{}", done.stderr);

    let server = Responder::server(command);
    let controller = |rest: &str| {
        run(&format!(
            "controller {} -c 2 -i 10 --json {rest}",
            server.at
        ))
    };
    let keyed = controller(&format!("--keys {at}/server.keys"));
    assert_eq!(keyed.status, 0, "{}", keyed.stderr);
    let session = keyed.session();
    assert_eq!(
        (&session["mode"], &session["packets"]["received"]),
        (&"encrypted".into(), &2.into())
    );
    let port = session["reflector"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap();
    assert!(
        (21_000..=21_100).contains(&port.parse::<u16>().unwrap()),
        "{port}"
    );
    // Open mode is off, and a third session of a client too many.
    assert_eq!(controller("").status, 1);
    let three = controller(&format!("--keys {at}/server.keys --dscp be,af41,ef"));
    assert_eq!(three.status, 1, "{}", three.stderr);
    server.stop("TERM");
}

#[test]
fn without_a_directory_it_shows_all_but_the_passphrases() {
    let from = directory(&[
        ("twampd.conf", "srcnode :8620\ntestports 0\n"),
        ("twampd.pfs", &format!("noc-1 {HORSE}\nbob 0a\n")),
        ("twampd.keys", "ann 00112233445566778899aabbccddeeff\n"),
    ]);
    let done = import(&from, "");
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stdout.starts_with("==> server.limits\n"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout
            .contains("==> server.keys: passphrases of\nnoc-1\n\n"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("port :8620 are for ListenStream="),
        "{}",
        done.stdout
    );
    let last = done.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("twinpath server :8620 --limits server.limits --keys server.keys --mode "),
        "{last}"
    );
    let at = from.path().display();
    for line in [
        format!("warning: {at}/twampd.pfs:2: bob: the passphrase has a control character"),
        format!("warning: {at}/twampd.keys:1: the AES key of ann is no passphrase"),
        format!("note: {at}/twampd.conf:2: testports 0 has no equivalent"),
    ] {
        assert!(done.stderr.contains(&line), "{line}: {}", done.stderr);
    }
    let all = done.stdout + &done.stderr;
    for secret in [HORSE, "correct horse", "00112233"] {
        assert!(!all.contains(secret), "{all}");
    }
    assert_eq!(
        names(from.path()),
        ["twampd.conf", "twampd.keys", "twampd.pfs"]
    );
}

#[test]
fn files_that_are_there_stay_unless_force_replaces_them() {
    let from = directory(&[("twamp-server.pfs", &format!("noc-1 {HORSE}\n"))]);
    let to = directory(&[("server.conf", "mine"), ("server.keys", "mine")]);
    fs::set_permissions(
        to.path().join("server.keys"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let line = format!("--to {}", to.path().display());
    let done = import(&from, &line);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr
            .contains("server.keys exists, nothing is written; use --force"),
        "{}",
        done.stderr
    );
    assert_eq!(names(to.path()), ["server.conf", "server.keys"]);
    let read = |name: &str| fs::read_to_string(to.path().join(name)).unwrap();
    assert_eq!(read("server.conf"), "mine");
    let done = import(&from, &format!("{line} --force"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(read("server.keys"), "noc-1 correct horse\n");
    let mode = fs::metadata(to.path().join("server.keys"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        names(to.path()),
        ["server.conf", "server.keys", "server.limits"]
    );
}

#[test]
fn what_cannot_be_read_is_one_line_and_nothing_is_written() {
    let large = "#".repeat(300_000);
    for (file, text, status, said) in [
        (
            "other",
            "",
            1,
            "no twamp-server.conf, .limits or .pfs in it",
        ),
        (
            "twamp-server.limits",
            "limit a with b=c",
            2,
            "twamp-server.limits:1: b: no such limit",
        ),
        (
            "twamp-server.conf",
            "testports x",
            2,
            "twamp-server.conf:1: testports x: not a value of it",
        ),
        (
            "twamp-server.conf",
            &large,
            2,
            "has more than 262144 octets",
        ),
        (
            "twamp-server.limits",
            "limit a with allow_open_mode=off",
            2,
            "no client could use the server",
        ),
        (
            "twamp-server.pfs",
            "noc-1 s3cret",
            1,
            "twamp-server.pfs:1: the passphrase is not octets in hexadecimal",
        ),
        (
            "twamp-server.conf",
            "\u{1b}[31m\u{202e} x y",
            2,
            "\\u{1b}[31m\\u{202e}: more than one value",
        ),
    ] {
        let from = directory(&[(file, text)]);
        let to = tempfile::tempdir().unwrap();
        let done = import(&from, &format!("--to {}", to.path().display()));
        assert_eq!(
            (done.status, done.stdout.as_str()),
            (status, ""),
            "{said}: {}",
            done.stderr
        );
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(!done.stderr.contains("s3cret"), "{}", done.stderr);
        assert_eq!(names(to.path()), [""; 0], "{said}");
    }
    let from = directory(&[("twamp-server.limits", "")]);
    fs::write(from.path().join("twamp-server.conf"), b"# \n\xff").unwrap();
    let done = import(&from, "");
    assert!(
        done.stderr.contains("twamp-server.conf:2: not UTF-8 text"),
        "{}",
        done.stderr
    );
    let done = import(&from, "--to /nonexistent/directory");
    assert_eq!(done.status, 2, "{}", done.stderr);
    fs::remove_file(from.path().join("twamp-server.conf")).unwrap();
    fs::create_dir(from.path().join("twamp-server.conf")).unwrap();
    let done = import(&from, "");
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("it is a directory"), "{}", done.stderr);
}

#[test]
fn a_file_of_keys_that_others_can_read_is_warned_of() {
    let from = directory(&[
        ("twamp-server.pfs", &format!("noc-1 {HORSE}\n")),
        ("twampd.limits", "x"),
    ]);
    let exposed = from.path().join("twamp-server.pfs");
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
    let done = import(&from, "");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let line = format!("warning: {}: other users can read it", exposed.display());
    assert!(done.stderr.contains(&line), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("twampd.limits: not read, as there is twamp-server.*"),
        "{}",
        done.stderr
    );
}
