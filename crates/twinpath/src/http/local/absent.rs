//! A system without Unix sockets.

use std::convert::Infallible;
use std::path::Path;

use hyper::Request;
use hyper::body::Incoming;
use tokio::runtime::Runtime;

use super::Reply;
use crate::failure::Failure;

/// None.
pub(super) struct LocalSocket(Infallible);
/// None.
pub(super) struct Claim;

impl LocalSocket {
    /// There are none.
    ///
    /// # Errors
    /// That.
    pub(super) fn open(path: &Path, _: &Runtime) -> Result<(Self, Claim), Failure> {
        Err(Failure::usage(format!(
            "socket {}: this system has no Unix sockets: leave it out",
            path.display()
        )))
    }

    /// Never called.
    #[expect(clippy::unused_async, reason = "where there are sockets, it waits")]
    pub(super) async fn serve<Answer, Answering>(self, _: Answer)
    where
        Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
        Answering: Future<Output = Reply> + Send + 'static,
    {
        match self.0 {}
    }
}
