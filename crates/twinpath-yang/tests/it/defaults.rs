//! The example of RFC 6243 appendix A, whose status `up` is `ok` here: its type has no `up`.

use twinpath_yang::tree::DefaultsMode;
use twinpath_yang::{Schema, Scope};

use crate::{compact, data, schema};

const MODULE: &str = r#"
    module example {
      namespace "http://example.com/ns/interfaces";
      prefix exam;
      typedef status-type {
        type enumeration {
          enum ok; enum 'waking up'; enum 'not feeling so good'; enum 'better check it out'; enum 'better call for help';
        }
        default ok;
      }
      container interfaces {
        list interface {
          key name;
          leaf name { type string { length "1 .. max"; } }
          leaf mtu { type uint32; default 1500; }
          leaf status { type status-type; config false; }
        }
      }
    }"#;

/// What was set, by mtu of each interface, and the status that is not the default.
fn example(interfaces: [&str; 4]) -> String {
    let [eth0, eth1, eth2, eth3] = interfaces;
    format!(
        r#"{{"example:interfaces":{{"interface":[{{"name":"eth0"{eth0}}},{{"name":"eth1"{eth1}}},{{"name":"eth2"{eth2},"status":"not feeling so good"}},{{"name":"eth3"{eth3},"status":"waking up"}}]}}}}"#
    )
}

#[test]
fn the_modes_of_the_rfc() {
    let schema = Schema::load(&[MODULE], &["example"]).unwrap();
    let set = example([r#","mtu":8192"#, "", r#","mtu":9000"#, r#","mtu":1500"#]);
    let root = data(&schema, &set);
    let shown = |mode, scope| compact(&schema, &root.with_defaults(&schema, mode, scope));
    assert_eq!(shown(DefaultsMode::Explicit, Scope::All), set);
    assert_eq!(
        shown(DefaultsMode::ReportAll, Scope::All),
        example([
            r#","mtu":8192,"status":"ok""#,
            r#","mtu":1500,"status":"ok""#,
            r#","mtu":9000"#,
            r#","mtu":1500"#
        ])
    );
    assert_eq!(
        shown(DefaultsMode::ReportAll, Scope::Config),
        example([
            r#","mtu":8192"#,
            r#","mtu":1500"#,
            r#","mtu":9000"#,
            r#","mtu":1500"#
        ])
    );
    assert_eq!(
        shown(DefaultsMode::Trim, Scope::All),
        example([r#","mtu":8192"#, "", r#","mtu":9000"#, ""])
    );
}

/// RFC 7950 sections 7.6.1 and 7.9.3.
#[test]
fn defaults_of_cases_apply_where_the_case_is_chosen() {
    let schema = schema(
        r#"container transfer {
             choice how {
               default interval;
               case interval { leaf interval { type uint16; default 30; } }
               case daily { leaf daily { type empty; } leaf time-of-day { type string; default "01.00"; } }
               leaf manual { type empty; }
             }
             container log { leaf level { type string; default "info"; } }
             container trace { presence "on"; leaf file { type string; default "a"; } }
             leaf-list words { type string; default "x"; default "y"; }
           }"#,
    );
    let full = |text: &str| {
        let root = data(&schema, text);
        compact(
            &schema,
            &root.with_defaults(&schema, DefaultsMode::ReportAll, Scope::All),
        )
    };
    let rest = r#""log":{"level":"info"},"words":["x","y"]"#;
    for (set, shown) in [
        ("", r#""interval":30,"#),
        (
            r#""daily":[null]"#,
            r#""daily":[null],"time-of-day":"01.00","#,
        ),
        (r#""manual":[null]"#, r#""manual":[null],"#),
    ] {
        let set = format!(r#"{{"m:transfer":{{{set}}}}}"#);
        assert_eq!(full(&set), format!(r#"{{"m:transfer":{{{shown}{rest}}}}}"#));
    }
    let set = r#"{"m:transfer":{"trace":{},"words":["z"]}}"#;
    assert_eq!(
        full(set),
        r#"{"m:transfer":{"interval":30,"log":{"level":"info"},"trace":{"file":"a"},"words":["z"]}}"#
    );
}
