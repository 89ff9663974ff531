//! `--otlp`: what an OpenTelemetry collector gets from running processes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;

use crate::program::{Responder, Running, finish, run, twinpath};
use crate::sandbox::confined;

const PATIENCE: Duration = Duration::from_secs(30);

/// A collector that takes everything until the test is over.
struct Collector {
    port: u16,
    pushed: Receiver<(String, ExportMetricsServiceRequest)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (push, pushed) = channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                let head = head.to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).unwrap();
                let length = length.split_once("\r\n").unwrap().0.parse().unwrap();
                let mut octets = vec![0; length];
                reader.read_exact(&mut octets).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                reader.get_mut().write_all(answer).unwrap();
                let request = ExportMetricsServiceRequest::decode(&*octets).unwrap();
                if push.send((head, request)).is_err() {
                    return;
                }
            }
        });
        Self { port, pushed }
    }

    /// The head of the first request in which the sum of this metric is this.
    fn wait_for(&self, name: &str, sum: i64) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let pushed = self.pushed.recv_timeout(left);
            let (head, request) = pushed.unwrap_or_else(|_| panic!("{name} is never {sum}"));
            if total(&request, name) == Some(sum) {
                return head;
            }
        }
    }
}

/// Of all series of a counter.
fn total(request: &ExportMetricsServiceRequest, name: &str) -> Option<i64> {
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|of| &of.scope_metrics);
    let mut metrics = scopes.flat_map(|scope| &scope.metrics);
    let metric = metrics.find(|metric| metric.name == name)?;
    let Some(Data::Sum(sum)) = &metric.data else {
        panic!("{name} is no counter: {metric:?}");
    };
    let values = sum.data_points.iter().map(|point| match point.value {
        Some(Value::AsInt(count)) => count,
        ref other => panic!("{other:?}"),
    });
    Some(values.sum())
}

#[test]
fn a_confined_responder_pushes_to_a_collector_that_it_finds_by_name() {
    let collector = Collector::start();
    let mut command = twinpath(&format!(
        "responder 127.0.0.1:0 --metrics 127.0.0.1:0 --otlp http://localhost:{} --otlp-interval 1",
        collector.port
    ));
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=fra");
    let responder = Responder::spawn(command);
    assert_eq!(run(&format!("sender {} -c 7 -i 1", responder.at)).status, 0);
    let head = collector.wait_for("twinpath_reflector_replies_total", 7);
    assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-scope: fra\r\n"), "{head}");
    assert_eq!(responder.threads("otlp"), 1);
    confined(responder.process());
    assert_eq!(responder.stop("TERM").status, 0);
}

/// Within the usual interval, so nothing is pushed before the end.
#[test]
fn a_responder_pushes_its_last_figures_when_it_ends() {
    let collector = Collector::start();
    let responder = Responder::start(&format!(
        "127.0.0.1:0 --otlp http://127.0.0.1:{}",
        collector.port
    ));
    assert_eq!(run(&format!("sender {} -c 5 -i 1", responder.at)).status, 0);
    assert_eq!(responder.stop("TERM").status, 0);
    collector.wait_for("twinpath_reflector_replies_total", 5);
}

#[cfg(feature = "control")]
#[test]
fn a_server_and_a_controller_push_their_last_figures_when_they_end() {
    let of_server = Collector::start();
    let of_controller = Collector::start();
    let server = Responder::server(&format!("--otlp http://127.0.0.1:{}", of_server.port));
    let line = format!(
        "controller {} 127.0.0.1:0 --dscp be,ef -c 5 -i 1 --otlp http://127.0.0.1:{}",
        server.at, of_controller.port
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    of_controller.wait_for("twinpath_packets_received_total", 10);
    assert_eq!(server.stop("TERM").status, 0);
    of_server.wait_for("twinpath_reflector_replies_total", 10);
}

#[test]
fn a_report_does_not_wait_for_a_collector_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} -c 3 -i 1 --json --otlp http://{at}",
        responder.at
    );
    let mut run = Running::start(&line);
    // The last push has begun, and has no answer: the report is there.
    let push = listener.accept().unwrap();
    run.wait_for("\"sessions\"");
    // It waits for the push, and a second signal (another one: two of a kind may come as one) ends that.
    run.signal(&["INT", "TERM"]);
    assert!(!run.ended().success());
    drop(push);
}

#[test]
fn a_run_whose_collector_is_away_has_its_report_and_a_warning() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} -c 3 -i 1 --json --otlp http://127.0.0.1:{port}",
        responder.at
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["received"], 3);
    let warning = format!("metrics were not pushed to http://127.0.0.1:{port}/v1/metrics: ");
    assert_eq!(done.stderr.matches(&warning).count(), 1, "{}", done.stderr);
}

#[test]
fn what_cannot_be_pushed_to_is_refused_before_anything_is_sent() {
    for (url, headers, said) in [
        ("127.0.0.1:4318", "", "http://HOST:PORT"),
        (
            "http://127.0.0.1:9",
            "S3cr3t",
            "OTEL_EXPORTER_OTLP_HEADERS in the environment",
        ),
    ] {
        let mut command = twinpath(&format!("sender 127.0.0.1 -c 1 --otlp {url}"));
        command.env("OTEL_EXPORTER_OTLP_HEADERS", headers);
        let done = finish(command);
        assert_eq!(done.status, 2, "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert!(!done.stderr.contains("S3cr3t"), "{}", done.stderr);
    }
    let done = run("sender 127.0.0.1 -c 1 --otlp-interval 5");
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(done.stderr.contains("--otlp"), "{}", done.stderr);
}
