//! Requests (RFC 6241 sections 4.1, 7 and 8).

use std::time::Duration;

use super::action::{action, rpc};
use super::error::{ErrorPath, Layer, RpcError};
use super::hello::Version;
use super::operation::{
    CONFIRM_TIMEOUT, CommitOptions, EditConfig, ErrorOption, MONITORING, NOTIFICATION, Operation,
    Selection, Source, Subscription, TestOption, WITH_DEFAULTS, WithDefaults,
};
use super::params::{
    Errors, OPERATION, Params, attribute_error, element_error, invalid, only_element, unknown,
};
use super::reply::Reply;
use super::time::Time;
use crate::edit::Operation as Edit;
use crate::filter::Filter;
use crate::json::ReadOptions;
use crate::schema::Schema;
use crate::tree::{Children, DefaultsMode};
use crate::value::shorten;
use crate::xml::{self, Element, Limits, NETCONF, YANG};

/// A request that can be carried out.
#[derive(Clone, Debug)]
pub struct Request {
    /// What replies to it.
    pub reply: Reply,
    /// What it wants.
    pub operation: Operation,
}

/// A message that is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum BadMessage {
    /// The answer, after which the session goes on.
    Answered {
        /// What replies to it.
        reply: Reply,
        /// What is wrong.
        errors: Vec<RpcError>,
    },
    /// It is not a request, and cannot be answered in this version: the session ends (RFC 6241 section 3, appendix A).
    Ended {
        /// Why.
        what: String,
    },
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(schema: &Schema, message: &[u8], version: Version) -> Result<Self, BadMessage> {
        let malformed = |what: String| match version {
            Version::V1_0 => BadMessage::Ended { what },
            Version::V1_1 => BadMessage::Answered {
                reply: Reply::without_attributes(),
                errors: vec![RpcError::new(Layer::Rpc, "malformed-message", what)],
            },
        };
        let root = Element::parse(message, &Limits::default());
        let root = root.map_err(|fault| malformed(fault.what))?;
        if !root.is(NETCONF, "rpc") {
            let what = format!("{}: not an rpc of NETCONF", shorten(&root.name));
            return Err(malformed(what));
        }
        let reply = Reply::to(&root);
        match operation(schema, &root) {
            Ok(operation) => Ok(Self { reply, operation }),
            Err(errors) => Err(BadMessage::Answered { reply, errors }),
        }
    }
}

fn operation(schema: &Schema, root: &Element) -> Result<Operation, Errors> {
    if root.attribute(None, "message-id").is_none() {
        let names = ["rpc", "message-id"];
        let what = "rpc: write the attribute message-id";
        return Err(attribute_error(
            "missing-attribute",
            Layer::Rpc,
            names,
            what,
        ));
    }
    let element = match root.children.as_slice() {
        [only] => only,
        [] => {
            let what = "rpc: write an operation in it";
            return Err(vec![RpcError::new(
                Layer::Protocol,
                "operation-failed",
                what,
            )]);
        }
        [_, second, ..] => {
            let what = "rpc: more than one operation";
            return Err(element_error("bad-element", &second.name, what));
        }
    };
    let mut params = Params::new(schema, element);
    let found = match (element.namespace.as_deref(), &*element.name) {
        (Some(NETCONF), name) => netconf(schema, name, &mut params),
        (Some(NOTIFICATION), "create-subscription") => subscription(schema, &mut params).map(Some),
        (Some(MONITORING), "get-schema") => get_schema(&mut params).map(Some),
        (Some(YANG), "action") => return action(schema, element),
        _ => Ok(None),
    };
    match found.map_err(|errors| at(element, errors))? {
        Some(found) => {
            params.end().map_err(|errors| at(element, errors))?;
            Ok(found)
        }
        None => rpc(schema, element)?.ok_or_else(|| unknown(schema, element, OPERATION)),
    }
}

/// Errors of an operation, where they have no other place.
fn at(element: &Element, errors: Errors) -> Errors {
    let namespace = element.namespace.as_deref().unwrap_or_default();
    let place = |mut error: RpcError| {
        if error.path == ErrorPath::None && error.layer == Layer::Protocol {
            error.path = ErrorPath::Operation(namespace.into(), element.name.clone());
        }
        error
    };
    errors.into_iter().map(place).collect()
}

/// An operation of RFC 6241.
fn netconf(
    schema: &Schema,
    name: &str,
    params: &mut Params<'_>,
) -> Result<Option<Operation>, Errors> {
    let operation = match name {
        "get" => Operation::Get(selection(schema, params)?),
        "get-config" => Operation::GetConfig {
            source: params.datastore("source")?,
            selection: selection(schema, params)?,
        },
        "edit-config" => Operation::EditConfig(edit_config(schema, params)?),
        "copy-config" => copy_config(schema, params)?,
        "delete-config" => {
            params.datastore("target")?;
            Operation::DeleteConfig
        }
        "lock" => Operation::Lock(params.datastore("target")?),
        "unlock" => Operation::Unlock(params.datastore("target")?),
        "close-session" => Operation::CloseSession,
        "kill-session" => Operation::KillSession(params.need_number("session-id")?),
        "commit" => Operation::Commit(commit(params)?),
        "cancel-commit" => Operation::CancelCommit {
            persist_id: params.text("persist-id")?.map(Into::into),
        },
        "discard-changes" => Operation::DiscardChanges,
        "validate" => Operation::Validate(source(schema, params)?),
        _ => return Ok(None),
    };
    Ok(Some(operation))
}

fn selection(schema: &Schema, params: &mut Params<'_>) -> Result<Selection, Errors> {
    let read = |elements: &[Element]| xml::filters(schema, elements);
    Ok(Selection {
        filter: filter(schema, params, &read)?,
        defaults: with_defaults(params)?,
    })
}

type ReadFilter<'f> = dyn Fn(&[Element]) -> Result<Vec<Filter>, crate::Fault> + 'f;

fn filter(
    schema: &Schema,
    params: &mut Params<'_>,
    read: &ReadFilter<'_>,
) -> Result<Option<Vec<Filter>>, Errors> {
    let Some(element) = params.take("filter")? else {
        return Ok(None);
    };
    for it in &element.attributes {
        let is_own = matches!(it.namespace.as_deref(), None | Some(NETCONF));
        match &*it.name {
            "type" if is_own && &*it.value == "subtree" => {}
            "type" if is_own => {
                let what = format!("filter: type {}: use subtree", shorten(&it.value));
                let names = ["filter", "type"];
                return Err(attribute_error(
                    "bad-attribute",
                    Layer::Protocol,
                    names,
                    what,
                ));
            }
            name => {
                let what = format!("filter: attribute {}: unknown", shorten(name));
                let names = ["filter", name];
                return Err(attribute_error(
                    "unknown-attribute",
                    Layer::Protocol,
                    names,
                    what,
                ));
            }
        }
    }
    let filters = read(&element.children);
    let filters = filters.map_err(|fault| vec![RpcError::of_fault(schema, &fault)])?;
    Ok(Some(filters))
}

fn with_defaults(params: &mut Params<'_>) -> Result<Option<WithDefaults>, Errors> {
    let Some(element) = params.take_of(WITH_DEFAULTS, "with-defaults")? else {
        return Ok(None);
    };
    let mode = match element.word() {
        "report-all" => WithDefaults::Mode(DefaultsMode::ReportAll),
        "report-all-tagged" => WithDefaults::Tagged,
        "trim" => WithDefaults::Mode(DefaultsMode::Trim),
        "explicit" => WithDefaults::Mode(DefaultsMode::Explicit),
        word => {
            let word = shorten(word);
            let words = "use report-all, report-all-tagged, trim or explicit";
            return Err(invalid(format!(
                "with-defaults: {word} is not allowed: {words}"
            )));
        }
    };
    Ok(Some(mode))
}

fn edit_config(schema: &Schema, params: &mut Params<'_>) -> Result<EditConfig, Errors> {
    let defaults = [
        ("merge", Edit::Merge),
        ("replace", Edit::Replace),
        ("none", Edit::None),
    ];
    let tests = [
        ("test-then-set", TestOption::TestThenSet),
        ("set", TestOption::Set),
        ("test-only", TestOption::TestOnly),
    ];
    let errors = [
        ("stop-on-error", ErrorOption::StopOnError),
        ("continue-on-error", ErrorOption::ContinueOnError),
        ("rollback-on-error", ErrorOption::RollbackOnError),
    ];
    let target = params.datastore("target")?;
    let default_operation = params.choice("default-operation", &defaults)?;
    let test_option = params.choice("test-option", &tests)?;
    let error_option = params.choice("error-option", &errors)?;
    let config = params.need("config")?;
    let nodes = xml::edits(schema, &config.children, &ReadOptions::default());
    let nodes = nodes.map_err(|faults| of_xml(schema, &faults))?;
    Ok(EditConfig {
        target,
        default_operation: default_operation.unwrap_or(Edit::Merge),
        test_option,
        error_option: error_option.unwrap_or_default(),
        nodes,
    })
}

/// Errors of data.
pub(super) fn of_xml(schema: &Schema, faults: &[xml::XmlFault]) -> Errors {
    let faults = faults.iter();
    faults
        .map(|fault| RpcError::of_xml(schema, fault))
        .collect()
}

fn copy_config(schema: &Schema, params: &mut Params<'_>) -> Result<Operation, Errors> {
    let target = params.datastore("target")?;
    let source = source(schema, params)?;
    // It says how a copy to a URL is written, which is not supported.
    with_defaults(params)?;
    if source == Source::Datastore(target) {
        let what = format!("copy-config: source and target are both {}", target.word());
        return Err(invalid(what));
    }
    Ok(Operation::CopyConfig { target, source })
}

fn source(schema: &Schema, params: &mut Params<'_>) -> Result<Source, Errors> {
    let element = params.need("source")?;
    let only = only_element(schema, element, "running")?;
    if !only.is(NETCONF, "config") {
        return params.datastore_of(only).map(Source::Datastore);
    }
    let root = config(schema, only)?;
    Ok(Source::Config(root))
}

fn config(schema: &Schema, element: &Element) -> Result<Children, Errors> {
    let root = xml::read(schema, &element.children, &ReadOptions::default());
    root.map_err(|faults| of_xml(schema, &faults))
}

fn commit(params: &mut Params<'_>) -> Result<CommitOptions, Errors> {
    let is_confirmed = params.flag("confirmed")?;
    let timeout = params.number("confirm-timeout")?;
    let persist = params.text("persist")?;
    let persist_id = params.text("persist-id")?;
    for (name, is_there) in [
        ("confirm-timeout", timeout.is_some()),
        ("persist", persist.is_some()),
    ] {
        if is_there && !is_confirmed {
            let what = format!("commit: write confirmed too, as {name} needs it");
            return Err(element_error("missing-element", "confirmed", what));
        }
    }
    let timeout = timeout.map_or(CONFIRM_TIMEOUT, |it| Duration::from_secs(it.into()));
    Ok(CommitOptions {
        confirmed: is_confirmed.then_some(timeout),
        persist: persist.map(Into::into),
        persist_id: persist_id.map(Into::into),
    })
}

fn subscription(schema: &Schema, params: &mut Params<'_>) -> Result<Operation, Errors> {
    let read = |elements: &[Element]| xml::notification_filters(schema, elements);
    let stream = params.text("stream")?.map(Into::into);
    let filter = filter(schema, params, &read)?;
    let mut time = |name: &str| match params.text(name)? {
        None => Ok(None),
        Some(text) => Time::parse(text).map(Some).ok_or_else(|| {
            let what = format!(
                "{name}: {} is not a date and time of RFC 3339",
                shorten(text)
            );
            element_error("bad-element", name, what)
        }),
    };
    let (start, stop) = (time("startTime")?, time("stopTime")?);
    match (start, stop) {
        (None, Some(_)) => {
            let what = "create-subscription: write startTime too, as stopTime needs it";
            return Err(element_error("missing-element", "startTime", what));
        }
        (Some(start), Some(stop)) if stop < start => {
            return Err(element_error(
                "bad-element",
                "stopTime",
                "stopTime: before startTime",
            ));
        }
        (Some(_) | None, _) => {}
    }
    Ok(Operation::CreateSubscription(Subscription {
        stream,
        filter,
        start,
        stop,
    }))
}

fn get_schema(params: &mut Params<'_>) -> Result<Operation, Errors> {
    let identifier = match params.text("identifier")? {
        Some(identifier) => identifier.into(),
        None => params.need("identifier")?.word().into(),
    };
    let version = params.text("version")?.map(Into::into);
    let format = params.text("format")?;
    let format = format.map(|it| it.rsplit_once(':').map_or(it, |(_, local)| local).into());
    Ok(Operation::GetSchema {
        identifier,
        version,
        format,
    })
}
