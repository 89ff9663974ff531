//! The control connection, and what was negotiated on it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use twinpath_proto::Step;
use twinpath_wire::Dscp;

use crate::{Advice, Attempt};

findings! {
    /// The control connection, and what was negotiated on it.
    pub enum Control {
        /// The Server reflects on a port other than the requested one.
        Remark "receiver-port" ReceiverPort {
            /// The port on which it reflects.
            port: u16,
            /// The requested port.
            asked: u16,
        }
        /// The Server did not return the octets to be reflected.
        Remark "octets-not-reflected" OctetsNotReflected
        /// The authenticated mode does not protect timestamps.
        Remark "times-not-protected" TimesNotProtected
        /// Other addresses of the Server did not take the connection.
        Remark "other-address" OtherAddress {
            /// The address that did.
            server: SocketAddr,
            /// The addresses that did not.
            attempts: Vec<Attempt>,
        }
        /// There is a key, but the Server offers no secured mode.
        Warning "not-secured" NotSecured {
            /// The Server.
            server: SocketAddr,
        }
        /// There is a key, but the Server's best mode does not secure test packets.
        Warning "packets-not-secured" PacketsNotSecured {
            /// The Server.
            server: SocketAddr,
        }
        /// The Server refused a session.
        Warning "session-refused" SessionRefused {
            /// The Server.
            server: SocketAddr,
            /// The session's marking.
            dscp: Dscp,
            /// What was refused.
            step: Step,
            /// The Accept value.
            accept: u8,
            /// What can be done.
            advice: Advice,
        }
        /// The connection failed while sessions were running.
        Warning "server-gone" ServerGone {
            /// The Server.
            server: SocketAddr,
            /// The failure.
            error: String,
        }
        /// A number of PBKDF2 iterations that is not a power of 2.
        Remark "odd-pbkdf2-count" OddPbkdf2Count {
            /// The Server.
            server: SocketAddr,
            /// Iterations.
            count: u32,
        }
        /// No replies came after the connection failed.
        Warning "ended-early" EndedEarly
        /// A session measured nothing.
        Warning "session-failed" SessionFailed {
            /// Why.
            error: String,
        }
    }
}
