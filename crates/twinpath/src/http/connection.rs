//! One connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::Reply;
use super::activity::Activity;
use super::body::{Body, last};

/// Octets and number of a request's header fields; Prometheus sends 300 in 6.
const MOST_HEADER_OCTETS: usize = 8_192;
const MOST_HEADERS: usize = 64;
/// Octets of a request or an answer that are kept between reading, answering and sending.
const BUFFER: usize = 65_536;
/// Requests of a connection. Then it is closed.
const MOST_REQUESTS: u32 = 1_000;

/// Answers the requests of a connection within the limits of its activity.
pub(super) async fn serve<S, Answer, Answering>(stream: S, activity: Arc<Activity>, answer: Answer)
where
    S: AsyncRead + AsyncWrite + Unpin,
    Answer: Fn(Request<Incoming>) -> Answering,
    Answering: Future<Output = Reply>,
{
    let requests = AtomicU32::new(0);
    let service = service_fn(|request| {
        activity.begin_answer();
        let is_last = requests.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_REQUESTS;
        let answered = answer(request);
        let activity = Arc::clone(&activity);
        async move {
            let reply = answered.await;
            let reply = if is_last { last(reply) } else { reply };
            Ok::<_, Infallible>(reply.map(|body| AnswerBody { body, activity }))
        }
    });
    let connection = http1::Builder::new()
        // Its limit would be the same before a request and in it.
        .header_read_timeout(None)
        .max_header_size(MOST_HEADER_OCTETS)
        .max_headers(MOST_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut ending = pin!(activity.ending());
    let mut has_ended = false;
    let mut deadline = pin!(sleep_until(Instant::now()));
    poll_fn(|context| {
        if !has_ended && ending.as_mut().poll(context).is_ready() {
            has_ended = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(done) = connection.as_mut().poll(context) {
            if let Err(error) = done {
                debug!(%error, "a connection by HTTP");
            }
            return Poll::Ready(());
        }
        // Whatever changes it happens above.
        let Some(at) = activity.deadline() else {
            return Poll::Pending;
        };
        if deadline.deadline() != at {
            deadline.as_mut().reset(at);
        }
        deadline.as_mut().poll(context)
    })
    .await;
}

/// The body of an answer, which ends with it.
struct AnswerBody {
    body: Body,
    activity: Arc<Activity>,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.activity.end_answer();
    }
}
