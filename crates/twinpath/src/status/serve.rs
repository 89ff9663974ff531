//! The socket: a thread that sends each client the document and closes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tracing::{debug, error};

use super::directories::{self, Directories, SUFFIX};
use crate::args::{ControlSocketChoice, ControlSocketOptions};
use crate::claim::{ClaimError, Claimed, Others, claim};
use crate::clients::{self, Limits};
use crate::failure::Failure;

const CLIENTS: Limits = Limits {
    at_once: 8,
    within: Duration::from_secs(5),
};

/// What waits for a document, as octets.
type Ask = oneshot::Sender<Arc<[u8]>>;

/// The owner's end of the socket, which is removed with it.
pub(crate) struct ControlSocket {
    asked: Option<Receiver<Ask>>,
    /// Removes the socket at last.
    _claimed: Option<Claimed>,
    /// What the program is called.
    name: String,
}

impl ControlSocket {
    /// Opens the socket of a program that listens at these addresses, and serves it as long as the process lives. A
    /// line, if it has none although that was not asked for.
    ///
    /// # Errors
    /// If a path was given that cannot be had.
    pub(crate) fn open(
        options: &ControlSocketOptions,
        command: &'static str,
        listening: &[SocketAddr],
    ) -> Result<(Self, Option<String>), Failure> {
        let name = name(command, listening);
        let without = Self {
            asked: None,
            _claimed: None,
            name: name.clone(),
        };
        match &options.control_socket {
            Some(ControlSocketChoice::None) => Ok((without, None)),
            Some(ControlSocketChoice::Path(path)) => {
                match at(std::slice::from_ref(path), Others::Stay) {
                    Ok(socket) => Ok((socket, None)),
                    Err((path, error)) => Err(Failure::could_not(format!(
                        "--control-socket {}: {error}",
                        path.display()
                    ))),
                }
            }
            None => Ok(match of_its_own(&name) {
                Ok(socket) => (socket, None),
                Err(why) => (without, Some(why)),
            }),
        }
    }

    /// The directory that it will be in, which is made if it is the usual one; `None`: there will be no socket.
    pub(crate) fn place(options: &ControlSocketOptions) -> Option<PathBuf> {
        match &options.control_socket {
            Some(ControlSocketChoice::None) => None,
            Some(ControlSocketChoice::Path(path)) => match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => Some(parent.to_owned()),
                Some(_) | None => Some(PathBuf::from(".")),
            },
            None => {
                let directory = Directories::of_this_process().own()?.to_owned();
                // Why it cannot be made is said where the socket is opened.
                directories::make(&directory).ok()?;
                Some(directory)
            }
        }
    }

    /// Answers all clients that wait with this document.
    pub(crate) fn answer(&mut self, document: impl FnOnce(&str) -> Vec<u8>) {
        let waiting = self.asked.iter().flat_map(Receiver::try_iter);
        let waiting: Vec<Ask> = waiting.filter(|ask| !ask.is_closed()).collect();
        if waiting.is_empty() {
            return;
        }
        let octets: Arc<[u8]> = document(&self.name).into();
        for ask in waiting {
            // A client that has gone needs no answer.
            let _gone = ask.send(Arc::clone(&octets));
        }
    }
}

/// The command and its port, if it listens; where it listens at one address only, that too.
fn name(command: &str, listening: &[SocketAddr]) -> String {
    let port = listening.first().map_or(0, SocketAddr::port);
    match listening {
        [] => command.to_owned(),
        [only] if !only.ip().is_unspecified() => format!("{command}-{}-{port}", only.ip()),
        _ => format!("{command}-{port}"),
    }
}

/// In the directory of this process, by its name, or by its number too where another program has that name.
fn of_its_own(name: &str) -> Result<ControlSocket, String> {
    let advice = "twinpath status cannot ask it; use --control-socket PATH, or none";
    let directories = Directories::of_this_process();
    let Some(directory) = directories.own() else {
        return Err(format!(
            "no control socket, as XDG_RUNTIME_DIR is not set: {advice}"
        ));
    };
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        format!("no control socket {}: {error}; {advice}", path.display())
    };
    directories::make(directory).map_err(|error| failed(directory, &error))?;
    let with_number = format!("{name}-{}", process::id());
    let path = |name: &str| directory.join(format!("{name}.{SUFFIX}"));
    at(&[path(name), path(&with_number)], Others::Tidied(SUFFIX))
        .map_err(|(path, error)| failed(&path, &error))
}

/// At the first of these paths that no other program has.
fn at(paths: &[PathBuf], mut others: Others) -> Result<ControlSocket, (PathBuf, ClaimError)> {
    let mut failed = (PathBuf::new(), ClaimError::InUse);
    for path in paths {
        match open_at(path, others) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = (path.clone(), error),
        }
        // Once is enough.
        others = Others::Stay;
        if !matches!(failed.1, ClaimError::InUse) {
            break;
        }
    }
    Err(failed)
}

fn open_at(path: &Path, others: Others) -> Result<ControlSocket, ClaimError> {
    let runtime = clients::runtime()?;
    let (listener, claimed) = runtime.block_on(claim(path, others))?;
    listener.set_nonblocking(true)?;
    let (asks, asked) = sync_channel(CLIENTS.at_once);
    clients::spawn("status", runtime, || async move {
        match UnixListener::from_std(listener) {
            Ok(listener) => {
                let accept = async || Ok(listener.accept().await?.0);
                let serve = move |stream| serve(stream, asks.clone());
                clients::serve("control socket", CLIENTS, accept, serve).await;
            }
            Err(error) => error!(%error, "the control socket is not served"),
        }
    })?;
    debug!(path = %claimed.path.display(), "control socket");
    let name = claimed.path.file_stem().unwrap_or_default();
    Ok(ControlSocket {
        asked: Some(asked),
        name: name.to_string_lossy().into_owned(),
        _claimed: Some(claimed),
    })
}

async fn serve(mut stream: UnixStream, asks: SyncSender<Ask>) {
    let (ask, answered) = oneshot::channel();
    if asks.try_send(ask).is_err() {
        return;
    }
    if let Ok(document) = answered.await
        && let Err(error) = stream.write_all(&document).await
    {
        debug!(%error, "a client of the control socket");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_address_where_there_is_one_only() {
        let name = |all: &[&str]| {
            let all: Vec<SocketAddr> = all.iter().map(|at| at.parse().unwrap()).collect();
            name("responder", &all)
        };
        assert_eq!(name(&["0.0.0.0:20001", "[::]:20001"]), "responder-20001");
        assert_eq!(name(&["[::]:862"]), "responder-862");
        assert_eq!(name(&["192.0.2.1:862"]), "responder-192.0.2.1-862");
        assert_eq!(name(&["[2001:db8::1]:862"]), "responder-2001:db8::1-862");
    }
}
