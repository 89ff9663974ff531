//! A server that knows its users.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tracing::{debug, error, info};

use super::access::{Access, Denial, Endpoints, Peer};
use super::activity::{Activity, Observed};
use super::connection;
use super::connections::Connections;
use super::local::LocalSocket;
use super::{Reply, accept, listen};
use crate::clients;
use crate::failure::Failure;

/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A server that runs as long as the process, by TCP and by a Unix socket.
pub(crate) struct Guarded {
    listening: Option<SocketAddr>,
    shared: Arc<Shared>,
    /// Removed with it.
    _socket: Option<super::local::Claim>,
}

struct Shared {
    endpoints: Endpoints,
    access: RwLock<Arc<Access>>,
    connections: Connections,
    denied: Denied,
}

/// The answer to a request that is not admitted; `None`: a line of text is.
pub(crate) type Denied = fn(&Request<Incoming>, Denial) -> Option<Reply>;

impl Guarded {
    /// Reads the files, listens, and has requests answered by `answer` with their [`User`](super::User) in their extensions,
    /// by a thread of its own; those that are not admitted by `denied`.
    ///
    /// # Errors
    /// A file cannot be used, or an address or path cannot be had.
    pub(crate) fn start<Answer, Answering>(
        endpoints: &Endpoints,
        answer: Answer,
        denied: Denied,
    ) -> Result<Self, Failure>
    where
        Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
        Answering: Future<Output = Reply> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            endpoints: endpoints.clone(),
            access: RwLock::new(Arc::new(Access::read(endpoints)?)),
            connections: Connections::default(),
            denied,
        });
        let without = |error| Failure::could_not(format!("HTTP: {error}"));
        let runtime = clients::runtime().map_err(without)?;
        let tcp = endpoints.listen.map(|address| listen("listen", address));
        let (listener, listening) = tcp.transpose()?.unzip();
        let socket = endpoints.socket.as_deref();
        let socket = socket.map(|path| LocalSocket::open(path, &runtime));
        let (socket, claim) = socket.transpose()?.unzip();
        let served = Arc::clone(&shared);
        clients::spawn("http", runtime, || async move {
            if let Some(socket) = socket {
                tokio::spawn(socket.serve(answer.clone()));
            }
            match listener.map(TcpListener::from_std) {
                Some(Ok(listener)) => served.accept(listener, answer).await,
                Some(Err(error)) => error!(%error, "HTTP is not served"),
                None => std::future::pending().await,
            }
        })
        .map_err(without)?;
        Ok(Self {
            listening,
            shared,
            _socket: claim,
        })
    }

    /// Where it listens for TCP.
    pub(crate) fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.shared.endpoints.socket.as_deref()
    }

    /// The scheme of its addresses.
    pub(crate) fn scheme(&self) -> &'static str {
        self.shared.endpoints.scheme()
    }

    /// Reads the files again. A file with a fault changes nothing. If anything else changed, connections end after the
    /// answers that they are in, within 15 s: what is not valid any more is not used any longer.
    pub(crate) fn reread(&self) {
        let before = self.shared.access();
        let (next, failures) = before.reread(&self.shared.endpoints);
        for failure in failures {
            error!("{failure}: it stays as it was");
        }
        if next == *before {
            return;
        }
        let access = self.shared.access.write();
        *access.unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.shared.connections.end();
        info!("tokens or certificates read again");
    }
}

impl Shared {
    fn access(&self) -> Arc<Access> {
        let access = self.access.read();
        Arc::clone(&access.unwrap_or_else(PoisonError::into_inner))
    }

    /// Accepts connections by TCP for ever.
    async fn accept<Answer, Answering>(self: Arc<Self>, listener: TcpListener, answer: Answer)
    where
        Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
        Answering: Future<Output = Reply> + Send + 'static,
    {
        let connections = self.connections.clone();
        accept(listener, connections, |stream, activity| {
            Arc::clone(&self).serve(stream, activity, answer.clone())
        })
        .await;
    }

    async fn serve<Answer, Answering>(
        self: Arc<Self>,
        stream: Observed<TcpStream>,
        activity: Arc<Activity>,
        answer: Answer,
    ) where
        Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
        Answering: Future<Output = Reply> + Send + 'static,
    {
        let Some(tls) = self.access().tls.clone() else {
            let peer = Peer {
                is_encrypted: false,
                certified: None,
            };
            return connection::serve(stream, activity, self.guard(peer, answer)).await;
        };
        match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok((stream, certified))) => {
                let peer = Peer {
                    is_encrypted: true,
                    certified,
                };
                activity.expect_request();
                connection::serve(stream, activity, self.guard(peer, answer)).await;
            }
            Ok(Err(error)) => debug!(%error, "a handshake of TLS"),
            Err(_) => debug!("a handshake of TLS took more than 5 s"),
        }
    }

    /// Answers those requests that are admitted.
    fn guard<Answer, Answering>(
        self: Arc<Self>,
        peer: Peer,
        answer: Answer,
    ) -> impl Fn(Request<Incoming>) -> std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>
    where
        Answer: Fn(Request<Incoming>) -> Answering,
        Answering: Future<Output = Reply> + Send + 'static,
    {
        move |mut request| match self.access().refuse(&mut request, &peer) {
            None => Box::pin(answer(request)),
            Some(denial) => {
                let reply = denial.reply((self.denied)(&request, denial));
                Box::pin(std::future::ready(reply))
            }
        }
    }
}
