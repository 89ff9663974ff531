//! State of the server, for `ietf-netconf-monitoring` (RFC 6022) and for the streams of RFC 5277.

use serde_json::{Value as Json, json};

use super::datastores::Datastores;
use super::operation::Datastore;
use crate::json::{ReadOptions, read};
use crate::schema::Schema;
use crate::tree::{Children, Scope};

/// Counts of a session, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that could be read.
    pub in_rpcs: u32,
    /// Messages that were no requests.
    pub in_bad_rpcs: u32,
    /// Replies with an error.
    pub out_rpc_errors: u32,
    /// Notifications.
    pub out_notifications: u32,
}

/// A session that is open.
#[derive(Clone, Debug)]
pub struct SessionState<'a> {
    /// Its number.
    pub id: u32,
    /// Its transport: an identity of `ietf-netconf-monitoring`, such as `netconf-ssh`.
    pub transport: &'a str,
    /// Its user.
    pub user: &'a str,
    /// Its client's host.
    pub source_host: Option<&'a str>,
    /// Its beginning: date and time.
    pub login_time: &'a str,
    /// What it has counted.
    pub counts: Counts,
}

/// What the server has counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerState<'a> {
    /// Its beginning: date and time.
    pub start_time: &'a str,
    /// Sessions that ended at their `hello`.
    pub in_bad_hellos: u32,
    /// Sessions that began.
    pub in_sessions: u32,
    /// Sessions that ended neither by `close-session` nor by `kill-session`.
    pub dropped_sessions: u32,
    /// Counts of all sessions.
    pub counts: Counts,
}

/// A stream of notifications (RFC 5277 section 3.2.5).
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// Its name; that of the default one is `NETCONF`.
    pub name: &'a str,
    /// What is in it.
    pub description: &'a str,
    /// Since when past notifications can be sent again; `None`: they cannot.
    pub replay_since: Option<&'a str>,
}

/// The container `netconf-state`, at the root. Empty for a schema without the module.
pub fn netconf_state(
    schema: &Schema,
    capabilities: &[String],
    datastores: &Datastores,
    sessions: &[SessionState<'_>],
    server: &ServerState<'_>,
) -> Children {
    let state = json!({ "ietf-netconf-monitoring:netconf-state": {
        "capabilities": { "capability": capabilities },
        "datastores": { "datastore": [
            datastore(datastores, Datastore::Running),
            datastore(datastores, Datastore::Candidate),
        ] },
        "schemas": { "schema": schemas(schema) },
        "sessions": { "session": sessions.iter().map(session).collect::<Vec<_>>() },
        "statistics": statistics(server),
    } });
    children(schema, &state)
}

/// The container `netconf` with its streams, at the root. Empty for a schema without the module `nc-notifications`.
pub fn streams(schema: &Schema, streams: &[Stream<'_>]) -> Children {
    let streams = streams.iter().map(|stream| {
        let mut members = json!({
            "name": stream.name,
            "description": stream.description,
            "replaySupport": stream.replay_since.is_some(),
        });
        add(&mut members, "replayLogCreationTime", stream.replay_since);
        members
    });
    let streams: Vec<Json> = streams.collect();
    let state = json!({ "nc-notifications:netconf": { "streams": { "stream": streams } } });
    children(schema, &state)
}

fn children(schema: &Schema, state: &Json) -> Children {
    let options = ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    };
    read(schema, state.to_string().as_bytes(), &options).unwrap_or_default()
}

fn add(members: &mut Json, name: &str, value: Option<&str>) {
    if let (Some(members), Some(value)) = (members.as_object_mut(), value) {
        members.insert(name.to_owned(), value.into());
    }
}

fn datastore(datastores: &Datastores, datastore: Datastore) -> Json {
    let mut members = json!({ "name": datastore.word() });
    let lock = datastores.lock_of(datastore).map(|lock| {
        json!({ "global-lock": {
            "locked-by-session": lock.session,
            "locked-time": &*lock.since,
        } })
    });
    if let (Some(members), Some(lock)) = (members.as_object_mut(), lock) {
        members.insert("locks".to_owned(), lock);
    }
    members
}

/// All modules, as `get-schema` has them.
fn schemas(schema: &Schema) -> Vec<Json> {
    let modules = schema.modules().map(|(_, module)| {
        json!({
            "identifier": &*module.name,
            "version": module.revision.as_deref().unwrap_or_default(),
            "format": "ietf-netconf-monitoring:yang",
            "namespace": &*module.namespace,
            "location": ["NETCONF"],
        })
    });
    modules.collect()
}

fn session(session: &SessionState<'_>) -> Json {
    let mut members = json!({
        "session-id": session.id,
        "transport": format!("ietf-netconf-monitoring:{}", session.transport),
        "username": session.user,
        "login-time": session.login_time,
    });
    add(&mut members, "source-host", session.source_host);
    count(&mut members, session.counts);
    members
}

fn statistics(server: &ServerState<'_>) -> Json {
    let mut members = json!({
        "in-bad-hellos": server.in_bad_hellos,
        "in-sessions": server.in_sessions,
        "dropped-sessions": server.dropped_sessions,
    });
    let start = Some(server.start_time).filter(|time| !time.is_empty());
    add(&mut members, "netconf-start-time", start);
    count(&mut members, server.counts);
    members
}

fn count(members: &mut Json, counts: Counts) {
    let counts = [
        ("in-rpcs", counts.in_rpcs),
        ("in-bad-rpcs", counts.in_bad_rpcs),
        ("out-rpc-errors", counts.out_rpc_errors),
        ("out-notifications", counts.out_notifications),
    ];
    if let Some(members) = members.as_object_mut() {
        for (name, number) in counts {
            members.insert(name.to_owned(), number.into());
        }
    }
}
