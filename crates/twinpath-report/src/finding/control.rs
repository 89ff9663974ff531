//! The control connection, and what was agreed on by it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use twinpath_proto::Step;
use twinpath_wire::Dscp;

use crate::{Advice, Attempt};

findings! {
    /// The control connection, and what was agreed on by it.
    pub enum Control {
        /// The Server reflects on another port than asked for.
        Remark "receiver-port" ReceiverPort {
            /// Where it reflects.
            port: u16,
            /// Asked for.
            asked: u16,
        }
        /// The Server did not return the octets to be reflected.
        Remark "octets-not-reflected" OctetsNotReflected
        /// The authenticated mode leaves times unprotected.
        Remark "times-not-protected" TimesNotProtected
        /// Other addresses of the Server did not take the connection.
        Remark "other-address" OtherAddress {
            /// The one that did.
            server: SocketAddr,
            /// Those that did not.
            attempts: Vec<Attempt>,
        }
        /// There is a key, and the Server offers no secured mode.
        Warning "not-secured" NotSecured {
            /// The Server.
            server: SocketAddr,
        }
        /// There is a key, and the Server's best mode leaves test packets open.
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
        /// The connection failed while sessions ran.
        Warning "server-gone" ServerGone {
            /// The Server.
            server: SocketAddr,
            /// How.
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
