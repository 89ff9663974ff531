//! Errors as RESTCONF reports them (RFC 8040 section 7).

use std::fmt::Write as _;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use twinpath_yang::tree::PathError;
use twinpath_yang::xml::escape;
use twinpath_yang::{Fault, FaultKind, Schema};

use super::media::{Encoding, NAMESPACE};
use super::no_cache;
use crate::daemon::control::ChangeError;
use crate::daemon::model::model;
use crate::http::{BodyFault, Denial, Reply, reply};

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    errors: Vec<Entry>,
    /// The methods that the resource has, where another was asked for.
    methods: Option<&'static str>,
}

/// One error.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    tag: &'static str,
    app_tag: Option<String>,
    /// As JSON has it.
    path: Option<String>,
    message: String,
}

/// `error-type`.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Transport,
    Protocol,
    Application,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Protocol => "protocol",
            Self::Application => "application",
        }
    }
}

impl Refusal {
    fn one(status: StatusCode, kind: Kind, tag: &'static str, message: &str) -> Self {
        let entry = Entry {
            kind,
            tag,
            app_tag: None,
            path: None,
            message: message.to_owned(),
        };
        Self {
            status,
            errors: vec![entry],
            methods: None,
        }
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::one(
            StatusCode::NOT_FOUND,
            Kind::Protocol,
            "invalid-value",
            message,
        )
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::one(
            StatusCode::BAD_REQUEST,
            Kind::Protocol,
            "invalid-value",
            message,
        )
    }

    pub(super) fn malformed(message: &str) -> Self {
        Self::one(
            StatusCode::BAD_REQUEST,
            Kind::Protocol,
            "malformed-message",
            message,
        )
    }

    pub(super) fn not_acceptable() -> Self {
        let message = "use application/yang-data+json or application/yang-data+xml in Accept";
        Self::one(
            StatusCode::NOT_ACCEPTABLE,
            Kind::Protocol,
            "invalid-value",
            message,
        )
    }

    pub(super) fn unsupported_type() -> Self {
        let message = "use Content-Type application/yang-data+json or application/yang-data+xml";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::one(status, Kind::Protocol, "invalid-value", message)
    }

    /// A body that cannot be used, of at most so many octets.
    pub(super) fn of_body(fault: BodyFault, most: usize) -> Self {
        let (kind, tag) = match fault {
            BodyFault::TooLong => (Kind::Transport, "too-big"),
            BodyFault::Late => (Kind::Transport, "operation-failed"),
            BodyFault::Incomplete => (Kind::Protocol, "malformed-message"),
        };
        Self::one(fault.status(), kind, tag, &fault.line(most))
    }

    pub(super) fn not_allowed(method: &Method, methods: &'static str) -> Self {
        let message = format!("{method}: use {methods}");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self {
            methods: Some(methods),
            ..Self::one(status, Kind::Protocol, "operation-not-supported", &message)
        }
    }

    pub(super) fn precondition(message: &str) -> Self {
        let status = StatusCode::PRECONDITION_FAILED;
        Self::one(status, Kind::Protocol, "operation-failed", message)
    }

    pub(super) fn denied(message: &str) -> Self {
        Self::one(
            StatusCode::FORBIDDEN,
            Kind::Protocol,
            "access-denied",
            message,
        )
    }

    /// A request that is not admitted.
    pub(super) fn of_denial(denial: Denial) -> Self {
        let status = denial.status();
        Self::one(status, Kind::Protocol, "access-denied", denial.line())
    }

    /// The daemon cannot do it.
    pub(super) fn failed(message: &str) -> Self {
        let status = StatusCode::PRECONDITION_FAILED;
        Self::one(status, Kind::Application, "operation-failed", message)
    }

    /// As much as there may be is there already.
    pub(super) fn busy(message: &str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::one(status, Kind::Protocol, "resource-denied", message)
    }

    /// A fault of the server's own.
    pub(super) fn broken(message: &str) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::one(status, Kind::Application, "operation-failed", message)
    }

    /// The daemon gave no answer.
    pub(super) fn late() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::one(
            status,
            Kind::Application,
            "resource-denied",
            "no answer within 8 s",
        )
    }

    /// A path that is no resource of the schema.
    pub(super) fn of_path(error: &PathError) -> Self {
        let kind = error.kind;
        if matches!(kind, FaultKind::UnknownNode | FaultKind::UnknownNamespace) {
            return Self::not_found(&error.what);
        }
        Self::one(status(kind), Kind::Protocol, kind.error_tag(), &error.what)
    }

    /// What is wrong with data.
    pub(super) fn of_faults(faults: Vec<Fault>, schema: &Schema) -> Self {
        let status = faults.first().map(|fault| status(fault.kind));
        let errors = faults.into_iter().map(|fault| Entry {
            kind: Kind::Application,
            tag: fault.kind.error_tag(),
            app_tag: fault.app_tag.map(String::from),
            path: (!fault.path.steps().is_empty()).then(|| fault.path.text(schema)),
            message: fault.what,
        });
        Self {
            status: status.unwrap_or(StatusCode::BAD_REQUEST),
            errors: errors.collect(),
            methods: None,
        }
    }

    /// The response.
    pub(super) fn reply(self, encoding: Encoding) -> Reply {
        let text = match encoding {
            Encoding::Json => self.json(),
            Encoding::Xml => self.xml(),
        };
        let mut response = reply(self.status, encoding.media_type(), text.into_bytes());
        no_cache(response.headers_mut());
        if let Some(methods) = self.methods {
            let methods = HeaderValue::from_static(methods);
            response.headers_mut().insert(ALLOW, methods);
        }
        response
    }

    fn json(&self) -> String {
        let errors = self.errors.iter().map(|error| {
            let members = error.members().into_iter();
            let members = members.map(|(name, text)| (name.to_owned(), Value::from(text)));
            Value::Object(members.collect())
        });
        let errors: Vec<Value> = errors.collect();
        let document = json!({ "ietf-restconf:errors": { "error": errors } });
        format!("{document:#}\n")
    }

    fn xml(&self) -> String {
        let mut text = format!("<errors xmlns=\"{NAMESPACE}\">\n");
        for error in &self.errors {
            text.push_str("  <error>\n");
            for (name, value) in error.members() {
                // The path has names of modules, as in JSON: as XML it would need their prefixes.
                if name != "error-path" {
                    // Memory takes it.
                    let _ = writeln!(text, "    <{name}>{}</{name}>", escape(value));
                }
            }
            text.push_str("  </error>\n");
        }
        text.push_str("</errors>\n");
        text
    }
}

impl Entry {
    fn members(&self) -> Vec<(&'static str, &str)> {
        let mut members = vec![("error-type", self.kind.name()), ("error-tag", self.tag)];
        members.extend(self.app_tag.as_deref().map(|tag| ("error-app-tag", tag)));
        members.extend(self.path.as_deref().map(|path| ("error-path", path)));
        members.push(("error-message", &self.message));
        members
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Faults(faults) => match model() {
                Ok(model) => Self::of_faults(faults, &model.schema),
                Err(failure) => Self::broken(&failure.to_string()),
            },
            ChangeError::NotSaved(failure) => {
                let status = StatusCode::CONFLICT;
                Self::one(
                    status,
                    Kind::Application,
                    "resource-denied",
                    &failure.to_string(),
                )
            }
            ChangeError::Locked(session) => {
                let line = format!("the configuration is locked by session {session} of NETCONF");
                Self::one(StatusCode::CONFLICT, Kind::Protocol, "in-use", &line)
            }
            ChangeError::Unconfirmed(session) => {
                let line = format!(
                    "a commit by session {session} of NETCONF is not confirmed yet: try again when it is confirmed or undone"
                );
                Self::one(StatusCode::CONFLICT, Kind::Protocol, "in-use", &line)
            }
            ChangeError::Late => Self::late(),
        }
    }
}

/// The status of an `error-tag` (RFC 8040 section 7).
fn status(kind: FaultKind) -> StatusCode {
    match kind.error_tag() {
        "data-exists" | "data-missing" => StatusCode::CONFLICT,
        "too-big" => StatusCode::PAYLOAD_TOO_LARGE,
        "access-denied" => StatusCode::FORBIDDEN,
        "operation-not-supported" => StatusCode::NOT_IMPLEMENTED,
        "operation-failed" => StatusCode::PRECONDITION_FAILED,
        _ => StatusCode::BAD_REQUEST,
    }
}
