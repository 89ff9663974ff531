//! Two hosts on this machine: network namespaces and a link between them.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::program::{Done, Responder, Running, finish, twinpath};

/// Two hosts, each other's neighbours by `v0` (10.98.0.1, fd98::1) and `v1` (10.98.0.2, fd98::2).
/// Gone with the value.
pub(crate) struct Hosts {
    pub(crate) near: String,
    pub(crate) far: String,
    /// The last number of the near host's addresses when the link is made again.
    pub(crate) near_number: u32,
}

impl Hosts {
    /// `None` where they cannot be made; says why.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let hosts = Self {
            near: format!("tp-near-{id}"),
            far: format!("tp-far-{id}"),
            near_number: 1,
        };
        let (near, far) = (&hosts.near, &hosts.far);
        for line in [
            format!("netns add {near}"),
            format!("netns add {far}"),
            format!("-n {near} link add v0 type veth peer name v1 netns {far}"),
            format!("-n {near} addr add 10.98.0.1/24 dev v0"),
            format!("-n {far} addr add 10.98.0.2/24 dev v1"),
            format!("-n {far} addr add 10.98.0.3/24 dev v1"),
            format!("-n {near} addr add fd98::1/64 dev v0 nodad"),
            format!("-n {far} addr add fd98::2/64 dev v1 nodad"),
            format!("-n {near} link set lo up"),
            format!("-n {far} link set lo up"),
            // Link-local addresses are there at once, not after a second of asking for doubles.
            format!("netns exec {near} sysctl -qw net.ipv6.conf.v0.accept_dad=0"),
            format!("netns exec {far} sysctl -qw net.ipv6.conf.v1.accept_dad=0"),
            format!("-n {near} link set v0 up"),
            format!("-n {far} link set v1 up"),
        ] {
            if let Err(why) = ip(&line) {
                eprintln!("skipped: no network namespaces here (ip {line}: {why})");
                return None;
            }
        }
        Some(hosts)
    }

    /// Deletes the link, with its addresses.
    pub(crate) fn cut(&self) {
        ip(&format!("-n {} link del v0", self.near)).unwrap();
    }

    /// Makes the link again: the same names and addresses, other numbers.
    pub(crate) fn link_again(&self) {
        let (near, far) = (&self.near, &self.far);
        ip(&format!(
            "-n {near} link add v0 type veth peer name v1 netns {far}"
        ))
        .unwrap();
        for (host, device, number) in [(near, "v0", self.near_number), (far, "v1", 2)] {
            ip(&format!(
                "-n {host} addr add 10.98.0.{number}/24 dev {device}"
            ))
            .unwrap();
            Self::addresses(host, device, number);
            ip(&format!("-n {host} link set {device} up")).unwrap();
        }
    }

    /// Gives the ends of the link the addresses fe80::1 and fe80::2 too.
    pub(crate) fn link_local(&self) {
        Self::addresses(&self.near, "v0", 1);
        Self::addresses(&self.far, "v1", 2);
    }

    fn addresses(host: &str, device: &str, number: u32) {
        for prefix in ["fd98::", "fe80::"] {
            let address = format!("{prefix}{number}/64 dev {device} nodad");
            // It may be there.
            let _ = ip(&format!("-n {host} addr add {address}"));
        }
    }

    /// The far host's link-local address.
    pub(crate) fn far_link_local(&self) -> String {
        let list = ip(&format!(
            "-n {} -6 -o addr show dev v1 scope link",
            self.far
        ))
        .unwrap();
        let address = list
            .split_whitespace()
            .skip_while(|word| *word != "inet6")
            .nth(1)
            .unwrap();
        address.split('/').next().unwrap().to_owned()
    }

    /// `command`, on `host`.
    pub(crate) fn on(host: &str, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside
            .args(["netns", "exec", host])
            .arg(command.get_program())
            .args(command.get_args());
        inside.stdin(Stdio::null());
        inside
    }

    /// A responder on the far host.
    pub(crate) fn responder(&self, line: &str) -> Responder {
        self.listener(&format!("responder {line}"))
    }

    /// Whatever listens, on the far host.
    pub(crate) fn listener(&self, line: &str) -> Responder {
        Responder::spawn(Self::on(&self.far, &twinpath(line)))
    }

    /// Starts the program on the near host.
    pub(crate) fn start(&self, line: &str) -> Running {
        Running::spawn(Self::on(&self.near, &twinpath(line)))
    }

    /// Waits until a process on the near host has a UDP socket.
    pub(crate) fn wait_for_socket(&self) {
        let until = Instant::now() + Duration::from_mins(1);
        let command = format!("netns exec {} cat /proc/net/udp /proc/net/udp6", self.near);
        // A heading for each of the two tables.
        while ip(&command).unwrap().lines().count() == 2 {
            assert!(Instant::now() < until, "no process has a socket");
        }
    }

    /// The program on the near host, to its end.
    pub(crate) fn run(&self, line: &str) -> Done {
        finish(Self::on(&self.near, &twinpath(line)))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in [&self.near, &self.far] {
            let _ = ip(&format!("netns del {host}"));
        }
    }
}

/// Names for one host alone.
pub(crate) struct Names(std::path::PathBuf);

impl Names {
    /// `None` where they cannot be had; says so.
    pub(crate) fn of(host: &str, lines: &[&str]) -> Option<Self> {
        let directory = std::path::PathBuf::from(format!("/etc/netns/{host}"));
        let made = std::fs::create_dir_all(&directory)
            .and_then(|()| std::fs::write(directory.join("hosts"), lines.join("\n") + "\n"));
        if let Err(why) = made {
            eprintln!("skipped: no file of names for a network namespace ({why})");
            return None;
        }
        Some(Self(directory))
    }

    /// Has these lines from now on.
    pub(crate) fn set(&self, lines: &[&str]) {
        std::fs::write(self.0.join("hosts"), lines.join("\n") + "\n").unwrap();
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `ip` with these words: what it printed, or why not.
pub(crate) fn ip(line: &str) -> Result<String, String> {
    let output = Command::new("ip").args(line.split_whitespace()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
