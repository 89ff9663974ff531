//! Sizes that pass each way, over a router whose links differ.

use serde_json::{Value, json};

use crate::program::Done;
use crate::routed::{Routed, filter};

/// What the check of this name says.
fn check(done: &Done, id: &str) -> Value {
    let document = done.document();
    let checks = document["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["id"] == id);
    found.unwrap().clone()
}

/// The largest packets, why there are no larger ones, and the status.
fn limits(done: &Done) -> Value {
    let found = check(done, "path.mtu");
    let of = |key: &str| found["data"][key].clone();
    json!([
        of("out_octets"),
        of("out_end"),
        of("back_octets"),
        of("back_end"),
        found["status"],
    ])
}

#[test]
fn the_largest_packet_of_each_way_is_found_to_the_octet() {
    let Some(hosts) = Routed::new() else { return };
    let _responder = hosts.responder(":862");
    let narrow_out = |mtu: u32| {
        hosts.route(&format!("route replace 10.97.2.0/24 dev r1 mtu lock {mtu}"));
    };
    let narrow_back = |mtu: u32| {
        hosts.route(&format!("route replace 10.97.1.0/24 dev r0 mtu lock {mtu}"));
    };
    let limits_now = |line: &str| limits(&hosts.doctor(line));
    let far = "10.97.2.2:862";
    assert_eq!(
        limits_now(far),
        json!([1500, "interface", 1500, "not-found", "ok"])
    );
    narrow_out(1400);
    let done = hosts.doctor(far);
    assert_eq!(
        limits(&done),
        json!([1400, "told", 1400, "not-found", "ok"])
    );
    let mtu = check(&done, "path.mtu");
    assert_eq!(mtu["data"]["told_by"], "10.97.1.254");
    // A router fragments what has no DF.
    assert_eq!(check(&done, "path.fragments")["status"], "ok");
    narrow_out(1500);
    narrow_back(1357);
    // Fragments of IPv4 have a multiple of 8 octets; the limit is found by what comes whole.
    assert_eq!(
        limits_now(far),
        json!([1500, "interface", 1357, "fragments", "warn"])
    );
    narrow_back(1500);
    hosts.set_mtu(9000);
    narrow_out(9000);
    narrow_back(9000);
    assert_eq!(
        limits_now(far),
        json!([9000, "interface", 9000, "not-found", "ok"])
    );
}

#[test]
fn a_path_mtu_black_hole_is_found_and_the_way_on_which_it_is() {
    let Some(hosts) = Routed::new() else { return };
    let _responder = hosts.responder(":862 --do-not-fragment");
    let silenced = "table inet silent { chain out { type filter hook output priority 0; \
                    icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }";
    if !filter(&hosts.router, silenced) {
        return;
    }
    hosts.route("route replace 10.97.2.0/24 dev r1 mtu lock 1400");
    let done = hosts.doctor("10.97.2.2:862");
    assert_eq!(
        limits(&done),
        json!([1400, "vanish", 1400, "not-found", "warn"])
    );
    let advice = check(&done, "path.mtu")["advice"].to_string();
    assert!(advice.contains("--padding 1358"), "{advice}");
    hosts.route("route replace 10.97.2.0/24 dev r1");
    hosts.route("route replace 10.97.1.0/24 dev r0 mtu lock 1411");
    let done = hosts.doctor("10.97.2.2:862");
    assert_eq!(
        limits(&done),
        json!([1500, "interface", 1411, "lost", "warn"])
    );
    hosts.route("-6 route replace fd97:2::/64 dev r1 metric 256 mtu lock 1444");
    let done = hosts.doctor("[fd97:2::2]:862");
    assert_eq!(
        limits(&done),
        json!([1444, "vanish", 1444, "not-found", "warn"])
    );
}

#[test]
fn what_the_way_out_makes_of_dscp_and_ecn_is_told_by_the_reflector() {
    let Some(hosts) = Routed::new() else { return };
    let _responder = hosts.responder(":862");
    let bleaches = "table ip bleach { chain pass { type filter hook forward priority 0; \
                    ip daddr 10.97.2.2 ip dscp set cs0 ip ecn set not-ect; }; }";
    if !filter(&hosts.router, bleaches) {
        return;
    }
    let done = hosts.doctor("10.97.2.2:862");
    let dscp = check(&done, "path.dscp");
    assert_eq!(dscp["status"], "warn", "{dscp}");
    let arrived = json!({"ef": "be", "af41": "be", "cs1": "be"});
    assert_eq!(dscp["data"]["arrived"], arrived);
    let advice = dscp["advice"].as_str().unwrap();
    assert!(advice.contains("a device on the way out"), "{advice}");
    let ecn = check(&done, "path.ecn");
    assert_eq!(ecn["status"], "warn", "{ecn}");
    let arrived = json!({"ECT(0)": "Not-ECT", "ECT(1)": "Not-ECT"});
    assert_eq!(ecn["data"]["arrived"], arrived);
}
