//! A host whose init script runs with functions in the place of OpenWrt's.

use std::path::PathBuf;
use std::process::Command;

use crate::program::finish;
use crate::units::{is_installed, packaging};

const FUNCTIONS: &str = include_str!("functions.sh");

/// The shells that run the script: the one of this system and, where it is installed, the one of OpenWrt.
pub(super) fn shells() -> Vec<&'static [&'static str]> {
    let mut shells: Vec<&[&str]> = vec![&["sh"]];
    if is_installed("busybox") {
        shells.push(&["busybox", "ash"]);
    } else {
        println!("skipped: the shell of OpenWrt (Debian: busybox) is not installed");
    }
    shells
}

/// A host with this configuration.
pub(super) struct Host {
    directory: tempfile::TempDir,
    shell: &'static [&'static str],
}

/// What procd was told.
pub(super) struct Told(pub(super) Vec<Vec<String>>);

impl Told {
    /// The arguments of each call of a function.
    pub(super) fn calls(&self, function: &str) -> Vec<&[String]> {
        let calls = self.0.iter().filter(|call| call[0] == function);
        calls.map(|call| &call[1..]).collect()
    }

    /// The command line of each instance.
    pub(super) fn commands(&self) -> Vec<Vec<String>> {
        let mut commands = Vec::<Vec<String>>::new();
        for call in &self.0 {
            match (call[0].as_str(), call.get(1).map(String::as_str)) {
                ("set_param", Some("command")) => commands.push(call[2..].to_vec()),
                ("append_param", Some("command")) => {
                    commands.last_mut().unwrap().extend_from_slice(&call[2..]);
                }
                _ => {}
            }
        }
        commands
    }

    /// What is in the log.
    pub(super) fn log(&self) -> String {
        let lines = self.calls("logger").into_iter();
        lines
            .map(|line| line.last().unwrap().clone() + "\n")
            .collect()
    }
}

impl Host {
    pub(super) fn new(shell: &'static [&'static str], configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Self { directory, shell };
        host.configure(configuration);
        let script = std::fs::read_to_string(packaging("openwrt/files/twinpath.init")).unwrap();
        let own = |path| host.path(path).display().to_string();
        let script = script
            .replace("/usr/bin/twinpath", env!("CARGO_BIN_EXE_twinpath"))
            .replace("/var/etc/twinpath", &own("limits"))
            .replace("/var/run/twinpath", &own("run"))
            .replace("/etc/capabilities/twinpath.json", &own("capabilities"))
            .replace("/sbin/ujail", &own("ujail"));
        std::fs::write(host.path("script"), FUNCTIONS.to_owned() + &script).unwrap();
        host
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn configure(&self, configuration: &str) {
        std::fs::write(self.path("twinpath"), configuration).unwrap();
    }

    /// With procd's jail.
    pub(super) fn add_jail(&self) {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).mode(0o755);
        options.open(self.path("ujail")).unwrap();
        std::fs::copy(
            packaging("openwrt/files/twinpath.json"),
            self.path("capabilities"),
        )
        .unwrap();
    }

    /// Runs a function of the script.
    pub(super) fn call(&self, function: &str) -> Told {
        let calls = self.path("calls");
        std::fs::write(&calls, "").unwrap();
        let mut command = Command::new(self.shell[0]);
        command.args(&self.shell[1..]).arg("-c");
        command.arg(format!(". {}; {function}", self.path("script").display()));
        command
            .env("UCI", self.directory.path())
            .env("CALLS", &calls);
        let done = finish(command);
        assert_eq!(done.stderr, "", "{:?}", self.shell);
        let calls = std::fs::read_to_string(calls).unwrap();
        let calls = calls.split_terminator('\u{1e}');
        Told(
            calls
                .map(|call| call.split_terminator('\u{1f}').map(str::to_owned).collect())
                .collect(),
        )
    }

    pub(super) fn limits(&self, section: &str) -> String {
        std::fs::read_to_string(self.path("limits").join(format!("{section}.limits"))).unwrap()
    }
}
