//! Subtree filters in XML, by the examples of RFC 6241 section 6.4.

use twinpath_yang::xml::{MAX_FILTERS, filters};
use twinpath_yang::{Children, FaultKind, Filter, Schema};

use crate::module;
use crate::xml::{elements, read, written};

const MODULE: &str = "module example { yang-version 1.1; namespace 'http://example.com/schema/1.2/config'; prefix ex;
    container top {
      container users { list user { key name; leaf name { type string; } leaf type { type string; } leaf full-name { type string; }
        container company-info { leaf dept { type uint8; } leaf id { type uint8; } } } }
      container other { leaf x { type int8; } }
    } }";

fn shown(schema: &Schema, root: &Children, filter: &str) -> Children {
    let filters = filters(schema, &elements(filter)).unwrap();
    Filter::apply(schema, root, &filters)
}

#[test]
fn the_examples_of_rfc_6241() {
    let schema = Schema::load(&[MODULE], &["example"]).unwrap();
    let all = EXAMPLES[1].1;
    let all = all.replace("</top>", "<other><x>1</x></other></top>");
    let root = read(&schema, &all).unwrap();
    for (filter, reply) in EXAMPLES {
        let expected = read(&schema, reply).unwrap();
        assert_eq!(shown(&schema, &root, filter), expected, "{filter}");
    }
}

#[test]
fn an_element_without_a_namespace_is_of_any() {
    let other = module(
        "o",
        "container top { leaf y { type int8; } } identity a; leaf kind { type identityref { base a; } } identity b { base a; }",
    );
    let schema = Schema::load(&[MODULE, &other], &["example", "o"]).unwrap();
    let all = "<top xmlns='http://example.com/schema/1.2/config'><other><x>1</x></other></top><top xmlns='urn:o'><y>2</y></top><kind xmlns='urn:o'>b</kind>";
    let root = read(&schema, all).unwrap();
    let shown = |filter: &str| written(&schema, &shown(&schema, &root, filter));
    let both = "<top xmlns=\"http://example.com/schema/1.2/config\"><other><x>1</x></other></top><top xmlns=\"urn:o\"><y>2</y></top>";
    assert_eq!(shown("<top/>"), both);
    assert_eq!(
        shown("<top xmlns='urn:o'> </top>"),
        "<top xmlns=\"urn:o\"><y>2</y></top>"
    );
    assert_eq!(
        shown("<top xmlns='urn:o'><y xmlns=''> 2 </y></top>"),
        "<top xmlns=\"urn:o\"><y>2</y></top>"
    );
    assert_eq!(shown("<top xmlns='urn:p'/>"), "");
    assert_eq!(shown("<top a='1'/>"), "");
    assert_eq!(
        shown("<kind xmlns='urn:o' xmlns:p='urn:o'>p:b</kind><top xmlns='urn:o'/>"),
        "<top xmlns=\"urn:o\"><y>2</y></top><kind xmlns=\"urn:o\" xmlns:o=\"urn:o\">o:b</kind>"
    );
    assert_eq!(
        shown("<kind xmlns='urn:o'>c</kind><top xmlns='urn:o'/>"),
        ""
    );
}

#[test]
fn filters_are_bounded() {
    let schema = Schema::load(&[MODULE], &["example"]).unwrap();
    let fault = filters(&schema, &elements(&"<a/>".repeat(MAX_FILTERS + 1))).unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLarge);
}

const EXAMPLES: &[(&str, &str)] = &[
    // Section 6.4.2.  Empty Filter
    ("", ""),
    // Section 6.4.3.  Select the Entire <users> Subtree
    (
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users/>
    </top>"#,
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>root</name>
          <type>superuser</type>
          <full-name>Charlie Root</full-name>
          <company-info>
            <dept>1</dept>
            <id>1</id>
          </company-info>
        </user>
        <user>
          <name>fred</name>
          <type>admin</type>
          <full-name>Fred Flintstone</full-name>
          <company-info>
            <dept>2</dept>
            <id>2</id>
          </company-info>
        </user>
        <user>
          <name>barney</name>
          <type>admin</type>
          <full-name>Barney Rubble</full-name>
          <company-info>
            <dept>2</dept>
            <id>3</id>
          </company-info>
        </user>
      </users>
    </top>"#,
    ),
    // Section 6.4.3.  Select the Entire <users> Subtree
    (
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user/>
      </users>
    </top>"#,
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>root</name>
          <type>superuser</type>
          <full-name>Charlie Root</full-name>
          <company-info>
            <dept>1</dept>
            <id>1</id>
          </company-info>
        </user>
        <user>
          <name>fred</name>
          <type>admin</type>
          <full-name>Fred Flintstone</full-name>
          <company-info>
            <dept>2</dept>
            <id>2</id>
          </company-info>
        </user>
        <user>
          <name>barney</name>
          <type>admin</type>
          <full-name>Barney Rubble</full-name>
          <company-info>
            <dept>2</dept>
            <id>3</id>
          </company-info>
        </user>
      </users>
    </top>"#,
    ),
    // Section 6.4.4.  Select All <name> Elements within the <users> Subtree
    (
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name/>
        </user>
      </users>
    </top>"#,
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>root</name>
        </user>
        <user>
          <name>fred</name>
        </user>
        <user>
          <name>barney</name>
        </user>
      </users>
    </top>"#,
    ),
    // Section 6.4.5.  One Specific <user> Entry
    (
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>fred</name>
        </user>
      </users>
    </top>"#,
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>fred</name>
          <type>admin</type>
          <full-name>Fred Flintstone</full-name>
          <company-info>
            <dept>2</dept>
            <id>2</id>
          </company-info>
        </user>
      </users>
    </top>"#,
    ),
    // Section 6.4.6.  Specific Elements from a Specific <user> Entry
    (
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>fred</name>
          <type/>
          <full-name/>
        </user>
      </users>
    </top>"#,
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>fred</name>
          <type>admin</type>
          <full-name>Fred Flintstone</full-name>
        </user>
      </users>
    </top>"#,
    ),
    // Section 6.4.7.  Multiple Subtrees
    (
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>root</name>
          <company-info/>
        </user>
        <user>
          <name>fred</name>
          <company-info>
            <id/>
          </company-info>
        </user>
        <user>
          <name>barney</name>
          <type>superuser</type>
          <company-info>
            <dept/>
          </company-info>
        </user>
      </users>
    </top>"#,
        r#"
    <top xmlns="http://example.com/schema/1.2/config">
      <users>
        <user>
          <name>root</name>
          <company-info>
            <dept>1</dept>
            <id>1</id>
          </company-info>
        </user>
        <user>
          <name>fred</name>
          <company-info>
            <id>2</id>
          </company-info>
        </user>
      </users>
    </top>"#,
    ),
];
