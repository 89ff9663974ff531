//! Streams of notifications as server-sent events (RFC 8040 section 6).

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use twinpath_wire::Wall;
use twinpath_yang::json::{self, Layout};
use twinpath_yang::{Children, Data, Path, Select, netconf};

use super::Asked;
use super::media::Encoding;
use super::options;
use super::refusal::Refusal;
use super::rights::Rights;
use crate::daemon::control::Control;
use crate::daemon::model::Model;
use crate::daemon::notices::{Follower, Notice, STREAMS};
use crate::http::{Reply, User, streamed};
use crate::output::rfc3339;

/// Encodings, by the last part of an address.
pub(in crate::daemon) const ENCODINGS: [(&str, Encoding); 2] =
    [("json", Encoding::Json), ("xml", Encoding::Xml)];
const EVENTS: &str = "text/event-stream";
/// Streams at once.
const MOST: usize = 64;
/// Notifications that wait for a client.
const WAITING: usize = 16;
/// How often a stream says that it is there, where nothing happens.
const REST: Duration = Duration::from_secs(15);

static OPEN: Semaphore = Semaphore::const_new(MOST);

/// Answers a request for `/restconf/streams/NAME/ENCODING`.
pub(super) fn answer(asked: &Asked, rest: &str) -> Result<Reply, Refusal> {
    let encoding = rest.split_once('/').and_then(|(name, encoding)| {
        STREAMS.iter().find(|(known, _)| *known == name)?;
        let mut encodings = ENCODINGS.iter();
        encodings.find(|(known, _)| *known == encoding)
    });
    let Some((_, encoding)) = encoding else {
        return Err(Refusal::not_found(
            "use /restconf/streams/measurement/json or xml",
        ));
    };
    asked.only("GET, HEAD, OPTIONS")?;
    if asked.method != Method::GET {
        let mut reply = options("GET, HEAD, OPTIONS");
        let media_type = HeaderValue::from_static(EVENTS);
        reply.headers_mut().insert(CONTENT_TYPE, media_type);
        return Ok(reply);
    }
    asked
        .parameters
        .only(&asked.method, &["start-time", "stop-time"])?;
    let [start, stop] = ["start-time", "stop-time"].map(|name| time(asked, name));
    let (start, stop) = (start?, stop?);
    let now = twinpath_runtime::wall();
    if start.is_some_and(|start| start > now) {
        return Err(Refusal::invalid("start-time: use a time that has passed"));
    }
    if stop.is_some() && (start.is_none() || stop <= start) {
        return Err(Refusal::invalid(
            "stop-time: use a time after start-time, which it needs",
        ));
    }
    let Ok(permit) = OPEN.try_acquire() else {
        return Err(Refusal::busy(&format!(
            "{MOST} streams are open: close one"
        )));
    };
    let (frames, receiver) = mpsc::channel(WAITING);
    let stream = Stream {
        control: asked.control.clone(),
        model: asked.model,
        user: asked.user.clone(),
        encoding: *encoding,
        stop,
    };
    let follower = asked.control.notices().follow(start);
    tokio::spawn(async move {
        stream.send(follower, frames).await;
        drop(permit);
    });
    Ok(streamed(EVENTS, receiver))
}

fn time(asked: &Asked, name: &str) -> Result<Option<Wall>, Refusal> {
    let Some(text) = asked.parameters.get(name) else {
        return Ok(None);
    };
    let time = text.parse::<Timestamp>().ok();
    let ns = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    match ns {
        Some(ns) => Ok(Some(Wall::from_unix_ns(ns))),
        None => Err(Refusal::invalid(&format!(
            "{name}: use a time as in 2026-11-30T14:00:00Z"
        ))),
    }
}

struct Stream {
    control: Control,
    model: &'static Model,
    user: User,
    encoding: Encoding,
    stop: Option<Wall>,
}

impl Stream {
    /// Sends what happens until the client is gone, or it is time to stop.
    async fn send(self, mut follower: Follower, frames: mpsc::Sender<Bytes>) {
        // The head of the response goes out with it.
        let mut frame = ": a stream of notifications\n\n".to_owned();
        loop {
            if frames.send(Bytes::from(frame)).await.is_err() {
                return;
            }
            frame = tokio::select! {
                biased;
                () = frames.closed() => return,
                next = timeout(REST, follower.next()) => match next {
                    Ok((_, notice)) if self.stop.is_some_and(|stop| notice.at > stop) => return,
                    Ok((missed, notice)) => self.frame(missed, &notice),
                    Err(_rest) => ":\n\n".to_owned(),
                },
                () = self.is_over() => return,
            };
        }
    }

    /// Until the time to stop; for ever without.
    async fn is_over(&self) {
        match self.stop {
            Some(stop) => {
                let ns = stop.unix_ns() - twinpath_runtime::wall().unix_ns();
                sleep(Duration::from_nanos(u64::try_from(ns).unwrap_or(0))).await;
            }
            None => std::future::pending().await,
        }
    }

    fn frame(&self, missed: u64, notice: &Notice) -> String {
        let mut frame = String::new();
        if missed > 0 {
            frame = format!(": {missed} notifications are not kept any more\n\n");
        }
        let running = self.control.running();
        let rights = Rights::of(self.model, &self.control, &self.user, &running);
        let path = Path::root().join(notice.node, Select::All);
        if rights.may_notify(&path) {
            let content = notice.shown(self.model, |path| rights.may_read(path));
            for line in self.text(notice, content).lines() {
                frame.extend(["data: ", line, "\n"]);
            }
            frame.push('\n');
        } else {
            frame.push_str(":\n\n");
        }
        frame
    }

    /// A notification.
    fn text(&self, notice: &Notice, content: Children) -> String {
        let schema = &self.model.schema;
        let time = rfc3339(notice.at);
        match self.encoding {
            Encoding::Json => {
                let data = Data::Container(content);
                let event = json::write_node(schema, notice.node, &data, Layout::Compact);
                let event = event.strip_prefix('{').unwrap_or_default();
                format!("{{\"ietf-restconf:notification\":{{\"eventTime\":\"{time}\",{event}}}")
            }
            Encoding::Xml => {
                let path = Path::root().join(notice.node, Select::All);
                netconf::notification(schema, &time, &path, &content)
            }
        }
    }
}
