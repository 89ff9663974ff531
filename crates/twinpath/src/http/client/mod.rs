//! Requests to other servers by HTTP/1.1 (RFC 9112) and HTTPS, each within a time and with a bound for the answer.
//! Redirects are not followed: a server never chooses where secrets are sent.

mod authorization;
mod call;
mod connection;
mod endpoint;
mod exchange;
#[cfg(test)]
mod tests;
#[cfg_attr(not(feature = "tls"), path = "tls/absent.rs")]
mod tls;

#[allow(unused_imports, reason = "names of what methods return")]
pub(crate) use call::{Answer, AnswerLimits, Call, CallError};
pub(crate) use connection::Peer;
#[allow(unused_imports, reason = "names of what methods return")]
pub(crate) use endpoint::{Endpoint, EndpointFault, EndpointOptions};
#[cfg(unix)]
pub(crate) use exchange::exchange;
