//! One request and its answer over a stream.

use std::error::Error;
use std::io;
use std::pin::pin;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::call::Answer;

/// Octets of the status line and the fields of an answer.
const MOST_HEAD: usize = 64 << 10;

/// Sends a request and reads the answer, with a body of up to so many octets; 0: the body is not read. All ends when
/// this future is dropped.
///
/// # Errors
/// The connection or the answer broke off, or what came is not HTTP.
pub(crate) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    octets: usize,
) -> Result<Answer, Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MOST_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let mut connection = pin!(connection);
    let mut conversation = pin!(async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = match octets {
            0 => None,
            octets => match Limited::new(body, octets).collect().await {
                Ok(body) => Some(body.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => None,
                Err(error) => return Err(error),
            },
        };
        Ok(Answer {
            status: head.status,
            fields: head.headers,
            body,
        })
    });
    tokio::select! {
        answer = &mut conversation => return answer,
        // What went wrong the answer says too.
        _ = &mut connection => {}
    }
    conversation.await
}

/// What is at the bottom of an error: the words of the system if it has some.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut below = Some(error);
    let mut last = error.to_string();
    while let Some(error) = below {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.to_string();
        }
        last = error.to_string();
        below = error.source();
    }
    last
}
