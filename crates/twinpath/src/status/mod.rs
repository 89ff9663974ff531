//! What a responder or server does now, told through a Unix socket (`--control-socket`, `twinpath status`).
//!
//! Each client gets one document and the end of the stream; nothing is read from it. The thread
//! that owns what is reported makes the document while it waits ([`ControlSocket::answer`]), and a
//! thread of the socket sends it: a client can delay neither packets nor that thread.

mod ask;
mod directories;
mod document;
mod serve;

pub(crate) use ask::{Answer, Refusal, Search, ask_all, search};
pub(crate) use document::responder;
#[cfg(feature = "control")]
pub(crate) use document::server;
pub(crate) use serve::ControlSocket;
