//! Operations (RFC 8040 section 3.3.2).

use hyper::Method;

use super::media::{Encoding, NAMESPACE};
use super::refusal::Refusal;
use super::{Asked, options};
use crate::http::Reply;

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
