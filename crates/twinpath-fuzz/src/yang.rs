//! Texts of the daemon's configuration: YANG modules, JSON, TOML, XML and paths.

use std::sync::LazyLock;

use twinpath_yang::json::{Layout, ReadOptions};
use twinpath_yang::toml::{Reader, Roots};
use twinpath_yang::xml::{Element, Limits, WriteOptions};
use twinpath_yang::{
    Children, Fields, Filter, Operation, Path, Schema, Scope, apply, diff, edit, line, modules,
    statement, validate,
};

/// The schema of the daemon.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::load(&modules::TEXTS, &modules::IMPLEMENTED).expect("the modules of the daemon")
});

/// Some data, which edits change.
static BASE: LazyLock<Children> = LazyLock::new(|| {
    let text = br#"{"twinpath-measurement:measurement":{"session":[{"name":"a","address":"192.0.2.1","protocol":"stamp",
        "labels":[{"name":"site","value":"fra"}],"tlv":["hmac","location"]},{"name":"b","tos":1}]},
        "ietf-twamp:twamp":{"server":{"servwait":60}}}"#;
    twinpath_yang::json::read(&SCHEMA, text, &ReadOptions::default()).expect("data")
});

fn options() -> ReadOptions {
    ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    }
}

/// A YANG module.
pub(crate) fn module(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let parsed = statement::parse(&text);
    if let Err(error) = Schema::load(&[&text], &["m"]) {
        assert!(error.to_string().len() < 4_000, "{error}");
    } else {
        assert!(parsed.is_ok(), "a module of what cannot be parsed");
    }
}

/// What holds of all data, however it was read.
fn check(root: &Children) {
    let schema = &*SCHEMA;
    let _ = validate(schema, root, Scope::Config);
    let text = twinpath_yang::json::write(schema, None, root, Layout::Compact);
    let again = twinpath_yang::json::read(schema, text.as_bytes(), &options());
    assert_eq!(again.as_ref(), Ok(root), "{text}");
    for (from, to) in [(&*BASE, root), (root, &*BASE)] {
        let changes = diff(schema, from, to);
        for change in &changes {
            assert!(!line(schema, &Path::root(), change).is_empty());
        }
        let made = apply(schema, from, &changes).expect("changes of these trees");
        assert_eq!(diff(schema, &made, to), Vec::new());
    }
}

/// JSON.
pub(crate) fn json(input: &[u8]) {
    match twinpath_yang::json::read(&SCHEMA, input, &options()) {
        Ok(root) => check(&root),
        Err(faults) => assert!(faults.iter().all(|fault| !fault.what.is_empty())),
    }
}

fn roots() -> Roots {
    let top = |name| {
        let path = Path::parse(&SCHEMA, name).expect("a path");
        path.node().expect("a node")
    };
    Roots {
        main: top("/twinpath-measurement:measurement"),
        tables: vec![
            ("nacm".into(), top("/ietf-netconf-acm:nacm")),
            ("twamp".into(), top("/ietf-twamp:twamp")),
        ],
    }
}

fn read_toml(roots: &Roots, text: &str) -> Result<Children, String> {
    let mut reader = Reader::new(&SCHEMA, roots);
    reader.add("file", text);
    let (document, faults) = reader.finish();
    match faults.first() {
        None => Ok(document.root),
        Some(fault) => Err(fault.to_string()),
    }
}

/// TOML.
pub(crate) fn toml(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let roots = roots();
    if let Ok(root) = read_toml(&roots, &text) {
        check(&root);
        let written = twinpath_yang::toml::write(&SCHEMA, &roots, &root);
        assert_eq!(read_toml(&roots, &written).as_ref(), Ok(&root), "{written}");
    }
}

/// XML: as data, as an edit and as a filter.
pub(crate) fn xml(input: &[u8]) {
    let schema = &*SCHEMA;
    let Ok(root) = Element::parse(input, &Limits::default()) else {
        return;
    };
    let elements = if root.is(twinpath_yang::xml::NETCONF, "config") {
        root.children
    } else {
        vec![root]
    };
    if let Ok(root) = twinpath_yang::xml::read(schema, &elements, &options()) {
        check(&root);
        let written = twinpath_yang::xml::write(schema, None, &root, &WriteOptions::default());
        let framed = format!("<data>{written}</data>");
        let again = Element::parse(framed.as_bytes(), &Limits::default()).expect("our XML");
        let again = twinpath_yang::xml::read(schema, &again.children, &options());
        assert_eq!(again.as_ref(), Ok(&root), "{written}");
    }
    if let Ok(nodes) = twinpath_yang::xml::edits(schema, &elements, &ReadOptions::default()) {
        for default in [Operation::Merge, Operation::Replace, Operation::None] {
            if let Ok(edited) = edit(schema, &BASE, &nodes, default) {
                check(&edited);
            }
        }
    }
    if let Ok(filters) = twinpath_yang::xml::filters(schema, &elements) {
        let shown = Filter::apply(schema, &BASE, &filters);
        let all = diff(schema, &BASE, &Children::new()).len();
        assert!(
            diff(schema, &shown, &Children::new()).len() <= all,
            "more than there is"
        );
    }
}

/// Paths, and nodes of RESTCONF's `fields`.
pub(crate) fn path(input: &[u8]) {
    let schema = &*SCHEMA;
    let text = String::from_utf8_lossy(input);
    if let Ok(path) = Path::parse(schema, &text) {
        let written = path.text(schema);
        // XPath cannot write a text with both quotes.
        if !(written.contains('\'') && written.contains('"')) {
            assert_eq!(Path::parse(schema, &written), Ok(path), "{written}");
        }
    }
    if let Ok(path) = Path::parse_api(schema, &text) {
        let written = path.api_text(schema);
        let _ = BASE.has(&path);
        assert_eq!(Path::parse_api(schema, &written), Ok(path), "{written}");
    }
    let _ = Fields::parse(schema, None, &text);
}
