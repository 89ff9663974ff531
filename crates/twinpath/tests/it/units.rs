//! The units of systemd that packages install, read by systemd's own `systemd-analyze`, and the options in the files that
//! an operator edits.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Done, Running, finish, twinpath};

/// The exposure of a service at most, in tenths.
const MOST_EXPOSED: u32 = 15;

fn packaging(part: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging")).join(part)
}

/// All units, with the program that was built in the place of the installed one.
fn units() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(packaging("systemd")).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let text = text.replace("/usr/bin/twinpath", env!("CARGO_BIN_EXE_twinpath"));
        std::fs::write(directory.path().join(file.file_name()), text).unwrap();
    }
    directory
}

/// Runs `systemd-analyze` in that directory; `None` where it is missing, and says so.
fn analyze(directory: &Path, arguments: &[&str]) -> Option<Done> {
    if !is_installed("systemd-analyze") {
        println!("skipped: systemd-analyze (Debian: systemd) is not installed");
        return None;
    }
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).current_dir(directory);
    Some(finish(command))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|place| place.join(program).is_file())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let units = units();
    for role in ["responder", "server"] {
        let files = [
            format!("./twinpath-{role}.service"),
            format!("./twinpath-{role}.socket"),
        ];
        let arguments = ["verify", "--man=no", &files[0], &files[1]];
        let Some(done) = analyze(units.path(), &arguments) else {
            return;
        };
        let said = done.stdout + &done.stderr;
        assert_eq!((done.status, said.trim()), (0, ""), "{role}");
    }
}

#[test]
fn services_are_hardly_exposed() {
    let units = units();
    for role in ["responder", "server"] {
        let file = format!("./twinpath-{role}.service");
        let threshold = format!("--threshold={MOST_EXPOSED}");
        let arguments = [
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            &file,
        ];
        let Some(done) = analyze(units.path(), &arguments) else {
            return;
        };
        assert_eq!(done.status, 0, "{role}: {}{}", done.stdout, done.stderr);
        assert!(done.stdout.contains("Overall exposure level"), "{role}");
    }
}

/// The words of OPTIONS in a file for a service, as systemd splits them.
fn options(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(packaging(&format!("etc/{file}"))).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("OPTIONS="));
    let value = value.unwrap().trim_matches('"');
    value.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn each_service_starts_with_the_options_and_limits_that_are_installed() {
    let etc = packaging("etc");
    for role in ["responder", "server"] {
        if role == "server" && !cfg!(feature = "control") {
            continue;
        }
        let options = options(&format!("{role}.conf"));
        let installed = format!("/etc/twinpath/{role}.limits");
        assert!(options.contains(&installed), "{options:?}");
        let options = options
            .iter()
            .map(|word| word.replace("/etc/twinpath", etc.to_str().unwrap()));
        let mut command = twinpath(&format!("{role} 127.0.0.1:0"));
        command.args(options);
        let mut program = Running::spawn(command);
        program.wait_for_error("listening on 127.0.0.1");
        program.signal(&["TERM"]);
        assert!(program.ended().success(), "{role}");
    }
}

#[test]
fn each_service_has_its_unit_files_options_and_credential() {
    for (role, option) in [("responder", "--hmac-key-file"), ("server", "--keys")] {
        let read = |part: String| std::fs::read_to_string(packaging(&part)).unwrap();
        let service = read(format!("systemd/twinpath-{role}.service"));
        for line in [
            format!("EnvironmentFile=-/etc/twinpath/{role}.conf"),
            format!("ExecStart=/usr/bin/twinpath {role} $OPTIONS"),
            format!("LoadCredential=keys:twinpath-{role}.keys"),
            format!("Requires=twinpath-{role}.socket"),
            "Type=notify".to_owned(),
        ] {
            assert!(service.lines().any(|it| it == line), "{role}: {line}");
        }
        let conf = read(format!("etc/{role}.conf"));
        assert!(
            conf.contains(&format!("{option} credential:keys")),
            "{conf}"
        );
        let socket = read(format!("systemd/twinpath-{role}.socket"));
        assert!(socket.contains("BindIPv6Only=ipv6-only"), "{socket}");
    }
    // What packets that wait are answered by.
    let socket = std::fs::read_to_string(packaging("systemd/twinpath-responder.socket")).unwrap();
    assert!(socket.contains("Timestamping=ns\nPassPacketInfo=yes\n"));
}
