//! The bare echo: the most packets a second that a reflector over plain sockets could answer.

use std::io;
use std::net::UdpSocket;

use super::batch::Batch;

/// Sends everything back where it came from, in batches, until an error or the process ends.
///
/// # Errors
/// Of the socket; one that a peer can cause (a refused or full destination) is passed over.
pub fn echo(socket: &UdpSocket) -> io::Result<()> {
    let mut batch = Batch::new();
    loop {
        let got = match batch.receive(socket, libc::MSG_WAITFORONE) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // What the system does not take is lost, as it would be on a wire.
        let _ = batch.send(socket, got, true);
    }
}
