//! Configurations in the model of TWAMP, and what they come to.

use twinpath_wire::control::SecurityMode;

use super::*;
use crate::daemon::model::model;
use crate::daemon::sessions::SessionSpec;
use crate::daemon::settings::Settings;

/// What a configuration of the model comes to.
fn settings(twamp: &str, more: &str) -> Result<Settings, Vec<String>> {
    let model = model().unwrap();
    let text = format!("{{\"ietf-twamp:twamp\":{twamp}{more}}}");
    let options = twinpath_yang::json::ReadOptions::default();
    let root = twinpath_yang::json::read(&model.schema, text.as_bytes(), &options);
    let root = root.unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let faults = twinpath_yang::validate(&model.schema, &root, twinpath_yang::Scope::Config);
    assert_eq!(faults, [], "{text}");
    Settings::of(model, &root).map_err(|faults| {
        let faults = faults.into_iter();
        let shown = |fault: Fault| format!("{} {}", fault.path.text(&model.schema), fault.what);
        faults.map(shown).collect()
    })
}

/// A client with a connection, a request and its session: with these members.
fn client(connection: &str, request: &str, session: &str) -> String {
    format!(
        r#"{{"client":{{"ctrl-connection":[{{"name":"c","server-ip":"192.0.2.1"{connection},
        "test-session-request":[{{"name":"t","reflector-ip":"192.0.2.1"{request}}}]}}]}},
        "session-sender":{{"test-session":[{{"name":"t","number-of-packets":7,"periodic-interval":"0.5"{session}}}]}}}}"#
    )
}

/// A local end as it is written.
fn near(near: Option<&crate::args::NearEnd>) -> String {
    let near = near.expect("a local end");
    let port = near.port.map(|port| port.to_string());
    end(
        &near.host.as_ref().unwrap().to_string(),
        &port.unwrap_or_default(),
    )
}

fn limited(twamp: &str) -> crate::daemon::twamp::LimitedSession {
    let settings = settings(twamp, "").unwrap();
    match settings.sessions.get("t") {
        Some(SessionSpec::Limited(limited)) => (**limited).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_with_its_session_is_one_of_so_many_packets_with_the_defaults_of_the_model() {
    let session = limited(&client("", "", ""));
    let args = &session.options.args;
    assert_eq!(&*session.connection, "c");
    assert_eq!(args.server.to_string(), "192.0.2.1:862");
    let schedule = &args.schedule;
    assert_eq!(schedule.interval.unwrap().0.as_millis(), 500);
    assert_eq!(schedule.timeout.0.as_secs(), 2);
    let ports = args.ports.unwrap();
    assert_eq!((ports.low, ports.high), (49_152, 65_535));
    assert!(args.packet.padding.is_none());
    let plan = crate::plan::controllers(
        args,
        crate::plan::EnvironmentPassphrase::default(),
        &|_, port| Ok(vec![([192, 0, 2, 1], port).into()]),
    );
    let plan = &plan.unwrap()[0].sessions[0].plan;
    assert_eq!(plan.limit, twinpath_proto::sender::Limit::Count(7));
    assert_eq!(plan.tos.dscp().value(), 0);
    let repeat = session.repeat;
    assert_eq!((repeat.times, repeat.interval.as_secs()), (Some(0), 0));
    assert_eq!(session.start, None);
}

#[test]
fn leaves_of_requests_are_options_of_a_controller() {
    let request = r#","sender-udp-port":50000,"reflector-udp-port":862,"timeout":"9","padding-length":64,
        "test-packet-dscp":46,"start-time":"17176107754721378304","repeat":3,"repeat-interval":60"#;
    let connection = r#","client-ip":"192.0.2.9","server-tcp-port":8620,"control-packet-dscp":48"#;
    let session = limited(&client(connection, request, r#","fill-mode":"random""#));
    let args = &session.options.args;
    assert_eq!(args.server.to_string(), "192.0.2.1:8620");
    assert_eq!(near(args.near.as_ref()), "192.0.2.9:50000");
    assert!(args.ports.is_none());
    assert_eq!(args.control.receiver_port, Some(862));
    assert_eq!(args.control.control_dscp.unwrap().value(), 48);
    assert_eq!(args.schedule.timeout.0.as_secs(), 9);
    assert_eq!(args.packet.padding().number(), 64);
    assert_eq!(args.dscp[0].value(), 46);
    let repeat = session.repeat;
    assert_eq!((repeat.times, repeat.interval.as_secs()), (Some(3), 60));
    // 3999124224 s after 1900 are 1790135424 s after 1970.
    let start = session.start.unwrap().unix_ns() / 1_000_000_000;
    assert_eq!(start, 1_790_135_424);
    let forever = limited(&client("", r#","repeat":4294967295"#, ""));
    assert_eq!(forever.repeat.times, None);
}

#[test]
fn modes_are_preferred_by_their_priority_and_take_keys() {
    let chain = |modes: &str, more: &str| {
        format!(
            r#"{{"client":{{"mode-preference-chain":[{modes}]{more},"ctrl-connection":[{{"name":"c","server-ip":"192.0.2.1","key-id":"k",
            "test-session-request":[{{"name":"t","reflector-ip":"192.0.2.1"}}]}}]}},
            "session-sender":{{"test-session":[{{"name":"t","number-of-packets":7,"lambda":"0.00001"}}]}}}}"#
        )
    };
    let both = r#"{"priority":1,"mode":"authenticated reflect-octets"},{"priority":0,"mode":"encrypted reflect-octets"}"#;
    let keys = r#","twinpath-measurement:keys":"/nowhere/keys""#;
    // The file is not there; that is said where the session begins.
    let session = limited(&chain(both, keys));
    let security = [SecurityMode::Encrypted, SecurityMode::Authenticated];
    assert_eq!(session.modes.security, security);
    assert_eq!(session.modes.required, Modes::REFLECT_OCTETS);
    let args = &session.options.args;
    assert!(args.reflect_octets && !args.symmetrical_size);
    assert_eq!(args.control.key.max_pbkdf2_count, Some(1 << 20));
    assert_eq!(args.schedule.interval.unwrap().0.as_micros(), 10);
    let faults = |modes: &str, more: &str| settings(&chain(modes, more), "").unwrap_err();
    for (modes, more, said) in [
        (both, "", "the secured modes take keys: set keys"),
        (
            r#"{"priority":0,"mode":"IKEv2Derived"}"#,
            keys,
            "mode: IKEv2Derived is not supported",
        ),
        (
            r#"{"priority":0,"mode":"authenticated encrypted"}"#,
            keys,
            "mode: write one of",
        ),
        (
            r#"{"priority":0,"mode":"encrypted"},{"priority":1,"mode":"encrypted symmetrical-size"}"#,
            keys,
            "give each priority the same extensions",
        ),
    ] {
        let found = faults(modes, more);
        assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
    }
}

#[test]
fn what_no_session_can_be_is_said_at_its_leaf() {
    let request =
        "/ietf-twamp:twamp/client/ctrl-connection[name='c']/test-session-request[name='t']";
    let of = |twamp: &str, more: &str| settings(twamp, more).unwrap_err();
    let sessions =
        r#","twinpath-measurement:measurement":{"session":[{"name":"t","address":"192.0.2.1"}]}"#;
    for (connection, asked, session, more, place, said) in [
        ("", r#","sender-ip":"192.0.2.7""#, "", "", "", ""),
        (
            r#","client-ip":"192.0.2.8""#,
            r#","sender-ip":"192.0.2.7""#,
            "",
            "",
            "/sender-ip",
            "sender-ip: write the client-ip",
        ),
        (
            "",
            "",
            "",
            sessions,
            "/name",
            "name: t: another session has this name",
        ),
        ("", r#","timeout":"0""#, "", "", "/timeout", "timeout 0: "),
    ] {
        let twamp = client(connection, asked, session);
        if said.is_empty() {
            assert!(settings(&twamp, more).is_ok());
            continue;
        }
        let found = of(&twamp, more);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{request}{place} {said}")),
            "{found:?}"
        );
    }
    let other = client("", "", "").replace(
        r#""reflector-ip":"192.0.2.1""#,
        r#""reflector-ip":"192.0.2.2""#,
    );
    assert!(of(&other, "")[0].contains("reflector-ip: write the address of the server"));
    let unasked = r#"{"client":{"admin-state":true},"session-sender":{"test-session":[{"name":"u","number-of-packets":1,"lambda":"1.0"}]}}"#;
    let found = of(unasked, "");
    assert!(
        found[0].contains("test-session[name='u'] no test-session-request"),
        "{found:?}"
    );
    let without = client("", "", "").replace(r#","periodic-interval":"0.5""#, "");
    assert!(of(&without, "")[0].contains("without an interval"));
}

#[test]
fn a_request_without_a_session_of_this_host_is_for_a_sender_elsewhere() {
    let of = |modes: &str, asked: &str| {
        let twamp = format!(
            r#"{{"client":{{{modes}"ctrl-connection":[{{"name":"c","server-ip":"192.0.2.1",
            "test-session-request":[{{"name":"t","reflector-ip":"192.0.2.1"{asked}}}]}}]}}}}"#
        );
        settings(&twamp, "")
    };
    let ends = r#","sender-ip":"192.0.2.7","sender-udp-port":50000"#;
    let found = of("", ends).unwrap();
    assert!(found.sessions.is_empty());
    let args = &found.remotes["t"].options.args;
    assert_eq!(args.sender.to_string(), "192.0.2.7:50000");
    assert_eq!(args.server.to_string(), "192.0.2.1:862");
    for (asked, said) in [
        ("", "sender-ip: missing"),
        (
            r#","sender-ip":"192.0.2.7""#,
            "sender-udp-port: write that of the sender",
        ),
        (&*format!(r#"{ends},"repeat":1"#), "repeat: when a sender"),
    ] {
        let faults = of("", asked).unwrap_err();
        assert!(faults[0].contains(said), "{faults:?}");
    }
}

#[test]
fn the_server_runs_where_something_of_it_is_set_and_offers_what_it_is_to() {
    let of = |server: &str, reflector: &str| {
        let twamp = format!(r#"{{"server":{{{server}}},"session-reflector":{{{reflector}}}}}"#);
        settings(&twamp, "")
    };
    assert!(of("", r#""refwait":60"#).unwrap().servers.is_empty());
    assert!(of(r#""admin-state":false"#, "").unwrap().servers.is_empty());
    let found = of(
        r#""servwait":60,"server-tcp-port":8620,"modes":"unauthenticated reflect-octets","twinpath-measurement:address":["127.0.0.1","::1"],
        "twinpath-measurement:allow":["127.0.0.0/8"]"#,
        r#""refwait":61"#,
    );
    let found = found.unwrap();
    let spec = &found.servers[SERVER];
    let ends: Vec<String> = spec
        .on
        .iter()
        .map(|one| near(one.args.near.as_ref()))
        .collect();
    assert_eq!(ends, ["127.0.0.1:8620", "[::1]:8620"]);
    let args = &spec.on[0].args;
    assert_eq!(
        (args.servwait.0.as_secs(), args.refwait.0.as_secs()),
        (60, 61)
    );
    assert_eq!(
        (args.test_ports.low, args.test_ports.high),
        (49_152, 65_535)
    );
    assert_eq!(args.allow.len(), 1);
    let plan = crate::daemon::reflectors::server_plan(spec, &|_, port| {
        Ok(vec![([127, 0, 0, 1], port).into()])
    });
    assert_eq!(
        plan.unwrap().modes,
        Modes::UNAUTHENTICATED | Modes::REFLECT_OCTETS
    );
    // A reflector that is switched off has no sessions.
    let off = of(r#""admin-state":true"#, r#""admin-state":false"#).unwrap();
    assert_eq!(off.servers[SERVER].on[0].args.max_sessions, 0);
    for (server, said) in [
        (r#""modes":"reflect-octets""#, "modes: write one of"),
        (
            r#""count":21,"max-count-exponent":31"#,
            "count: 21: use at most 20",
        ),
        (
            r#""count":12,"max-count-exponent":11"#,
            "count: above max-count-exponent, which is 11",
        ),
    ] {
        let faults = of(server, "").unwrap_err();
        assert!(faults[0].contains(said), "{faults:?}");
    }
    let twice = settings(
        r#"{"server":{"admin-state":true}}"#,
        r#","twinpath-measurement:measurement":{"server":[{"name":"ietf-twamp","address":["127.0.0.1:1"]}]}"#,
    );
    assert!(twice.unwrap_err()[0].contains("name ietf-twamp"));
}
