//! `--sandbox`: what a reflector is left with once its sockets are open, as the kernel shows it and by attempts.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::{Responder, run, twinpath};

/// What confines each thread of a process, by the thread's name.
fn threads(process: u32) -> BTreeMap<String, Vec<String>> {
    let fields = ["NoNewPrivs:", "Seccomp:", "CapEff:"];
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut threads = BTreeMap::new();
    for task in tasks {
        // One may have ended meanwhile.
        let Ok(status) = std::fs::read_to_string(task.unwrap().path().join("status")) else {
            continue;
        };
        let of = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.unwrap_or_default().trim().to_owned()
        };
        let id = format!("{} {}", of("Name:"), of("Pid:"));
        threads.insert(id, fields.map(of).to_vec());
    }
    threads
}

/// The capabilities of this process.
fn own_capabilities() -> String {
    threads(std::process::id()).into_values().next().unwrap()[2].clone()
}

/// Each thread of a process is like this.
fn are_all(process: u32, wanted: [&str; 3]) {
    let threads = threads(process);
    assert!(threads.len() > 1, "{threads:?}");
    for (name, found) in &threads {
        assert_eq!(found, &wanted, "{name}: {threads:?}");
    }
}

/// Each thread of a responder on free ports is.
#[cfg(feature = "daemon")]
pub(crate) fn confined(process: u32) {
    are_all(process, ["1", "2", NO_CAPABILITY]);
}

const NO_CAPABILITY: &str = "0000000000000000";

#[test]
fn each_thread_of_a_responder_is_confined_and_it_answers() {
    let responder = Responder::start("127.0.0.1:0 --threads 2 --metrics 127.0.0.1:0");
    let done = run(&format!("sender {} --stamp -c 5 -i 1 --json", responder.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["timestamps"]["receive"], "kernel");
    are_all(responder.process(), ["1", "2", NO_CAPABILITY]);
    assert_eq!(responder.stop("TERM").status, 0);
}

#[cfg(feature = "control")]
#[test]
fn each_thread_of_a_server_is_confined_and_it_serves() {
    let server = Responder::server("--threads 2 --metrics 127.0.0.1:0");
    let line = format!(
        "controller {} 127.0.0.1:0 --dscp be,ef -c 5 -i 1 --json",
        server.at
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    // What further sockets take: CAP_NET_BIND_SERVICE (10), CAP_NET_ADMIN (12), CAP_NET_RAW (13).
    let own = u64::from_str_radix(&own_capabilities(), 16).unwrap();
    let left = format!("{:016x}", own & 0x3400);
    are_all(server.process(), ["1", "2", &left]);
    assert_eq!(server.stop("TERM").status, 0);
}

#[test]
fn what_is_not_in_the_list_does_not_confine() {
    let own = own_capabilities();
    for (list, wanted) in [
        ("none", ["0", "0", &own]),
        ("seccomp", ["1", "2", &own]),
        ("landlock", ["1", "0", &own]),
        ("capabilities", ["0", "0", NO_CAPABILITY]),
        ("landlock,capabilities", ["1", "0", NO_CAPABILITY]),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 --sandbox {list}"));
        are_all(responder.process(), wanted);
        #[cfg(feature = "control")]
        if list == "none" {
            let server = Responder::server("--sandbox none");
            are_all(server.process(), wanted);
        }
    }
    let done = run("responder 127.0.0.1:0 --sandbox none,seccomp");
    assert_eq!(done.status, 2);
    assert!(
        done.stderr
            .contains("--sandbox none and other parts exclude each other"),
        "{}",
        done.stderr
    );
}

/// Has a responder read its limits again where their file has become a link to another directory; what it says.
fn reread_through_a_link(options: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let [limits, elsewhere] = ["limits", "elsewhere"].map(|name| directory.path().join(name));
    for place in [&limits, &elsewhere] {
        std::fs::create_dir(place).unwrap();
        std::fs::write(place.join("file"), "max-rate 10\n").unwrap();
    }
    let file = limits.join("file");
    let line = format!("127.0.0.1:0 --limits {} {options}", file.display());
    let mut responder = Responder::start(&line);
    // A file in the place of the first is read.
    let other = limits.join("other");
    std::fs::write(&other, "max-rate 20\n").unwrap();
    std::fs::rename(other, &file).unwrap();
    responder.signal("HUP");
    responder.wait_for("changed max-rate 20");
    let leads_elsewhere = limits.join("leads-elsewhere");
    std::os::unix::fs::symlink(elsewhere.join("file"), &leads_elsewhere).unwrap();
    std::fs::rename(leads_elsewhere, &file).unwrap();
    responder.signal("HUP");
    let said = responder.wait_for("file: ");
    assert_eq!(responder.stop("TERM").status, 0);
    said
}

#[test]
fn no_file_is_opened_but_where_those_of_the_options_are() {
    let said = reread_through_a_link("--sandbox none");
    assert!(said.contains("changed max-rate 10"), "{said}");
    let said = reread_through_a_link("");
    assert!(said.contains("Permission denied"), "{said}");
}

#[test]
fn a_log_file_that_is_full_makes_way_for_another_in_its_directory() {
    /// Room for what is logged at the start.
    const NEARLY_FULL: u64 = (16 << 20) - 1_000;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("logs")).unwrap();
    let [limits, log, before] = ["limits", "logs/log", "logs/log.1"].map(at);
    std::fs::write(&limits, "max-rate 10\n").unwrap();
    File::create(&log).unwrap().set_len(NEARLY_FULL).unwrap();
    let files = format!("--logfile {} --limits {}", log.display(), limits.display());
    let responder = Responder::start(&format!("127.0.0.1:0 {files}"));
    assert!(
        !before.exists(),
        "it is full before the program is confined"
    );
    // Each reload logs what is wrong with them.
    std::fs::write(&limits, "nonsense\n").unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while !before.exists() && Instant::now() < until {
        responder.signal("HUP");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(std::fs::metadata(&before).unwrap().len() > NEARLY_FULL);
    let done = responder.stop("TERM");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains(" stopped "), "{text}");
}

/// Owned by another user and closed to all others: only a privilege reads it.
#[test]
fn root_reads_a_file_of_another_user_again() {
    let directory = tempfile::tempdir().unwrap();
    let limits = directory.path().join("limits");
    let write = |text: &str| std::fs::write(&limits, text).unwrap();
    write("max-rate 10\n");
    if std::os::unix::fs::chown(&limits, Some(65_534), None).is_err() {
        println!("skipped: only root gives files away");
        return;
    }
    std::fs::set_permissions(&limits, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut responder = Responder::start(&format!("127.0.0.1:0 --limits {}", limits.display()));
    write("max-rate 20\n");
    responder.signal("HUP");
    let said = responder.wait_for("limits");
    assert!(said.contains("changed max-rate 20"), "{said}");
    assert_eq!(responder.stop("TERM").status, 0);
}

#[test]
fn a_kernel_without_it_is_named_in_one_line() {
    let line = "responder 127.0.0.1:0";
    let program = twinpath(line);
    let mut strace = Command::new("strace");
    strace
        .args([
            "-D",
            "-q",
            "-o",
            "/dev/null",
            "-e",
            "trace=landlock_create_ruleset",
        ])
        .args(["-e", "inject=landlock_create_ruleset:error=EOPNOTSUPP"])
        .arg(program.get_program())
        .args(program.get_args());
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let mut responder = Responder::spawn(strace);
    let said = responder.wait_for("not confined");
    assert_eq!(
        said.trim(),
        "note: the process is not confined by landlock (this system does not support it); --sandbox none if that is \
         as it should be"
    );
    let done = run(&format!("sender {} -c 2 -i 1", responder.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    responder.signal("TERM");
}
