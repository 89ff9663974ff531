//! What pyang and yanglint, which have nothing of ours, say of the same modules and data.

use std::path::PathBuf;
use std::process::Command;

use twinpath_yang::json::{Layout, write};
use twinpath_yang::modules::{DEVIATIONS, MESH_IMPLEMENTED, MESH_TEXTS};
use twinpath_yang::{Kind, NodeId, Schema, Scope, validate};

use crate::{daemon, read_all};

/// Whether a program is here; a test without it is skipped, and says so.
pub(crate) fn is_here(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").output().is_ok();
    if !is_here {
        println!("skipped: no {program} here");
    }
    is_here
}

pub(crate) fn modules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("yang")
}

/// All modules but that of deviations.
pub(crate) fn files() -> Vec<PathBuf> {
    let files = std::fs::read_dir(modules()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".yang") && !name.starts_with(DEVIATIONS)
        })
        .collect()
}

/// Lines like those of `pyang -f tree` (RFC 8340), without types' prefixes.
fn tree(schema: &Schema, ids: &[NodeId], depth: usize, lines: &mut Vec<String>) {
    for id in ids {
        let node = schema.node(*id);
        // Every operation has them; pyang shows those that are written.
        if matches!(node.kind, Kind::Input | Kind::Output) && schema.children(Some(*id)).is_empty()
        {
            continue;
        }
        let access = if node.is_config { "rw" } else { "ro" };
        let ty = schema.leaf_type(*id).map(|ty| match ty.typedefs.first() {
            Some(typedef) => typedef.name.to_string(),
            None => String::from("built-in"),
        });
        let ty = ty.unwrap_or_default();
        let is_key = |id: &NodeId| {
            let parent = node.parent.and_then(|parent| schema.node(parent).list());
            parent.is_some_and(|list| list.keys.contains(id))
        };
        let line = match &node.kind {
            Kind::Leaf { mandatory, .. } if *mandatory || is_key(id) => {
                format!("{access} {} {ty}", node.name)
            }
            Kind::Leaf { .. } => format!("{access} {}? {ty}", node.name),
            Kind::LeafList { .. } => format!("{access} {}* {ty}", node.name),
            Kind::List(list) => {
                let keys: Vec<&str> = list
                    .keys
                    .iter()
                    .map(|key| &*schema.node(*key).name)
                    .collect();
                format!("{access} {}* [{}]", node.name, keys.join(" "))
            }
            Kind::Container { presence: true } => format!("{access} {}!", node.name),
            Kind::Choice {
                mandatory: true, ..
            } => format!("{access} ({})", node.name),
            Kind::Choice { .. } => format!("{access} ({})?", node.name),
            Kind::Case => format!(":({})", node.name),
            Kind::Container { .. } | Kind::Anydata { .. } => format!("{access} {}", node.name),
            Kind::Rpc | Kind::Action => format!("-x {}", node.name),
            Kind::Input => "-w input".to_owned(),
            Kind::Output => "ro output".to_owned(),
            Kind::Notification => format!("-n {}", node.name),
        };
        lines.push(format!("{depth} {}", line.trim_end()));
        tree(schema, schema.children(Some(*id)), depth + 1, lines);
    }
}

const BUILT_IN: [&str; 19] = [
    "binary",
    "bits",
    "boolean",
    "decimal64",
    "empty",
    "enumeration",
    "identityref",
    "instance-identifier",
    "int8",
    "int16",
    "int32",
    "int64",
    "leafref",
    "string",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "union",
];

/// The same of a line of pyang.
fn normalized(line: &str) -> Option<String> {
    let at = line.find('+')?;
    let words: Vec<&str> = line
        .get(at..)?
        .trim_start_matches(['+', '-'])
        .split_whitespace()
        .collect();
    let (access, rest): (&str, &[&str]) = match words.split_first()? {
        (first, rest) if ["rw", "ro", "x", "w", "n"].contains(first) => (first, rest),
        _ => ("", words.as_slice()),
    };
    let access = match access {
        "x" | "w" | "n" => format!("-{access} "),
        "" => String::new(),
        access => format!("{access} "),
    };
    let words = rest
        .iter()
        .filter(|word| !(word.starts_with('{') && word.ends_with("}?")));
    let is_list = rest.iter().any(|word| word.starts_with('['));
    let words: Vec<String> = words
        .enumerate()
        .map(|(at, word)| {
            let word = if at == 0 || is_list {
                word
            } else {
                word.rsplit(':').next().unwrap()
            };
            let is_type = at > 0 && !is_list;
            // A leafref is shown by its path.
            let is_path = rest[at].starts_with("->") || rest[at].contains('/');
            let is_built_in = is_type && (BUILT_IN.contains(&word) || is_path);
            if is_built_in {
                "built-in".to_owned()
            } else {
                word.to_owned()
            }
        })
        .collect();
    let mut words = words;
    words.dedup_by(|one, other| one == "built-in" && other == "built-in");
    Some(format!("{} {access}{}", (at - 2) / 3, words.join(" ")))
}

#[test]
fn pyang_sees_the_same_nodes() {
    if !is_here("pyang") {
        return;
    }
    let documents = Schema::load(&MESH_TEXTS, &MESH_IMPLEMENTED);
    sees_the_same_nodes(&documents.unwrap());
    sees_the_same_nodes(&daemon());
}

fn sees_the_same_nodes(schema: &Schema) {
    for (id, module) in schema.modules().filter(|(_, it)| it.is_implemented) {
        let file = files().into_iter().find(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(&format!("{}@", module.name))
        });
        let output = Command::new("pyang")
            .args(["-f", "tree", "--tree-line-length", "1000", "-p"])
            .args([modules(), file.unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected: Vec<String> = text.lines().skip(1).filter_map(normalized).collect();
        let top = schema.children(None).iter().copied();
        let top: Vec<NodeId> = top.filter(|node| schema.node(*node).module == id).collect();
        let mut lines = Vec::new();
        tree(schema, &top, 0, &mut lines);
        assert!(expected.len() > 20, "{text}");
        for (ours, theirs) in lines.iter().zip(&expected) {
            assert_eq!(ours, theirs, "{}", module.name);
        }
        assert_eq!(lines.len(), expected.len());
    }
}

/// Whether yanglint takes data, and what it writes.
fn yanglint(json: &str, is_config: bool) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data.json");
    std::fs::write(&file, json).unwrap();
    let output = Command::new("yanglint")
        .args([
            "-f",
            "json",
            "-t",
            if is_config { "config" } else { "get" },
            "-p",
        ])
        .arg(modules())
        .args(files())
        .arg(&file)
        .output()
        .unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

/// Members of documents of configuration: with what follows, whether they are right.
const CONFIG: &[&str] = &[
    r#""ietf-twamp:twamp":{"server":{"servwait":60}}"#,
    r#""ietf-twamp:twamp":{"server":{"servwait":0}}"#,
    r#""ietf-twamp:twamp":{"server":{"servwait":"60"}}"#,
    r#""ietf-twamp:twamp":{"server":{"sevwait":60}}"#,
    r#""ietf-twamp:twamp":{"server":{"modes":"encrypted unauthenticated"}}"#,
    r#""ietf-twamp:twamp":{"server":{"modes":"encrypted encrypted"}}"#,
    r#""ietf-twamp:twamp":{"server":{"count":9}}"#,
    r#""ietf-twamp:twamp":{"server":{"key-chain":[{"key-id":"a","secret-key":"c2VjcmV0MQ=="}]}}"#,
    r#""ietf-twamp:twamp":{"server":{"key-chain":[{"key-id":"a","secret-key":"c2VjcmV0MQ="}]}}"#,
    r#""ietf-twamp:twamp":{"server":{"key-chain":[{"key-id":""}]}}"#,
    r#""ietf-twamp:twamp":{"server":{"key-chain":[{"key-id":"a"},{"key-id":"a"}]}}"#,
    r#""ietf-twamp:twamp":{"server":{"key-chain":[{}]}}"#,
    r#""ietf-twamp:twamp":{"server":{"control-packet-dscp":64}}"#,
    r#""ietf-twamp:twamp":{"server":{"ctrl-connection":[]}}"#,
    r#""ietf-twamp:twamp":{"client":{"mode-preference-chain":[{"priority":0,"mode":"encrypted"},{"priority":1,"mode":"encrypted"}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"mode-preference-chain":[{"priority":0,"mode":"encrypted"},{"priority":1}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a"}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.1"}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"2001:db8::1%eth0"}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.256"}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"2001:db8:::1"}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.1","test-session-request":[{"name":"t","reflector-ip":"192.0.2.1","repeat":1,"repeat-interval":1}]}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.1","test-session-request":[{"name":"t","reflector-ip":"192.0.2.1","repeat-interval":1}]}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.1","test-session-request":[{"name":"t","reflector-ip":"192.0.2.1","sender-udp-port":"autoallocate","timeout":"5"}]}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.1","test-session-request":[{"name":"t","reflector-ip":"192.0.2.1","sender-udp-port":862}]}]}}"#,
    r#""ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"a","server-ip":"192.0.2.1","test-session-request":[{"name":"t","reflector-ip":"192.0.2.1","reflector-udp-port":862}]}]}}"#,
    r#""ietf-twamp:twamp":{"session-sender":{"test-session":[{"name":"a","number-of-packets":1,"periodic-interval":"0.50"}]}}"#,
    r#""ietf-twamp:twamp":{"session-sender":{"test-session":[{"name":"a","number-of-packets":1,"periodic-interval":"0.500001"}]}}"#,
    r#""ietf-twamp:twamp":{"session-sender":{"test-session":[{"name":"a","number-of-packets":1,"max-interval":"1.0"}]}}"#,
    r#""ietf-twamp:twamp":{"session-sender":{"test-session":[{"name":"a","number-of-packets":1,"lambda":"1.0","periodic-interval":"1.0"}]}}"#,
    r#""ietf-twamp:twamp":{"session-sender":{"test-session":[{"name":"a"}]}}"#,
    r#""ietf-netconf-acm:nacm":{"rule-list":[{"name":"a","group":["*"],"rule":[{"name":"r","action":"permit","access-operations":"read create"}]}]}"#,
    r#""ietf-netconf-acm:nacm":{"rule-list":[{"name":"a","group":["*"],"rule":[{"name":"r","action":"permit","access-operations":"write"}]}]}"#,
    r#""ietf-netconf-acm:nacm":{"rule-list":[{"name":"a","rule":[{"name":"r","action":"allow"}]}]}"#,
    r#""ietf-netconf-acm:nacm":{"rule-list":[{"name":"a","rule":[{"name":"r"}]}]}"#,
    r#""ietf-netconf-acm:nacm":{"rule-list":[{"name":"a","rule":[{"name":"r","action":"deny","rpc-name":"x","notification-name":"y"}]}]}"#,
    r#""ietf-netconf-acm:nacm":{"groups":{"group":[{"name":"*"}]}}"#,
    r#""ietf-netconf-acm:nacm":{"groups":{"group":[{"name":"g","user-name":["a","b"]}]}}"#,
    r#""ietf-netconf-acm:nacm":{"groups":{"group":[{"name":"g","user-name":["a","a"]}]}}"#,
    r#""ietf-netconf-acm:nacm":{"denied-operations":3}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1:862","interval":"1s","labels":[{"name":"site","value":"fra"}]}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1:862","interval":"1"}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1:862","interval":"366d"}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1:86200"}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1","group":"g"}]}"#,
    r#""twinpath-measurement:measurement":{"group":[{"name":"g"}],"session":[{"name":"a","address":"192.0.2.1","group":"g"}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1","classes":[46,"ef","0x2e"]}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1","classes":[64]}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1","classes":["ef"],"tos":184}]}"#,
    r#""twinpath-measurement:measurement":{"session":[{"name":"a"}]}"#,
    r#""twinpath-measurement:measurement":{"responder":[{"name":"r","stateless":true,"timer":"900s"}]}"#,
    r#""twinpath-measurement:measurement":{"responder":[{"name":"r","timer":"900s","allow":["192.0.2.0/24","2001:db8::1"]}]}"#,
    r#""twinpath-measurement:measurement":{"server":[{"name":"s","pbkdf2-count":2048}]}"#,
    r#""twinpath-measurement:measurement":{"server":[{"name":"s","pbkdf2-count":2048,"keys":"/k"}]}"#,
    r#""twinpath-measurement:measurement":{"api":{"listen":"127.0.0.1:9862"},"server":[{"name":"s","test-ports":"1000-2000"}]}"#,
];

#[test]
fn yanglint_takes_and_refuses_the_same_data() {
    if !is_here("yanglint") {
        return;
    }
    let schema = daemon();
    let (mut taken, mut refused) = (0, 0);
    for members in CONFIG {
        let text = format!("{{{members}}}");
        let options = twinpath_yang::json::ReadOptions::default();
        let ours = twinpath_yang::json::read(&schema, text.as_bytes(), &options);
        let ours = ours.and_then(|root| {
            let faults = validate(&schema, &root, Scope::Config);
            if faults.is_empty() {
                Ok(root)
            } else {
                Err(faults)
            }
        });
        let theirs = yanglint(&text, true);
        assert_eq!(ours.is_ok(), theirs.is_some(), "{text}: {ours:?}");
        match (ours, theirs) {
            (Ok(root), Some(theirs)) => {
                taken += 1;
                assert_eq!(
                    write(&schema, None, &root, Layout::Compact),
                    without_blanks(&theirs)
                );
            }
            _ => refused += 1,
        }
    }
    assert!(taken > 15 && refused > 25, "{taken} {refused}");
}

fn without_blanks(json: &str) -> String {
    json.lines()
        .map(|line| line.trim().replacen("\": ", "\":", 1))
        .collect()
}

#[test]
fn yanglint_reads_what_we_write() {
    if !is_here("yanglint") {
        return;
    }
    let schema = daemon();
    let state = r#"{"ietf-twamp:twamp":{"session-reflector":{"test-session":[{"sender-ip":"203.0.113.3","sender-udp-port":54000,
        "reflector-ip":"203.0.113.4","reflector-udp-port":55000,"sid":"1232","sent-packets":2}]}}}"#;
    let root = read_all(&schema, state).unwrap();
    let full = root.with_defaults(
        &schema,
        twinpath_yang::tree::DefaultsMode::ReportAll,
        Scope::Config,
    );
    let text = write(&schema, None, &full, Layout::Indented);
    let theirs = yanglint(&text, false).unwrap_or_else(|| panic!("{text}"));
    assert!(theirs.contains("\"sid\": \"1232\""), "{theirs}");
}
