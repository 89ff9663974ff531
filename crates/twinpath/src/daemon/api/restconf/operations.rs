//! Operations and actions (RFC 8040 sections 3.6 and 4.4.2).

use hyper::{Method, StatusCode};
use twinpath_yang::Path;

use super::media::{Encoding, NAMESPACE};
use super::refusal::Refusal;
use super::rights::Rights;
use super::{Asked, empty, options};
use crate::daemon::actions::SessionAction;
use crate::http::Reply;

const INVOKED: &str = "OPTIONS, POST";

/// Answers a request for `/restconf/operations`. No module has an operation that is not an action of data.
pub(super) fn answer(asked: &Asked, rest: &str) -> Result<Reply, Refusal> {
    if !rest.is_empty() {
        return Err(Refusal::not_found("there is no such operation"));
    }
    asked.only("GET, HEAD, OPTIONS")?;
    asked.parameters.only(&asked.method, &[])?;
    if asked.method == Method::OPTIONS {
        return Ok(options("GET, HEAD, OPTIONS"));
    }
    Ok(asked.document(match asked.encoding {
        Encoding::Json => "{\"ietf-restconf:operations\": {}}\n".to_owned(),
        Encoding::Xml => format!("<operations xmlns=\"{NAMESPACE}\"/>\n"),
    }))
}

/// Answers a request for an action of a session.
pub(super) async fn act(asked: &Asked, path: &Path) -> Result<Reply, Refusal> {
    asked.only(INVOKED)?;
    asked.parameters.only(&asked.method, &[])?;
    if asked.method == Method::OPTIONS {
        return Ok(options(INVOKED));
    }
    let running = asked.control.running();
    let rights = Rights::of(asked.model, &asked.control, &asked.user, &running);
    if !rights.may_read(&path.parent().unwrap_or_default()) {
        return Err(Refusal::not_found("the resource does not exist"));
    }
    rights.may_run(path)?;
    let (schema, root) = (&asked.model.schema, running.configuration.root());
    let is_derived = |name: &str| asked.control.is_of_mesh(name);
    let Some((session, action)) = SessionAction::asked(schema, root, path, is_derived) else {
        return Err(Refusal::not_found("the resource does not exist"));
    };
    if !asked.body.is_empty() {
        return Err(Refusal::malformed(
            "the action has no input: leave out the body",
        ));
    }
    let done = asked.control.act(session, action).await;
    match done.ok_or_else(Refusal::late)? {
        Ok(()) => Ok(empty(StatusCode::NO_CONTENT)),
        Err(why) => Err(Refusal::failed(&why)),
    }
}
