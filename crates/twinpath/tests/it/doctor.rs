//! `twinpath doctor` against real far ends.

mod interrupted;
#[cfg(target_os = "linux")]
mod paths;
mod schema;
#[cfg(target_os = "linux")]
mod situations;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::far_end::FarEnd;
use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, free_port, run};
use crate::responders::last_words;

/// Status and finding of each check, by its name.
fn checks(done: &Done) -> BTreeMap<String, (String, String)> {
    let document = done.document();
    assert_eq!(document["schema"], "twinpath-doctor-1");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap();
    let each = checks.iter().map(|check| {
        let status = text(&check["status"]);
        let said = (status, text(&check["finding"]));
        (text(&check["id"]), said)
    });
    each.collect()
}

#[test]
fn nothing_is_wrong_with_this_programs_responder_however_it_is_configured() {
    for (options, command, is_stamp) in [
        ("", " --stamp", true),
        ("--stateless", " --stamp", true),
        ("--protocol stamp", " --stamp", true),
        ("--protocol twamp-light", "", false),
        ("--threads 2 --raw-t3", " --stamp", true),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 --json {options}"));
        let done = run(&format!("doctor {} --json", responder.at));
        assert_eq!(done.status, 0, "{options}: {}", done.stdout);
        let command = format!("twinpath sender {}{command}", responder.at);
        assert_eq!(done.document()["command"], command, "{options}");
        let checks = checks(&done);
        let with = |status: &str| checks.values().filter(|(found, _)| found == status).count();
        assert_eq!(
            (with("fail"), with("warn")),
            (0, 0),
            "{options}: {checks:?}"
        );
        assert_eq!(checks["stamp.tlv.cos"].0 == "ok", is_stamp, "{options}");
        // Each packet that it took is one of those that were announced.
        let answered = last_words(responder)["reflected"].as_u64().unwrap();
        let dry = run("doctor 127.0.0.1:862 --dry-run --json").document();
        let most = dry["most_packets"].as_u64().unwrap();
        assert!((20..=most).contains(&answered), "{answered} of {most}");
        assert!(most <= 400, "{most}");
    }
}

#[test]
fn a_responder_of_authenticated_stamp_alone_is_examined_with_signed_packets() {
    let key = "--hmac-key 00112233445566778899aabbccddeeff";
    for options in ["", "--stateless", "--no-tlv", "--threads 2 --raw-t3"] {
        let options = format!("127.0.0.1:0 --json --authenticated {key} {options}");
        let responder = Responder::start(&options);
        let line = format!("doctor {} --json --stress 50 {key}", responder.at);
        let done = run(&line);
        assert_eq!(done.status, 0, "{options}: {}", done.stdout);
        let document = done.document();
        let command = format!(
            "twinpath sender {} --stamp --authenticated --hmac-key HEX",
            responder.at
        );
        assert_eq!(document["command"], command, "{options}");
        let checks = checks(&done);
        let has_tlvs = !options.contains("--no-tlv");
        for (id, (status, finding)) in &checks {
            // The loopback interface takes whole packets of any size.
            let is_of_packets = id.starts_with("test.") || id.starts_with("path.");
            let is_of_packets = is_of_packets && id != "path.fragments" && id != "test.padding";
            let is_of_tlvs = id.starts_with("stamp.tlv.");
            let is_wrong_length = id == "stamp.tlv.malformed";
            let wanted = match id.as_str() {
                _ if is_wrong_length && !has_tlvs => "skipped",
                _ if is_of_packets || is_of_tlvs => "ok",
                "limits.rate" => "ok",
                "stamp.authenticated.tlv-hmac" => {
                    if has_tlvs {
                        "ok"
                    } else {
                        "warn"
                    }
                }
                _ => continue,
            };
            assert_eq!(status, wanted, "{options}, {id}: {finding}");
        }
        let failed = checks.values().find(|(status, _)| status == "fail");
        assert_eq!(failed, None, "{options}");
        let answered = last_words(responder)["reflected"].as_u64().unwrap();
        let dry = run(&format!("{line} --dry-run")).document();
        let most = dry["most_packets"].as_u64().unwrap();
        let most_stress = dry["stress"]["most_packets"].as_u64().unwrap();
        assert!((90..=most + most_stress).contains(&answered), "{answered}");
        assert!(most <= 400, "{most}");
    }
}

#[test]
fn the_text_says_the_verdict_first_and_the_command_last() {
    let responder = Responder::on_loopback();
    let done = run(&format!("doctor {}", responder.at));
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert!(
        lines[0].starts_with(&format!("{} speaks STAMP", responder.at)),
        "{lines:#?}"
    );
    let best = format!("Measure it with: twinpath sender {} --stamp", responder.at);
    let further = format!("             or: twinpath sender {}", responder.at);
    let port = responder.at.port();
    let ports = format!("Open in a firewall: UDP port {port}");
    let last = lines.len() - 3;
    assert_eq!(lines[last..], [best, further, ports]);
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{lines:#?}"
    );
}

#[test]
fn where_nothing_listens_the_verdict_says_so() {
    let done = run(&format!("doctor 127.0.0.1:{} --json", free_port()));
    assert_eq!(done.status, 1, "{}", done.stdout);
    let (status, finding) = &checks(&done)["reach.udp"];
    assert_eq!(status, "fail");
    assert!(
        finding.starts_with("nothing listens on UDP port "),
        "{finding}"
    );
    assert_eq!(done.document()["command"], Value::Null);
}

#[test]
fn an_echo_service_is_no_reflector() {
    let echo = FarEnd::answering(<[u8]>::to_vec);
    let done = run(&format!("doctor {} --json", echo.at));
    assert_eq!(done.status, 1, "{}", done.stdout);
    let (status, finding) = &checks(&done)["reach.udp"];
    assert_eq!(status, "fail");
    assert!(finding.contains("an echo service"), "{finding}");
}

#[test]
fn a_name_without_an_address_is_one_line() {
    let done = run("doctor no-such-host.invalid");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

#[test]
fn a_link_local_address_needs_its_interface() {
    let done = run("doctor fe80::1");
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    let needs = "fe80::1 is link-local: give the interface too";
    assert!(done.stderr.contains(needs), "{}", done.stderr);
}

#[test]
fn a_firewall_and_a_silent_address_are_told_apart() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":862");
    // A route that rejects; an address that has no host.
    ip(&format!(
        "-n {} route add prohibit 192.0.2.9/32",
        hosts.near
    ))
    .unwrap();
    for (far, finding) in [
        ("10.98.0.2", "reflects test packets"),
        ("10.98.0.2:5000", "nothing listens on"),
        ("192.0.2.9", "this host cannot send to"),
    ] {
        let done = hosts.run(&format!("doctor {far} --json"));
        let (_, found) = &checks(&done)["reach.udp"];
        assert!(found.contains(finding), "{far}: {found}");
    }
}

#[test]
fn a_limit_on_the_rate_of_replies_is_found_and_said_beforehand() {
    let responder = Responder::start("127.0.0.1:0 --json --max-rate 120");
    let line = format!("doctor {} --stress 250 --json", responder.at);
    let dry = run(&format!("{line} --dry-run")).document();
    let most = dry["most_packets"].as_u64().unwrap();
    let most_stress = dry["stress"]["most_packets"].as_u64().unwrap();
    let done = run(&line);
    assert!(
        done.stderr
            .contains(&format!("at most {most_stress} packets")),
        "{}",
        done.stderr
    );
    let document = done.document();
    let checks = document["checks"].as_array().unwrap();
    let rate = checks
        .iter()
        .find(|check| check["id"] == "limits.rate")
        .unwrap();
    let of = |key: &str| rate["data"][key].as_u64().unwrap_or(0);
    // So few a second leave on time whatever this host does beside; 250 are twice the limit.
    let (answered, failed) = (of("answered_pps"), of("failed_pps"));
    assert!((100..=190).contains(&answered), "{rate}");
    assert!(failed > answered && failed <= 250, "{rate}");
    assert!(
        rate["finding"].as_str().unwrap().contains("; drops from "),
        "{rate}"
    );
    let words = last_words(responder);
    let took = words["reflected"].as_u64().unwrap() + words["rate_limited"].as_u64().unwrap_or(0);
    assert!(
        took <= most + most_stress,
        "{took} of {most} and {most_stress}"
    );
}

#[cfg(feature = "control")]
mod servers {
    use super::*;
    use crate::secured::{keys, secured_server};

    /// Findings of this status.
    fn with<'a>(
        checks: &'a BTreeMap<String, (String, String)>,
        status: &str,
    ) -> Vec<(&'a str, &'a str)> {
        let of = checks.iter().filter(|(_, (found, _))| found == status);
        of.map(|(id, (_, finding))| (id.as_str(), finding.as_str()))
            .collect()
    }

    #[test]
    fn nothing_is_wrong_with_this_programs_server_however_it_is_configured() {
        let file = keys("noc a secret\n");
        let path = file.path().display();
        for (options, has_keys, mode) in [
            ("", false, ""),
            ("--nat --server-octets --strict", false, ""),
            ("--raw-t3 --threads 2", false, ""),
            ("", true, " --mode encrypted"),
            ("--mode unauthenticated,mixed", true, " --mode mixed"),
            ("--mode authenticated", true, " --mode authenticated"),
        ] {
            let server = if has_keys {
                secured_server(&file, options)
            } else {
                Responder::server(options)
            };
            let key = if has_keys {
                format!(" --keys {path}")
            } else {
                String::new()
            };
            let done = run(&format!("doctor {} --json{key}", server.at));
            assert_eq!(done.status, 0, "{options}: {}", done.stdout);
            let checks = checks(&done);
            for status in ["fail", "warn", "unknown"] {
                assert_eq!(with(&checks, status), [], "{options}{key}");
            }
            let ok = with(&checks, "ok");
            let works = |id: &str| ok.iter().any(|(found, _)| *found == id);
            assert!(
                works("control.session") && works("session.numbers"),
                "{ok:?}"
            );
            if let Some(mode) = mode.strip_prefix(" --mode ") {
                assert!(works(&format!("control.mode.{mode}")), "{options}: {ok:?}");
                assert!(works("control.wrong-key"), "{options}: {ok:?}");
            }
            let command = format!("twinpath controller {}{mode}{key}", server.at);
            assert_eq!(done.document()["command"], command);
            assert_eq!(done.document()["firewall"]["tcp"][0], server.at.port());
        }
    }

    #[test]
    fn a_server_that_takes_few_connections_of_a_client_is_examined_all_the_same() {
        for (options, taken) in [
            ("", "ok"),
            ("--max-connections-per-client 1", "warn"),
            ("--max-connections-per-client 2", "warn"),
            ("--max-connections 2", "warn"),
        ] {
            let server = Responder::server(options);
            let done = run(&format!("doctor {} --json", server.at));
            assert_eq!(done.status, 0, "{options}: {}", done.stdout);
            let checks = checks(&done);
            let (status, finding) = &checks["control.connections"];
            assert_eq!(status, taken, "{options}: {finding}");
            for status in ["fail", "unknown"] {
                assert_eq!(with(&checks, status), [], "{options}");
            }
            let works = |id: &str| checks[id].0 == "ok";
            assert!(
                works("control.feature.ptp-timestamps") && works("control.dscp"),
                "{options}"
            );
        }
    }

    #[test]
    fn sessions_of_a_server_are_loaded_up_to_its_limit() {
        let server = Responder::server("--json --max-rate 120");
        let line = format!("doctor {} --stress 250 --json", server.at);
        let dry = run(&format!("{line} --dry-run")).document();
        let of = |key: &str| dry[key].as_u64().unwrap();
        let most = of("most_packets") + dry["stress"]["most_packets"].as_u64().unwrap();
        let done = run(&line);
        let document = done.document();
        let checks = document["checks"].as_array().unwrap();
        let rate = checks.iter().find(|check| check["id"] == "limits.rate");
        let rate = rate.unwrap();
        assert_eq!(rate["data"]["in_session"], true, "{rate}");
        let of = |key: &str| rate["data"][key].as_u64().unwrap_or(0);
        let (answered, failed) = (of("answered_pps"), of("failed_pps"));
        assert!((100..=190).contains(&answered), "{rate}");
        assert!(failed > answered && failed <= 250, "{rate}");
        let words = last_words(server);
        let took =
            words["reflected"].as_u64().unwrap() + words["rate_limited"].as_u64().unwrap_or(0);
        assert!(took <= most, "{took} of {most}");
    }

    #[test]
    fn secured_sessions_are_loaded_too() {
        let file = keys("noc a secret\n");
        let server = secured_server(&file, "--mode encrypted");
        let line = format!(
            "doctor {} --stress 50 --json --keys {}",
            server.at,
            file.path().display()
        );
        let (status, finding) = &checks(&run(&line))["limits.rate"];
        assert_eq!(status, "ok", "{finding}");
        let said = "in a session the far end answers 50/s for 2 s without loss";
        assert_eq!(finding, said);
    }

    #[test]
    fn what_doctor_says_to_type_measures_the_server() {
        let file = keys("noc a secret\n");
        // One port: which of several a server gives depends on who else uses them.
        let port = free_port();
        let server = secured_server(&file, &format!("--test-ports {port}-{port}"));
        let line = format!(
            "doctor {} --json --keys {}",
            server.at,
            file.path().display()
        );
        let document = run(&line).document();
        let command = document["command"].as_str().unwrap();
        let line = command.strip_prefix("twinpath ").unwrap();
        let done = run(&format!("{line} -c 3 -i 5 --json"));
        assert_eq!(done.status, 0, "{line}: {}", done.stderr);
        assert_eq!(done.session()["mode"], "encrypted");
        let port = done.session()["reflector"].as_str().unwrap().to_owned();
        let ports = document["firewall"]["udp"].as_array().unwrap();
        let has_port = |known: &Value| port.ends_with(&format!(":{known}"));
        assert!(ports.iter().any(has_port), "{port}: {ports:?}");
    }

    #[test]
    fn a_wrong_key_and_a_server_without_keys_are_told_apart() {
        let (right, wrong) = (keys("noc a secret\n"), keys("noc another\n"));
        let secured = secured_server(&right, "--mode authenticated,encrypted");
        let open = Responder::server("");
        let said = |at, id: &str| {
            let done = run(&format!(
                "doctor {at} --json --keys {}",
                wrong.path().display()
            ));
            checks(&done)[id].clone()
        };
        let (status, finding) = said(secured.at, "control.session");
        assert_eq!(status, "fail", "{finding}");
        let refused = "the server refuses the key noc in the authenticated mode: Accept 1";
        assert!(finding.starts_with(refused), "{finding}");
        // One login is enough.
        let (status, finding) = said(secured.at, "control.mode.encrypted");
        assert_eq!(status, "skipped", "{finding}");
        let (status, finding) = said(secured.at, "control.mode.mixed");
        assert_eq!(status, "skipped", "{finding}");
        assert_eq!(finding, "the server does not offer the mixed mode");
        let (status, finding) = said(open.at, "control.wrong-key");
        assert_eq!(status, "warn", "{finding}");
        assert!(finding.contains("offers no secured mode"), "{finding}");
    }

    #[test]
    fn a_server_of_secured_modes_alone_needs_a_key() {
        let file = keys("noc a secret\n");
        let server = secured_server(&file, "--mode encrypted");
        let done = run(&format!("doctor {} --json", server.at));
        let (status, finding) = &checks(&done)["control.session"];
        assert_eq!(status, "unknown");
        assert!(finding.contains("without a key"), "{finding}");
        // None without the key works.
        assert_eq!(done.document()["command"], Value::Null);
    }

    #[test]
    fn a_dry_run_says_less_without_keys_and_never_too_little() {
        let file = keys("noc a secret\n");
        let most = |options: &str| {
            let done = run(&format!("doctor 127.0.0.1 --dry-run --json {options}"));
            let document = done.document();
            let of = |id: &str| document["checks"][id].as_u64().unwrap();
            let each = ["control.mode.encrypted", "stamp.authenticated"].map(of);
            (document["most_packets"].as_u64().unwrap(), each)
        };
        let keys = format!(
            "--keys {} --hmac-key 00112233445566778899aabbccddeeff",
            file.path().display()
        );
        let (without, none) = most("");
        let (with, both) = most(&keys);
        assert_eq!(none, [0, 0]);
        assert!(both[0] > 0 && both[1] > 0);
        assert!(without < with && with <= 400, "{without} {with}");
    }

    #[test]
    fn the_text_about_a_server_fits_80_columns_and_names_its_ports() {
        let server = Responder::server("");
        let done = run(&format!("doctor {}", server.at));
        let lines: Vec<&str> = done.stdout.lines().collect();
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{lines:#?}"
        );
        let port = server.at.port();
        let words = format!("Open in a firewall: TCP port {port}, UDP port");
        assert!(
            lines.iter().any(|line| line.starts_with(&words)),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_responder_with_a_key_is_measured_with_it() {
    let key = "00112233445566778899aabbccddeeff";
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {key}"));
    for (hmac_key, status, command) in [
        (key, "ok", " --stamp --authenticated --hmac-key HEX"),
        ("ffeeddccbbaa99887766554433221100", "fail", " --stamp"),
    ] {
        let done = run(&format!(
            "doctor {} --json --hmac-key {hmac_key}",
            responder.at
        ));
        let (found, finding) = &checks(&done)["stamp.authenticated"];
        assert_eq!(found, status, "{finding}");
        let command = format!("twinpath sender {}{command}", responder.at);
        assert_eq!(done.document()["command"], command);
        assert!(!done.stdout.contains(hmac_key));
    }
}
