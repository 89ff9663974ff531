//! The units under systemd itself, in a container of its own: what they grant is enough, and what keeps the port open loses
//! nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::finish;
use crate::units::{drop_ins, is_installed, is_root, packaging};

/// The system's own files of the container, by their paths.
const FILES: [(&str, &str); 7] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/os-release", "ID=container\n"),
    ("etc/machine-id", ""),
    (
        "etc/nsswitch.conf",
        "passwd: files systemd\ngroup: files systemd\n",
    ),
    (
        "etc/systemd/system/trial.target",
        "[Unit]\nWants=trial.service\n",
    ),
    (
        "etc/systemd/system/trial.service",
        "[Unit]\nDefaultDependencies=no\nAfter=basic.target\n\
         [Service]\nType=oneshot\nStandardOutput=file:/trial/said\nStandardError=file:/trial/said\n\
         ExecStart=/bin/bash /trial/script\nExecStopPost=/bin/systemctl --force exit\n",
    ),
];

/// Boots a container and leaves nothing behind.
const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.ci/in-container");

/// A system with the units of the packages, and with the program that was built at `/opt/twinpath`.
struct Container(tempfile::TempDir);

impl Container {
    fn new() -> Self {
        let container = Self(tempfile::tempdir().unwrap());
        // Services have users of their own.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::create_dir(container.at("")).unwrap();
        std::fs::set_permissions(container.at(""), open).unwrap();
        for directory in ["usr", "var", "run", "tmp", "proc", "sys", "dev", "opt"] {
            std::fs::create_dir(container.at(directory)).unwrap();
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            std::os::unix::fs::symlink(format!("usr/{name}"), container.at(name)).unwrap();
        }
        for (path, text) in FILES {
            container.write(path, text);
        }
        for (from, to) in [("systemd", "etc/systemd/system"), ("etc", "etc/twinpath")] {
            for file in std::fs::read_dir(packaging(from)).unwrap() {
                let file = file.unwrap();
                let text = std::fs::read_to_string(file.path()).unwrap();
                let text = text.replace("/usr/bin/twinpath", "/opt/twinpath");
                let name = file.file_name().into_string().unwrap();
                container.write(&format!("{to}/{name}"), &text);
            }
        }
        container
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join("root").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Boots it, runs the script and ends: what that said; `None` where no container boots.
    fn run(&self, script: &str) -> Option<String> {
        let has_all = ["systemd-nspawn", "unshare", "timeout"]
            .into_iter()
            .all(is_installed);
        if !is_root() || !has_all || !Path::new("/bin").is_symlink() {
            println!("skipped: root and systemd-nspawn (Debian: systemd-container) are needed");
            return None;
        }
        self.write("trial/script", script);
        let name = self.0.path().file_name().unwrap().to_str().unwrap();
        let name = format!("twinpath-{}", name.trim_start_matches('.'));
        let mut command = Command::new(BOOT);
        command
            .arg(&name)
            .arg(format!("--directory={}", self.at("").display()))
            .arg(format!(
                "--bind-ro={}:/opt/twinpath",
                env!("CARGO_BIN_EXE_twinpath")
            ))
            .arg("--bind-ro=/usr")
            .args(["--boot", "systemd.unit=trial.target"]);
        let done = finish(command);
        let said = std::fs::read_to_string(self.at("trial/said"));
        if said.is_err() {
            println!(
                "skipped: no container boots: {}{}",
                done.stdout, done.stderr
            );
        }
        said.ok()
    }

    /// A document that the script left.
    fn session(&self) -> Value {
        let text = std::fs::read_to_string(self.at("trial/session.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        document["sessions"][0].clone()
    }
}

#[test]
fn whatever_leaves_the_socket_unit_alone_loses_no_packet() {
    let container = Container::new();
    container.write(
        "etc/twinpath/responder.conf",
        "OPTIONS=\"--interface lo\"\n",
    );
    let script = r"
        set -e
        ip link set lo up
        systemctl start twinpath-responder
        /opt/twinpath sender 127.0.0.1:862 --stamp -c 100000 -i 20 --timeout 60 --json >/trial/session.json &
        sender=$!
        pause() { sleep 1.5; }
        pause; systemctl restart twinpath-responder
        pause; systemctl daemon-reload; systemctl restart twinpath-responder
        pause; systemctl kill --signal KILL twinpath-responder
        pause; systemctl reload twinpath-responder
        pause; kill -INT $sender; wait $sender || true
        echo done
    ";
    let Some(said) = container.run(script) else {
        return;
    };
    assert!(said.ends_with("done\n"), "{said}");
    let session = container.session();
    assert!(
        session["packets"]["received"].as_u64() > Some(200),
        "{session}"
    );
    assert_eq!(session["packets"]["lost"], 0, "{session}");
    assert_eq!(session["reflector_restarts"], 3, "{session}");
}

#[test]
fn further_responders_have_ports_options_and_keys_of_their_own() {
    let container = Container::new();
    let key = "00112233445566778899aabbccddeeff";
    container.write("etc/credstore/twinpath-responder-20002.keys", key);
    let private = std::fs::Permissions::from_mode(0o600);
    let keys = container.at("etc/credstore/twinpath-responder-20002.keys");
    std::fs::set_permissions(keys, private).unwrap();
    container.write(
        "etc/twinpath/responder-20002.conf",
        "OPTIONS=\"--authenticated --hmac-key-file credential:keys\"\n",
    );
    let script = format!(
        "set -e
        ip link set lo up
        systemctl start twinpath-responder
        systemctl enable --now twinpath-responder@20001 twinpath-responder@20002
        systemctl is-enabled twinpath-responder@20001.socket
        /opt/twinpath sender 127.0.0.1:862 --stamp -c 3 -i 5 >/dev/null
        /opt/twinpath sender 127.0.0.1:20001 --stamp -c 3 -i 5 >/dev/null
        /opt/twinpath sender 127.0.0.1:20002 --stamp --authenticated --hmac-key {key} -c 3 -i 5 >/dev/null
        /opt/twinpath status
        systemctl show --property=ExecStart twinpath-responder@20001
        tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value twinpath-responder@20001)/cmdline
        echo done"
    );
    let Some(said) = container.run(&script) else {
        return;
    };
    assert!(said.ends_with("done\n"), "{said}");
    for part in [
        "responder-862 ",
        "responder-20001 ",
        "responder-20002 ",
        // Those of all, where an instance has none.
        "/opt/twinpath responder --limits /etc/twinpath/responder.limits ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_the_documented_drop_ins_grant_is_enough_and_not_changed() {
    let container = Container::new();
    let mut script = "
        set -e
        ip link set lo up
        ip link add v0 type veth peer name v1; ip link add br0 type bridge; ip link set v0 master br0
        systemctl start twinpath-responder
        mkdir /etc/systemd/system/twinpath-responder.service.d
        cd /etc/systemd/system/twinpath-responder.service.d
    "
    .to_owned();
    let mut tried = 0;
    for (what, lines) in drop_ins() {
        let options = if what.contains("--micro-session-id") {
            "--micro-session-id 1@v0"
        } else if what.contains("--logfile") {
            "--logfile /var/log/twinpath/log"
        } else if what.contains("hardware") {
            "--timestamps hardware --interface lo"
        } else {
            ""
        };
        tried += 1;
        let lines = lines.join("\\n");
        let part = format!(
            "
            printf '{lines}\\n' >override.conf
            echo 'OPTIONS=\"{options}\"' >/etc/twinpath/responder.conf
            systemctl daemon-reload
            systemctl restart twinpath-responder
            /opt/twinpath sender 127.0.0.1:862 --stamp -c 3 -i 5 >/dev/null
            "
        );
        script += &part;
    }
    assert!(tried >= 4);
    script.push_str("test -s /var/log/twinpath/log; journalctl --sync; journalctl --no-pager -o cat -u twinpath-responder; echo done");
    let Some(said) = container.run(&script) else {
        return;
    };
    assert!(said.ends_with("done\n"), "{said}");
    assert!(!said.contains("not confined by capabilities"), "{said}");
    assert!(
        said.matches("listening on 0.0.0.0:862").count() > tried,
        "{said}"
    );
}
