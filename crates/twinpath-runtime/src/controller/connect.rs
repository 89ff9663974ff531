//! The TCP connection to a Server.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use twinpath_net::stream;

use super::{ControlError, ControlPlan};

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
