//! What needs a network of its own: interfaces and addresses that come and go.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use super::interfaces::{InterfaceChanges, interfaces};
use crate::interface::index_of;
use crate::options::SocketOptions;
use crate::packet::Outbound;
use crate::socket::TestSocket;

/// Runs `test` in a new network namespace, once these arguments of `ip` were carried out in it. Where that
/// is not possible, it says why.
fn in_own_network(setup: &[&str], test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: it takes a number, and concerns this thread alone, which ends soon.
            let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            let made = super::system::check(result).map_err(|error| error.to_string());
            let ready = made.and_then(|()| setup.iter().try_for_each(|line| ip(line)));
            match ready {
                Ok(()) => test(),
                Err(why) => eprintln!("skipped: no network namespace here ({why})"),
            }
        });
        thread.join().unwrap();
    });
}

/// `ip`, in this thread's network.
fn ip(line: &str) -> Result<(), String> {
    let done = Command::new("ip").args(line.split_whitespace()).output();
    let done = done.map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!(
        "ip {line}: {}",
        String::from_utf8_lossy(&done.stderr)
    ))
}

#[test]
fn what_interfaces_that_are_up_have_is_listed_and_their_changes_are_reported() {
    let pair = "link add d0 address 02:00:00:00:00:07 mtu 1400 type veth peer name e0";
    in_own_network(&["link set lo up", pair], || {
        let changes = InterfaceChanges::watch();
        assert!(!changes.wait(Duration::from_millis(50)));
        let all = interfaces().unwrap();
        assert!(all.macs.is_empty(), "{all:?}");
        let own: SocketAddr = "192.0.2.7:0".parse().unwrap();
        let index = index_of("d0").unwrap();
        for (line, has_address) in [
            ("link set d0 up", false),
            ("addr add 192.0.2.7/24 dev d0", true),
            ("addr del 192.0.2.7/24 dev d0", false),
        ] {
            ip(line).unwrap();
            assert!(changes.wait(Duration::from_secs(10)), "{line}");
            let all = interfaces().unwrap();
            assert_eq!(all.macs, [[2, 0, 0, 0, 0, 7]], "{line}");
            assert!(all.mtus.contains(&(index, 1_400)), "{line}: {all:?}");
            assert_eq!(all.addresses.contains(&own), has_address, "{line}: {all:?}");
        }
    });
}

#[test]
fn a_packet_leaves_by_the_interface_asked_for_whatever_routes_say() {
    let setup = [
        "link add d0 type veth peer name e0",
        "link add d1 type veth peer name e1",
        "link set e0 up",
        "link set e1 up",
        "link set d0 up",
        "link set d1 up",
        "addr add 192.0.2.1/24 dev d0",
        "addr add fd98::1/64 dev d0 nodad",
        "neigh add 192.0.2.2 lladdr 02:00:00:00:00:09 dev d0",
        "neigh add 192.0.2.2 lladdr 02:00:00:00:00:09 dev d1",
        "neigh add fd98::2 lladdr 02:00:00:00:00:09 dev d0",
        "neigh add fd98::2 lladdr 02:00:00:00:00:09 dev d1",
        "-6 route add fd98::/64 dev d1 metric 9999",
    ];
    in_own_network(&setup, || {
        let own: IpAddr = "192.0.2.1".parse().unwrap();
        for (near, from, far) in [
            ("0.0.0.0:0", Some(own), "192.0.2.2:9"),
            ("192.0.2.1:0", None, "192.0.2.2:9"),
            // With a source, the kernel prefers a route to the interface.
            ("[::]:0", None, "[fd98::2]:9"),
        ] {
            let socket = SocketOptions::reflector(near.parse().unwrap());
            let socket = TestSocket::open(&socket).unwrap();
            for (interface, device) in [(0, "d0"), (index_of("d1").unwrap(), "d1")] {
                let before = ["d0", "d1"].map(sent_octets);
                let out = Outbound {
                    from,
                    interface,
                    ..Outbound::stamped(far.parse().unwrap())
                };
                for _ in 0..20 {
                    socket.send(&[0; 1_000], &out).unwrap();
                }
                for (device_now, before) in ["d0", "d1"].into_iter().zip(before) {
                    let sent = sent_octets(device_now) - before;
                    let all = sent > 20_000;
                    assert_eq!(all, device_now == device, "{far}: {sent} by {device_now}");
                }
            }
        }
    });
}

/// What has left by an interface of this thread's network.
fn sent_octets(device: &str) -> u64 {
    let all = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let mut lines = all.lines().map(str::trim);
    let counts = lines.find_map(|line| line.strip_prefix(device)?.strip_prefix(':'));
    let sent = counts.unwrap().split_whitespace().nth(8);
    sent.unwrap().parse().unwrap()
}
