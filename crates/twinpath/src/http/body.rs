//! Bodies of requests and responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::Reply;

/// How long the body of a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(15);
/// Bodies that are read at once, whose octets are in memory until all have arrived. Others wait.
const MOST_AT_ONCE: usize = 8;

static READING: Semaphore = Semaphore::const_new(MOST_AT_ONCE);

/// The body of a response.
pub(crate) struct Body(Content);

enum Content {
    Complete(Full<Bytes>),
    /// What the sender of a channel gives, until it is dropped.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body {
    /// All of it.
    pub(super) fn complete(octets: Bytes) -> Self {
        Self(Content::Complete(Full::new(octets)))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Complete(octets) => Pin::new(octets).poll_frame(context),
            Content::Stream(frames) => {
                let octets = frames.poll_recv(context);
                octets.map(|octets| octets.map(|octets| Ok(Frame::data(octets))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Complete(octets) => octets.is_end_stream(),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Complete(octets) => octets.size_hint(),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// A response that goes on as long as the sender of `frames` is kept. The sender is closed when the client is gone: a
/// client that reads nothing for 30 s, or does not acknowledge what is sent. A client that is gone without a trace is
/// only noticed when something is sent.
#[allow(
    dead_code,
    reason = "for what controls a daemon, which is not in all programs"
)]
pub(crate) fn streamed(content_type: &'static str, frames: mpsc::Receiver<Bytes>) -> Reply {
    let mut response = Response::new(Body(Content::Stream(frames)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why a request has no body that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// It has more octets than are taken.
    TooLong,
    /// It did not arrive within 15 s.
    Late,
    /// The connection ended, or what came is not a body.
    Incomplete,
}

impl BodyFault {
    /// The status of the answer, after which the connection ends: what is left of the body is not read.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Incomplete => StatusCode::BAD_REQUEST,
        }
    }

    /// The text of the answer.
    pub(crate) fn line(self, most: usize) -> String {
        match self {
            Self::TooLong => format!("the body has more than {most} octets: send less at once"),
            Self::Late => "the body did not arrive within 15 s".to_owned(),
            Self::Incomplete => "the body ended early".to_owned(),
        }
    }
}

/// All of a body, of at most `most` octets.
///
/// # Errors
/// [`BodyFault`].
#[cfg_attr(
    not(feature = "daemon"),
    allow(dead_code, reason = "nothing else has bodies")
)]
pub(crate) async fn body<B>(body: B, most: usize) -> Result<Bytes, BodyFault>
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let least = usize::try_from(body.size_hint().lower());
    if least.is_ok_and(|octets| octets <= most) {
        let read = async {
            let _turn = READING.acquire().await;
            Limited::new(body, most).collect().await
        };
        return match timeout(ARRIVAL, read).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyFault::TooLong),
            Ok(Err(_)) => Err(BodyFault::Incomplete),
            Err(_) => Err(BodyFault::Late),
        };
    }
    Err(BodyFault::TooLong)
}

/// After this response the connection is closed.
pub(super) fn last<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
