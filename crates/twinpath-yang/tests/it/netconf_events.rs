//! Notifications about NETCONF itself (RFC 6470), and what yanglint says of them.

use std::process::{Command, Stdio};
use std::time::Duration;

use twinpath_yang::access::{Access, User};
use twinpath_yang::netconf::events::{
    ConfirmEvent, EndReason, Event, MAX_EDITS, Origin, config_change, confirmed_commit,
    session_end, session_start,
};
use twinpath_yang::netconf::{ServerOptions, capabilities, notification};
use twinpath_yang::{Path, Schema, Select, diff, modules};

use crate::judges::is_here;
use crate::netconf_replies::server;
use crate::{daemon, data};

const FRED: Origin<'static> = Origin {
    user: "fred",
    session: 4,
    source_host: Some("192.0.2.1"),
};

/// The element of a notification.
fn text(schema: &Schema, event: Event) -> String {
    let (path, content) = event.unwrap();
    notification(schema, "2026-11-30T14:00:00Z", &path, &content)
}

fn short(text: &str) -> String {
    let (_, text) = text.split_once("</eventTime>").unwrap();
    let own = " xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-notifications\"";
    text.replace(own, "").replace("</notification>", "")
}

/// All kinds of events.
fn events(schema: &Schema) -> Vec<String> {
    let before = data(
        schema,
        r#"{"ietf-netconf-acm:nacm":{"read-default":"deny","rule-list":[{"name":"a"}]}}"#,
    );
    let after = data(
        schema,
        r#"{"ietf-netconf-acm:nacm":{"read-default":"permit","groups":{"group":[{"name":"g"}]}}}"#,
    );
    let changes = diff(schema, &before, &after);
    let minute = Duration::from_mins(1);
    let commit = |what| confirmed_commit(schema, &FRED, what);
    let all = [
        config_change(schema, Some(&FRED), changes.iter()),
        config_change(schema, None, [].iter()),
        session_start(schema, &FRED),
        session_end(schema, &FRED, EndReason::Closed),
        session_end(schema, &FRED, EndReason::Killed(7)),
        commit(ConfirmEvent::Start(minute)),
        commit(ConfirmEvent::Extend(minute)),
        commit(ConfirmEvent::Timeout),
        commit(ConfirmEvent::Cancel),
        commit(ConfirmEvent::Complete),
    ];
    all.into_iter().map(|event| text(schema, event)).collect()
}

#[test]
fn events_have_what_rfc_6470_says() {
    let all = events(&server());
    let by =
        "<username>fred</username><session-id>4</session-id><source-host>192.0.2.1</source-host>";
    let nacm = "xmlns:nacm=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"";
    let edit = |target: &str, operation: &str| {
        format!(
            "<edit><target {nacm}>/nacm:nacm{target}</target><operation>{operation}</operation></edit>"
        )
    };
    let edits = [
        edit("/nacm:read-default", "replace"),
        edit("/nacm:groups/nacm:group[nacm:name=&apos;g&apos;]", "create"),
        edit("/nacm:rule-list[nacm:name=&apos;a&apos;]", "delete"),
    ];
    let edits = edits.concat();
    let expected = [
        format!("<netconf-config-change><changed-by>{by}</changed-by><datastore>running</datastore>{edits}</netconf-config-change>"),
        "<netconf-config-change><changed-by><server/></changed-by><datastore>running</datastore></netconf-config-change>".into(),
        format!("<netconf-session-start>{by}</netconf-session-start>"),
        format!("<netconf-session-end>{by}<termination-reason>closed</termination-reason></netconf-session-end>"),
        format!("<netconf-session-end>{by}<killed-by>7</killed-by><termination-reason>killed</termination-reason></netconf-session-end>"),
        format!("<netconf-confirmed-commit>{by}<confirm-event>start</confirm-event><timeout>60</timeout></netconf-confirmed-commit>"),
        format!("<netconf-confirmed-commit>{by}<confirm-event>extend</confirm-event><timeout>60</timeout></netconf-confirmed-commit>"),
        "<netconf-confirmed-commit><confirm-event>timeout</confirm-event></netconf-confirmed-commit>".into(),
    ];
    for (event, expected) in all.iter().zip(&expected) {
        assert_eq!(short(event), *expected);
    }
    assert!(session_start(&daemon(), &FRED).is_none());
}

#[test]
fn many_changes_are_left_out() {
    let schema = server();
    let lists = |count: usize| {
        let lists = (0..count).map(|at| format!("{{\"name\":\"{at}\"}}"));
        let lists: Vec<String> = lists.collect();
        data(
            &schema,
            &format!(
                r#"{{"ietf-netconf-acm:nacm":{{"rule-list":[{}]}}}}"#,
                lists.join(",")
            ),
        )
    };
    for (count, edits) in [(MAX_EDITS, MAX_EDITS), (MAX_EDITS + 1, 0)] {
        let changes = diff(&schema, &lists(0), &lists(count));
        let text = text(&schema, config_change(&schema, Some(&FRED), changes.iter()));
        assert_eq!(text.matches("<edit").count(), edits);
    }
}

#[test]
fn yanglint_takes_the_notifications() {
    if !is_here("yanglint") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("event.xml");
    // All that changes refer to: it looks for what was deleted too.
    let state = directory.path().join("state.xml");
    let nacm = "<nacm xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-acm'><read-default>deny</read-default><denied-operations>0</denied-operations><denied-data-writes>0</denied-data-writes><denied-notifications>0</denied-notifications><groups><group><name>g</name></group></groups><rule-list><name>a</name></rule-list></nacm>";
    std::fs::write(&state, nacm).unwrap();
    let takes = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let yang = crate::judges::modules();
        let output = Command::new("yanglint")
            .args(["-t", "nc-notif", "-p"])
            .arg(&yang)
            .arg("-O")
            .arg(&state)
            .arg(yang.join("ietf-netconf-notifications@2012-02-06.yang"))
            .arg(yang.join("ietf-netconf-acm@2018-02-14.yang"))
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for text in events(&server()) {
        let (is_taken, said) = takes(&text);
        assert!(is_taken, "{text}: {said}");
    }
    let wrong = events(&server())[3].replace("closed", "ended");
    assert!(!takes(&wrong).0);
}

#[test]
fn the_module_of_netconf_is_a_capability() {
    let all = capabilities(&server(), ServerOptions::default());
    let module = "urn:ietf:params:xml:ns:netconf:base:1.0?module=ietf-netconf&revision=2011-06-01&features=writable-running,candidate,confirmed-commit,rollback-on-error,validate";
    assert_eq!(
        all.iter()
            .filter(|it| it.contains("module=ietf-netconf&"))
            .collect::<Vec<_>>(),
        [module]
    );
    // What is imported only is not implemented.
    let types = all.iter().any(|it| it.contains("ietf-yang-types"));
    assert!(!types && modules::NETCONF_TEXTS.len() == 4);
}

#[test]
fn notifications_about_subscriptions_need_no_permission() {
    let schema = server();
    let rules = r#"{"ietf-netconf-acm:nacm":{"read-default":"deny"}}"#;
    let access = Access::of(&schema, &data(&schema, rules));
    let may = |module: &str, name: &str| {
        let node = schema.notification(None, schema.module_named(module), name);
        let path = Path::root().join(node.unwrap(), Select::All);
        access.may_notify(&schema, User::named("u"), &path)
    };
    assert!(may("nc-notifications", "replayComplete"));
    assert!(may("nc-notifications", "notificationComplete"));
    assert!(!may("ietf-netconf-notifications", "netconf-session-start"));
}
