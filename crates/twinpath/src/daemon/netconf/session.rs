//! One session of NETCONF, from its hello to its end.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};
use twinpath_runtime::wall;
use twinpath_yang::netconf::events::{self, EndReason};
use twinpath_yang::netconf::{Received, Request, Session, SessionEnd};

use crate::daemon::control::By;

use super::Shared;
use super::connections::Connection;
use super::requests::{Done, carry_out, failed};
use super::rollback;
use super::subscription::{Due, Subscribed};

/// Octets of a message, at most.
const MOST_OCTETS: usize = 16 << 20;
/// Octets that wait until a request is carried out and its reply is read, at most.
const MOST_WAITING: usize = 1 << 20;
/// How long the client's hello may take.
const HELLO: Duration = Duration::from_secs(30);
/// Octets that are sent within [`SLOW`], or the session ends.
const PIECE: usize = 1 << 16;
const SLOW: Duration = Duration::from_secs(30);
/// How long the end of a connection may take.
const END: Duration = Duration::from_secs(2);

/// Serves a session until it ends.
pub(super) async fn serve(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    channel: Channel<Msg>,
    (user, host): (Arc<str>, IpAddr),
) {
    let number = shared.control.datastores().open();
    let by = By {
        user,
        session: number,
        host: Some(host.to_string()),
    };
    let mut killed = shared.sessions.open(&by);
    let (read, write) = channel.split();
    let capabilities = shared.capabilities.to_vec();
    let session = Session::new(number, capabilities, MOST_OCTETS);
    let mut client = Client {
        session: Arc::new(Mutex::new(session)),
        input: Input::new(read),
        write,
        subscribed: None,
        has_begun: false,
        shared: Arc::clone(&shared),
        by: by.clone(),
    };
    let reason = tokio::select! {
        reason = client.served() => reason,
        Ok(session) = killed.wait_for(Option::is_some) => {
            EndReason::Killed((*session).unwrap_or_default())
        }
    };
    let has_begun = client.has_begun;
    end(&shared, &by, reason, has_begun);
    if reason == EndReason::Closed || reason == EndReason::Dropped {
        let _gone = timeout(END, client.close()).await;
    }
    connection.end();
}

/// Forgets a session, and notifies of its end.
fn end(shared: &Shared, by: &By, reason: EndReason, has_begun: bool) {
    shared.control.datastores().close(by.session);
    if has_begun {
        let event = events::session_end(&shared.model.schema, &by.origin(), reason);
        shared.control.notices().add(wall(), event);
        let how = ended(reason);
        info!("session {} of NETCONF ended: {how}", by.session);
    }
    rollback::notify(shared);
    shared.sessions.close(by.session, reason);
}

/// How a session has ended.
fn ended(reason: EndReason) -> String {
    let how = match reason {
        EndReason::Closed => "by its client",
        EndReason::Killed(session) => return format!("by session {session}"),
        EndReason::Dropped => "its connection is gone",
        EndReason::Timeout => "its client was silent or too slow",
        EndReason::BadHello => "its client's hello was wrong",
        EndReason::Other => "what its client sent could not be read",
    };
    how.to_owned()
}

/// The client of a session.
struct Client {
    shared: Arc<Shared>,
    by: By,
    session: Arc<Mutex<Session>>,
    input: Input,
    write: ChannelWriteHalf<Msg>,
    subscribed: Option<Subscribed>,
    has_begun: bool,
}

impl Client {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the client asks for until the session ends.
    async fn served(&mut self) -> EndReason {
        let ended = self.run().await;
        ended.err().unwrap_or(EndReason::Other)
    }

    /// As [`Client::served`]: the end is always an error.
    async fn run(&mut self) -> Result<(), EndReason> {
        let hello = self.session().hello();
        self.send(hello).await?;
        let hello_by = Instant::now() + HELLO;
        loop {
            let has_begun = self.has_begun;
            let octets = tokio::select! {
                octets = self.input.next() => octets,
                due = due(&mut self.subscribed) => {
                    self.notify(due).await?;
                    continue;
                }
                () = sleep_until(hello_by), if !has_begun => return Err(EndReason::Timeout),
            };
            match octets {
                Some(octets) => self.take(octets).await?,
                None => return Err(EndReason::Dropped),
            }
        }
    }

    /// Does what octets ask for.
    async fn take(&mut self, mut octets: Bytes) -> Result<(), EndReason> {
        loop {
            let (session, model) = (Arc::clone(&self.session), self.shared.model);
            // A large message takes some time to read.
            let received = spawn_blocking(move || {
                let mut rest = &*octets;
                let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
                let received = session.receive(&model.schema, &mut rest);
                (received, octets.slice_ref(rest))
            });
            let (received, rest) = received.await.map_err(|_| EndReason::Other)?;
            octets = rest;
            match received {
                None => return Ok(()),
                Some(Received::Hello { .. }) => self.begin(),
                Some(Received::Request(request)) => self.answer(*request).await?,
                Some(Received::Refused { reply, errors }) => {
                    let schema = &self.shared.model.schema;
                    let octets = self.session().errors(schema, &reply, &errors);
                    self.send(octets).await?;
                }
                Some(Received::End(why)) => {
                    warn!("session {} of NETCONF ends: {why}", self.by.session);
                    return Err(match why {
                        SessionEnd::Hello(_) => EndReason::BadHello,
                        SessionEnd::Framing(_) if !self.has_begun => EndReason::BadHello,
                        SessionEnd::Framing(_) | SessionEnd::Message(_) => EndReason::Other,
                    });
                }
            }
        }
    }

    fn begin(&mut self) {
        self.has_begun = true;
        self.shared.sessions.begin();
        let event = events::session_start(&self.shared.model.schema, &self.by.origin());
        self.shared.control.notices().add(wall(), event);
        let host = self.by.host.as_deref().unwrap_or_default();
        info!(
            "session {} of NETCONF: user {} at {host}",
            self.by.session, self.by.user
        );
    }

    async fn answer(&mut self, request: Request) -> Result<(), EndReason> {
        let work = carry_out(&self.shared, &self.by, request);
        let (reply, done) = self.input.keep_while(work).await;
        let done = match done {
            Ok(Done::Subscribed(..)) if self.subscribed.is_some() => Err(failed(
                "operation-failed",
                "create-subscription: the session has a subscription",
            )),
            done => done,
        };
        let schema = &self.shared.model.schema;
        let (octets, next) = match done {
            Ok(Done::Reply(text)) => (self.session().reply(&text), None),
            Ok(Done::Close(text)) => {
                let mut session = self.session();
                session.end();
                (session.reply(&text), Some(Next::Close))
            }
            Ok(Done::Subscribed(text, subscription)) => {
                let next = Next::Notify(Subscribed::new(&self.shared, subscription));
                (self.session().reply(&text), Some(next))
            }
            Err(errors) => (self.session().errors(schema, &reply, &errors), None),
        };
        self.send(octets).await?;
        match next {
            None => Ok(()),
            Some(Next::Close) => Err(EndReason::Closed),
            Some(Next::Notify(subscribed)) => {
                self.subscribed = Some(subscribed);
                Ok(())
            }
        }
    }

    /// Sends what is due of the subscription.
    async fn notify(&mut self, due: Due) -> Result<(), EndReason> {
        let (text, is_end) = match due {
            Due::Message { text, is_end } => (Some(text), is_end),
            Due::Notice(notice) => {
                let subscribed = self.subscribed.as_ref();
                let message = |it: &Subscribed| it.message(&self.shared, &self.by.user, &notice);
                (subscribed.and_then(message), false)
            }
        };
        if is_end {
            self.subscribed = None;
        }
        let Some(text) = text else {
            return Ok(());
        };
        let octets = self.session().notification(&text);
        self.send(octets).await
    }

    /// Sends octets as fast as the client takes them; a client that takes them too slowly has its session ended.
    async fn send(&mut self, octets: Vec<u8>) -> Result<(), EndReason> {
        let counts = self.session().counts();
        self.shared.sessions.count(self.by.session, counts);
        let mut octets = Bytes::from(octets);
        while !octets.is_empty() {
            let piece = octets.split_to(PIECE.min(octets.len()));
            let sent = timeout(SLOW, self.write.data_bytes(piece));
            match self.input.keep_while(sent).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(EndReason::Dropped),
                Err(_) => {
                    debug!("session {} of NETCONF: slow", self.by.session);
                    return Err(EndReason::Timeout);
                }
            }
        }
        Ok(())
    }

    /// Ends the channel, so that the client has all that was sent.
    async fn close(&mut self) {
        let write = &self.write;
        let sent = async {
            write.eof().await?;
            write.exit_status(0).await?;
            write.close().await
        };
        if sent.await.is_ok() {
            // The client ends the connection.
            while self.input.read.wait().await.is_some() {}
            sleep(END).await;
        }
    }
}

/// What follows a reply.
enum Next {
    Close,
    Notify(Subscribed),
}

/// What is due of a subscription; for ever without one.
async fn due(subscribed: &mut Option<Subscribed>) -> Due {
    match subscribed {
        Some(subscribed) => subscribed.due().await,
        None => std::future::pending().await,
    }
}

/// What a client has sent. It is read while replies wait to be read: one side could wait for the other otherwise.
struct Input {
    read: ChannelReadHalf,
    waiting: VecDeque<Bytes>,
    octets: usize,
    is_over: bool,
}

impl Input {
    fn new(read: ChannelReadHalf) -> Self {
        Self {
            read,
            waiting: VecDeque::new(),
            octets: 0,
            is_over: false,
        }
    }

    /// The next octets; `None`: the client sends no more. It may be left, and loses nothing.
    async fn next(&mut self) -> Option<Bytes> {
        while self.waiting.is_empty() && !self.is_over {
            self.fill().await;
        }
        let octets = self.waiting.pop_front()?;
        self.octets -= octets.len();
        Some(octets)
    }

    /// Reads while something else is done.
    async fn keep_while<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            let is_open = !self.is_over && self.octets < MOST_WAITING;
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.fill(), if is_open => {}
            }
        }
    }

    async fn fill(&mut self) {
        match self.read.wait().await {
            Some(ChannelMsg::Data { data }) if !data.is_empty() => {
                self.octets += data.len();
                self.waiting.push_back(data);
            }
            None | Some(ChannelMsg::Eof | ChannelMsg::Close) => self.is_over = true,
            // Other requests of the channel were answered, and other data is not used.
            Some(_) => {}
        }
    }
}
