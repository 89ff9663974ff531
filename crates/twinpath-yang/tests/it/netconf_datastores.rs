//! Datastores of NETCONF: edits, locks and commits of several sessions (RFC 6241 sections 7 and 8).

use std::time::Duration;

use twinpath_yang::access::{Access, User};
use twinpath_yang::netconf::{Commit, Context, Datastore, Datastores, Effect, Operation};
use twinpath_yang::{Children, Fault, FaultKind, Path, Schema, modules::TEXTS};

use crate::netconf_requests::{parse, summary};
use crate::{compact, data, module};

const MODULE: &str = "container c { leaf a { type string; } leaf b { type string; } leaf ref { type leafref { path '../a'; } }
    list l { key k; leaf k { type string; } } }";

/// A server with what is in force.
pub(crate) struct Server {
    pub(crate) schema: Schema,
    pub(crate) running: Children,
    pub(crate) datastores: Datastores,
    pub(crate) access: Access,
    pub(crate) now: Duration,
    /// Whether what is to be put in force is refused.
    pub(crate) refuses: bool,
}

impl Server {
    pub(crate) fn new() -> Self {
        let text = module("m", MODULE);
        let texts: Vec<&str> = TEXTS.iter().copied().chain([&*text]).collect();
        let schema = Schema::load(&texts, &["ietf-netconf-acm", "m"]).unwrap();
        let mut datastores = Datastores::new();
        assert_eq!(
            [datastores.open(), datastores.open(), datastores.open()],
            [1, 2, 3]
        );
        Self {
            running: data(&schema, r#"{"m:c":{"a":"1"}}"#),
            schema,
            datastores,
            access: Access::default(),
            now: Duration::from_secs(1000),
            refuses: false,
        }
    }

    pub(crate) fn perform(
        &mut self,
        session: u32,
        operation: &Operation,
    ) -> Result<Effect, String> {
        let context = Context {
            schema: &self.schema,
            running: &self.running,
            access: &self.access,
            user: User::named("u"),
            session,
            now: self.now,
            at: "2026-11-30T14:00:00Z",
        };
        let effect = self.datastores.perform(&context, operation);
        effect.map_err(|errors| summary(&self.schema, &errors[0]))
    }

    pub(crate) fn finish(&mut self, commit: Commit) -> String {
        let result = if self.refuses {
            Err(vec![Fault {
                path: Path::root(),
                kind: FaultKind::MustFalse,
                what: "no".into(),
                app_tag: None,
            }])
        } else {
            self.running = commit.tree.clone();
            Ok(())
        };
        match self
            .datastores
            .finish(&self.schema, commit, result, self.now)
        {
            Ok(()) => "ok".to_owned(),
            Err(errors) => summary(&self.schema, &errors[0]),
        }
    }

    /// What a session is answered.
    pub(crate) fn ask(&mut self, session: u32, content: &str) -> String {
        let operation = parse(&self.schema, content);
        match self.perform(session, &operation) {
            Err(said) => said,
            Ok(Effect::Done) => "ok".to_owned(),
            Ok(Effect::Commit(commit)) => self.finish(commit),
            Ok(Effect::Close) => "close".to_owned(),
            Ok(Effect::Kill(other)) => format!("kill {other}"),
            Ok(Effect::Elsewhere) => "elsewhere".to_owned(),
        }
    }

    pub(crate) fn set(&mut self, session: u32, target: &str, leaves: &str) -> String {
        self.ask(session, &edit(target, "", leaves))
    }

    pub(crate) fn running(&self) -> String {
        compact(&self.schema, &self.running)
    }

    pub(crate) fn candidate(&self) -> String {
        let tree = self.datastores.get(Datastore::Candidate, &self.running);
        compact(&self.schema, tree)
    }

    /// Puts in force what is due.
    pub(crate) fn poll(&mut self) -> Option<String> {
        let commit = self.datastores.poll(self.now)?;
        assert!(commit.is_rollback());
        Some(self.finish(commit))
    }
}

pub(crate) fn edit(target: &str, options: &str, leaves: &str) -> String {
    format!(
        "<edit-config><target><{target}/></target>{options}<config><c xmlns='urn:m' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0'>{leaves}</c></config></edit-config>"
    )
}

pub(crate) fn on(operation: &str, target: &str) -> String {
    format!("<{operation}><target><{target}/></target></{operation}>")
}

pub(crate) const A2: &str = r#"{"m:c":{"a":"2"}}"#;
pub(crate) const A1: &str = r#"{"m:c":{"a":"1"}}"#;

#[test]
fn edits_of_what_is_in_force() {
    let mut it = Server::new();
    assert_eq!(it.set(1, "running", "<a>2</a>"), "ok");
    assert_eq!((it.running(), it.candidate()), (A2.into(), A2.into()));
    // What is wrong changes nothing.
    assert_eq!(
        it.set(1, "running", "<ref>x</ref>"),
        "data-missing application /m:c/ref"
    );
    assert_eq!(
        it.set(
            1,
            "running",
            "<b>1</b><l nc:operation='delete'><k>x</k></l>"
        ),
        "data-missing application /m:c/l[k='x']"
    );
    assert_eq!(
        it.set(1, "running", "<a nc:operation='create'>3</a>"),
        "data-exists application /m:c/a"
    );
    let test_only = "<test-option>test-only</test-option>";
    assert_eq!(it.ask(1, &edit("running", test_only, "<a>3</a>")), "ok");
    assert_eq!(
        it.ask(1, &edit("running", test_only, "<ref>x</ref>")),
        "data-missing application /m:c/ref"
    );
    // It is valid always, whatever the option.
    assert_eq!(
        it.ask(
            1,
            &edit("running", "<test-option>set</test-option>", "<ref>x</ref>")
        ),
        "data-missing application /m:c/ref"
    );
    assert_eq!(it.running(), A2);
    it.refuses = true;
    assert_eq!(
        it.set(1, "running", "<a>3</a>"),
        "operation-failed application -"
    );
    assert_eq!(it.running(), A2);
    it.refuses = false;
    let copy = "<copy-config><target><running/></target><source><config><c xmlns='urn:m'><b>1</b></c></config></source></copy-config>";
    assert_eq!(it.ask(1, copy), "ok");
    assert_eq!(it.running(), r#"{"m:c":{"b":"1"}}"#);
    assert_eq!(
        it.ask(1, &on("delete-config", "candidate")),
        "operation-not-supported protocol -"
    );
    assert_eq!(it.ask(1, "<get/>"), "elsewhere");
}

#[test]
fn what_is_prepared() {
    let mut it = Server::new();
    assert_eq!(it.set(1, "candidate", "<a>2</a>"), "ok");
    assert_eq!((it.running(), it.candidate()), (A1.into(), A2.into()));
    assert_eq!(it.ask(2, "<discard-changes/>"), "ok");
    assert_eq!(it.candidate(), A1);
    // It need not be valid before it is committed.
    assert_eq!(it.set(1, "candidate", "<ref>x</ref>"), "ok");
    assert_eq!(
        it.ask(1, "<validate><source><candidate/></source></validate>"),
        "data-missing application /m:c/ref"
    );
    assert_eq!(it.ask(1, "<commit/>"), "data-missing application /m:c/ref");
    assert_eq!(
        it.ask(
            1,
            &edit(
                "candidate",
                "<test-option>test-then-set</test-option>",
                "<b>1</b>"
            )
        ),
        "data-missing application /m:c/ref"
    );
    assert_eq!(it.set(1, "candidate", "<a>x</a>"), "ok");
    it.refuses = true;
    assert_eq!(it.ask(1, "<commit/>"), "operation-failed application -");
    assert_eq!(it.running(), A1);
    it.refuses = false;
    assert_eq!(it.ask(1, "<commit/>"), "ok");
    assert_eq!(it.running(), r#"{"m:c":{"a":"x","ref":"x"}}"#);
    assert_eq!(it.ask(1, "<commit/>"), "ok");
    // What is not prepared follows what is in force.
    assert_eq!(it.set(2, "running", "<b>1</b>"), "ok");
    assert_eq!(it.candidate(), it.running());
    assert_eq!(it.set(2, "candidate", "<b>2</b>"), "ok");
    assert_eq!(
        it.ask(
            2,
            "<copy-config><target><candidate/></target><source><running/></source></copy-config>"
        ),
        "ok"
    );
    assert_eq!(it.candidate(), it.running());
    assert_eq!(it.ask(2, "<validate><source><config><c xmlns='urn:m'><ref>y</ref></c></config></source></validate>"), "data-missing application /m:c/ref");
}

#[test]
fn locks() {
    let mut it = Server::new();
    for target in ["running", "candidate"] {
        assert_eq!(it.ask(1, &on("lock", target)), "ok");
        assert_eq!(
            it.ask(1, &on("lock", target)),
            "lock-denied protocol - session 1"
        );
        assert_eq!(
            it.ask(2, &on("lock", target)),
            "lock-denied protocol - session 1"
        );
        assert_eq!(
            it.ask(2, &on("unlock", target)),
            "operation-failed protocol -"
        );
        assert_eq!(it.set(2, target, "<a>2</a>"), "in-use protocol -");
        assert_eq!(it.set(1, target, "<a>2</a>"), "ok");
    }
    assert_eq!(it.ask(2, "<commit/>"), "in-use protocol -");
    assert_eq!(it.ask(2, "<discard-changes/>"), "in-use protocol -");
    let copy =
        "<copy-config><target><running/></target><source><candidate/></source></copy-config>";
    assert_eq!(it.ask(2, copy), "in-use protocol -");
    assert!(
        it.datastores
            .check_change(None, Datastore::Running)
            .is_err()
    );
    assert_eq!(it.ask(1, &on("unlock", "running")), "ok");
    assert!(it.datastores.check_change(None, Datastore::Running).is_ok());
    assert_eq!(
        it.ask(1, &on("unlock", "running")),
        "operation-failed protocol -"
    );
    // The end of a lock discards what was prepared.
    assert_eq!(it.set(1, "candidate", "<a>3</a>"), "ok");
    assert_eq!(it.ask(1, &on("unlock", "candidate")), "ok");
    assert_eq!(it.candidate(), A2);
    assert_eq!(it.ask(1, &on("lock", "candidate")), "ok");
    assert_eq!(it.set(1, "candidate", "<a>3</a>"), "ok");
    it.datastores.close(1);
    assert_eq!(it.candidate(), A2);
    // What is prepared by others is not locked.
    assert_eq!(it.set(2, "candidate", "<a>3</a>"), "ok");
    assert_eq!(
        it.ask(3, &on("lock", "candidate")),
        "lock-denied protocol - session 0"
    );
    assert_eq!(it.ask(2, "<discard-changes/>"), "ok");
    assert_eq!(it.ask(3, &on("lock", "candidate")), "ok");
    assert_eq!(
        it.datastores
            .lock_of(Datastore::Candidate)
            .map(|lock| lock.session),
        Some(3)
    );
    assert_eq!(it.datastores.lock_of(Datastore::Running), None);
}

#[test]
fn sessions_end() {
    let mut it = Server::new();
    assert_eq!(it.ask(1, "<close-session/>"), "close");
    let kill =
        |number: u32| format!("<kill-session><session-id>{number}</session-id></kill-session>");
    assert_eq!(it.ask(1, &kill(1)), "invalid-value protocol -");
    assert_eq!(it.ask(1, &kill(9)), "invalid-value protocol -");
    assert_eq!(it.ask(2, &on("lock", "running")), "ok");
    assert_eq!(it.ask(1, &kill(2)), "kill 2");
    it.datastores.close(2);
    assert_eq!(it.ask(1, &on("lock", "running")), "ok");
    assert_eq!(it.datastores.sessions().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(it.datastores.open(), 4);
}

#[test]
fn rules_of_access_hold() {
    let mut it = Server::new();
    let rules = r#"{"ietf-netconf-acm:nacm":{"groups":{"group":[{"name":"g","user-name":["u"]}]},"rule-list":[{"name":"r","group":["g"],"rule":[
        {"name":"1","action":"deny","path":"/m:c/b"},{"name":"2","action":"permit","path":"/m:c"}]}]}}"#;
    it.access = Access::of(&it.schema, &data(&it.schema, rules));
    it.running = data(
        &it.schema,
        r#"{"m:c":{"a":"1","b":"secret","l":[{"k":"x"}]}}"#,
    );
    assert_eq!(it.set(1, "running", "<a>2</a>"), "ok");
    assert_eq!(
        it.set(1, "running", "<b>2</b>"),
        "access-denied application /m:c"
    );
    // Whether it is there is not said.
    assert_eq!(
        it.set(1, "running", "<b nc:operation='create'>2</b>"),
        "access-denied application /m:c"
    );
    assert_eq!(
        it.set(1, "running", "<b nc:operation='remove'/>"),
        "access-denied application /m:c"
    );
    assert_eq!(
        it.set(1, "candidate", "<b>2</b>"),
        "access-denied application /m:c"
    );
    // A copy lacks what the user may not read, so it would delete it.
    assert_eq!(it.set(1, "candidate", "<a>3</a>"), "ok");
    let copy =
        "<copy-config><target><running/></target><source><candidate/></source></copy-config>";
    assert_eq!(it.ask(1, copy), "access-denied application /m:c");
    // A commit needs permission for what differs only.
    assert_eq!(it.ask(1, "<commit/>"), "ok");
    assert_eq!(
        it.running(),
        r#"{"m:c":{"a":"3","b":"secret","l":[{"k":"x"}]}}"#
    );
    let kill = parse(
        &it.schema,
        "<kill-session><session-id>2</session-id></kill-session>",
    );
    let denied = kill
        .check_access(&it.schema, &it.access, User::named("u"))
        .unwrap_err();
    assert_eq!(
        summary(&it.schema, &denied[0]),
        "access-denied protocol base>kill-session"
    );
    let close = parse(&it.schema, "<close-session/>");
    assert!(
        close
            .check_access(&it.schema, &it.access, User::named("u"))
            .is_ok()
    );
}
