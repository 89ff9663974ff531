//! NETCONF: octets as messages, and messages of two sessions as what they do with datastores.

use std::sync::LazyLock;
use std::time::Duration;

use twinpath_yang::access::{Access, User};
use twinpath_yang::json::ReadOptions;
use twinpath_yang::netconf::framing::encode;
use twinpath_yang::netconf::{
    BadMessage, Commit, Context, Datastore, Datastores, Decoder, Effect, Framing, FramingError,
    Operation, Reply, Request, RpcError, Version, schema_text,
};
use twinpath_yang::xml::{Element, Limits, NETCONF};
use twinpath_yang::{Children, Schema, Scope, modules, validate};

use crate::input::Input;

/// Octets of a message, at most.
const MAX: usize = 2_000;

type Decoded = (Vec<Vec<u8>>, Option<FramingError>);

fn decode(framing: Framing, stream: &[u8], piece: usize) -> Decoded {
    let mut decoder = Decoder::new(MAX);
    decoder.set_framing(framing);
    let mut messages = Vec::new();
    for mut octets in stream.chunks(piece.max(1)) {
        loop {
            match decoder.next(&mut octets) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(octets.is_empty(), "octets that were not taken");
    }
    (messages, None)
}

/// A stream of octets.
pub(crate) fn framing(input: &[u8]) {
    let mut input = Input::new(input);
    let piece = usize::from(input.octet());
    let stream = input.rest();
    for framing in [Framing::EndOfMessage, Framing::Chunked] {
        let (messages, error) = decode(framing, stream, piece);
        let whole = decode(framing, stream, stream.len());
        assert_eq!(
            (&messages, error),
            (&whole.0, whole.1),
            "pieces and the whole differ"
        );
        for message in messages {
            assert!(message.len() <= MAX, "a message that is too long");
            let is_chunked = framing == Framing::Chunked;
            assert!(
                !(is_chunked && message.is_empty()),
                "a message without chunks"
            );
            if let Ok(text) = String::from_utf8(message) {
                let again = decode(framing, &encode(framing, &text), 7);
                assert_eq!(again, (vec![text.into_bytes()], None));
            }
        }
    }
}

const MODULE: &str = "module f { yang-version 1.1; namespace 'urn:f'; prefix f; import ietf-netconf-acm { prefix nacm; }
    container c { leaf a { type string; default x; } leaf ref { type leafref { path '../a'; } } leaf secret { type string; }
      leaf-list ll { type string; ordered-by user; } choice ch { leaf one { type int8; } leaf two { type int8; } }
      list l { key k; ordered-by user; leaf k { type string; } leaf v { type uint8; mandatory true; } action go { input { leaf x { type int8; mandatory true; } } } } }
    rpc run { input { leaf x { type int8; } } } notification seen { leaf x { type int8; } } }";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let texts = modules::TEXTS.iter().chain(&modules::NETCONF_TEXTS);
    let texts: Vec<&str> = texts.copied().chain([MODULE]).collect();
    let names = [
        "ietf-netconf-acm",
        "ietf-netconf-monitoring",
        "nc-notifications",
        "f",
    ];
    Schema::load(&texts, &names).expect("modules")
});

/// What only the first user may read.
const SECRET: &str = "zq7";

static BASE: LazyLock<Children> = LazyLock::new(|| {
    let text = br#"{"f:c":{"a":"1","ref":"1","secret":"zq7","ll":["1","2"],"one":1,"l":[{"k":"a","v":1},{"k":"b","v":2}]},
        "ietf-netconf-acm:nacm":{"write-default":"permit","groups":{"group":[{"name":"g","user-name":["second"]}]},
        "rule-list":[{"name":"r","group":["g"],"rule":[{"name":"1","path":"/f:c/secret","action":"deny"}]}]}}"#;
    twinpath_yang::json::read(&SCHEMA, text, &ReadOptions::default()).expect("data")
});

/// Without rules.
static OPEN: LazyLock<Access> = LazyLock::new(Access::default);

struct Server {
    running: Children,
    datastores: Datastores,
    rules: Access,
    now: Duration,
}

impl Server {
    fn finish(&mut self, commit: Commit) -> Result<(), Vec<RpcError>> {
        let faults = validate(&SCHEMA, &commit.tree, Scope::Config);
        assert_eq!(faults, [], "a configuration that is not valid");
        self.running = commit.tree.clone();
        self.datastores.finish(&SCHEMA, commit, Ok(()), self.now)
    }

    /// The reply to an operation; `None`: it ended its session.
    fn carry_out(
        &mut self,
        is_first: bool,
        reply: &Reply,
        operation: &Operation,
    ) -> Option<String> {
        let (running, rules) = (self.running.clone(), self.rules.clone());
        let (session, name) = if is_first {
            (1, "first")
        } else {
            (2, "second")
        };
        let context = Context {
            schema: &SCHEMA,
            running: &running,
            access: if is_first { &OPEN } else { &rules },
            user: User::named(name),
            session,
            now: self.now,
            at: "2026-11-30T14:00:00Z",
        };
        if let Err(errors) = operation.check_access(&SCHEMA, context.access, context.user) {
            return Some(reply.errors(&SCHEMA, &errors));
        }
        match self.datastores.perform(&context, operation) {
            Err(errors) => Some(reply.errors(&SCHEMA, &errors)),
            Ok(Effect::Done) => Some(reply.ok()),
            Ok(Effect::Commit(commit)) => match self.finish(commit) {
                Ok(()) => Some(reply.ok()),
                Err(errors) => Some(reply.errors(&SCHEMA, &errors)),
            },
            Ok(Effect::Close) => None,
            Ok(Effect::Kill(session)) => {
                self.datastores.close(session);
                Some(reply.ok())
            }
            Ok(Effect::Elsewhere) => Some(elsewhere(&self.datastores, &context, reply, operation)),
        }
    }
}

fn elsewhere(
    datastores: &Datastores,
    context: &Context<'_>,
    reply: &Reply,
    operation: &Operation,
) -> String {
    match operation {
        Operation::Get(selection) => selection.reply(context, reply, context.running),
        Operation::GetConfig { source, selection } => {
            selection.reply(context, reply, datastores.get(*source, context.running))
        }
        Operation::GetSchema {
            identifier,
            version,
            format,
        } => match schema_text(&SCHEMA, identifier, version.as_deref(), format.as_deref()) {
            Ok(text) => reply.schema(text),
            Err(errors) => reply.errors(&SCHEMA, &errors),
        },
        Operation::Action { path, .. } => {
            assert!(path.steps().len() > 1);
            reply.ok()
        }
        Operation::EditConfig(_)
        | Operation::CopyConfig { .. }
        | Operation::DeleteConfig
        | Operation::Lock(_)
        | Operation::Unlock(_)
        | Operation::CloseSession
        | Operation::KillSession(_)
        | Operation::Commit(_)
        | Operation::CancelCommit { .. }
        | Operation::DiscardChanges
        | Operation::Validate(_)
        | Operation::CreateSubscription(_)
        | Operation::Rpc { .. } => reply.ok(),
    }
}

/// Messages with zeros between them, of two sessions in turn.
pub(crate) fn session(input: &[u8]) {
    let mut server = Server {
        running: BASE.clone(),
        datastores: Datastores::new(),
        rules: Access::of(&SCHEMA, &BASE),
        now: Duration::ZERO,
    };
    assert_eq!((server.datastores.open(), server.datastores.open()), (1, 2));
    let mut is_known = false;
    for (at, message) in input.split(|octet| *octet == 0).take(20).enumerate() {
        let is_first = at % 2 == 1;
        let has =
            |text: &[u8], part: &str| text.windows(part.len()).any(|it| it == part.as_bytes());
        // What a message has, replies may repeat; references of XML can write it too.
        is_known |= has(message, SECRET) || has(message, "&#");
        let text = match Request::parse(&SCHEMA, message, Version::V1_1) {
            Ok(request) => server.carry_out(is_first, &request.reply, &request.operation),
            Err(BadMessage::Answered { reply, errors }) => {
                assert!(!errors.is_empty(), "errors without an error");
                Some(reply.errors(&SCHEMA, &errors))
            }
            Err(BadMessage::Ended { what }) => panic!("the end in version 1.1: {what}"),
        };
        if let Some(text) = text {
            let root = Element::parse(text.as_bytes(), &Limits::default()).expect("our XML");
            assert!(root.is(NETCONF, "rpc-reply"), "{text}");
            assert!(
                is_first || is_known || !has(text.as_bytes(), SECRET),
                "{text}"
            );
        } else {
            server.datastores.close(if is_first { 1 } else { 2 });
        }
        server.now += Duration::from_secs(u64::try_from(at).expect("a number") * 40);
        if let Some(commit) = server.datastores.poll(server.now) {
            let _ = server.finish(commit);
        }
        let _ = server.datastores.get(Datastore::Candidate, &server.running);
    }
}
