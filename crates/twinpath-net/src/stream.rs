//! TCP streams of control connections: marked, kept alive, without delayed sends.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};
use twinpath_wire::Tos;

use crate::error::BindError;
use crate::os;

/// The most connections that wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;
/// After this long without data a keep-alive is sent, and again every [`KEEP_ALIVE_EVERY`], up to
/// the number of retries.
const KEEP_ALIVE: Duration = Duration::from_mins(1);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
#[cfg(not(windows))]
const KEEP_ALIVE_TRIES: u32 = 4;

/// Opens a listening socket. An IPv6 one never takes IPv4. With `tos`, all connections have this
/// marking from their first answer on; without, the marking of each SYN is kept for [`syn_tos`].
///
/// # Errors
/// [`BindError`]: why it could not be opened or bound.
pub fn listen(
    near: SocketAddr,
    interface: Option<&str>,
    tos: Option<Tos>,
) -> Result<TcpListener, BindError> {
    let domain = if near.is_ipv6() {
        Domain::IPV6
    } else {
        Domain::IPV4
    };
    let option = |what| BindError::of_option(near, what);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
        .map_err(|source| BindError::of_open(near, source))?;
    if near.is_ipv6() {
        socket.set_only_v6(true).map_err(option("IPV6_V6ONLY"))?;
    }
    // On other systems this option would let two programs listen at once.
    #[cfg(unix)]
    socket
        .set_reuse_address(true)
        .map_err(option("SO_REUSEADDR"))?;
    prepare_listener(&socket, near, interface, tos)?;
    socket
        .bind(&near.into())
        .map_err(|source| BindError::of_bind(near, source))?;
    socket
        .listen(BACKLOG)
        .map_err(|source| BindError::of_bind(near, source))?;
    Ok(socket.into())
}

/// Sets the options of a listening socket at `near`, own or passed.
pub(crate) fn prepare_listener(
    socket: &socket2::Socket,
    near: SocketAddr,
    interface: Option<&str>,
    tos: Option<Tos>,
) -> Result<(), BindError> {
    let option = |what| BindError::of_option(near, what);
    if let Some(name) = interface {
        os::bind_device(socket, name).map_err(BindError::of_interface(name))?;
    }
    socket
        .set_nonblocking(true)
        .map_err(option("non-blocking"))?;
    let Some(tos) = tos else {
        os::stream::keep_syn(socket);
        return Ok(());
    };
    os::stream::mark(socket, near.is_ipv6(), tos).map_err(option("the ToS"))
}

/// Prepares a connection for control messages: sent without delay, with keep-alive, and marked with
/// `tos`.
///
/// # Errors
/// The system's error.
pub fn prepare<'s, S>(stream: &'s S, v6: bool, tos: Option<Tos>) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    let stream = SockRef::from(stream);
    stream.set_tcp_nodelay(true)?;
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE_EVERY);
    #[cfg(not(windows))]
    let keep_alive = keep_alive.with_retries(KEEP_ALIVE_TRIES);
    stream.set_tcp_keepalive(&keep_alive)?;
    match tos {
        Some(tos) => os::stream::mark(&stream, v6, tos),
        None => Ok(()),
    }
}

/// Binds a listening socket or a connection to `interface` again, which was deleted and created
/// again under that name.
///
/// # Errors
/// The system's error: without `CAP_NET_RAW` a socket that is bound to a device stays so.
pub fn bind_again<'s, S>(stream: &'s S, interface: &str) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    os::bind_device(&SockRef::from(stream), interface)
}

/// The ToS or Traffic Class octet of the SYN that began an accepted connection; `None` if the
/// system does not report it. It is returned only once.
pub fn syn_tos<'s, S>(stream: &'s S) -> Option<Tos>
where
    SockRef<'s>: From<&'s S>,
{
    os::stream::syn_tos(&SockRef::from(stream))
}
