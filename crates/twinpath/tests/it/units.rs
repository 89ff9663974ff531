//! The units of systemd that packages install, read by systemd's own `systemd-analyze`, and the options in the files that
//! an operator edits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::{Done, Responder, Running, finish, free_port, run, twinpath};

/// The exposure of a service at most, in tenths.
const MOST_EXPOSED: u32 = 15;
/// The services, one of the template among them.
const SERVICES: [&str; 4] = [
    "twinpath-daemon",
    "twinpath-responder",
    "twinpath-server",
    "twinpath-responder@20001",
];

pub(crate) fn packaging(part: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging")).join(part)
}

/// All units, a template as one of its instances, with the program that was built in the place of the installed one.
fn units() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(packaging("systemd")).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let text = text.replace("/usr/bin/twinpath", env!("CARGO_BIN_EXE_twinpath"));
        let name = file.file_name().into_string().unwrap();
        let name = name.replace("@.", "@20001.");
        std::fs::write(directory.path().join(name), text).unwrap();
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

pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|place| place.join(program).is_file())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let units = units();
    for service in SERVICES {
        let Some(said) = verified(units.path(), service) else {
            return;
        };
        assert_eq!(said, (0, String::new()), "{service}");
    }
}

/// What is wrong with a service and its socket, after an exit status, which is 0 for what systemd ignores; `None`
/// where that cannot be asked.
fn verified(directory: &Path, service: &str) -> Option<(i32, String)> {
    let mut arguments = vec!["verify".to_owned(), "--man=no".to_owned()];
    let files = ["service", "socket"].map(|kind| format!("./{service}.{kind}"));
    arguments.extend(
        files
            .into_iter()
            .filter(|file| directory.join(file).exists()),
    );
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = analyze(directory, &arguments)?;
    Some((done.status, done.stdout + &done.stderr))
}

/// The drop-ins for `twinpath-responder.service` in the documentation: what each is for, and its lines.
pub(crate) fn drop_ins() -> Vec<(String, Vec<String>)> {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    let text = std::fs::read_to_string(docs.join("service.md")).unwrap();
    let rows = text.lines().filter(|line| line.contains("| `[Service]`"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let lines = cells[2].split('`').skip(1).step_by(2);
        let lines = lines.filter(|it| it.starts_with('[') || it.contains('='));
        (
            cells[1].trim().to_owned(),
            lines.map(str::to_owned).collect(),
        )
    };
    rows.map(row).collect()
}

#[test]
fn systemd_understands_the_drop_ins_that_the_documentation_has() {
    let drop_ins = drop_ins();
    assert!(drop_ins.len() >= 4, "{drop_ins:?}");
    for (what, lines) in drop_ins {
        let units = units();
        let directory = units.path().join("twinpath-responder.service.d");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("override.conf"), lines.join("\n")).unwrap();
        let Some(said) = verified(units.path(), "twinpath-responder") else {
            return;
        };
        assert_eq!(said, (0, String::new()), "{what}");
    }
}

/// Clocks of network cards are root's alone, as a rule.
#[test]
fn the_drop_in_for_hardware_timestamps_opens_a_file_of_root() {
    use std::os::unix::fs::PermissionsExt as _;

    let drop_in = drop_ins().into_iter().find(|it| it.0.contains("hardware"));
    let lines = drop_in.unwrap().1;
    let granted = |setting: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(setting));
        let names = line.unwrap_or_default().split_whitespace();
        let names = names.map(|name| name.strip_prefix("CAP_").unwrap().to_lowercase());
        ["-all".to_owned()]
            .into_iter()
            .chain(names)
            .collect::<Vec<_>>()
            .join(",+")
    };
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("ptp0");
    std::fs::write(&clock, "").unwrap();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(directory.path(), 0o755);
    set(&clock, 0o600);
    // A process of a user without privileges but these.
    let opens = |ambient: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(format!("--inh-caps={ambient}"))
            .arg(format!("--ambient-caps={ambient}"))
            .arg(format!(
                "--bounding-set={}",
                granted("CapabilityBoundingSet=")
            ))
            .args(["cat", clock.to_str().unwrap()]);
        finish(command)
    };
    if is_root() && is_installed("setpriv") {
        assert!(opens("-all").stderr.contains("Permission denied"));
        let done = opens(&granted("AmbientCapabilities="));
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    } else {
        println!("skipped: only root starts a process of another user");
    }
}

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;

    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

/// An instance is confined as the service, and has the same settings.
#[test]
fn the_template_is_the_service_but_for_what_an_instance_has_of_its_own() {
    for kind in ["service", "socket"] {
        let lines = |name: &str| {
            let text = std::fs::read_to_string(packaging(&format!("systemd/{name}.{kind}")));
            let text = text.unwrap();
            let lines = text
                .lines()
                .filter(|line| line.contains('=') && !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let (service, template) = (lines("twinpath-responder"), lines("twinpath-responder@"));
        let own = template.iter().filter(|line| line.contains("%i"));
        let key = |line: &String| line.split('=').next().unwrap().to_owned();
        let own: BTreeSet<String> = own.map(key).collect();
        let common = |lines: &[String]| -> Vec<String> {
            let common = lines.iter().filter(|line| !own.contains(&key(line)));
            common.cloned().collect()
        };
        assert_eq!(common(&service), common(&template), "{kind}");
        let keys = |lines: &[String]| lines.iter().map(key).collect::<BTreeSet<_>>();
        assert_eq!(keys(&service), keys(&template), "{kind}");
        let expected: &[&str] = match kind {
            "service" => &[
                "After",
                "Also",
                "Description",
                "EnvironmentFile",
                "LoadCredential",
                "Requires",
                "RuntimeDirectory",
            ],
            _ => &["Description", "ListenDatagram"],
        };
        assert!(own.iter().eq(expected), "{kind}: {own:?}");
    }
    let template = std::fs::read_to_string(packaging("systemd/twinpath-responder@.service"));
    // The later one counts.
    assert!(template.unwrap().contains(
        "EnvironmentFile=-/etc/twinpath/responder.conf\nEnvironmentFile=-/etc/twinpath/responder-%i.conf\n"
    ));
}

#[test]
fn services_are_hardly_exposed() {
    let units = units();
    for role in SERVICES {
        let file = format!("./{role}.service");
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

/// The system calls of a list as `SystemCallFilter=` has them.
fn calls(directory: &Path, list: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for name in list.split_whitespace() {
        if !name.starts_with('@') {
            calls.insert(name.to_owned());
            continue;
        }
        let done = analyze(directory, &["syscall-filter", "--no-pager", name]).unwrap();
        for line in done.stdout.lines().map(str::trim) {
            if line != name && line.starts_with('@') {
                calls.extend(self::calls(directory, line));
            } else if line != name && !line.is_empty() && !line.starts_with('#') {
                calls.insert(line.to_owned());
            }
        }
    }
    calls
}

/// Those that a unit allows.
fn allowed(directory: &Path, role: &str) -> BTreeSet<String> {
    let unit = packaging(&format!("systemd/twinpath-{role}.service"));
    let mut allowed = BTreeSet::new();
    for line in std::fs::read_to_string(unit).unwrap().lines() {
        match line.strip_prefix("SystemCallFilter=") {
            Some(list) if list.starts_with('~') => {
                let refused = calls(directory, &list[1..]);
                allowed.retain(|call| !refused.contains(call));
            }
            Some(list) => allowed.extend(calls(directory, list)),
            None => {}
        }
    }
    allowed
}

#[test]
fn each_unit_allows_the_calls_that_its_program_makes() {
    let directory = tempfile::tempdir().unwrap();
    if !is_installed("strace") || !is_installed("systemd-analyze") {
        println!("skipped: strace or systemd-analyze is not installed");
        return;
    }
    for role in ["responder", "server"] {
        if role == "server" && !cfg!(feature = "control") {
            continue;
        }
        let limits = packaging(&format!("etc/{role}.limits"));
        let counts = directory.path().join(role);
        let mut strace = Command::new("strace");
        strace
            .args(["-D", "-f", "-qq", "-c", "-U", "name", "-o"])
            .arg(&counts)
            .args([env!("CARGO_BIN_EXE_twinpath"), role, "127.0.0.1:0"])
            .arg("--limits")
            .arg(limits);
        let program = Responder::spawn(strace);
        let probe = match role {
            "server" => "controller",
            _ => "sender",
        };
        let line = format!("{probe} {} 127.0.0.1:0 -c 5 -i 5", program.at);
        assert_eq!(run(&line).status, 0, "{role}");
        program.signal("HUP");
        assert_eq!(program.stop("TERM").status, 0, "{role}");
        let until = Instant::now() + Duration::from_mins(1);
        let text = || std::fs::read_to_string(&counts).unwrap_or_default();
        while !text().contains("clock_") && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_allowed(directory.path(), role, &text());
    }
}

/// Asserts that the unit of a role allows the calls that strace counted.
fn assert_allowed(directory: &Path, role: &str, counted: &str) {
    let made = counted.split_whitespace().filter(|it| {
        it.chars().any(char::is_alphabetic) && !["syscall", "name", "total"].contains(it)
    });
    let made: Vec<&str> = made.filter(|it| !it.starts_with('-')).collect();
    assert!(made.contains(&"recvmmsg"), "{counted}");
    let allowed = allowed(directory, role);
    // Made by a process that has capabilities; and what shortens time slices, which a drop-in may allow.
    let others = ["capset", "sched_setattr"];
    let refused = made
        .iter()
        .filter(|it| !others.contains(*it) && !allowed.contains(**it));
    let refused: Vec<_> = refused.collect();
    assert!(refused.is_empty(), "{role}: {refused:?}");
}

/// With a store, a page, a session and a responder, a program that an alert runs, and a second reading.
#[test]
fn the_unit_of_the_daemon_allows_the_calls_that_it_makes() {
    let directory = tempfile::tempdir().unwrap();
    if !is_installed("strace") || !is_installed("systemd-analyze") {
        println!("skipped: strace or systemd-analyze is not installed");
        return;
    }
    let place = directory.path().display().to_string();
    let text = std::fs::read_to_string(packaging("etc/twinpath.toml")).unwrap();
    let text = text.replace("/var/lib/twinpath", &place);
    let text = text.replace("127.0.0.1:8862", "127.0.0.1:0");
    let port = free_port();
    let text = text.replace("127.0.0.1:20001", &format!("127.0.0.1:{port}"));
    let alert = "
[defaults]
interval = \"20ms\"
report-interval = \"1s\"
timeout = \"200ms\"

[[alert]]
name = \"any\"
session = \"*\"
when = \"round-trip.max > 0ns for 1 of 1\"
actions = [{ exec = [\"/bin/true\"] }]
";
    let configuration = directory.path().join("twinpath.toml");
    std::fs::write(&configuration, text + alert).unwrap();
    let counts = directory.path().join("counts");
    let mut strace = Command::new("strace");
    strace
        .args(["-D", "-f", "-qq", "-c", "-U", "name", "-o"])
        .arg(&counts)
        .args([env!("CARGO_BIN_EXE_twinpath"), "daemon", "--config"])
        .arg(&configuration)
        .env("RUNTIME_DIRECTORY", directory.path());
    let mut daemon = Running::spawn(strace);
    daemon.wait_for_error("alert any: raised");
    daemon.signal(&["HUP"]);
    daemon.wait_for_error("configuration read again");
    daemon.signal(&["TERM"]);
    assert_eq!(daemon.finish().status, 0);
    let until = Instant::now() + Duration::from_mins(1);
    let text = || std::fs::read_to_string(&counts).unwrap_or_default();
    while !text().contains("clock_") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_allowed(directory.path(), "daemon", &text());
}

#[test]
fn the_configuration_that_is_installed_has_no_fault() {
    let etc = packaging("etc");
    let done = run(&format!(
        "config check {}",
        etc.join("twinpath.toml").display()
    ));
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    assert_eq!(
        options("daemon.conf"),
        ["--config", "/etc/twinpath/twinpath.toml"]
    );
    let unit = std::fs::read_to_string(packaging("systemd/twinpath-daemon.service")).unwrap();
    assert!(unit.contains("\nEnvironmentFile=/etc/twinpath/daemon.conf\n"));
    assert!(unit.contains("\nStateDirectory=twinpath\n"));
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
            // More starts than RestartSec= leads to.
            "RestartSec=1".to_owned(),
            "StartLimitIntervalSec=10".to_owned(),
            "StartLimitBurst=20".to_owned(),
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
