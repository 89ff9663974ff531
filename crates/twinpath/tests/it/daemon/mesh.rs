//! Daemons that derive their sessions from one document.

#[cfg(feature = "tls")]
mod https;
mod pages;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::pages::get;
use super::{Daemon, PATIENCE, entry, is_running, received, sent};
use crate::program::{finish, free_port, twinpath};

/// A document and the place that it is in.
struct Document {
    place: TempDir,
    /// Name and port of each node, on loopback.
    nodes: Vec<(&'static str, u16)>,
    /// What the meshes are.
    meshes: &'static str,
    /// The public key, where it is signed.
    key: Option<String>,
    /// Where it is, if not in its file.
    url: Option<String>,
    /// Ports of the pages of nodes.
    pages: Vec<u16>,
}

const FULL: &str = "[[mesh]]
name = \"core\"
topology = \"full\"
interval = \"20ms\"
timeout = \"200ms\"
report-interval = \"1s\"

[responder]
";

impl Document {
    fn of(names: &[&'static str], meshes: &'static str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let nodes = names.iter().map(|name| (*name, free_port())).collect();
        Self {
            place,
            nodes,
            meshes,
            key: None,
            url: None,
            pages: Vec::new(),
        }
    }

    /// Signed by minisign; `None`: that is missing.
    fn signed(mut self) -> Option<Self> {
        let made = self.minisign(&["-GW", "-p", "key.pub", "-s", "key"])?;
        assert!(made);
        let key = fs::read_to_string(self.place.path().join("key.pub")).unwrap();
        self.key = Some(key.lines().nth(1).unwrap().to_owned());
        Some(self)
    }

    fn minisign(&self, arguments: &[&str]) -> Option<bool> {
        let status = Command::new("minisign")
            .args(arguments)
            .current_dir(self.place.path())
            .stdout(Stdio::null())
            .status();
        status.ok().map(|status| status.success())
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("mesh.toml")
    }

    fn write(&self, serial: u32) {
        self.write_nodes(serial, &self.nodes);
    }

    fn write_nodes(&self, serial: u32, nodes: &[(&str, u16)]) {
        let mut text = format!("name = \"prod\"\nserial = {serial}\n");
        for (number, (name, port)) in nodes.iter().enumerate() {
            write!(
                text,
                "[[node]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\n"
            )
            .unwrap();
            if let Some(page) = self.pages.get(number) {
                writeln!(text, "page = \"http://127.0.0.1:{page}\"").unwrap();
            }
        }
        text.push_str(self.meshes);
        fs::write(self.path(), text).unwrap();
        if self.key.is_some() {
            assert_eq!(
                self.minisign(&["-S", "-s", "key", "-m", "mesh.toml"]),
                Some(true)
            );
        }
    }

    /// The configuration of a node.
    fn configuration(&self, node: &str, more: &str) -> String {
        let key = self.key.as_ref().map(|key| format!("key = \"{key}\"\n"));
        let file = || format!("file://{}", self.path().display());
        let url = self.url.clone().unwrap_or_else(file);
        format!(
            "[daemon]\nname = \"{node}\"\n[mesh]\nurl = \"{url}\"\npoll = \"1s\"\n{}{more}",
            key.unwrap_or_default()
        )
    }
}

/// Names of sessions that are answered.
fn answered(document: &Value) -> Vec<String> {
    let entries = document["entries"].as_array().unwrap().iter();
    let sessions = entries.filter(|entry| entry["kind"] == "session");
    let answered = sessions.filter(|entry| entry["measures"][0]["received"].as_u64() > Some(5));
    answered
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn daemons_of_a_signed_document_measure_each_pair_once_and_go_on_as_it_changes() {
    let Some(document) = Document::of(&["a", "b", "c"], FULL).signed() else {
        eprintln!("SKIPPED: minisign is missing");
        return;
    };
    document.write(1);
    let nodes = ["a", "b", "c"];
    let daemons = nodes.map(|node| {
        let cache = document.place.path().join(node);
        let more = format!("cache = \"{}\"\n", cache.display());
        Daemon::start(&document.configuration(node, &more))
    });
    let mut all: Vec<(String, String)> = Vec::new();
    for (daemon, node) in daemons.iter().zip(nodes) {
        // One session for each of three nodes.
        let status = daemon.status_when(|status| answered(status).len() == 1);
        assert!(is_running(&status, "prod"), "{status:#}");
        for name in answered(&status) {
            let of_session = entry(&status, &name);
            assert_eq!(of_session["labels"]["mesh"], "core");
            let peer = of_session["labels"]["peer"].as_str().unwrap();
            assert_eq!(name, format!("core:{peer}"));
            let mut pair = [node.to_owned(), peer.to_owned()];
            pair.sort();
            let [one, other] = pair;
            all.push((one, other));
        }
    }
    all.sort();
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(all, [pair("a", "b"), pair("a", "c"), pair("b", "c")]);
    // A tampered document and an older one change nothing; the next one without c changes what is to c alone.
    let [a, b, c] = daemons;
    let before = a.status_when(|status| answered(status).len() == 1);
    let name = answered(&before).remove(0);
    let text = fs::read_to_string(document.path()).unwrap();
    fs::write(document.path(), text.replace("20ms", "30ms")).unwrap();
    let mut a = a;
    let said = a.process().wait_for_error("does not fit the document");
    assert!(said.contains("mesh document: "), "{said}");
    document.write_nodes(2, &document.nodes[..2]);
    // Each pair of two nodes is measured by one of them.
    let of_pair = |status: &Value| {
        answered(status)
            .iter()
            .any(|name| name == "core:a" || name == "core:b")
    };
    let is_gone = |status: &Value| entry(status, "core:c").is_null();
    let (after_a, after_b) = (a.status_when(is_gone), b.status_when(is_gone));
    c.status_when(|status| answered(status).is_empty());
    assert!(
        of_pair(&after_a) || of_pair(&after_b) || {
            let settled =
                a.status_when(|status| of_pair(status) || of_pair(&b.status_when(|_| true)));
            !settled.is_null()
        }
    );
    if name != "core:c" && !entry(&after_a, &name).is_null() {
        assert!(sent(&after_a, &name) >= sent(&before, &name));
        assert_eq!(entry(&after_a, &name)["measures"][0]["lost"], 0);
    }
    document.write(1);
    a.process()
        .wait_for_error("serial 1 is older than 2, which this host has had");
    // Without the document it begins as it was, and still takes no older one.
    let cache = document.place.path().join("a");
    assert_eq!(a.stop().status, 0);
    let more = format!("cache = \"{}\"\n", cache.display());
    let mut again = Daemon::start(&document.configuration("a", &more));
    let said = again.process().wait_for_error("serial 1 is older than 2");
    fs::remove_file(document.path()).unwrap();
    // Before that line or behind it.
    let said = format!("{said}{}", again.stop().stderr);
    assert!(
        said.contains("mesh prod, serial 2: this host is a"),
        "{said}"
    );
    drop((b, c));
}

#[test]
fn a_configuration_goes_before_the_mesh_and_says_so() {
    let document = Document::of(
        &["a", "b"],
        &FULL
            .replace("[responder]", "both-ends = true\n[responder]")
            .leak()[..],
    );
    document.write(1);
    let own = format!(
        "[[session]]\nname = \"core:b\"\naddress = \"127.0.0.1:{}\"\ninterval = \"20ms\"\n",
        document.nodes[1].1
    );
    let mut a = Daemon::start(&document.configuration("a", &own));
    let b = Daemon::start(&document.configuration("b", ""));
    a.status_when(|status| received(status, "core:b") > 5);
    b.status_when(|status| received(status, "core:a") > 5);
    let said = a
        .process()
        .wait_for_error("that of the configuration is measured");
    assert!(said.contains("session core:b"), "{said}");
    // A host that is no node says what to write, and runs the rest.
    let text = document.configuration("elsewhere", "node = \"d\"\n");
    let mut d = Daemon::start(&text);
    let said = d.process().wait_for_error("has no node d");
    assert!(
        said.contains("add it, or write another node in [mesh]"),
        "{said}"
    );
}

#[test]
fn config_mesh_says_what_a_node_runs_and_the_configuration_is_valid() {
    let document = Document::of(&["a", "b"], FULL);
    document.write(3);
    let mesh = |more: &[&str]| {
        let mut command = twinpath("config mesh");
        command.arg(document.path()).args(more);
        finish(command)
    };
    let summary = mesh(&[]);
    assert_eq!(summary.status, 0, "{}", summary.stderr);
    assert!(
        summary.stdout.starts_with("prod, serial 3: 2 nodes, 0 of them passive\ncore: full, 2 nodes, 1 session; at the busiest node 50 packets/s"),
        "{}",
        summary.stdout
    );
    let both = ["a", "b"].map(|node| mesh(&["--node", node]).stdout);
    assert_eq!(
        both.iter()
            .filter(|text| text.contains("[[session]]"))
            .count(),
        1
    );
    for text in both {
        assert!(text.contains("[[responder]]\nname = \"prod\""), "{text}");
        let file = document.place.path().join("derived.toml");
        fs::write(&file, text).unwrap();
        assert_eq!(check(&file), 0);
    }
    assert_eq!(mesh(&["--node", "x"]).status, 2);
    fs::write(document.path(), "serial = 1\n[store]\n").unwrap();
    let faulty = mesh(&[]);
    assert_eq!(faulty.status, 2);
    assert!(
        faulty.stderr.contains("mesh.toml:2: store: unknown key"),
        "{}",
        faulty.stderr
    );
    let schema = finish(twinpath("config schema twinpath-mesh"));
    assert!(schema.stdout.starts_with("module twinpath-mesh {"));
}

fn check(file: &Path) -> i32 {
    let mut command = twinpath("config check");
    command.arg(file);
    finish(command).status
}

#[test]
fn a_mesh_that_others_could_send_needs_a_key() {
    for (mesh, fault) in [
        ("url = \"mesh.toml\"\n", "write https://HOST/PATH"),
        (
            "url = \"/x\"\nkey = \"abc\"\n",
            "write the second line of a public key file",
        ),
        ("url = \"/x\"\npoll = \"0s\"\n", "poll"),
        ("node = \"a\"\n", "url"),
    ] {
        let place = super::Place::of(&format!("[mesh]\n{mesh}"));
        let done = place.config("check");
        assert_eq!(done.status, 2, "{mesh}");
        assert!(done.stderr.contains(fault), "{mesh}: {}", done.stderr);
    }
}

/// What a daemon says of the mesh, once it is so.
fn mesh_when(port: u16, is: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = get(port, "/mesh.json");
        let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if is(&document) {
            return document;
        }
        assert!(Instant::now() < until, "{} {}", answer.head, answer.body);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The state of a direction.
fn cell<'a>(document: &'a Value, from: &str, to: &str) -> &'a str {
    let cells = document["cells"].as_array().into_iter().flatten();
    let mut cells = cells.filter(|cell| cell["from"] == from && cell["to"] == to);
    cells
        .next()
        .map_or("", |cell| cell["state"].as_str().unwrap())
}

#[test]
fn a_node_that_is_killed_is_grey_on_the_pages_of_others() {
    let both = FULL.replace("[responder]", "both-ends = true\n[responder]");
    let document = Document::of(&["a", "b", "c"], both.leak());
    document.write(1);
    let pages = [free_port(), free_port()];
    let start = |node: &str, page: Option<u16>| {
        let page = page.map_or_else(String::new, |page| {
            format!("[api]\nlisten = \"127.0.0.1:{page}\"\n")
        });
        Daemon::start(&document.configuration(node, &page))
    };
    let _a = start("a", Some(pages[0]));
    let _b = start("b", Some(pages[1]));
    let c = start("c", None);
    for (page, node, other) in [(pages[0], "a", "b"), (pages[1], "b", "a")] {
        let good = mesh_when(page, |it| {
            [(node, other), (other, node), (node, "c"), ("c", node)]
                .iter()
                .all(|(from, to)| cell(it, from, to) == "good")
        });
        assert_eq!(good["schema"], "twinpath-mesh-1");
        assert_eq!(
            (&good["node"], &good["gone"]),
            (&node.into(), &Value::Array(Vec::new()))
        );
    }
    drop(c);
    for (page, node, other) in [(pages[0], "a", "b"), (pages[1], "b", "a")] {
        let gone = mesh_when(page, |it| it["gone"][0]["node"] == "c");
        assert!(
            gone["gone"][0]["answered_ns"].as_i64() > Some(1_700_000_000_000_000_000),
            "{gone:#}"
        );
        assert_eq!(cell(&gone, node, other), "good");
        assert_eq!(
            (
                cell(&gone, node, "c"),
                gone["gone"].as_array().unwrap().len()
            ),
            ("silent", 1)
        );
        let shown = get(page, "/mesh").body;
        assert!(
            shown.contains("<b>c</b> is gone: last answer 20"),
            "{shown}"
        );
        assert!(
            shown.contains("<td class=\"g\">") && !shown.contains("<td class=\"s\">"),
            "{shown}"
        );
    }
    // A cell leads to its session.
    let answer = get(pages[0], "/mesh/0/0/1");
    assert!(
        answer.head.contains("303") && answer.head.contains("/session/core%3Ab"),
        "{}",
        answer.head
    );
    assert!(get(pages[0], "/mesh/0/0/9").head.contains("404"));
}

#[test]
fn one_page_shows_what_all_nodes_measure_by_a_document_of_a_web_server() {
    let python = Command::new("python3").arg("--version").output();
    let document = Document::of(&["a", "b", "c"], FULL).signed();
    let (Ok(_), Some(mut document)) = (python, document) else {
        eprintln!("SKIPPED: minisign or python3 is missing");
        return;
    };
    document.pages = (0..3).map(|_| free_port()).collect();
    document.write(1);
    let port = free_port();
    document.url = Some(format!("http://127.0.0.1:{port}/mesh.toml"));
    let start = |node: &str, page: u16| {
        let more = format!("[mesh.gather]\nevery = \"1s\"\n[api]\nlisten = \"127.0.0.1:{page}\"\n");
        Daemon::start(&document.configuration(node, &more))
    };
    let mut daemons: Vec<Daemon> = Vec::new();
    for (node, page) in ["a", "b", "c"].into_iter().zip(&document.pages) {
        daemons.push(start(node, *page));
    }
    // The server comes later: that is said once, and tried again.
    daemons[0]
        .process()
        .wait_for_error("cannot connect to 127.0.0.1");
    let mut server = Command::new("python3");
    server.args([
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        &port.to_string(),
    ]);
    let server = server.current_dir(document.place.path());
    let mut server = server
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pairs = [
        ("a", "b"),
        ("b", "a"),
        ("a", "c"),
        ("c", "a"),
        ("b", "c"),
        ("c", "b"),
    ];
    for page in &document.pages {
        mesh_when(*page, |it| {
            pairs.iter().all(|(from, to)| cell(it, from, to) == "good")
        });
    }
    // Without those of others.
    let own = get(document.pages[0], "/mesh.json?own=1").body;
    let own: Value = serde_json::from_str(&own).unwrap();
    let cells = own["cells"].as_array().unwrap();
    assert!(
        cells.len() == 2 && cells.iter().all(|cell| cell["by"] == "a"),
        "{own:#}"
    );
    // A node that is gone is gone for all, and what it measured is not green any more.
    drop(daemons.remove(2));
    let gone = mesh_when(document.pages[0], |it| it["gone"][0]["node"] == "c");
    assert_eq!(cell(&gone, "a", "b"), "good");
    for pair in [("b", "c"), ("c", "b"), ("a", "c"), ("c", "a")] {
        assert_ne!(cell(&gone, pair.0, pair.1), "good", "{pair:?}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
