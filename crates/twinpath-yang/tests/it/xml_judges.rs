//! XML of the RFCs and ours, and what xmllint and yanglint, which have nothing of ours, say of them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use twinpath_yang::json::{Layout, ReadOptions};
use twinpath_yang::xml::{self, Element, Limits, NETCONF, WriteOptions};
use twinpath_yang::{Children, Schema, Scope, validate};

use crate::judges::{files, is_here, modules};
use crate::properties::pieces;
use crate::xml::element;
use crate::{compact, daemon, schema};

fn examples() -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/xml");
    let files = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|it| it == "xml"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 23);
    let read = |file: PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(file).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The data nodes of an example: of NETCONF's `data` or `config`, or one alone.
fn nodes(text: &str) -> Vec<Element> {
    let root = element(text);
    if root.namespace.as_deref() == Some(NETCONF) {
        root.children
    } else {
        vec![root]
    }
}

fn read(schema: &Schema, name: &str, text: &str) -> Children {
    let options = ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    };
    xml::read(schema, &nodes(text), &options).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"))
}

/// Names and values of leaves, and names around them, in one order.
fn content(element: &Element) -> String {
    if element.children.is_empty() {
        let mut words: Vec<&str> = element.word().split_whitespace().collect();
        words.sort_unstable();
        let text = words.join(" ");
        // What is written is canonical: decimals, the order of bits, XPaths with names of modules.
        let text = text.strip_suffix(".0").unwrap_or(&text).to_owned();
        let text = text.replace("/n:nacm", "/ietf-netconf-acm:nacm");
        return format!("{} {:?} {text}", element.name, element.namespace);
    }
    let mut children: Vec<String> = element.children.iter().map(content).collect();
    children.sort();
    format!(
        "{} {:?} {{{}}}",
        element.name,
        element.namespace,
        children.join(", ")
    )
}

#[test]
fn examples_of_the_rfcs_survive() {
    let schema = daemon();
    for (name, text) in examples() {
        let root = read(&schema, &name, &text);
        let written = xml::write(&schema, None, &root, &WriteOptions::default());
        let written = element(&format!("<data>{written}</data>"));
        let ours: Vec<String> = written.children.iter().map(content).collect();
        let theirs: Vec<String> = nodes(&text).iter().map(content).collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

/// What yanglint makes of XML: JSON, or why it refuses it.
fn yanglint(xml: &str, is_config: bool) -> Result<serde_json::Value, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data.xml");
    std::fs::write(&file, xml).unwrap();
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
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn yanglint_reads_the_same_in_what_is_written() {
    if !is_here("yanglint") {
        return;
    }
    let schema = daemon();
    for (name, text) in examples() {
        let root = read(&schema, &name, &text);
        let is_valid = validate(&schema, &root, Scope::All).is_empty();
        let options = WriteOptions {
            layout: Layout::Indented,
            ..WriteOptions::default()
        };
        let written = xml::write(&schema, None, &root, &options);
        let ours: serde_json::Value = serde_json::from_str(&compact(&schema, &root)).unwrap();
        match yanglint(&written, false) {
            Ok(theirs) => assert_eq!(theirs, ours, "{name}"),
            // RFC 8341's rules have paths of modules that are not here.
            Err(why) if name.starts_with("rfc8341") => {
                assert!(written.contains("acme:"), "{name}: {why}");
            }
            Err(why) => assert!(!is_valid, "{name}: {why}\n{written}"),
        }
    }
}

/// Whether xmllint takes a text as well-formed, with namespaces.
fn xmllint(text: &str) -> bool {
    use std::io::Write as _;
    let mut process = Command::new("xmllint")
        .args(["--noout", "--nonet", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = process.wait_with_output().unwrap();
    // Errors of namespaces do not change its exit status.
    output.status.success() && output.stderr.is_empty()
}

#[test]
fn xmllint_takes_the_same_texts_for_xml() {
    if !is_here("xmllint") {
        return;
    }
    let texts = [
        "<a/>",
        "<a></a>",
        "<a>x</a>",
        " <a/>",
        "<a/> ",
        "\u{FEFF}<a/>",
        "<?xml version='1.0'?><a/>",
        "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n<a/>",
        " <?xml version='1.0'?><a/>",
        "<a><?xml version='1.0'?></a>",
        "<a><?pi x?></a>",
        "<!-- c --><a/><!-- d -->",
        "<a><!-- a--b --></a>",
        "<a>]]></a>",
        "<a><![CDATA[<&]]></a>",
        "<![CDATA[x]]><a/>",
        "<a>&lt;&gt;&amp;&apos;&quot;&#65;&#x41;</a>",
        "<a>&#0;</a>",
        "<a>&#x1;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<a>&nbsp;</a>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a b='&lt;'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='1'c='2'/>",
        "<a b = '1' />",
        "<a b='&#10;&amp;'/>",
        "<a xmlns='urn:u'/>",
        "<a xmlns:p='urn:u' p:b=''/>",
        "<p:a xmlns:p='urn:u'></p:a>",
        "<p:a/>",
        "<a p:b=''/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='urn:u'/>",
        "<a xmlns:p='urn:u' xmlns:q='urn:u' p:b='' q:b=''/>",
        "<a><b></a></b>",
        "<a>",
        "</a>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "",
        "< a/>",
        "<a/ >",
        "<1a/>",
        "<-a/>",
        "<ä/>",
        "<a.b-c_1/>",
        "<a:b:c xmlns:a='urn:u'/>",
        "<a>\u{1}</a>",
        "<a>\t\r\n</a>",
        "<a\n/>",
        "<a></a >",
        "<a></ a>",
    ];
    for text in texts {
        let ours = Element::parse(text.as_bytes(), &Limits::default());
        let why = ours
            .as_ref()
            .map_or_else(|fault| fault.what.clone(), |_| "taken".to_owned());
        assert_eq!(ours.is_ok(), xmllint(text), "{text:?}: {why}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_xml_for_xmllint_too(text in pieces(&[
        "<a>", "</a>", "<a", "/>", ">", " ", " b='1'", " b=\"<\"", " xmlns='urn:u'", " xmlns:p='urn:u'", " p:b=''", "<p:a/>", "<!--", "-->", "--", "<![CDATA[", "]]>",
        "&amp;", "&#9;", "&#xD800;", "&", ";", "<?p", "?>", "<?xml version='1.0'?>", "\u{fffe}", "\u{7f}", "\n",
    ])) {
        let is_xml = Element::parse(text.as_bytes(), &Limits::default()).is_ok();
        let framed = format!("<a>{text}</a>");
        let is_framed_xml = Element::parse(framed.as_bytes(), &Limits::default()).is_ok();
        if is_xml || is_framed_xml {
            let is_here = is_here("xmllint");
            prop_assert!(!is_xml || !is_here || xmllint(&text), "{:?}", text);
            prop_assert!(!is_framed_xml || !is_here || xmllint(&framed), "{:?}", framed);
        }
    }
}

#[test]
fn xmllint_reads_the_same_text_in_what_is_escaped() {
    if !is_here("xmllint") {
        return;
    }
    let schema = schema("leaf s { type string; }");
    for text in [
        "a<b>&\"'",
        " x\t\r\n y ",
        "]]>",
        "\u{7f}\u{85}\u{2028}\u{10fffd}ä",
        "&amp;",
    ] {
        let json = serde_json::json!({ "m:s": text }).to_string();
        let root = crate::data(&schema, &json);
        let written = xml::write(&schema, None, &root, &WriteOptions::default());
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("s.xml");
        std::fs::write(&file, &written).unwrap();
        let output = Command::new("xmllint")
            .args(["--xpath", "string(/*)"])
            .arg(&file)
            .output()
            .unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            theirs.strip_suffix('\n').unwrap_or(&theirs),
            text.strip_suffix('\n').unwrap_or(text),
            "{written}"
        );
    }
}
