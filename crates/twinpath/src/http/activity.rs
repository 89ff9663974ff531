//! What a connection does, and until when it may.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long the header of a request may take to arrive, and before the first one the handshake of TLS.
const HEADER: Duration = Duration::from_secs(5);
/// How long a connection may be idle between two requests.
const IDLE: Duration = Duration::from_secs(30);
/// How long a client may read nothing of what is sent to it.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// How long an answer may go on that has begun when all connections are to end.
const LAST_ANSWER: Duration = Duration::from_secs(15);

/// The state of a connection, known to it and to the table of all.
pub(super) struct Activity {
    state: Mutex<State>,
    ending: Notify,
}

struct State {
    phase: Phase,
    /// Since when the client reads nothing of what is there to be sent.
    stalled: Option<Instant>,
    /// When it ends whatever it does.
    end: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// For a request, or the rest of its header.
    Waiting {
        since: Instant,
        until: Instant,
        has_begun: bool,
    },
    Answering,
}

impl Phase {
    /// An answer is over.
    fn idle(now: Instant) -> Self {
        Self::Waiting {
            since: now,
            until: now + IDLE,
            has_begun: false,
        }
    }
}

impl Activity {
    /// Of a connection that was accepted now.
    pub(super) fn new() -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            state: Mutex::new(State {
                phase: Phase::Waiting {
                    since: now,
                    until: now + HEADER,
                    has_begun: true,
                },
                stalled: None,
                end: None,
            }),
            ending: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Octets have come.
    fn received(&self) {
        if let Phase::Waiting {
            until,
            has_begun: has_begun @ false,
            ..
        } = &mut self.state().phase
        {
            *has_begun = true;
            *until = Instant::now() + HEADER;
        }
    }

    /// Octets were sent, or could not be.
    fn sent(&self, is_progress: bool) {
        let now = Instant::now();
        let mut state = self.state();
        if !is_progress {
            state.stalled.get_or_insert(now);
            return;
        }
        state.stalled = None;
        // The last answer was not yet with the client.
        if let Phase::Waiting {
            has_begun: false, ..
        } = state.phase
        {
            state.phase = Phase::idle(now);
        }
    }

    /// A request has come.
    pub(super) fn begin_answer(&self) {
        self.state().phase = Phase::Answering;
    }

    /// All of the answer is made; some of it may not be sent yet.
    pub(super) fn end_answer(&self) {
        self.state().phase = Phase::idle(Instant::now());
    }

    /// The handshake of TLS is over: from now on the header of the first request has its time.
    #[cfg(feature = "daemon")]
    pub(super) fn expect_request(&self) {
        if let Phase::Waiting { until, .. } = &mut self.state().phase {
            *until = Instant::now() + HEADER;
        }
    }

    /// When the connection is closed, unless something happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let waiting = match state.phase {
            Phase::Waiting { until, .. } if state.stalled.is_none() => Some(until),
            Phase::Waiting { .. } | Phase::Answering => None,
        };
        let stalled = state.stalled.map(|since| since + NO_PROGRESS);
        [waiting, stalled, state.end].into_iter().flatten().min()
    }

    /// Since when it waits for a request; `None`: it is answered.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        match self.state().phase {
            Phase::Waiting { since, .. } => Some(since),
            Phase::Answering => None,
        }
    }

    /// Has the connection end after the answer that it is in.
    #[cfg(any(feature = "daemon", test))]
    pub(super) fn end(&self) {
        self.state().end = Some(Instant::now() + LAST_ANSWER);
        self.ending.notify_one();
    }

    /// Returns once it is to end.
    pub(super) async fn ending(&self) {
        self.ending.notified().await;
    }
}

/// A stream whose octets are seen by an [`Activity`].
pub(super) struct Observed<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }

    /// Notes whether anything was sent.
    fn noted<T>(&self, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.activity.sent(sent.is_ready());
        sent
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, octets);
        self.noted(sent)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, octets);
        self.noted(sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
