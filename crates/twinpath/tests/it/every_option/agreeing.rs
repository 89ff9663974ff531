//! A Server of the tests' own, which agrees to everything (RFC 5357 section 3, octets by hand): its
//! sessions are reflected by the test's far end, and what it receives can be looked at.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The unauthenticated mode with Reflect Octets, Symmetrical Size, DSCP and ECN Monitoring, and PTP
/// timestamps (RFC 6038, 7750, 8186).
const OFFERED: u32 = 1 | 32 | 64 | 256 | 512;
const SET_UP: usize = 164;
const REQUEST: usize = 112;

/// Serves one connection after the other.
pub(super) struct Server {
    pub(super) at: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Vec<u8>>>>,
}

impl Server {
    /// At the address of this reflector.
    pub(super) fn start(reflector: SocketAddr) -> Self {
        let listener = TcpListener::bind((reflector.ip(), 0)).unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut told = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    // A client that goes away early is its test's affair.
                    Ok((client, _)) => drop(serve(client, reflector.port(), &stop, &mut told)),
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
            told
        });
        Self {
            at,
            over,
            thread: Some(thread),
        }
    }

    /// All messages.
    pub(super) fn finish(mut self) -> Vec<Vec<u8>> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(
    mut client: TcpStream,
    port: u16,
    stop: &AtomicBool,
    told: &mut Vec<Vec<u8>>,
) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(Duration::from_millis(50)))?;
    let mut greeting = [0; 64];
    greeting[12..16].copy_from_slice(&OFFERED.to_be_bytes());
    greeting[48..52].copy_from_slice(&1_024_u32.to_be_bytes());
    client.write_all(&greeting)?;
    told.push(hear(&mut client, SET_UP, stop)?);
    client.write_all(&[0; 48])?;
    for number in 1_u8.. {
        let mut message = hear(&mut client, 1, stop)?;
        let octets = if message[0] == 5 { REQUEST } else { 32 };
        message.extend(hear(&mut client, octets - 1, stop)?);
        let mut answer = Vec::new();
        match message[0] {
            5 => {
                answer.resize(48, 0);
                answer[2..4].copy_from_slice(&port.to_be_bytes());
                answer[4..20].fill(number);
                // What it was to give back.
                answer[20..22].copy_from_slice(&message[88..90]);
            }
            2 => answer.resize(32, 0),
            _ => {}
        }
        told.push(message);
        client.write_all(&answer)?;
    }
    Ok(())
}

/// So many octets, unless it is over before.
fn hear(client: &mut TcpStream, octets: usize, stop: &AtomicBool) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; octets];
    let mut have = 0;
    while have < octets {
        match client.read(&mut heard[have..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => have += count,
            Err(_) if stop.load(Ordering::Relaxed) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(heard)
}
