//! The Unix socket of a server, for root and the user of this process.

use std::io;
use std::os::unix::net;
use std::path::Path;

use hyper::Request;
use hyper::body::Incoming;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tracing::{debug, error, warn};
use twinpath_runtime::host::effective_user;

use super::connections::{Connections, Source};
use super::user::User;
use super::{REST, Reply, connection};
use crate::claim::{Claimed, Others, claim};
use crate::failure::Failure;

/// The path of a socket, which goes with it.
pub(super) type Claim = Claimed;

/// A socket that listens.
pub(super) struct LocalSocket(net::UnixListener);

impl LocalSocket {
    /// Listens at `path`, with mode 0600.
    ///
    /// # Errors
    /// The path cannot be had.
    pub(super) fn open(path: &Path, runtime: &Runtime) -> Result<(Self, Claim), Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::could_not(format!("socket {}: {error}", path.display()))
        };
        let claimed = runtime.block_on(claim(path, Others::Stay));
        let (listener, claimed) = claimed.map_err(|error| cannot(&error))?;
        let prepared = listener.set_nonblocking(true);
        prepared.map_err(|error| cannot(&error))?;
        Ok((Self(listener), claimed))
    }

    /// Accepts connections for ever. They are none of those by TCP, which cannot keep its own users out.
    pub(super) async fn serve<Answer, Answering>(self, answer: Answer)
    where
        Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
        Answering: Future<Output = Reply> + Send + 'static,
    {
        let listener = match UnixListener::from_std(self.0) {
            Ok(listener) => listener,
            Err(error) => return error!(%error, "the Unix socket is not served"),
        };
        let connections = Connections::default();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(why) = is_known(&stream) {
                        warn!("a connection to the Unix socket is refused: {why}");
                        continue;
                    }
                    let answer = answer.clone();
                    connections.open(Source::Host, stream, |stream, activity| {
                        connection::serve(stream, activity, move |mut request| {
                            request.extensions_mut().insert(User::Local);
                            answer(request)
                        })
                    });
                }
                Err(error) => {
                    debug!(%error, "a connection to the Unix socket could not be accepted");
                    sleep(REST).await;
                }
            }
        }
    }
}

/// Makes sure that the other end is root's or this user's.
fn is_known(stream: &UnixStream) -> Result<(), String> {
    let user = stream.peer_cred().map(|peer| peer.uid());
    let user = user.map_err(|error: io::Error| error.to_string())?;
    if user == 0 || Some(user) == effective_user() {
        return Ok(());
    }
    Err(format!("it is of user {user}"))
}
