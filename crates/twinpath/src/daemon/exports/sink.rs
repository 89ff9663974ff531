//! What takes the rows.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use twinpath_report::words::{self, is_plain};

use crate::daemon::alarms::programs;
use crate::exporter::otlp::rejected;
use crate::failure::Failure;
use crate::http::client::{AnswerLimits, Call, Endpoint};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// What an answer may take.
const LIMITS: AnswerLimits = AnswerLimits {
    within: ATTEMPT,
    octets: 64 << 10,
};
/// Characters of an answer that are shown.
const MOST_SHOWN: usize = 300;
/// The exit status of a program to which the input is wrong (`EX_DATAERR` of sysexits.h).
const DATA_ERROR: i32 = 65;
/// Draft of the HTTP working group of the IETF; the same for each attempt.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REMOTE_WRITE_VERSION: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-version");

/// A kind of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Kind {
    ClickHouse,
    RemoteWrite,
    Otlp,
    Webhook,
    Exec,
}

impl Kind {
    /// As the configuration has it.
    pub(in crate::daemon) const fn name(self) -> &'static str {
        match self {
            Self::ClickHouse => "clickhouse",
            Self::RemoteWrite => "remote-write",
            Self::Otlp => "otlp",
            Self::Webhook => "webhook",
            Self::Exec => "exec",
        }
    }
}

/// What takes the rows of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Sink {
    /// A server, and its table.
    ClickHouse(Endpoint, String),
    RemoteWrite(Endpoint),
    Otlp(Endpoint),
    Webhook(Endpoint),
    /// A program with its arguments.
    Exec(Arc<[String]>),
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    /// The batch is wrong, and always will be.
    Refused(String),
    /// It may be taken later.
    Failed(String),
}

impl Sink {
    pub(in crate::daemon) fn kind(&self) -> Kind {
        match self {
            Self::ClickHouse(..) => Kind::ClickHouse,
            Self::RemoteWrite(_) => Kind::RemoteWrite,
            Self::Otlp(_) => Kind::Otlp,
            Self::Webhook(_) => Kind::Webhook,
            Self::Exec(_) => Kind::Exec,
        }
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        match self {
            Self::ClickHouse(at, table) => format!("{at}, table {table}"),
            Self::RemoteWrite(at) | Self::Otlp(at) | Self::Webhook(at) => at.to_string(),
            Self::Exec(words) => words.first().cloned().unwrap_or_default(),
        }
    }

    /// A program with its arguments.
    ///
    /// # Errors
    /// What to write instead.
    pub(in crate::daemon) fn exec(words: &[String]) -> Result<Self, String> {
        match words.first() {
            Some(program) if Path::new(program).is_absolute() => Ok(Self::Exec(words.into())),
            Some(program) => Err(format!(
                "exec {program}: write the whole path of the program, as in /usr/local/bin/load"
            )),
            None => Err("kind exec: add exec = [PROGRAM, ...]".to_owned()),
        }
    }

    /// What this host lacks for it.
    pub(super) fn lacks(&self) -> Option<Failure> {
        match self {
            Self::ClickHouse(at, _)
            | Self::RemoteWrite(at)
            | Self::Otlp(at)
            | Self::Webhook(at) => at.lacks(),
            Self::Exec(words) => programs::lacks(words.first()?),
        }
    }

    /// Sends a batch with this id once.
    pub(super) async fn post(&self, id: &str, body: Vec<u8>) -> Answer {
        let field = HeaderValue::from_static;
        let json = field("application/json");
        let protobuf = field("application/x-protobuf");
        let call = Call::post(body, LIMITS);
        let (at, call) = match self {
            Self::ClickHouse(at, table) => {
                let call = call.with_query(insertion(table, id));
                (at, call.with_field(CONTENT_TYPE, json))
            }
            Self::Webhook(at) => {
                let call = call.with_field(CONTENT_TYPE, json);
                let call = match HeaderValue::from_str(id) {
                    Ok(id) => call.with_field(IDEMPOTENCY_KEY, id),
                    Err(_) => call,
                };
                (at, call)
            }
            Self::RemoteWrite(at) => {
                let call = call
                    .with_field(CONTENT_TYPE, protobuf)
                    .with_field(CONTENT_ENCODING, field("snappy"))
                    .with_field(REMOTE_WRITE_VERSION, field("0.1.0"));
                (at, call)
            }
            Self::Otlp(at) => (at, call.with_field(CONTENT_TYPE, protobuf)),
            Self::Exec(_) => return Answer::Failed("it has no address".to_owned()),
        };
        match at.send(&call).await {
            Ok(answered) => {
                let said = answered.body.unwrap_or_default();
                self.answer(answered.status, &said)
            }
            Err(error) => Answer::Failed(error.to_string()),
        }
    }

    /// What an answer says. A collector may take some values only, and is not to be sent those again.
    fn answer(&self, status: StatusCode, said: &[u8]) -> Answer {
        match (self, answer(status, &shown(said))) {
            (Self::Otlp(_), Answer::Taken) => rejected(said).map_or(Answer::Taken, Answer::Refused),
            (_, answer) => answer,
        }
    }
}

/// The beginning of an answer in one line.
fn shown(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let text = text.trim().chars().take(MOST_SHOWN);
    text.map(|c| if is_plain(c) { c } else { ' ' }).collect()
}

/// The parameters of an insertion into a table of ClickHouse. One batch is one block, so that it is inserted once by
/// its token; columns that the table lacks are left out.
fn insertion(table: &str, id: &str) -> String {
    let query = format!("INSERT INTO {table} FORMAT JSONEachRow");
    let query = utf8_percent_encode(&query, NON_ALPHANUMERIC);
    format!(
        "query={query}&insert_deduplication_token={id}&insert_deduplicate=1&async_insert=0\
         &date_time_input_format=best_effort&input_format_skip_unknown_fields=1&input_format_parallel_parsing=0"
    )
}

/// A batch that is wrong is refused; what is wrong with the address, the user or the server is mended there.
fn answer(status: StatusCode, said: &str) -> Answer {
    if status.is_success() {
        return Answer::Taken;
    }
    let why = match said {
        "" => format!("answered {status}"),
        said => format!("answered {status}: {said}"),
    };
    let is_of_server = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if status.is_client_error() && !is_of_server.contains(&status) {
        Answer::Refused(why)
    } else {
        Answer::Failed(why)
    }
}

/// Has a program take a batch.
pub(super) fn run(words: &[String], input: File, is_over: &dyn Fn() -> bool) -> Answer {
    let program = words.first().map_or("", String::as_str);
    let (status, output) = match programs::run(words, Stdio::from(input), ATTEMPT, is_over) {
        Ok(ended) => ended,
        Err(error) => return Answer::Failed(format!("{program} cannot be run: {error}")),
    };
    let output = output.lines().collect::<Vec<_>>().join(" | ");
    match status {
        Some(status) if status.success() => Answer::Taken,
        Some(status) if status.code() == Some(DATA_ERROR) => {
            Answer::Refused(format!("{program}: {status}: {output}"))
        }
        Some(status) => Answer::Failed(format!("{program}: {status}: {output}")),
        None if is_over() => Answer::Failed(format!("{program}: killed, as the daemon ends")),
        None => {
            let time = words::time(ATTEMPT);
            Answer::Failed(format!("{program}: killed after {time}: {output}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client::EndpointOptions;

    #[test]
    fn what_is_wrong_with_a_batch_is_refused_and_all_else_is_tried_again() {
        for (status, is_refused) in [
            (400, true),
            (413, true),
            (422, true),
            (401, false),
            (403, false),
            (404, false),
            (408, false),
            (429, false),
            (302, false),
            (500, false),
            (503, false),
        ] {
            let got = answer(StatusCode::from_u16(status).unwrap(), "no");
            assert_eq!(matches!(got, Answer::Refused(_)), is_refused, "{status}");
            assert_ne!(got, Answer::Taken, "{status}");
        }
        assert_eq!(answer(StatusCode::NO_CONTENT, ""), Answer::Taken);
    }

    #[test]
    fn what_a_collector_took_in_part_is_not_sent_again_and_counts_as_refused() {
        let at = || Endpoint::parse("http://127.0.0.1:4318", EndpointOptions::default()).unwrap();
        // ExportMetricsServiceResponse: field 1 has fields 1 (a number) and 2 (text).
        let partial = b"\x0a\x08\x08\x03\x12\x04late";
        let of = |sink: Sink, said: &[u8]| sink.answer(StatusCode::OK, said);
        assert_eq!(
            of(Sink::Otlp(at()), partial),
            Answer::Refused("the collector refused 3 values: late".to_owned())
        );
        // A remark, with all values taken.
        assert_eq!(of(Sink::Otlp(at()), b"\x0a\x06\x12\x04late"), Answer::Taken);
        assert_eq!(of(Sink::Otlp(at()), b""), Answer::Taken);
        assert_eq!(of(Sink::Webhook(at()), partial), Answer::Taken);
    }
}
