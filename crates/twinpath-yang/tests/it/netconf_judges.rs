//! Requests of NETCONF as yanglint, which has nothing of ours, takes them by the module of RFC 6241.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use twinpath_yang::netconf::{Request, Version};

use crate::judges::is_here;
use crate::netconf_requests::{MODULES, rpc, schema};

const SUPPORTED: &str =
    "ietf-netconf:candidate,confirmed-commit,writable-running,validate,rollback-on-error";

/// Whether yanglint takes a message.
fn takes(directory: &Path, files: &[PathBuf], message: &str) -> bool {
    let file = directory.join("message.xml");
    std::fs::write(&file, message).unwrap();
    let output = Command::new("yanglint")
        .args(["-t", "nc-rpc", "-F", SUPPORTED, "-p"])
        .arg(crate::judges::modules())
        .arg(crate::judges::modules().join("ietf-netconf@2011-06-01.yang"))
        .args(files)
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output.status.success()
}

const DATASTORES: &[&str] = &[
    "",
    "<running/>",
    "<candidate/>",
    "<startup/>",
    "<running/><candidate/>",
    "<running/><running/>",
    "<running>x</running>",
    "<running xmlns='urn:x'/>",
];

const OTHERS: &[&str] = &[
    "<get/>",
    "<get><filter type='subtree'/></get>",
    "<get><x/></get>",
    "<get><filter/><filter/></get>",
    "<get-config/>",
    "<nonsense/>",
    "<get xmlns='urn:x'/>",
    "<discard-changes/>",
    "<discard-changes><x/></discard-changes>",
    "<close-session/>",
    "<kill-session/>",
    "<kill-session><session-id>4</session-id></kill-session>",
    "<kill-session><session-id> 4 </session-id></kill-session>",
    "<kill-session><session-id>0</session-id></kill-session>",
    "<kill-session><session-id>4294967295</session-id></kill-session>",
    "<kill-session><session-id>4294967296</session-id></kill-session>",
    "<kill-session><session-id>x</session-id></kill-session>",
    "<kill-session><session-id>4</session-id><session-id>5</session-id></kill-session>",
    "<commit/>",
    "<commit><confirmed/></commit>",
    "<commit><confirmed>1</confirmed></commit>",
    "<commit><confirmed/><confirm-timeout>120</confirm-timeout></commit>",
    "<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>",
    "<commit><confirmed/><confirm-timeout>-1</confirm-timeout></commit>",
    "<commit><confirmed/><persist>a</persist></commit>",
    "<commit><persist-id>a</persist-id></commit>",
    "<commit><persist-id>a</persist-id><x/></commit>",
    "<cancel-commit/>",
    "<cancel-commit><persist-id>a</persist-id></cancel-commit>",
    "<cancel-commit><confirmed/></cancel-commit>",
    "<validate/>",
    "<validate><source><config/></source></validate>",
    "<copy-config><target><running/></target></copy-config>",
    "<copy-config><source><running/></source></copy-config>",
    "<copy-config><target><running/></target><source><config/></source></copy-config>",
    "<copy-config><source><config/></source><target><candidate/></target></copy-config>",
    "<action xmlns='urn:ietf:params:xml:ns:yang:1'><server xmlns='urn:example:server-farm'><name>a</name><reset><reset-at>b</reset-at></reset></server></action>",
    "<action xmlns='urn:ietf:params:xml:ns:yang:1'><server xmlns='urn:example:server-farm'><name>a</name><reset/></server></action>",
    "<action xmlns='urn:ietf:params:xml:ns:yang:1'><server xmlns='urn:example:server-farm'><name>a</name></server></action>",
    "<action xmlns='urn:ietf:params:xml:ns:yang:1'><server xmlns='urn:example:server-farm'><reset><reset-at>b</reset-at></reset></server></action>",
    "<action xmlns='urn:ietf:params:xml:ns:yang:1'><plain xmlns='urn:example:server-farm'><go/></plain></action>",
    "<action xmlns='urn:ietf:params:xml:ns:yang:1'><plain xmlns='urn:example:server-farm'><go><x/></go></plain></action>",
    "<rock-the-house xmlns='http://example.net/rock/1.0'><zip-code>27606-0100</zip-code></rock-the-house>",
    "<rock-the-house xmlns='http://example.net/rock/1.0'><zip-code>27606-0100</zip-code><loud>yes</loud></rock-the-house>",
    "<rock-the-house xmlns='http://example.net/rock/1.0'/>",
    "<stop xmlns='http://example.net/rock/1.0'/>",
];

const EDITS: &[&str] = &[
    "",
    "<config/>",
    "<config/><config/>",
    "<url>file:///a</url>",
    "<config/><default-operation>none</default-operation>",
    "<default-operation>delete</default-operation><config/>",
    "<default-operation>merge</default-operation><default-operation>merge</default-operation><config/>",
    "<test-option>test-only</test-option><config/>",
    "<test-option>test</test-option><config/>",
    "<error-option>continue-on-error</error-option><config/>",
    "<error-option>continue</error-option><config/>",
    "<x/><config/>",
];

#[test]
fn yanglint_takes_and_refuses_the_same_requests() {
    if !is_here("yanglint") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let names = ["config", "example-server-farm", "rock"];
    let files = MODULES.iter().zip(names).map(|(text, name)| {
        let file = directory.path().join(format!("{name}.yang"));
        std::fs::write(&file, text).unwrap();
        file
    });
    let files: Vec<PathBuf> = files.collect();
    let schema = schema();
    let mut contents: Vec<String> = OTHERS.iter().map(|it| (*it).to_owned()).collect();
    for datastore in DATASTORES {
        for (operation, part) in [
            ("get-config", "source"),
            ("validate", "source"),
            ("lock", "target"),
            ("unlock", "target"),
        ] {
            contents.push(format!(
                "<{operation}><{part}>{datastore}</{part}></{operation}>"
            ));
        }
        contents.push(format!(
            "<edit-config><target>{datastore}</target><config/></edit-config>"
        ));
    }
    for edit in EDITS {
        contents.push(format!(
            "<edit-config><target><running/></target>{edit}</edit-config>"
        ));
    }
    let mut taken = 0;
    for content in &contents {
        let message = rpc(content);
        let ours = Request::parse(&schema, message.as_bytes(), Version::V1_1);
        let theirs = takes(directory.path(), &files, &message);
        assert_eq!(ours.is_ok(), theirs, "{content}: {ours:?}");
        taken += usize::from(theirs);
    }
    assert!(taken > 20 && contents.len() - taken > 20, "{taken}");
}
