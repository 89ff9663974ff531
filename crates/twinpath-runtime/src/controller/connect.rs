//! The TCP connection to a Server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use twinpath_net::stream;
use twinpath_report::Attempt;

use super::{ControlError, ControlPlan};
use crate::error::StartError;

/// The least time that each of several addresses has to answer.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);
/// How often a wait is looked at.
const CONNECT_CHECK_EVERY: Duration = Duration::from_millis(50);

/// A connection that was made before its run.
#[derive(Clone, Debug)]
pub struct Connected {
    stream: Arc<std::net::TcpStream>,
    attempts: Vec<Attempt>,
}

impl Connected {
    /// The Server's addresses that were tried before, in this order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

/// Connects to the first of several addresses of one Server that takes the connection (in the spirit
/// of RFC 8305): which it is, and the connection. Each has its share of the time that one alone has,
/// or some seconds.
///
/// # Errors
/// [`ControlError::Unreached`]: none did; [`ControlError::Interrupted`]: `stopped`.
pub fn reach<'a>(
    plans: impl ExactSizeIterator<Item = &'a ControlPlan>,
    stopped: &dyn Fn() -> bool,
) -> Result<(usize, Connected), ControlError> {
    let system = StartError::system("a descriptor to wait by");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(system)?;
    let share = u32::try_from(plans.len()).unwrap_or(u32::MAX).max(1);
    let mut tried = Vec::new();
    for (index, plan) in plans.enumerate() {
        let mut plan = plan.clone();
        plan.connect_timeout = (plan.connect_timeout / share).max(LEAST_PATIENCE);
        let server = plan.server;
        let interrupted = || ControlError::Interrupted {
            server,
            awaited: "answered",
        };
        let made = runtime.block_on(async {
            let making = connect(&plan);
            tokio::pin!(making);
            loop {
                match timeout(CONNECT_CHECK_EVERY, &mut making).await {
                    Ok(made) => return made,
                    Err(_) if stopped() => return Err(interrupted()),
                    Err(_) => {}
                }
            }
        });
        let made = made.and_then(|stream| {
            let stream = stream.into_std();
            stream.map_err(|source| ControlError::Connect { server, source })
        });
        match made {
            Ok(stream) => {
                let attempts = tried.iter().filter_map(ControlError::attempt).collect();
                let stream = Arc::new(stream);
                return Ok((index, Connected { stream, attempts }));
            }
            Err(error @ ControlError::Interrupted { .. }) => return Err(error),
            Err(error) => tried.push(error),
        }
    }
    Err(ControlError::Unreached { tried })
}

/// Goes on with a connection that was made before.
pub(super) fn resume(made: Connected) -> io::Result<(TcpStream, Vec<Attempt>)> {
    let Connected { stream, attempts } = made;
    let stream = match Arc::try_unwrap(stream) {
        Ok(stream) => stream,
        Err(shared) => shared.try_clone()?,
    };
    Ok((TcpStream::from_std(stream)?, attempts))
}

/// Connects as the plan says.
pub(super) async fn connect(plan: &ControlPlan) -> Result<TcpStream, ControlError> {
    let server = plan.server;
    let failed = |source| ControlError::Connect { server, source };
    let socket = socket(plan).map_err(failed)?;
    let after = plan.connect_timeout;
    match timeout(after, socket.connect(server)).await {
        Ok(made) => made.map_err(failed),
        Err(_) => Err(ControlError::Unanswered { server, after }),
    }
}

/// Marked before it connects: its SYN tells the Server how to mark its own segments (row TC-51).
fn socket(plan: &ControlPlan) -> io::Result<TcpSocket> {
    let v6 = plan.server.is_ipv6();
    let socket = if v6 {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    let tos = plan.control_dscp.map(twinpath_wire::Dscp::tos);
    stream::prepare(&socket, v6, tos)?;
    #[cfg(target_os = "linux")]
    if let Some(interface) = &plan.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if let Some(near) = plan.near {
        let mut near = SocketAddr::new(near, 0);
        if let (SocketAddr::V6(near), SocketAddr::V6(far)) = (&mut near, plan.server)
            && near.ip().is_unicast_link_local()
        {
            near.set_scope_id(far.scope_id());
        }
        socket.bind(near)?;
    }
    Ok(socket)
}
