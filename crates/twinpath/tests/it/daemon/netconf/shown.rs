//! What is shown, and in which form.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Client, Daemon, MEASUREMENT, edit, entry, get_config};
use crate::program::{finish, twinpath};

#[test]
fn both_versions_have_their_framing() {
    let daemon = Daemon::start();
    for version in ["1.0", "1.1"] {
        let mut client = daemon.connect("ann");
        let hello = client.hello(version);
        for capability in [
            "urn:ietf:params:netconf:base:1.0",
            "urn:ietf:params:netconf:base:1.1",
            "urn:ietf:params:netconf:capability:candidate:1.0",
            "urn:ietf:params:netconf:capability:writable-running:1.0",
            "urn:ietf:params:netconf:capability:confirmed-commit:1.1",
            "urn:ietf:params:netconf:capability:validate:1.1",
            "urn:ietf:params:netconf:capability:notification:1.0",
            "urn:ietf:params:netconf:capability:yang-library:1.1",
        ] {
            assert!(hello.contains(capability), "{capability}: {hello}");
        }
        assert!(Client::number(&hello) > 0);
        let reply = client.ask(&get_config("running"));
        assert!(reply.contains("<name>a</name>"), "{version}: {reply}");
        client.ok("<close-session/>");
        assert!(client.is_over());
    }
}

#[test]
fn a_filter_selects_configuration_and_state() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    let filter = format!(
        "<get><filter type=\"subtree\"><measurement xmlns=\"{MEASUREMENT}\"><session><name>a</name><state/></session></measurement></filter></get>"
    );
    let reply = client.ask(&filter);
    assert!(
        reply.contains("<name>a</name>") && reply.contains("<state>"),
        "{reply}"
    );
    assert!(
        !reply.contains("<responder>") && !reply.contains("<address>"),
        "{reply}"
    );
    let reply = client.ask(&get_config("running"));
    assert!(
        reply.contains("<responder>") && !reply.contains("<state>"),
        "{reply}"
    );
    // The state of the server itself.
    let monitoring = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
    let reply = client.ask(&format!(
        "<get><filter><netconf-state xmlns=\"{monitoring}\"/></filter></get>"
    ));
    for part in [
        "<username>ann</username>",
        "netconf-ssh</transport>",
        "<source-host>127.0.0.1</source-host>",
        "<in-sessions>1</in-sessions>",
        "<name>candidate</name>",
    ] {
        assert!(reply.contains(part), "{part}: {reply}");
    }
}

#[test]
fn defaults_are_shown_as_asked() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    let mut shown = |mode: &str| {
        let with = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults";
        let mode = format!("<with-defaults xmlns=\"{with}\">{mode}</with-defaults>");
        client.ask(&format!(
            "<get-config><source><running/></source>{mode}</get-config>"
        ))
    };
    assert!(!shown("explicit").contains("<max-sessions>"));
    assert!(shown("report-all").contains("<max-sessions>64</max-sessions>"));
    assert!(!shown("trim").contains("<max-sessions>"));
    assert!(shown("report-all-tagged").contains("default=\"true\">64</max-sessions>"));
}

#[test]
fn texts_of_modules_are_those_of_the_program() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    let monitoring = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
    for module in ["twinpath-measurement", "ietf-netconf-acm"] {
        let reply = client.ask(&format!(
            "<get-schema xmlns=\"{monitoring}\"><identifier>{module}</identifier><format>yang</format></get-schema>"
        ));
        let document = roxmltree::Document::parse(&reply).unwrap();
        let data = document.root_element().first_element_child().unwrap();
        let own = finish(twinpath(&format!("config schema {module}"))).stdout;
        assert_eq!(data.text().unwrap().trim(), own.trim());
    }
    let tag = client.refused(&format!(
        "<get-schema xmlns=\"{monitoring}\"><identifier>other</identifier></get-schema>"
    ));
    assert_eq!(tag, "invalid-value");
}

#[test]
fn actions_are_done() {
    let daemon = Daemon::start();
    let document = daemon
        .served
        .daemon
        .status_when(|it| super::super::is_running(it, "a"));
    assert!(super::super::is_running(&document, "a"));
    let mut client = daemon.session();
    let mut act = |name: &str, action: &str| {
        client.ask(&format!(
            "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><measurement xmlns=\"{MEASUREMENT}\"><session><name>{name}</name><{action}/></session></measurement></action>"
        ))
    };
    assert!(act("a", "clear").contains("<ok/>"));
    assert!(act("a", "run-now").contains("<ok/>"));
    assert!(act("z", "clear").contains("<error-tag>data-missing<"));
}

#[test]
fn a_large_reply_is_complete() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    let many: String = (0..2_000).map(|it| entry(&format!("s{it}"), "")).collect();
    client.ok(&edit("candidate", &many));
    // More than a window of SSH, asked for again before it is read.
    for _ in 0..10 {
        client.request(&get_config("candidate"));
    }
    for _ in 0..10 {
        let reply = client.message();
        assert!(reply.len() > 2_000 * 60 && reply.ends_with("</rpc-reply>"));
        assert!(reply.contains("<name>s1999</name>"));
    }
}

/// Whether yanglint takes the data of a reply, as all of our modules have it.
fn is_taken(data: &str) -> bool {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../twinpath-yang/yang");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("data.xml");
    fs::write(&file, data).unwrap();
    let mut command = Command::new("yanglint");
    command.arg("-p").arg(&modules);
    command.args(["-t", "get", "-f", "xml"]);
    for module in fs::read_dir(&modules).unwrap() {
        let module = module.unwrap().path();
        let is_module = module.extension().is_some_and(|it| it == "yang");
        // The daemon does not have it.
        if is_module && !module.display().to_string().contains("ietf-twamp") {
            command.arg(module);
        }
    }
    command.arg(&file).output().unwrap().status.success()
}

#[test]
fn yanglint_takes_what_is_shown() {
    if Command::new("yanglint").arg("--version").output().is_err() {
        println!("skipped: yanglint (Debian: libyang-tools) is needed");
        return;
    }
    let daemon = Daemon::start();
    let mut client = daemon.session();
    daemon
        .served
        .daemon
        .status_when(|it| super::super::received(it, "a") > 0);
    let reply = client.ask("<get/>");
    let (_, data) = reply.split_once("<data>").unwrap();
    let (data, _) = data.rsplit_once("</data>").unwrap();
    assert!(data.contains("<netconf-state") && data.contains("<state>"));
    assert!(is_taken(data), "{data}");
    let wrong = data.replace("<in-sessions>1<", "<in-sessions>one<");
    assert!(wrong != data && !is_taken(&wrong));
}
