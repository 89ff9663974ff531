//! What users may do (RFC 8341).

use super::super::Place;
use super::{Daemon, edit, entry, get_config};

const RULES: &str = "
[nacm]
write-default = \"permit\"

[[nacm.groups.group]]
name = \"admins\"
user-name = [\"ann\"]

[[nacm.groups.group]]
name = \"guests\"
user-name = [\"bob\"]

[[nacm.rule-list]]
name = \"admins\"
group = [\"admins\"]

[[nacm.rule-list.rule]]
name = \"all\"
action = \"permit\"

[[nacm.rule-list]]
name = \"guests\"
group = [\"guests\"]

[[nacm.rule-list.rule]]
name = \"no keys\"
path = \"/tpm:measurement/tpm:netconf\"
action = \"deny\"

[[nacm.rule-list.rule]]
name = \"no changes\"
path = \"/tpm:measurement\"
access-operations = \"create update delete\"
action = \"deny\"

[[nacm.rule-list.rule]]
name = \"no commits\"
module-name = \"ietf-netconf\"
rpc-name = \"discard-changes\"
access-operations = \"exec\"
action = \"deny\"
";

#[test]
fn users_may_do_what_their_rules_say() {
    let rules = RULES.replace("tpm:", "twinpath-measurement:");
    let daemon = Daemon::with(&["ann", "bob"], &rules);
    let before = daemon.served.text();
    let mut bob = daemon.session_of("bob");
    let reply = bob.ask(&get_config("running"));
    assert!(
        reply.contains("<name>a</name>") && !reply.contains("authorized-keys"),
        "{reply}"
    );
    assert_eq!(
        bob.refused(&edit("running", &entry("b", ""))),
        "access-denied"
    );
    assert_eq!(
        bob.refused(&edit("candidate", &entry("b", ""))),
        "access-denied"
    );
    assert_eq!(bob.refused("<discard-changes/>"), "access-denied");
    assert_eq!(daemon.served.text(), before);
    let mut ann = daemon.session();
    let reply = ann.ask("<get><filter><nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"/></filter></get>");
    assert!(reply.contains("<denied-operations>1<"), "{reply}");
    assert!(reply.contains("<denied-data-writes>2<"), "{reply}");
    ann.edit("running", &entry("b", ""));
    bob.ok("<close-session/>");
}

#[test]
fn rules_that_match_nothing_are_faults() {
    let place = Place::of(
        &RULES
            .replace("tpm:netconf", "tpm:other")
            .replace("tpm:", "twinpath-measurement:"),
    );
    let done = place.config("check");
    assert_eq!(done.status, 2);
    let line = 1 + RULES
        .lines()
        .position(|line| line.contains("tpm:netconf"))
        .unwrap();
    assert!(
        done.stderr.contains(&format!("twinpath.toml:{line}: ")),
        "{}",
        done.stderr
    );
}
