//! Edits in XML, by the examples of RFC 6241 section 7.2 and RFC 7950.

use twinpath_yang::json::ReadOptions;
use twinpath_yang::xml::edits;
use twinpath_yang::{Children, Operation, Schema, edit};

use crate::xml::{element, read, written};

/// A tree, and edits of it.
struct Case {
    schema: Schema,
    root: Children,
}

/// Namespaces as in the RFCs.
const DECLARED: &str = "xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' xmlns:xc='urn:ietf:params:xml:ns:netconf:base:1.0'
    xmlns:yang='urn:ietf:params:xml:ns:yang:1' xmlns:wd='urn:ietf:params:xml:ns:netconf:default:1.0'";

impl Case {
    fn new(module: &str, xml: &str) -> Self {
        let schema = Schema::load(&[module], &["example"]).unwrap();
        let root = read(&schema, xml).unwrap();
        Self { schema, root }
    }

    /// The tree after an edit, or the tag and text of what is wrong.
    fn edit(&self, xml: &str, default: Operation) -> Result<String, String> {
        let config = element(&format!("<config {DECLARED}>{xml}</config>"));
        let nodes = edits(&self.schema, &config.children, &ReadOptions::default());
        let nodes = nodes.map_err(|faults| {
            let fault = &faults[0];
            format!("{}: {}", fault.fault.kind.error_tag(), fault.fault.what)
        })?;
        let edited = edit(&self.schema, &self.root, &nodes, default);
        let edited =
            edited.map_err(|fault| format!("{}: {}", fault.kind.error_tag(), fault.what))?;
        Ok(written(&self.schema, &edited))
    }
}

const RFC_6241: &str = "module example { yang-version 1.1; namespace 'http://example.com/schema/1.2/config'; prefix ex;
    container top {
      list interface { key name; leaf name { type string; } leaf mtu { type uint16; }
        list address { key name; leaf name { type string; } leaf prefix-length { type uint8; } } }
      container protocols { container ospf { list area { key name; leaf name { type string; }
        container interfaces { list interface { key name; leaf name { type string; } leaf cost { type uint8; } } } } } }
    } }";

fn top(content: &str) -> String {
    format!("<top xmlns=\"http://example.com/schema/1.2/config\">{content}</top>")
}

#[test]
fn the_examples_of_rfc_6241() {
    let ospf = |interfaces: &str| {
        let area = format!("<name>0.0.0.0</name><interfaces>{interfaces}</interfaces>");
        format!("<protocols><ospf><area>{area}</area></ospf></protocols>")
    };
    let one = "<interface><name>192.0.2.1</name></interface>";
    let both = format!("{one}<interface><name>192.0.2.4</name><cost>1</cost></interface>");
    let address = "<address><name>192.0.2.1</name><prefix-length>24</prefix-length></address>";
    let before = format!(
        "<interface><name>Ethernet0/0</name>{address}</interface>{}",
        ospf(&both)
    );
    let case = Case::new(RFC_6241, &top(&before));
    let set_mtu = top("<interface><name>Ethernet0/0</name><mtu>1500</mtu></interface>");
    assert_eq!(
        case.edit(&set_mtu, Operation::Merge).unwrap(),
        top(&format!(
            "<interface><name>Ethernet0/0</name><mtu>1500</mtu>{address}</interface>{}",
            ospf(&both)
        ))
    );
    let new = "<name>Ethernet0/0</name><mtu>1500</mtu><address><name>192.0.2.4</name><prefix-length>24</prefix-length></address>";
    assert_eq!(
        case.edit(
            &top(&format!(
                "<interface xc:operation='replace'>{new}</interface>"
            )),
            Operation::Merge
        )
        .unwrap(),
        top(&format!("<interface>{new}</interface>{}", ospf(&both)))
    );
    let delete = "<interface xc:operation='delete'><name>Ethernet0/0</name></interface>";
    assert_eq!(
        case.edit(&top(delete), Operation::None).unwrap(),
        top(&ospf(&both))
    );
    let delete = "<interface xc:operation='delete'><name>192.0.2.4</name></interface>";
    assert_eq!(
        case.edit(&top(&ospf(delete)), Operation::None).unwrap(),
        top(&format!(
            "<interface><name>Ethernet0/0</name>{address}</interface>{}",
            ospf(one)
        ))
    );
    let delete = "<interface xc:operation='delete'><name>192.0.2.9</name></interface>";
    assert_eq!(
        case.edit(&top(&ospf(delete)), Operation::None).unwrap_err(),
        "data-missing: interface 192.0.2.9: it does not exist"
    );
}

const RFC_7950: &str = "module example { yang-version 1.1; namespace 'urn:example:config'; prefix ex;
    container system {
      container services { container ssh { presence 'Enables SSH'; leaf port { type uint16; default 22; }
        leaf-list allow-user { type string; } leaf-list cipher { type string; ordered-by user; } } }
      list user { key 'first-name surname'; ordered-by user; leaf first-name { type string; } leaf surname { type string; }
        leaf type { type string; } }
      container protocol { choice name { case a { leaf udp { type empty; } } case b { leaf tcp { type empty; } } } }
    } }";

fn system(content: &str) -> String {
    format!("<system xmlns=\"urn:example:config\">{content}</system>")
}

fn ssh(content: &str) -> String {
    system(&format!("<services><ssh>{content}</ssh></services>"))
}

#[test]
fn the_examples_of_rfc_7950() {
    // Sections 7.5.9 and 7.6.7.
    let case = Case::new(RFC_7950, &ssh("<port>2022</port>"));
    let delete = system("<services><ssh nc:operation='delete'/></services>");
    assert_eq!(case.edit(&delete, Operation::Merge).unwrap(), "");
    assert_eq!(
        case.edit(&ssh("<port nc:operation='delete'/>"), Operation::Merge)
            .unwrap(),
        system("<services><ssh/></services>")
    );
    // Section 7.7.10.
    let case = Case::new(
        RFC_7950,
        &ssh("<cipher>3des-cbc</cipher><cipher>aes</cipher>"),
    );
    let insert = "<cipher nc:operation='create' yang:insert='after' yang:value='3des-cbc'>blowfish-cbc</cipher>";
    assert_eq!(
        case.edit(&ssh(insert), Operation::Merge).unwrap(),
        ssh("<cipher>3des-cbc</cipher><cipher>blowfish-cbc</cipher><cipher>aes</cipher>")
    );
    // Section 7.8.7.
    let user = |first: &str, last: &str| {
        format!("<user><first-name>{first}</first-name><surname>{last}</surname></user>")
    };
    let fred = user("fred", "flintstone");
    let case = Case::new(
        RFC_7950,
        &system(&format!("{}{fred}{}", user("a", "b"), user("c", "d"))),
    );
    let move_after = |operation: &str, key: &str| {
        let insert = format!(
            "<user xmlns:ex='urn:example:config' nc:operation='{operation}' yang:insert='after' yang:key=\"{key}\">\
             <first-name>barney</first-name><surname>rubble</surname><type>admin</type></user>"
        );
        case.edit(&system(&insert), Operation::Merge)
    };
    let key = "[ex:first-name='fred']\n                 [ex:surname='flintstone']";
    let barney =
        "<user><first-name>barney</first-name><surname>rubble</surname><type>admin</type></user>";
    assert_eq!(
        move_after("create", key).unwrap(),
        system(&format!(
            "{}{fred}{barney}{}",
            user("a", "b"),
            user("c", "d")
        ))
    );
    assert_eq!(
        move_after("merge", "[ex:first-name='x'][ex:surname='y']").unwrap_err(),
        "bad-attribute: user: the entry that it is put beside does not exist"
    );
    assert!(
        move_after("merge", "[ex:first-name='x']")
            .unwrap_err()
            .starts_with("bad-attribute: user: attribute key: ")
    );
    // Section 7.9.6.
    let case = Case::new(RFC_7950, &system("<protocol><tcp/></protocol>"));
    let change = system("<protocol><udp nc:operation='create'/></protocol>");
    assert_eq!(
        case.edit(&change, Operation::Merge).unwrap(),
        system("<protocol><udp/></protocol>")
    );
    let both = system("<protocol><udp/><tcp/></protocol>");
    assert!(
        case.edit(&both, Operation::Merge)
            .unwrap_err()
            .starts_with("bad-element: ")
    );
}

#[test]
fn attributes_that_are_wrong_are_refused() {
    let case = Case::new(RFC_7950, &ssh(""));
    let refused = |xml: &str| case.edit(&ssh(xml), Operation::Merge).unwrap_err();
    let cases = [
        (
            "<port nc:operation='destroy'/>",
            "bad-attribute: port: attribute operation: destroy is not allowed: use merge, replace, create, delete or remove",
        ),
        (
            "<port nc:operation='none'>1</port>",
            "bad-attribute: port: attribute operation: none is not allowed: use merge, replace, create, delete or remove",
        ),
        (
            "<port operation='delete'/>",
            "unknown-attribute: port: attribute operation: unknown attribute",
        ),
        (
            "<cipher yang:insert='up'>a</cipher>",
            "bad-attribute: cipher: attribute insert: up is not allowed: use first, last, before or after",
        ),
        (
            "<cipher yang:insert='before'>a</cipher>",
            "missing-attribute: cipher: write the attribute value, as insert needs it",
        ),
        (
            "<cipher yang:insert='before' yang:key=''>a</cipher>",
            "missing-attribute: cipher: write the attribute value, as insert needs it",
        ),
        (
            "<cipher yang:value='x'>a</cipher>",
            "unknown-attribute: cipher: attribute value: it needs the attribute insert",
        ),
        (
            "<allow-user yang:insert='first'>a</allow-user>",
            "unknown-attribute: allow-user: attribute insert: not allowed here, as users do not order it",
        ),
        (
            "<port yang:insert='first'>1</port>",
            "unknown-attribute: port: attribute insert: not allowed here, as users do not order it",
        ),
        (
            "<port wd:default='yes'>1</port>",
            "bad-attribute: port: attribute default: yes is not allowed: use true or false",
        ),
    ];
    for (xml, why) in cases {
        assert_eq!(refused(xml), why, "{xml}");
    }
}

#[test]
fn a_value_that_is_marked_as_default_is_removed() {
    let case = Case::new(RFC_7950, &ssh("<port>2022</port>"));
    let set = |value: u16| {
        case.edit(
            &ssh(&format!("<port wd:default='1'>{value}</port>")),
            Operation::Merge,
        )
    };
    assert_eq!(set(22).unwrap(), system("<services><ssh/></services>"));
    assert_eq!(
        set(23).unwrap_err(),
        "invalid-value: port: marked as the default, which is another value"
    );
}

#[test]
fn operations_are_inherited() {
    let case = Case::new(
        RFC_7950,
        &ssh("<port>2022</port><allow-user>a</allow-user>"),
    );
    let edited = case.edit(
        "<system xmlns='urn:example:config' nc:operation='replace'><services><ssh><port nc:operation='create'>1</port></ssh></services></system>",
        Operation::None,
    );
    assert_eq!(edited.unwrap(), ssh("<port>1</port>"));
    let removed = case.edit(
        &ssh("<port nc:operation='remove'/><allow-user nc:operation='delete'>a</allow-user>"),
        Operation::None,
    );
    assert_eq!(removed.unwrap(), system("<services><ssh/></services>"));
}
