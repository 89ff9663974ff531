//! Documents, and what nodes run by them.

use super::document::MeshDocument;
use super::*;
use crate::daemon::settings::Settings;

const HEAD: &str = "name = \"prod\"\nserial = 7\n";

fn document(text: &str) -> MeshDocument {
    MeshDocument::read("mesh.toml", &format!("{HEAD}{text}"))
        .unwrap_or_else(|failure| panic!("{failure}"))
}

/// Faults, a line each.
fn faults(text: &str) -> Vec<String> {
    let Err(failure) = MeshDocument::read("mesh.toml", text) else {
        return Vec::new();
    };
    let all = failure.earlier.iter().chain([&failure]);
    all.map(ToString::to_string).collect()
}

const THREE: &str = r#"
[[node]]
name = "a"
address = "192.0.2.1:20001"
labels = { site = "fra" }

[[node]]
name = "b"
address = "[2001:db8::2]"

[[node]]
name = "router"
address = "router.example"
passive = true
labels = { site = "muc", peer = "x" }

[responder]
max-rate = 100
"#;

const STAMP: &str = r#"
[[mesh]]
name = "core"
topology = "full"
protocol = "stamp"
interval = "200ms"
classes = ["be", "ef"]
labels = { team = "net" }
"#;

fn of(text: &str, node: &str) -> String {
    of_node(&document(text), node, Some("/keys".as_ref()))
        .unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn a_node_runs_sessions_with_the_settings_of_the_mesh_and_a_responder() {
    let text = format!("{THREE}{STAMP}");
    let both = [of(&text, "a"), of(&text, "b")];
    let session = |name: &str, address: &str, labels: &str| {
        format!(
            "[[session]]\nname = \"{name}\"\naddress = \"{address}\"\nlabels = {{ {labels} }}\nprotocol = \"stamp\"\ninterval = \"200ms\"\nclasses = [\"be\", \"ef\"]\n"
        )
    };
    // Labels of the peer, then those of the mesh, then the two of every mesh.
    let router = session(
        "core:router",
        "router.example",
        "mesh = \"core\", peer = \"router\", site = \"muc\", team = \"net\"",
    );
    for own in &both {
        assert!(own.contains(&router), "{own}");
    }
    let to_b = session(
        "core:b",
        "[2001:db8::2]",
        "mesh = \"core\", peer = \"b\", team = \"net\"",
    );
    let to_a = session(
        "core:a",
        "192.0.2.1:20001",
        "mesh = \"core\", peer = \"a\", site = \"fra\", team = \"net\"",
    );
    // One of both measures the other.
    let senders = [both[0].contains(&to_b), both[1].contains(&to_a)];
    assert_eq!(senders.iter().filter(|it| **it).count(), 1, "{both:?}");
    // The port of the node, or of the protocol.
    assert!(both[0].contains(
        "[[responder]]\nname = \"prod\"\naddress = [\"192.0.2.1:20001\"]\nmax-rate = 100\n"
    ));
    assert!(both[1].contains("address = [\"[2001:db8::2]:862\"]"));
    assert_eq!(of(&text, "router"), "");
    let nowhere = of_node(&document(&text), "c", None).unwrap_err();
    assert_eq!(nowhere.to_string(), "the document prod has no node c");
}

#[test]
fn key_files_are_in_the_directory_of_the_node() {
    let keys = "authenticated = true\nhmac-key-file = \"prod.keys\"\n";
    let text = format!("{THREE}{STAMP}{keys}");
    let (a, b) = (of(&text, "a"), of(&text, "b"));
    assert!(a.contains("hmac-key-file = \"/keys/prod.keys\"") && b.contains("\"/keys/prod.keys\""));
    let without = of_node(&document(&text), "a", None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        without,
        "node a: hmac-key-file prod.keys: add keys to [mesh], with the directory that has it"
    );
    for name in [
        "/etc/shadow",
        "../x",
        "a/b",
        ".",
        "..",
        ".x",
        "credential:x",
        "c:x",
        "a\\\\b",
    ] {
        let text = format!("{HEAD}{THREE}{STAMP}hmac-key-file = \"{name}\"\n");
        let found = faults(&text);
        assert!(
            found.len() == 1 && found[0].starts_with("mesh.toml:"),
            "{name}: {found:?}"
        );
    }
    let insecure = format!("{HEAD}{THREE}{STAMP}insecure-key-file = true\n");
    let line = insecure.lines().count();
    assert_eq!(
        faults(&insecure),
        [format!(
            "mesh.toml:{line}: insecure-key-file: not in a mesh document: leave it out"
        )]
    );
}

#[test]
fn faults_have_their_lines() {
    for (text, fault) in [
        ("", "name: write it"),
        ("[store]\npath = \"/x\"\n", "store: unknown key"),
        (
            "[[alert]]\nname = \"a\"\nwhen = \"silent\"\n",
            "alert: unknown key",
        ),
        (
            "[[node]]\nname = \"a:b\"\naddress = \"192.0.2.1\"\n",
            "without :",
        ),
        (
            "[[node]]\nname = \"a\\u0007b\"\naddress = \"192.0.2.1\"\n",
            "name",
        ),
        (
            "[[node]]\nname = \"a\"\naddress = \"192.0.2.1:0\"\n",
            "address",
        ),
        (
            "[[mesh]]\nname = \"m\"\ntopology = \"sample\"\npeers = 7\n",
            "mesh.toml:6: peers 7: write an even number",
        ),
        (
            "[[mesh]]\nname = \"m\"\ntopology = \"hub\"\n",
            "mesh.toml:5: topology hub has no hub",
        ),
        (
            "[[mesh]]\nname = \"m\"\ntopology = \"bipartite\"\n",
            "has no node on one side",
        ),
        ("[[mesh]]\nname = \"m\"\ntopology = \"star\"\n", "topology"),
        (
            "[[mesh]]\nname = \"m\"\ntopology = \"full\"\nexec = [\"x\"]\n",
            "exec: unknown key",
        ),
        ("[responder]\ncontrol-socket = \"x\"\n", "unknown key"),
    ] {
        let text = if text.is_empty() {
            String::new()
        } else {
            format!("{HEAD}{text}")
        };
        let found = faults(&text);
        assert!(
            text.is_empty() && !found.is_empty() || found.iter().any(|line| line.contains(fault)),
            "{text}: {found:?}"
        );
    }
    let old = faults("name = \"prod\"\nserial = 0\n");
    assert!(
        old.len() == 2 && old[0].starts_with("mesh.toml:2: serial"),
        "{old:?}"
    );
    let twice = THREE.replace("router.example", "192.0.2.1:20001");
    let found = faults(&format!("{HEAD}{twice}"));
    assert_eq!(
        found,
        ["mesh.toml:15: address 192.0.2.1:20001: node a has it too: write another one"]
    );
    let both = format!(
        "{THREE}[[mesh]]\nname = \"m\"\ntopology = \"bipartite\"\nleft = [\"*\"]\nright = [\"a\"]\n"
    );
    assert!(faults(&format!("{HEAD}{both}"))[0].contains("node a is on both sides"));
}

#[test]
fn what_options_exclude_has_the_line_of_the_document() {
    let text = format!("{THREE}{STAMP}authenticated = true\n");
    let document = document(&text);
    let fault = summary(&document, None).unwrap_err().to_string();
    let line = HEAD.lines().count() + text.lines().count();
    assert!(fault.starts_with(&format!("mesh.toml:{line}: ")), "{fault}");
}

#[test]
fn selectors_choose_nodes() {
    let text = format!("{THREE}{STAMP}nodes = [\"site=*\"]\nexcept = [\"b\"]\n");
    let document = document(&text);
    let mesh = &document.meshes[0];
    let names = mesh
        .members
        .iter()
        .map(|node| document.nodes[*node].name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "router"]);
    let text = format!(
        "{THREE}[[mesh]]\nname = \"m\"\ntopology = \"hub\"\nhubs = [\"site=fra\"]\n[[mesh]]\nname = \"n\"\ntopology = \"bipartite\"\nleft = [\"a\"]\nright = [\"*r\", \"b\"]\n"
    );
    assert_eq!(
        summary(&self::document(&text), None).unwrap(),
        "prod, serial 7: 3 nodes, 1 of them passive\n\
         m: hub, 3 nodes, 2 sessions; at the busiest node 2 packets/s, and as many replies\n\
         n: bipartite, 3 nodes, 2 sessions; at the busiest node 2 packets/s, and as many replies\n\
         most for one node: 3 sessions, a\n"
            .replace("3 sessions, a", &most(&text))
    );
}

/// Who measures most is what a hash says.
fn most(text: &str) -> String {
    let document = document(text);
    let links = |node: usize| document.links_of(node).len();
    let (mut best, mut name) = (0, "");
    for (place, node) in document.nodes.iter().enumerate() {
        if links(place) > best {
            (best, name) = (links(place), &node.name);
        }
    }
    format!("{best} session{}, {name}", if best == 1 { "" } else { "s" })
}

/// The configuration of the first node of a document, which has its own, and what it was given.
fn derived(document: &MeshDocument, own: &str) -> (String, Derived) {
    let model = crate::daemon::model::model().unwrap();
    let mut reader = twinpath_yang::toml::Reader::new(&model.schema, &model.roots);
    reader.add("own", own);
    let (own, faults) = reader.finish();
    assert!(faults.is_empty(), "{faults:?}");
    let derived = Derived::of(document, 0, None, model, &own.root).unwrap();
    let all = derived.added_to(model, &own.root);
    let text = twinpath_yang::toml::write(&model.schema, &model.roots, &all);
    (text, derived)
}

#[test]
fn raw_packets_of_a_mesh_are_saved_where_there_is_a_store() {
    let document = document(&format!("{THREE}{STAMP}both-ends = true\nraw = true\n"));
    let raw = |own: &str| {
        let (text, _) = derived(&document, own);
        text.matches("raw = true").count()
    };
    assert_eq!(raw("[store]\npath = \"/s\"\n"), 2);
    assert_eq!(raw(""), 0);
}

#[test]
fn the_configuration_of_a_node_goes_before_the_mesh() {
    let text = format!("{THREE}{STAMP}both-ends = true\n");
    let document = document(&text);
    let derived = |own: &str| derived(&document, own);
    let (text, all) = derived("");
    assert_eq!((all.sessions(), all.hidden.len()), (2, 0));
    assert!(text.contains("name = \"core:b\"") && text.contains("[[responder]]"));
    let (text, all) = derived("[[session]]\nname = \"core:b\"\naddress = \"192.0.2.9\"\n");
    assert_eq!((all.sessions(), all.hidden), (1, vec!["core:b".to_owned()]));
    assert!(
        text.contains("192.0.2.9") && !text.contains("2001:db8::2"),
        "{text}"
    );
    for (own, is_free) in [
        ("address = \"192.0.2.1:20001\"", false),
        ("", false),
        ("address = \"0.0.0.0:20001\"", false),
        ("address = \":20001\"", false),
        ("address = \"192.0.2.1:20002\"", true),
        ("address = \"192.0.2.2:20001\"", true),
        ("enabled = false", true),
    ] {
        let (text, _) = derived(&format!("[[responder]]\nname = \"own\"\n{own}\n"));
        assert_eq!(
            text.matches("[[responder]]").count(),
            1 + usize::from(is_free),
            "{own}"
        );
    }
}

#[test]
fn twenty_thousand_nodes_are_read_and_one_more_is_not() {
    let nodes = |count: usize| {
        let nodes = (0..count).map(|node| {
            format!(
                "[[node]]\nname = \"n{node}\"\naddress = \"10.{}.{}.{}\"\n",
                node / 65_536,
                node / 256 % 256,
                node % 256
            )
        });
        nodes.collect::<String>()
    };
    let sample = "[[mesh]]\nname = \"m\"\ntopology = \"sample\"\npeers = 8\n";
    let document = document(&format!("{}{sample}", nodes(20_000)));
    assert_eq!(document.nodes.len(), 20_000);
    assert!((3..=4).contains(&document.links_of(77).len()));
    let found = faults(&format!("{HEAD}{}", nodes(20_001)));
    assert!(found.iter().any(|line| line.contains("20000")), "{found:?}");
    let hub = "[[mesh]]\nname = \"m\"\ntopology = \"hub\"\nhubs = [\"n1\"]\nboth-ends = true\n";
    let document = self::document(&format!("{}{hub}", nodes(20_000)));
    let place = document.node_named("n1").unwrap();
    let model = crate::daemon::model::model().unwrap();
    let own = twinpath_yang::Children::new();
    let refused = Derived::of(&document, place, None, model, &own);
    assert!(refused.err().unwrap().contains("10000 are possible"));
}

/// Settings of a configuration with this text, which is [store], [mesh] and exports.
fn settings(text: &str) -> (twinpath_yang::Children, Settings) {
    let model = crate::daemon::model::model().unwrap();
    let mut reader = twinpath_yang::toml::Reader::new(&model.schema, &model.roots);
    reader.add("own", text);
    let (own, faults) = reader.finish();
    assert!(faults.is_empty(), "{faults:?}");
    let settings = Settings::of(model, &own.root).unwrap();
    (own.root, settings)
}

#[test]
fn a_document_that_cannot_run_yet_runs_once_the_configuration_allows_it() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path();
    let file = at.join("mesh.toml");
    std::fs::write(&file, format!("{HEAD}{THREE}{STAMP}")).unwrap();
    let mut keeper = MeshKeeper::default();
    let mut put = |keys: &str| {
        let text = format!("[mesh]\nurl = \"{}\"\nnode = \"a\"\n{keys}", file.display());
        let (root, settings) = settings(&text);
        keeper.configure(settings.mesh.as_ref());
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while keeper.state().unwrap().last_fetch.is_none() {
            assert!(std::time::Instant::now() < until, "nothing is fetched");
            std::thread::sleep(std::time::Duration::from_millis(5));
            keeper.take_news();
        }
        let derived = keeper.derive(None, &root);
        let state = keeper.state().unwrap();
        let serial = state.document.as_ref().map(|document| document.serial);
        (derived.is_some(), serial, state.fault().map(str::to_owned))
    };
    std::fs::write(
        &file,
        format!("{HEAD}{THREE}{STAMP}authenticated = true\nhmac-key-file = \"k9\"\n"),
    )
    .unwrap();
    let (_, serial, fault) = put("");
    assert_eq!(serial, None);
    assert!(
        fault.as_deref().is_some_and(|it| it.contains("k9")),
        "{fault:?}"
    );
    // What it lacks stays said.
    let (_, serial, again) = put("");
    assert_eq!((serial, again), (None, fault));
    std::fs::write(at.join("k9"), "00112233445566778899aabbccddeeff\n").unwrap();
    let (is_derived, serial, fault) = put(&format!("keys = \"{}\"\n", at.display()));
    assert_eq!((is_derived, serial, fault), (true, Some(7), None));
}

#[test]
fn what_is_kept_in_the_store_is_kept_in_the_one_that_is_open() {
    let export = "[[export]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n";
    let of = |store: &str, more: &str| {
        let mesh = "[mesh]\nurl = \"/etc/mesh.toml\"\n";
        settings(&format!(
            "[store]\npath = \"{store}\"\n{mesh}{export}{more}"
        ))
        .1
    };
    let open = of("/a", "");
    for (more, spool) in [
        ("", "/a/_exports/webhook.webhook"),
        ("spool-path = \"/spool\"\n", "/spool/webhook.webhook"),
    ] {
        let mut other = of("/b", more);
        other.keep_in(open.store.as_ref());
        let mut exports = other
            .exports
            .values()
            .map(|it| it.directory.display().to_string());
        assert_eq!(exports.next().as_deref(), Some(spool));
        let cache = other.mesh.unwrap().cache.unwrap();
        assert_eq!(cache.display().to_string(), "/a/_mesh");
    }
}
