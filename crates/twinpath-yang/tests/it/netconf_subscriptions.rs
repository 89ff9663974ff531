//! Subscriptions to notifications (RFC 5277), and their times (RFC 3339).

use twinpath_yang::netconf::{Operation as Rpc, Subscription, Time};
use twinpath_yang::{Children, Data, Path, Schema, Select, Value};

use crate::netconf_requests::{parse, schema};

fn subscription(schema: &Schema, content: &str) -> Subscription {
    let Rpc::CreateSubscription(it) = parse(
        schema,
        &format!(
            "<create-subscription xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'>{content}</create-subscription>"
        ),
    ) else {
        panic!("{content}")
    };
    it
}

#[test]
fn parameters_of_subscriptions() {
    let schema = schema();
    let none = subscription(&schema, "");
    assert_eq!(
        none,
        Subscription {
            stream: None,
            filter: None,
            start: None,
            stop: None
        }
    );
    let times = subscription(
        &schema,
        "<stream>x</stream><startTime>2026-11-30T14:00:00+01:00</startTime><stopTime>2026-11-30T13:00:00.5Z</stopTime>",
    );
    assert_eq!(times.stream.as_deref(), Some("x"));
    assert_eq!(times.stop.unwrap().0 - times.start.unwrap().0, 500_000_000);
}

#[test]
fn subscriptions_select_notifications() {
    let schema = schema();
    let none = subscription(&schema, "");
    let event = schema
        .notification(None, schema.module_named("rock"), "event")
        .unwrap();
    let down = schema
        .child(None, schema.module_named("example-server-farm"), "server")
        .unwrap();
    let down = crate::path(&schema, "/example-server-farm:server[name='a']/down")
        .steps()
        .last()
        .map(|it| (it.node, down))
        .unwrap();
    let event_path = Path::root().join(event, Select::All);
    let down_path = crate::path(&schema, "/example-server-farm:server[name='a']/down");
    let leaf = |of, name: &str, value| {
        let mut content = Children::new();
        content.insert(
            schema.child(Some(of), None, name).unwrap(),
            Data::Leaf(value),
        );
        content
    };
    let severe = leaf(event, "severity", Value::Uint(3));
    let reason = leaf(down.0, "reason", Value::String("x".into()));
    let cases = [
        ("<event xmlns='http://example.net/rock/1.0'/>", true, false),
        (
            "<event xmlns='http://example.net/rock/1.0'><severity>3</severity></event>",
            true,
            false,
        ),
        (
            "<event xmlns='http://example.net/rock/1.0'><severity>4</severity></event>",
            false,
            false,
        ),
        (
            "<server xmlns='urn:example:server-farm'><down/></server>",
            false,
            true,
        ),
        (
            "<server xmlns='urn:example:server-farm'><name>b</name><down/></server>",
            false,
            false,
        ),
        (
            "<event xmlns=''/><server xmlns='urn:example:server-farm'><name>a</name></server>",
            true,
            true,
        ),
        ("", false, false),
    ];
    for (filter, is_event, is_down) in cases {
        let it = subscription(&schema, &format!("<filter>{filter}</filter>"));
        assert_eq!(
            it.select(&schema, &event_path, &severe).is_some(),
            is_event,
            "{filter}"
        );
        assert_eq!(
            it.select(&schema, &down_path, &reason).is_some(),
            is_down,
            "{filter}"
        );
    }
    assert_eq!(none.select(&schema, &down_path, &reason), Some(reason));
}

#[test]
fn times_of_rfc_3339() {
    let cases = [
        ("1970-01-01T00:00:00Z", Some(0)),
        // Section 5.8.
        ("1985-04-12T23:20:50.52Z", Some(482_196_050_520_000_000)),
        ("1996-12-19T16:39:57-08:00", Some(851_042_397_000_000_000)),
        ("1990-12-31T23:59:60Z", Some(662_688_000_000_000_000)),
        ("1990-12-31T15:59:60-08:00", Some(662_688_000_000_000_000)),
        (
            "1937-01-01T12:00:27.87+00:20",
            Some(-1_041_337_172_130_000_000),
        ),
        ("2000-02-29T00:00:00Z", Some(951_782_400_000_000_000)),
        ("1900-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-01-01T24:00:00Z", None),
        ("2026-01-01T00:00:00", None),
        ("2026-01-01T00:00:00.Z", None),
        ("2026-01-01T00:00:00+1:00", None),
        ("2026-1-01T00:00:00Z", None),
        ("2026-01-01", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(Time::parse(text), expected.map(Time), "{text}");
    }
}
