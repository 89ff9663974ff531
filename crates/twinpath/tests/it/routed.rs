//! Two hosts with a router between them: network namespaces and two links.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, finish, twinpath};

/// `near` (10.97.1.1, fd97:1::1) and `far` (10.97.2.2, fd97:2::2), by `router` (`.254`, `::fe`; its interfaces
/// `r0` and `r1`). Gone with the value.
pub(crate) struct Routed {
    pub(crate) near: String,
    pub(crate) router: String,
    pub(crate) far: String,
    /// What the near host sends is counted.
    is_counted: bool,
}

impl Routed {
    /// `None` where they cannot be made; says why.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", std::process::id());
        let mut hosts = Self {
            is_counted: false,
            near: format!("tp-n-{id}"),
            router: format!("tp-r-{id}"),
            far: format!("tp-f-{id}"),
        };
        let (near, router, far) = (&hosts.near, &hosts.router, &hosts.far);
        let mut lines = Vec::new();
        for host in [near, router, far] {
            lines.push(format!("netns add {host}"));
            // No second of asking for doubles.
            lines.push(format!(
                "netns exec {host} sysctl -qw net.ipv6.conf.default.accept_dad=0"
            ));
            lines.push(format!("-n {host} link set lo up"));
        }
        for (host, name, peer, net, number) in [(near, "v0", "r0", 1, 1), (far, "v1", "r1", 2, 2)] {
            lines.extend([
                format!("-n {host} link add {name} type veth peer name {peer} netns {router}"),
                format!("-n {host} addr add 10.97.{net}.{number}/24 dev {name}"),
                format!("-n {host} addr add fd97:{net}::{number}/64 dev {name} nodad"),
                format!("-n {router} addr add 10.97.{net}.254/24 dev {peer}"),
                format!("-n {router} addr add fd97:{net}::fe/64 dev {peer} nodad"),
                format!("-n {host} link set {name} up"),
                format!("-n {router} link set {peer} up"),
                format!("-n {host} route add default via 10.97.{net}.254"),
                format!("-n {host} -6 route add default via fd97:{net}::fe"),
            ]);
        }
        for option in [
            "net.ipv4.ip_forward=1",
            "net.ipv6.conf.all.forwarding=1",
            // Errors about packets right one after the other.
            "net.ipv4.icmp_ratelimit=0",
            "net.ipv6.icmp.ratelimit=0",
        ] {
            lines.push(format!("netns exec {router} sysctl -qw {option}"));
        }
        for line in lines {
            if let Err(why) = ip(&line) {
                eprintln!("skipped: no network namespaces here (ip {line}: {why})");
                return None;
            }
        }
        hosts.is_counted = count_departures(&hosts.near);
        Some(hosts)
    }

    /// `twinpath doctor` with these arguments and JSON, which sends no more than it says beforehand.
    pub(crate) fn doctor(&self, line: &str) -> Done {
        let most = self
            .run(&format!("doctor {line} --json --dry-run"))
            .document();
        let most = most["most_packets"].as_u64().unwrap();
        assert!(most <= 400, "{most}");
        let sent = || {
            if self.is_counted {
                departures(&self.near)
            } else {
                0
            }
        };
        let before = sent();
        let done = self.run(&format!("doctor {line} --json"));
        let packets = sent() - before;
        assert!(packets <= most, "{line}: {packets} sent, {most} announced");
        assert!(
            !self.is_counted || packets > 0,
            "{line}: nothing was counted"
        );
        done
    }

    /// A responder on the far host.
    pub(crate) fn responder(&self, line: &str) -> Responder {
        Responder::spawn(Hosts::on(
            &self.far,
            &twinpath(&format!("responder {line}")),
        ))
    }

    /// The program on the near host, to its end.
    pub(crate) fn run(&self, line: &str) -> Done {
        finish(Hosts::on(&self.near, &twinpath(line)))
    }

    /// `ip` on the router.
    pub(crate) fn route(&self, line: &str) {
        ip(&format!("-n {} {line}", self.router)).unwrap();
    }

    /// The MTU of both links.
    pub(crate) fn set_mtu(&self, mtu: u32) {
        for (host, name) in [
            (&self.near, "v0"),
            (&self.router, "r0"),
            (&self.router, "r1"),
            (&self.far, "v1"),
        ] {
            ip(&format!("-n {host} link set {name} mtu {mtu}")).unwrap();
        }
    }
}

impl Drop for Routed {
    fn drop(&mut self) {
        for host in [&self.near, &self.router, &self.far] {
            let _ = ip(&format!("netns del {host}"));
        }
    }
}

/// Loads these rules into a host's packet filter; `false`, and says why, if the host has no filter.
pub(crate) fn filter(host: &str, rules: &str) -> bool {
    let output = Command::new("ip")
        .args(["netns", "exec", host, "nft", rules])
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: no packet filter here ({why})");
            false
        }
        Err(why) => {
            eprintln!("skipped: no packet filter here ({why})");
            false
        }
    }
}

/// Counts what a host sends: its UDP datagrams, ICMP Echos and beginnings of TCP connections.
fn count_departures(host: &str) -> bool {
    filter(
        host,
        "table inet departures { chain out { type filter hook output priority 0; \
         meta l4proto udp counter; icmp type echo-request counter; \
         icmpv6 type echo-request counter; tcp flags & (syn | ack) == syn counter; }; }",
    )
}

/// How many there were.
fn departures(host: &str) -> u64 {
    let output = Command::new("ip")
        .args([
            "netns",
            "exec",
            host,
            "nft",
            "-j",
            "list",
            "table",
            "inet",
            "departures",
        ])
        .output()
        .unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = listed["nftables"].as_array().unwrap().iter();
    let expressions = rules.filter_map(|rule| rule["rule"]["expr"].as_array());
    let packets = expressions
        .flatten()
        .filter_map(|expression| expression["counter"]["packets"].as_u64());
    let counts: Vec<u64> = packets.collect();
    assert_eq!(counts.len(), 4, "{listed}");
    counts.iter().sum()
}
