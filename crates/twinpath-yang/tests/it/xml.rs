//! Data as XML.

use proptest::prelude::*;

use twinpath_yang::json::{Layout, ReadOptions};
use twinpath_yang::xml::{self, Element, Limits, WriteOptions, XmlFault};
use twinpath_yang::{Children, FaultKind, Schema, Scope};

use crate::properties::{MODULE, pieces, tree};
use crate::{compact, data, module, path, schema};

pub(crate) fn element(text: &str) -> Element {
    Element::parse(text.as_bytes(), &Limits::default())
        .unwrap_or_else(|it| panic!("{text}: {}", it.what))
}

/// Elements that are siblings.
pub(crate) fn elements(text: &str) -> Vec<Element> {
    element(&format!("<config>{text}</config>")).children
}

pub(crate) fn read(schema: &Schema, text: &str) -> Result<Children, Vec<XmlFault>> {
    let options = ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    };
    xml::read(schema, &elements(text), &options)
}

pub(crate) fn written(schema: &Schema, root: &Children) -> String {
    xml::write(schema, None, root, &WriteOptions::default())
}

/// What XML is as JSON, and as it is written again.
fn survives(schema: &Schema, text: &str, json: &str) {
    let root = read(schema, text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    assert_eq!(compact(schema, &root), json, "{text}");
    assert_eq!(
        read(schema, &written(schema, &root)).as_ref(),
        Ok(&root),
        "{text}"
    );
}

fn faults(schema: &Schema, text: &str) -> Vec<String> {
    let faults = read(schema, text).unwrap_err();
    let texts = faults.iter().map(|it| {
        format!(
            "{} {} {}",
            it.fault.kind.error_tag(),
            it.fault.path.text(schema),
            it.fault.what
        )
    });
    texts.collect()
}

const TYPES: &str = "
    identity animal; identity dog { base animal; }
    container c {
      leaf s { type string; } leaf n { type int8; } leaf d { type decimal64 { fraction-digits 2; } }
      leaf b { type boolean; } leaf e { type empty; } leaf k { type identityref { base animal; } }
      leaf en { type enumeration { enum 'one two'; } } leaf bi { type bits { bit x; bit y; } }
      leaf i { type instance-identifier; } leaf u { type union { type int8; type string { pattern ' ?[a-z]*'; } } }
      leaf bin { type binary; } leaf r { type leafref { path '../n'; } }
      list l { key 'b a'; leaf z { type string; } leaf a { type string; } leaf b { type int8; } }
      leaf-list ll { type string; } anydata any; container p { presence 'it is'; }
    }";

#[test]
fn values_of_all_types() {
    let schema = schema(TYPES);
    let cases = [
        ("<s> a\n&lt;&amp;&#x41;</s>", r#""s":" a\n<&A""#),
        ("<s><![CDATA[<x>]]>&quot;&apos;</s>", r#""s":"<x>\"'""#),
        ("<s>a&#13;\r\nb</s>", r#""s":"a\r\nb""#),
        ("<s/>", r#""s":"""#),
        ("<n> 5\n</n>", r#""n":5"#),
        ("<d>-1.5</d>", r#""d":"-1.5""#),
        ("<b>true</b>", r#""b":true"#),
        ("<e/>", r#""e":[null]"#),
        ("<e></e>", r#""e":[null]"#),
        ("<k>dog</k>", r#""k":"m:dog""#),
        ("<k xmlns:x='urn:m'>x:dog</k>", r#""k":"m:dog""#),
        ("<en>one two</en>", r#""en":"one two""#),
        ("<bi>y\n x</bi>", r#""bi":"x y""#),
        (
            "<i xmlns:x='urn:m'>/x:c/x:l[x:b='1'][x:a=\"it's\"]/x:z</i>",
            r#""i":"/m:c/l[b='1'][a=\"it's\"]/z""#,
        ),
        ("<u>7</u>", r#""u":7"#),
        ("<u> seven</u>", r#""u":" seven""#),
        ("<u> 7 </u>", r#""u":7"#),
        ("<bin>AQ\nID</bin>", r#""bin":"AQID""#),
        ("<r>7</r>", r#""r":7"#),
        (
            "<l><z>z</z><a>1</a><b>2</b></l><l><b>1</b><a>1</a></l>",
            r#""l":[{"z":"z","a":"1","b":2},{"a":"1","b":1}]"#,
        ),
        ("<ll>b</ll><s/><ll>a</ll>", r#""s":"","ll":["b","a"]"#),
        ("<p/>", r#""p":{}"#),
        (
            "<any><x xmlns='urn:other'>1</x><y><z/><z>2</z></y></any>",
            r#""any":{"x":"1","y":{"z":["","2"]}}"#,
        ),
    ];
    for (xml, json) in cases {
        let text = format!("<c xmlns='urn:m'>{xml}</c>");
        survives(&schema, &text, &format!("{{\"m:c\":{{{json}}}}}"));
    }
}

#[test]
fn written_xml_has_keys_first_and_declares_what_it_uses() {
    let other = module(
        "o",
        "import m { prefix x; } identity cat { base x:animal; } augment /x:c { leaf own { type string; } }",
    );
    let schema = Schema::load(&[&module("m", TYPES), &other], &["m", "o"]).unwrap();
    let root = data(
        &schema,
        r#"{"m:c":{"k":"o:cat","o:own":"a<b","i":"/m:c/o:own","l":[{"z":"z","a":"1","b":2}],"p":{},"e":[null]}}"#,
    );
    let options = WriteOptions {
        layout: Layout::Indented,
        ..WriteOptions::default()
    };
    assert_eq!(
        xml::write(&schema, None, &root, &options),
        "<c xmlns=\"urn:m\">
  <e/>
  <k xmlns:o=\"urn:o\">o:cat</k>
  <i xmlns:m=\"urn:m\" xmlns:o=\"urn:o\">/m:c/o:own</i>
  <l>
    <b>2</b>
    <a>1</a>
    <z>z</z>
  </l>
  <p/>
  <own xmlns=\"urn:o\">a&lt;b</own>
</c>"
    );
    assert_eq!(read(&schema, &written(&schema, &root)).unwrap(), root);
}

const WRONG: &[(&str, &str)] = &[
    (
        "<c/>",
        "unknown-namespace / c: \"\": unknown namespace: use urn:m",
    ),
    (
        "<c xmlns='urn:n'/>",
        "unknown-namespace / c: urn:n: unknown namespace: did you mean urn:m?",
    ),
    (
        "<d xmlns='urn:m'/>",
        "unknown-element / d: unknown element: did you mean c?",
    ),
    (
        "<c xmlns='urn:m'><s><x/></s></c>",
        "unknown-element /m:c/s s: x: a leaf has no elements",
    ),
    (
        "<c xmlns='urn:m'><n>300</n></c>",
        "invalid-value /m:c/n n: 300 is not allowed: use an integer from -128 to 127",
    ),
    (
        "<c xmlns='urn:m'><n/></c>",
        "invalid-value /m:c/n n: \"\" is not allowed: use an integer from -128 to 127",
    ),
    (
        "<c xmlns='urn:m'>text</c>",
        "invalid-value /m:c c: text where elements are expected",
    ),
    (
        "<c xmlns='urn:m'><e>x</e></c>",
        "invalid-value /m:c/e e: x is not allowed: use no value",
    ),
    (
        "<c xmlns='urn:m'><l><a>1</a></l></c>",
        "missing-element /m:c/l l: its key b is missing",
    ),
    (
        "<c xmlns='urn:m'><s/><s/></c>",
        "data-exists /m:c/s s: twice in one element",
    ),
    (
        "<c xmlns='urn:m'><ll>a</ll><ll>a</ll></c>",
        "data-exists /m:c/ll[.='a'] ll: the same twice",
    ),
    (
        "<c xmlns='urn:m'><l><a>1</a><b>1</b></l><l><a>1</a><b>1</b></l></c>",
        "data-exists /m:c/l[b='1'][a='1'] l: the same twice",
    ),
    (
        "<c xmlns='urn:m' x='1'/>",
        "unknown-attribute /m:c c: attribute x: unknown attribute",
    ),
    (
        "<c xmlns='urn:m' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' nc:operation='delete'/>",
        "unknown-attribute /m:c c: attribute operation: unknown attribute",
    ),
    (
        "<c xmlns='urn:m'><k xmlns:x='urn:n'>x:dog</k></c>",
        "invalid-value /m:c/k k: x:dog is not allowed: use dog",
    ),
    (
        "<c xmlns='urn:m'><k xmlns=''>dog</k></c>",
        "unknown-namespace /m:c k: \"\": unknown namespace: use urn:m",
    ),
];

#[test]
fn wrong_data_is_refused_with_what_netconf_says_of_it() {
    let schema = schema(TYPES);
    for (text, fault) in WRONG {
        assert_eq!(faults(&schema, text), [*fault], "{text}");
    }
    let fault = read(&schema, "<c xmlns='urn:n'/>").unwrap_err().remove(0);
    assert_eq!(
        (&*fault.element, fault.namespace.as_deref()),
        ("c", Some("urn:n"))
    );
    let fault = read(&schema, "<c xmlns='urn:m'><l><b>1</b></l></c>")
        .unwrap_err()
        .remove(0);
    assert_eq!(
        (&*fault.element, fault.fault.kind),
        ("a", FaultKind::MissingKey)
    );
    let fault = read(&schema, "<c xmlns='urn:m' x='1'/>")
        .unwrap_err()
        .remove(0);
    assert_eq!(
        (&*fault.element, fault.attribute.as_deref()),
        ("c", Some("x"))
    );
}

#[test]
fn state_is_not_configuration() {
    let schema = schema(
        "container c { leaf s { type int8; config false; } list q { config false; leaf x { type int8; } } leaf-list r { type int8; config false; } }",
    );
    let text = "<c xmlns='urn:m'><s>1</s><q><x>1</x></q><r>2</r><q/><r>2</r></c>";
    survives(
        &schema,
        text,
        r#"{"m:c":{"s":1,"q":[{"x":1},{}],"r":[2,2]}}"#,
    );
    let faults = xml::read(&schema, &elements(text), &ReadOptions::default()).unwrap_err();
    assert!(
        faults
            .iter()
            .all(|it| it.fault.kind == FaultKind::NotConfig)
    );
    assert_eq!(faults.len(), 5);
}

#[test]
fn data_is_read_below_a_path() {
    let schema = schema(TYPES);
    let at = path(&schema, "/m:c");
    let options = ReadOptions {
        at: at.clone(),
        ..ReadOptions::default()
    };
    let children = xml::read(&schema, &elements("<s xmlns='urn:m'>x</s>"), &options).unwrap();
    let text = xml::write(&schema, at.node(), &children, &WriteOptions::default());
    assert_eq!(text, "<s xmlns=\"urn:m\">x</s>");
    let faults = xml::read(&schema, &elements("<n xmlns='urn:m'>x</n>"), &options).unwrap_err();
    assert_eq!(faults[0].fault.path.text(&schema), "/m:c/n");
}

#[test]
fn defaults_are_marked_where_they_are_not_set() {
    // RFC 6243 appendix A, with the basic mode `explicit`.
    let schema = schema(
        "container interfaces { list interface { key name; leaf name { type string; } leaf mtu { type uint32; default 1500; } } }",
    );
    let root = data(
        &schema,
        r#"{"m:interfaces":{"interface":[{"name":"eth0","mtu":8192},{"name":"eth1"},{"name":"eth3","mtu":1500}]}}"#,
    );
    let all = root.with_defaults(
        &schema,
        twinpath_yang::tree::DefaultsMode::ReportAll,
        Scope::All,
    );
    let options = WriteOptions {
        explicit: Some(&root),
        ..WriteOptions::default()
    };
    let text = xml::write(&schema, None, &all, &options);
    assert_eq!(
        text,
        "<interfaces xmlns=\"urn:m\"><interface><name>eth0</name><mtu>8192</mtu></interface>\
         <interface><name>eth1</name><mtu xmlns:wd=\"urn:ietf:params:xml:ns:netconf:default:1.0\" wd:default=\"true\">1500</mtu>\
         </interface><interface><name>eth3</name><mtu>1500</mtu></interface></interfaces>"
    );
    assert_eq!(read(&schema, &text).unwrap(), root);
    let other = text.replace("\"true\">1500", "\"1\">1400");
    assert_eq!(
        faults(&schema, &other),
        [
            "invalid-value /m:interfaces/interface[name='eth1']/mtu mtu: marked as the default, which is another value"
        ]
    );
}

#[test]
fn prefixes_of_xpaths_are_names_of_modules_in_data() {
    let schema = crate::daemon();
    let text = "<nacm xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-acm'><rule-list><name>a</name><rule><name>b</name>
        <path xmlns:n='urn:ietf:params:xml:ns:yang:ietf-netconf-acm' xmlns:o='urn:other'> /n:nacm/n:rule-list[n:name=\"n:x\"]/o:y </path>
        <action>deny</action></rule></rule-list></nacm>";
    let root = read(&schema, text).unwrap();
    let json = compact(&schema, &root);
    let path =
        r#"/ietf-netconf-acm:nacm/ietf-netconf-acm:rule-list[ietf-netconf-acm:name=\"n:x\"]/o:y"#;
    assert!(json.contains(&format!(r#""path":"{path}""#)), "{json}");
    let text = written(&schema, &root);
    let declared = "<path xmlns:ietf-netconf-acm=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\">/ietf-netconf-acm:nacm/";
    assert!(text.contains(declared), "{text}");
    assert_eq!(read(&schema, &text).unwrap(), root);
}

#[test]
fn what_is_not_read_says_why() {
    let what = |text: &str| {
        Element::parse(text.as_bytes(), &Limits::default())
            .unwrap_err()
            .what
    };
    assert_eq!(
        what("<a>\n<b></a>"),
        "not XML: line 2: ill-formed document: expected `</b>`, but `</a>` was found"
    );
    assert_eq!(
        what("<!DOCTYPE a><a/>"),
        "not XML: line 1: a document type, which is not read"
    );
    assert_eq!(what("<a>&x;</a>"), "not XML: line 1: &x;: unknown entity");
    assert_eq!(
        what("<?xml version='1.0' encoding='latin1'?><a/>"),
        "not XML: line 1: encoding latin1: use UTF-8"
    );
    assert_eq!(
        what("<x:a/>"),
        "not XML: line 1: x: the prefix is not declared"
    );
    assert_eq!(what(""), "not XML: line 1: no element");
    let fault = Element::parse(b"<a>\xff</a>", &Limits::default()).unwrap_err();
    assert_eq!(
        (fault.kind, &*fault.what),
        (FaultKind::NotReadable, "not XML in UTF-8")
    );
}

#[test]
fn size_and_depth_are_bounded() {
    let parse = |text: &str, limits: &Limits| Element::parse(text.as_bytes(), limits).unwrap_err();
    let deep = "<a>".repeat(100_000);
    assert_eq!(parse(&deep, &Limits::default()).kind, FaultKind::TooLarge);
    let few = Limits {
        max_elements: 3,
        ..Limits::default()
    };
    assert_eq!(
        parse("<a><b/><b/><b/></a>", &few).what,
        "more than 3 elements"
    );
    let short = Limits {
        max_octets: 3,
        ..Limits::default()
    };
    assert_eq!(parse("<a/>", &short).what, "more than 3 octets");
    let names: Vec<String> = (0..100).map(|at| format!(" a{at}='x'")).collect();
    let names = names.concat();
    assert_eq!(
        parse(&format!("<a{names}/>"), &Limits::default()).kind,
        FaultKind::TooLarge
    );
    let declared: Vec<String> = (0..60).map(|at| format!(" xmlns:a{at}='x'")).collect();
    let declared = declared.concat();
    let all = format!("<a{declared}>").repeat(5);
    assert_eq!(parse(&all, &Limits::default()).kind, FaultKind::TooLarge);
    let schema = schema("container c { leaf-list l { type int8; } }");
    let options = ReadOptions {
        max_nodes: 3,
        ..ReadOptions::default()
    };
    let many = elements("<c xmlns='urn:m'><l>1</l><l>2</l><l>3</l></c>");
    let faults = xml::read(&schema, &many, &options).unwrap_err();
    assert_eq!(&*faults[0].fault.what, "more than 3 nodes");
}

proptest! {
    #[test]
    fn texts_do_not_panic(text in pieces(&[
        "<c xmlns='urn:m'>", "</c>", "<l>", "</l>", "<k>", "</k>", "<a>", "</a>", "<e/>", "<n>1</n>", " xmlns:x='urn:m'", " x:operation='create'",
        "<", ">", "/>", "&amp;", "&#x0;", "&x;", "<![CDATA[", "]]>", "<!--", "-->", "<?x ", "?>", "<!DOCTYPE c>", "xml", "='", "'", ":", "\u{1}",
    ])) {
        let schema = schema(MODULE);
        if let Ok(element) = Element::parse(text.as_bytes(), &Limits::default()) {
            let elements = [element];
            if let Ok(root) = xml::read(&schema, &elements, &ReadOptions::default()) {
                prop_assert_eq!(read(&schema, &written(&schema, &root)).unwrap(), root);
            }
            let _ = xml::edits(&schema, &elements, &ReadOptions::default());
            let _ = xml::filters(&schema, &elements);
        }
    }

    #[test]
    fn octets_do_not_panic(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Element::parse(&octets, &Limits::default());
    }

    #[test]
    fn data_survives_xml(text in tree()) {
        let schema = schema(MODULE);
        let root = data(&schema, &text);
        let compact_xml = written(&schema, &root);
        prop_assert_eq!(&read(&schema, &compact_xml).unwrap(), &root, "{}", compact_xml);
        let options = WriteOptions { layout: Layout::Indented, ..WriteOptions::default() };
        let indented = xml::write(&schema, None, &root, &options);
        prop_assert_eq!(&read(&schema, &indented).unwrap(), &root, "{}", indented);
    }
}
