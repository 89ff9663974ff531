//! RESTCONF of a daemon: what it shows, changes and refuses.

mod access;
mod actions;
mod apply;
mod changes;
mod discovery;
mod errors;
mod preconditions;
mod streams;
mod twamp;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Daemon, PATIENCE};
use crate::program::free_port;

pub(super) const JSON: &str = "application/yang-data+json";
const XML: &str = "application/yang-data+xml";
const MEASUREMENT: &str = "/data/twinpath-measurement:measurement";

/// A daemon with RESTCONF.
pub(super) struct Served {
    pub(super) daemon: Daemon,
    pub(super) api: u16,
    /// Where its responder is.
    pub(super) responder: u16,
}

/// What it answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Field names in lower case.
    head: Vec<(String, String)>,
    pub(super) body: String,
}

/// The configuration that these tests change.
fn configuration(api: u16, responder: u16) -> String {
    format!(
        "# Changed by tests.
[api]
listen = \"127.0.0.1:{api}\"  # loopback

[defaults]
interval = \"20ms\"
timeout = \"200ms\"
report-interval = \"1s\"

[[responder]]
name = \"r\"
address = \"127.0.0.1:{responder}\"

# The first.
[[session]]
name = \"a\"
address = \"127.0.0.1:{responder}\"
labels = {{ site = \"fra\" }}
"
    )
}

impl Served {
    fn start() -> Self {
        Self::with("")
    }

    /// With more in its configuration.
    pub(super) fn with(more: &str) -> Self {
        Self::changed(|text| text + more)
    }

    /// With another configuration.
    pub(super) fn changed(change: impl FnOnce(String) -> String) -> Self {
        let (api, responder) = (free_port(), free_port());
        let text = change(configuration(api, responder));
        Self {
            daemon: Daemon::start(&text),
            api,
            responder,
        }
    }

    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(self.daemon.file()).unwrap()
    }

    /// Asks for a path below `/restconf`, with these header fields.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!(
            "{method} /restconf{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in fields {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        request.push_str("\r\n");
        request.push_str(body);
        raw(self.api, request.as_bytes())
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub(super) fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let fields = [("Content-Type", JSON)];
        self.ask(method, path, &fields, &body.to_string())
    }

    fn xml(&self, method: &str, path: &str, body: &str) -> Answer {
        let fields = [("Content-Type", XML)];
        self.ask(method, path, &fields, body)
    }

    /// A session to its responder.
    pub(super) fn session(&self, name: &str) -> Value {
        serde_json::json!({ "twinpath-measurement:session": [{
            "name": name, "address": format!("127.0.0.1:{}", self.responder),
        }] })
    }
}

/// Asks for a path with these header fields, of which Host may be one.
fn ask_as(api: u16, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !fields.iter().any(|(name, _)| *name == "Host") {
        request.push_str("Host: localhost\r\n");
    }
    for (name, value) in fields {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    raw(api, request.as_bytes())
}

/// The path of a session.
pub(super) fn of_session(name: &str) -> String {
    format!("{MEASUREMENT}/session={name}")
}

impl Answer {
    fn field(&self, name: &str) -> &str {
        let mut fields = self.head.iter();
        let found = fields.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn document(&self) -> Value {
        assert_eq!(self.field("content-type"), JSON, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// Its status with the tag and path of its first error.
    pub(super) fn error(&self) -> (u16, String, String) {
        let document = self.document();
        let error = &document["ietf-restconf:errors"]["error"][0];
        assert!(error["error-message"].is_string(), "{document}");
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("error-tag"), text("error-path"))
    }
}

/// Sends octets to a daemon that may have begun only now, and reads the answer.
fn raw(port: u16, request: &[u8]) -> Answer {
    let until = Instant::now() + PATIENCE;
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        sleep(Duration::from_millis(20));
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may answer before it has read all.
    let _refused = stream.write_all(request);
    let mut octets = Vec::new();
    let _reset = stream.read_to_end(&mut octets);
    let text = String::from_utf8(octets).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let status = status.split(' ').nth(1).unwrap_or("0");
    let fields = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status.parse().unwrap(),
        head: fields
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}
