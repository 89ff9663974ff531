//! The plug-ins of `packaging/` for other tools, run by these tools.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::far_end::FarEnd;
use crate::program::{Done, Responder, Running};

const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging");
const PROGRAM: &str = env!("CARGO_BIN_EXE_twinpath");

/// Whether a tool is here; says so where it is not.
fn is_installed(tool: &str, package: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .stdout(Stdio::null())
        .status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: {tool} (Debian: {package}) is not installed");
    }
    is_there
}

/// SmokePing with our probe: one round, told on stderr.
fn smokeping(directory: &Path, targets: &str) -> Done {
    let probes = directory.join("Smokeping/probes");
    for made in [probes.clone(), directory.join("data")] {
        std::fs::create_dir_all(made).unwrap();
    }
    let probe = Path::new(PACKAGING).join("smokeping/Twinpath.pm");
    symlink(probe, probes.join("Twinpath.pm")).unwrap();
    let at = directory.display();
    let config = format!(
        "*** General ***\nowner = tests\ncontact = tests@example.org\nmailhost = localhost\n\
         imgcache = {at}\nimgurl = x\ndatadir = {at}/data\npiddir = {at}\n\
         cgiurl = http://localhost/\nsmokemail = /etc/smokeping/smokemail\n\
         tmail = /etc/smokeping/tmail\n\
         *** Database ***\nstep = 60\npings = 8\nAVERAGE 0.5 1 1000\n\
         *** Presentation ***\ntemplate = /etc/smokeping/basepage.html\n\
         + overview\nwidth = 600\nheight = 50\nrange = 10h\n\
         + detail\nwidth = 600\nheight = 200\nunison_tolerance = 2\n\"Last hour\" 1h\n\
         *** Probes ***\n+ Twinpath\nbinary = {PROGRAM}\n\
         *** Targets ***\nprobe = Twinpath\nmenu = Top\ntitle = Top\n{targets}"
    );
    std::fs::write(directory.join("config"), config).unwrap();
    let mut command = Command::new("smokeping");
    command
        .arg(format!("--config={at}/config"))
        .arg("--debug")
        .env("PERL5LIB", directory);
    Running::spawn(command).finish()
}

/// The seconds that SmokePing took for a target.
fn seconds(round: &str, host: &str) -> Vec<f64> {
    let begins = format!("Twinpath: {host}: got ");
    let mut lines = round.lines();
    let line = lines.find_map(|line| line.strip_prefix(&begins));
    let line = line.unwrap_or_else(|| panic!("{round}"));
    let seconds = line.split_whitespace().map(|it| it.parse().unwrap());
    seconds.collect()
}

#[test]
fn smokeping_records_the_delays_of_the_probe() {
    if !is_installed("smokeping", "smokeping") {
        return;
    }
    let responder = Responder::on_loopback();
    let losing = FarEnd::losing(4);
    let directory = tempfile::tempdir().unwrap();
    let target = |name: &str, host: &str, port: u16, more: &str| {
        format!("+ {name}\nmenu = {name}\ntitle = {name}\nhost = {host}\nport = {port}\n{more}\n")
    };
    let targets = [
        target(
            "stamp",
            "localhost",
            responder.at.port(),
            "protocol = stamp\ndscp = ef\ninterval = 5\noptions = -4 --ttl 64",
        ),
        target(
            "light",
            "127.0.0.1",
            losing.at.port(),
            "interval = 5\nwait = 1",
        ),
    ];
    let done = smokeping(directory.path(), &targets.concat());
    let stamp = seconds(&done.stderr, "localhost");
    assert_eq!(stamp.len(), 8, "{}", done.stderr);
    assert!(stamp.is_sorted());
    assert!(stamp.iter().all(|s| (1e-7..1.0).contains(s)), "{stamp:?}");
    // Two of the eight numbers from 0 are multiples of 4.
    assert_eq!(
        seconds(&done.stderr, "127.0.0.1").len(),
        6,
        "{}",
        done.stdout
    );
    for name in ["stamp", "light"] {
        assert!(directory.path().join(format!("data/{name}.rrd")).exists());
    }
}

#[test]
fn smokeping_refuses_what_the_probe_cannot_measure() {
    if !is_installed("smokeping", "smokeping") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let targets = "+ a\nmenu = a\ntitle = a\nhost = 127.0.0.1\nprotocol = icmp\n";
    let done = smokeping(directory.path(), targets);
    assert_ne!(done.status, 0);
    assert!(
        done.stderr
            .contains("protocol is one of: twamp-light stamp twamp"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_agent_of_zabbix_takes_the_report() {
    if !is_installed("zabbix_agentd", "zabbix-agent") {
        return;
    }
    let responder = Responder::on_loopback();
    let directory = tempfile::tempdir().unwrap();
    let ours = std::fs::read_to_string(format!("{PACKAGING}/zabbix/twinpath.conf")).unwrap();
    assert!(ours.contains("/usr/bin/twinpath"));
    let config = directory.path().join("agent.conf");
    let ours = ours.replace("/usr/bin/twinpath", PROGRAM);
    let rest = "\nServer=127.0.0.1\nLogType=console\nTimeout=15\nAllowRoot=1\n";
    std::fs::write(&config, ours + rest).unwrap();
    for (key, protocol) in [("report", "twamp-light"), ("stamp", "stamp")] {
        let key = format!("twinpath.{key}[{}]", responder.at);
        let mut command = Command::new("zabbix_agentd");
        command.arg("-c").arg(&config).args(["-t", &key]);
        let done = Running::spawn(command).finish();
        let (_, value) = done.stdout.split_once("[t|").expect(&done.stdout);
        let value = value.trim_end().strip_suffix(']').unwrap();
        let report: Value = serde_json::from_str(value).unwrap();
        let session = &report["sessions"][0];
        assert_eq!(session["protocol"], protocol);
        // The figures that the file names.
        assert!(session["round_trip"]["median_ns"].is_i64());
        assert!(session["round_trip"]["p99_ns"].is_i64());
        assert!(session["round_trip"]["jitter_ns"].is_i64());
        assert_eq!(session["packets"]["loss_ratio"], 0.0);
        assert_eq!(session["packets"]["lost_forward"], 0);
        assert_eq!(session["state"], "active");
    }
}
