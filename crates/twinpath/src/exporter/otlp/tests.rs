//! What a collector gets, decoded by the messages that OpenTelemetry publishes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;

use prost::Message as _;

use super::super::family::{Family, Kind, Native, Sample, Value};
use super::super::{Exporter, family, fixtures};
use super::collector::Status;
use super::message::Times;
use super::*;
use crate::http::client::{Endpoint, EndpointOptions};

const TIMES: Times = Times {
    start_ns: 1_000,
    now_ns: 2_000,
};

fn texts(attributes: &[KeyValue]) -> Vec<(&str, &str)> {
    let text = |pair| {
        let KeyValue { key, value, .. }: &KeyValue = pair;
        let Some(Any::StringValue(value)) = &value.as_ref().unwrap().value else {
            panic!("{key} is no text");
        };
        (&**key, &**value)
    };
    attributes.iter().map(text).collect()
}

fn metrics(request: &ExportMetricsServiceRequest) -> &[Metric] {
    &request.resource_metrics[0].scope_metrics[0].metrics
}

fn named<'a>(request: &'a ExportMetricsServiceRequest, name: &str) -> &'a Metric {
    metrics(request)
        .iter()
        .find(|metric| metric.name == name)
        .unwrap()
}

#[test]
fn all_families_are_pushed_with_their_kinds_and_labels() {
    let all = fixtures::all();
    let requests = message::requests(&all, &message::resource(Vec::new()), TIMES);
    let [request] = &*requests else {
        panic!("{} requests", requests.len());
    };
    let names: Vec<&str> = metrics(request)
        .iter()
        .map(|metric| &*metric.name)
        .collect();
    let expected: Vec<String> = all.iter().map(Family::full_name).collect();
    assert_eq!(names, expected);
    let Some(Data::Sum(sum)) = &named(request, "twinpath_reflector_replies_total").data else {
        panic!("a counter is a sum");
    };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, 2);
    let [point] = &*sum.data_points else {
        panic!("{sum:?}");
    };
    assert_eq!(point.value, Some(Number::AsInt(0)));
    assert_eq!(
        (point.start_time_unix_nano, point.time_unix_nano),
        (1_000, 2_000)
    );
    let state = named(request, "twinpath_session_state");
    let Some(Data::Gauge(gauge)) = &state.data else {
        panic!("a state is a gauge");
    };
    let labels = texts(&gauge.data_points[0].attributes);
    assert!(
        labels.iter().any(|(name, _)| *name == "state"),
        "{labels:?}"
    );
    assert!(
        labels.iter().any(|(name, _)| *name == "session"),
        "{labels:?}"
    );
    assert_eq!(
        (
            &*state.unit,
            &*named(request, "twinpath_start_time_seconds").unit
        ),
        ("", "s")
    );
}

#[test]
fn times_are_in_buckets_and_those_beyond_the_last_bound_in_one_more() {
    let histogram = |negative| {
        let times = family::Times {
            count: 10,
            sum_s: 4.5,
            buckets: vec![(0.001, 3), (0.002, 0), (0.005, 5)],
            native: Native {
                negative,
                ..Native::default()
            },
        };
        let sample = Sample {
            labels: family::Labels::default(),
            own: Some(("way", "out")),
            value: Value::Times(Box::new(times)),
        };
        let family = Family::of(Kind::Times, "delay", "a delay", [sample]);
        let requests = message::requests(&[family], &message::resource(Vec::new()), TIMES);
        match named(&requests[0], "twinpath_delay_seconds").data.clone() {
            Some(Data::Histogram(histogram)) => histogram,
            other => panic!("{other:?}"),
        }
    };
    let found = histogram(Vec::new());
    assert_eq!(found.aggregation_temporality, 2);
    let point = &found.data_points[0];
    assert_eq!(point.bucket_counts, [3, 0, 5, 2]);
    assert_eq!(point.explicit_bounds, [0.001, 0.002, 0.005]);
    assert_eq!((point.count, point.sum), (10, Some(4.5)));
    assert_eq!(texts(&point.attributes), [("way", "out")]);
    let with_negative = histogram(vec![(0, 1)]);
    assert_eq!(with_negative.data_points[0].sum, None);
}

#[test]
fn many_samples_are_several_requests() {
    let label = ("session".into(), "x".repeat(100_000));
    let labels: family::Labels = vec![label].into();
    let sample = || Sample {
        labels: family::Labels::clone(&labels),
        own: None,
        value: Value::Count(1),
    };
    let names = ["a", "b", "c", "d", "e"];
    let family = |name| Family::of(Kind::Gauge, name, "", (0..8).map(|_| sample()));
    let families = names.map(family);
    let requests = message::requests(&families, &message::resource(Vec::new()), TIMES);
    let counts: Vec<usize> = requests.iter().map(|it| metrics(it).len()).collect();
    assert_eq!(counts, [2, 2, 1]);
    assert!(requests.iter().all(|it| it.encoded_len() < 3 << 20));
}

#[test]
fn what_is_given_about_the_process_counts_more_than_what_is_known() {
    let given = vec![("service.instance.id".to_owned(), "r1".to_owned())];
    let resource = message::resource(given);
    let found = texts(&resource.attributes);
    assert_eq!(found[0], ("service.instance.id", "r1"));
    assert_eq!(
        found
            .iter()
            .filter(|(name, _)| *name == "service.instance.id")
            .count(),
        1
    );
    assert!(found.contains(&("service.name", "twinpath")), "{found:?}");
}

/// A request as it came.
struct Pushed {
    head: String,
    request: ExportMetricsServiceRequest,
}

/// Reads one request and answers it.
fn collect(stream: TcpStream, status: &str, answer: &[u8]) -> Pushed {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split_once("\r\n").unwrap().0.parse().unwrap();
    let mut octets = vec![0; length];
    reader.read_exact(&mut octets).unwrap();
    let mut answered = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    )
    .into_bytes();
    answered.extend_from_slice(answer);
    reader.get_mut().write_all(&answered).unwrap();
    Pushed {
        head,
        request: ExportMetricsServiceRequest::decode(&*octets).unwrap(),
    }
}

fn to(listener: &TcpListener, every: Duration) -> Push {
    let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
    Push {
        collector: Endpoint::parse(&url, EndpointOptions::default()).unwrap(),
        every,
    }
}

#[test]
fn families_are_pushed_at_each_interval_and_at_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut exporter = Exporter::new();
    let push = to(&listener, Duration::from_millis(50));
    exporter.push(Some(push), || {}).unwrap();
    let collector = thread::spawn(move || {
        let pushes = (0..3).map(|_| collect(listener.accept().unwrap().0, "200 OK", &[]));
        pushes.collect::<Vec<Pushed>>()
    });
    let mut replies = 0;
    let mut families = || {
        replies += 1;
        vec![Family::counter("replies", "replies sent", replies)]
    };
    while replies_asked(&mut exporter, &mut families) < 2 {}
    exporter.end(families);
    // It waits for the push.
    drop(exporter);
    let pushes = collector.join().unwrap();
    for (place, Pushed { head, request }) in pushes.iter().enumerate() {
        assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
        assert!(
            head.contains("content-type: application/x-protobuf\r\n"),
            "{head}"
        );
        assert!(head.contains("user-agent: twinpath/"), "{head}");
        let Some(Data::Sum(sum)) = &named(request, "twinpath_replies_total").data else {
            panic!("{request:?}");
        };
        let count = i64::try_from(place).unwrap() + 1;
        assert_eq!(sum.data_points[0].value, Some(Number::AsInt(count)));
        // What every process reports.
        named(request, "twinpath_build_info");
    }
}

/// Waits for one scrape, and returns the number of those so far.
fn replies_asked(exporter: &mut Exporter, families: &mut impl FnMut() -> Families) -> usize {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    exporter.attend(Duration::from_millis(10), || {
        ASKED.fetch_add(1, Ordering::Relaxed);
        families()
    });
    ASKED.load(Ordering::Relaxed)
}

fn partial() -> Vec<u8> {
    let partial = ExportMetricsPartialSuccess {
        rejected_data_points: 3,
        error_message: "out of\u{1b}[31m bounds".to_owned(),
    };
    let answer = ExportMetricsServiceResponse {
        partial_success: Some(partial),
    };
    answer.encode_to_vec()
}

/// How a client takes these answers, one for each request.
fn taken<const N: usize>(answers: [(&'static str, Vec<u8>); N]) -> [Result<(), Failed>; N] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = to(&listener, Duration::ZERO).collector;
    let collector = thread::spawn(move || {
        let answers = answers.iter();
        let pushed = answers
            .map(|(status, answer)| collect(listener.accept().unwrap().0, status, answer).head);
        pushed.collect::<Vec<String>>()
    });
    let environment = Environment::read(|name| {
        let is_headers = name == "OTEL_EXPORTER_OTLP_HEADERS";
        is_headers.then(|| "Authorization=Basic%20a2V5".into())
    });
    let mut client = Collector::of(endpoint, environment.unwrap()).unwrap();
    let families = vec![Family::gauge("sessions", "sessions", 1)];
    let taken = [(); N].map(|()| client.push(&families));
    for head in collector.join().unwrap() {
        assert!(head.contains("authorization: basic a2v5\r\n"), "{head}");
    }
    // Nothing listens there any more, so a further request would have failed.
    assert!(client.push(&families).unwrap_err().may_pass);
    taken
}

#[test]
fn what_a_collector_says_is_one_line() {
    let status = Status {
        message: "no such tenant".to_owned(),
    };
    let text = b"too\nmany".to_vec();
    let [accepted, refused, busy, bad, moved] = taken([
        ("200 OK", Vec::new()),
        ("200 OK", partial()),
        ("503 Service Unavailable\r\nRetry-After: 7", Vec::new()),
        ("400 Bad Request\r\nContent-Type: text/plain", text),
        ("302 Found\r\nLocation: /elsewhere", status.encode_to_vec()),
    ]);
    assert_eq!(accepted, Ok(()));
    let lasting = |why: &str| {
        Err(Failed {
            why: why.to_owned(),
            may_pass: false,
            wait: None,
        })
    };
    assert_eq!(
        refused,
        lasting("the collector refused 3 values: out of[31m bounds")
    );
    let busy = busy.unwrap_err();
    assert_eq!(busy.why, "HTTP status 503 Service Unavailable");
    assert!(busy.may_pass);
    assert_eq!(busy.wait, Some(Duration::from_secs(7)));
    assert_eq!(bad, lasting("HTTP status 400 Bad Request: toomany"));
    assert_eq!(moved, lasting("HTTP status 302 Found: no such tenant"));
}

#[test]
fn a_request_that_is_refused_does_not_keep_back_the_others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = to(&listener, Duration::ZERO).collector;
    let mut client = Collector::of(endpoint, Environment::default()).unwrap();
    let label = ("session".into(), "x".repeat(1 << 20));
    let labels: family::Labels = vec![label].into();
    let family = |name| {
        let sample = || Sample {
            labels: family::Labels::clone(&labels),
            own: None,
            value: Value::Count(1),
        };
        Family::of(Kind::Gauge, name, "", [sample(), sample()])
    };
    let families = ["a", "b", "c"].map(family).to_vec();
    let collector = thread::spawn(move || {
        let answers = [
            ("200 OK", partial()),
            ("413 Content Too Large", Vec::new()),
            ("200 OK", Vec::new()),
        ];
        for (status, answer) in answers {
            collect(listener.accept().unwrap().0, status, &answer);
        }
    });
    let error = client.push(&families).unwrap_err();
    assert!(error.why.contains("refused 3 values"), "{error:?}");
    collector.join().unwrap();
}

#[test]
fn the_last_push_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut exporter = Exporter::new();
    let push = to(&listener, Duration::from_mins(1));
    exporter.push(Some(push), || {}).unwrap();
    let collector = thread::spawn(move || {
        for status in ["503 Service Unavailable", "200 OK"] {
            collect(listener.accept().unwrap().0, status, &[]);
        }
    });
    exporter.end(Vec::new);
    drop(exporter);
    collector.join().unwrap();
}

#[test]
fn the_end_of_a_push_that_hangs_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (to_owner, _scrapes) = sync_channel(1);
    let mut pusher = start(&to(&listener, Duration::from_mins(1)), to_owner, || {}).unwrap();
    pusher.end(Arc::new(fixtures::all()));
    // It is connected and has no answer.
    let connected = listener.accept().unwrap();
    assert!(!pusher.is_over_within(Duration::from_millis(200)));
    drop(connected);
    drop(listener);
    // Reset, and refused when it is tried again.
    assert!(pusher.is_over_within(Duration::from_secs(30)));
}

#[test]
fn an_owner_that_goes_without_an_end_ends_it_without_a_push() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (to_owner, scrapes) = sync_channel(1);
    let pusher = start(&to(&listener, Duration::from_millis(1)), to_owner, || {}).unwrap();
    let asked = scrapes.recv_timeout(Duration::from_secs(20));
    drop((asked, scrapes));
    pusher.news.send(News::Over).unwrap();
    assert!(pusher.is_over_within(Duration::from_secs(20)));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}
