//! Resources that are not data: how RESTCONF is found, its root, and the texts of modules.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::media::{Encoding, NAMESPACE};
use super::refusal::Refusal;
use super::{Asked, ROOT, options};
use crate::http::{Reply, reply};

/// The revision of the YANG library (RFC 8525) that is in the data.
const LIBRARY_REVISION: &str = "2019-01-04";
const READ: &str = "GET, HEAD, OPTIONS";

/// `/.well-known/host-meta` (RFC 8040 section 3.1, RFC 6415).
pub(super) fn discovery(method: &Method) -> Result<Reply, Refusal> {
    if ![Method::GET, Method::HEAD].contains(method) {
        return Err(Refusal::not_allowed(method, "GET, HEAD"));
    }
    let text = format!(
        "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n  <Link rel='restconf' href='{ROOT}'/>\n</XRD>\n"
    );
    Ok(reply(
        StatusCode::OK,
        "application/xrd+xml",
        text.into_bytes(),
    ))
}

/// `/restconf` (RFC 8040 section 3.3).
pub(super) fn api(asked: &Asked) -> Result<Reply, Refusal> {
    let text = match asked.encoding {
        Encoding::Json => {
            let api = json!({ "ietf-restconf:restconf": {
                "data": {}, "operations": {}, "yang-library-version": LIBRARY_REVISION,
            } });
            format!("{api:#}\n")
        }
        Encoding::Xml => format!(
            "<restconf xmlns=\"{NAMESPACE}\">\n  <data/>\n  <operations/>\n  <yang-library-version>{LIBRARY_REVISION}</yang-library-version>\n</restconf>\n"
        ),
    };
    read_only(asked, text)
}

/// `/restconf/yang-library-version` (RFC 8040 section 3.3.3).
pub(super) fn library_version(asked: &Asked) -> Result<Reply, Refusal> {
    let name = "yang-library-version";
    let text = match asked.encoding {
        Encoding::Json => format!("{{\"ietf-restconf:{name}\": \"{LIBRARY_REVISION}\"}}\n"),
        Encoding::Xml => format!("<{name} xmlns=\"{NAMESPACE}\">{LIBRARY_REVISION}</{name}>\n"),
    };
    read_only(asked, text)
}

fn read_only(asked: &Asked, text: String) -> Result<Reply, Refusal> {
    asked.only(READ)?;
    asked.parameters.only(&asked.method, &[])?;
    if asked.method == Method::OPTIONS {
        return Ok(options(READ));
    }
    Ok(asked.document(text))
}

/// `/restconf/modules/NAME@REVISION.yang`: the text of a module, as the YANG library says (RFC 8040 section 3.7).
pub(super) fn module(asked: &Asked, name: &str) -> Result<Reply, Refusal> {
    asked.only(READ)?;
    if asked.method == Method::OPTIONS {
        return Ok(options(READ));
    }
    let mut modules = asked.model.schema.modules();
    let found = modules.find(|(_, module)| {
        let revision = module.revision.as_deref().unwrap_or_default();
        name == format!("{}@{revision}.yang", module.name)
    });
    let Some((_, module)) = found else {
        return Err(Refusal::not_found("no module has this name and revision"));
    };
    let text = module.text.as_bytes().to_vec();
    Ok(reply(StatusCode::OK, "application/yang", text))
}
