//! Rows in ClickHouse (chdb of PyPI), Prometheus and the messages of OpenTelemetry (opentelemetry-proto of PyPI), with the
//! Python of TWINPATH_TEST_PYTHON or the usual one.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Daemon, PATIENCE, configuration, count, stored};
use crate::metrics::{Prometheus, page};
use crate::program::{Running, free_port};

/// ClickHouse as a library behind its HTTP interface, as far as an insertion needs it. The first two insertions are made,
/// and not answered.
const SERVER: &str = r#"
import http.server, sys, urllib.parse
from chdb import session
db = session.Session(sys.argv[2])
db.query("CREATE DATABASE IF NOT EXISTS x ENGINE = Atomic"); db.query("USE x")
db.query(sys.argv[3])
left = 2
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, octets):
        self.send_response(status)
        self.send_header("content-length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)
    def parameters(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
    def do_GET(self):
        self.answer(200, str(db.query(self.parameters()["query"], "TabSeparated")).encode())
    def do_POST(self):
        global left
        given = self.parameters()
        assert given.pop("database") == "x"
        query, form = given.pop("query").split(" FORMAT ")
        settings = ", ".join(f"{key} = " + (value if value.isdigit() and len(value) < 5 else repr(value)) for key, value in given.items())
        rows = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            db.query(f"{query} SETTINGS {settings} FORMAT {form}\n{rows}")
        except Exception as error:
            self.answer(400, str(error).encode())
            return
        if left:
            left -= 1
            self.close_connection = True
            return
        self.answer(200, b"")
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// The statement of docs/export.md.
fn table() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/export.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, sql) = text.split_once("```sql\n").unwrap();
    sql.split_once("```").unwrap().0.to_owned()
}

/// A server of a test in Python; `None`: the module is missing.
pub(in crate::daemon) fn python(
    module: &str,
    program: &str,
    arguments: &[&str],
) -> Option<(Running, SocketAddr)> {
    let python = std::env::var("TWINPATH_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = format!("import {module}");
    let has_it = Command::new(&python).args(["-c", &import]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} has no module {module}");
        return None;
    }
    let port = free_port();
    let mut command = Command::new(python);
    command
        .args(["-c", program, &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null());
    let server = Running::of(command.spawn().unwrap());
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(at).is_err() {
        assert!(Instant::now() < until, "no server");
        std::thread::sleep(Duration::from_millis(100));
    }
    Some((server, at))
}

#[test]
fn clickhouse_has_every_row_once() {
    let place = tempfile::tempdir().unwrap();
    let db = place.path().join("db").display().to_string();
    let Some((_server, at)) = python("chdb", SERVER, &[&db, &table()]) else {
        return;
    };
    let lines = format!("kind = \"clickhouse\"\nurl = \"http://{at}/?database=x\"");
    let text = configuration(place.path(), free_port(), &lines);
    let daemon = Daemon::start(&text);
    let document = daemon.status_when(|it| count(it, "sent") > 5 || count(it, "refused") > 0);
    assert_eq!(count(&document, "refused"), 0, "{document:#}");
    assert_eq!(daemon.stop().status, 0);
    let ask = |query: &str| {
        let query = query.replace(' ', "%20");
        page(at, &format!("/?query={query}"))
    };
    let stored: BTreeSet<i64> = stored(&place.path().join("store")).into_iter().collect();
    let rows = ask("SELECT toUnixTimestamp64Nano(start) FROM x.intervals ORDER BY start");
    let rows: Vec<i64> = rows.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(rows, stored.into_iter().collect::<Vec<_>>());
    // Known figures, and bins that add up to the packets.
    let sums = ask(
        "SELECT sum(sent) > 0, sum(arraySum(histograms_round_trip_counts)) = sum(received), \
         min(round_trip_median_ns) > 0, any(labels['site']), any(session) FROM x.intervals",
    );
    assert_eq!(sums.trim_end(), "1\t1\t1\tfra\ta", "{sums}");
}

#[test]
fn prometheus_has_the_figures_of_intervals() {
    let nowhere = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let options = ["--web.enable-remote-write-receiver"];
    let Some(prometheus) = Prometheus::start(nowhere, &options) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let url = format!("http://{}/api/v1/write", prometheus.api);
    let lines = format!("kind = \"remote-write\"\nurl = \"{url}\"");
    let daemon = Daemon::start(&configuration(place.path(), free_port(), &lines));
    let document = daemon.status_when(|it| count(it, "sent") > 3 || count(it, "refused") > 0);
    assert_eq!(count(&document, "refused"), 0, "{document:#}");
    let interval = super::super::entry(&document, "a")["measures"][0]["interval"].clone();
    let end = interval["end"].as_str().unwrap();
    let end: jiff::Timestamp = end.parse().unwrap();
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1_000, ms % 1_000);
    let at = seconds(end.as_millisecond());
    let median = interval["round_trip_median_ns"].as_f64().unwrap() / 1e9;
    let labels = "session=%22a%22,label_site=%22fra%22";
    let delay = format!(
        "twinpath_interval_delay_median_seconds{{{labels},direction=%22round_trip%22}}&time={at}"
    );
    // Of the last interval, which may be on its way.
    prometheus.query_until(&delay, |value| (value - median).abs() < 1e-12);
    let sent = format!("twinpath_interval_received{{{labels}}}&time={at}");
    let received = interval["received"].as_f64().unwrap();
    prometheus.query_until(&sent, |value| (value - received).abs() < 0.5);
    assert_eq!(daemon.stop().status, 0);
    let names = format!("count(count%20by(__name__)({{{labels}}}))&time={at}");
    prometheus.query_until(&names, |count| count > 40.0);
}

/// A collector that knows the messages of OpenTelemetry by their own definitions, and tells points of a metric.
const COLLECTOR: &str = r#"
import http.server, json, sys
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
points = {}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, octets):
        self.send_response(status)
        self.send_header("content-length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)
    def do_GET(self):
        self.answer(200, json.dumps(points).encode())
    def do_POST(self):
        request = service.ExportMetricsServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/metrics" or self.headers["content-type"] != "application/x-protobuf" or request.FindInitializationErrors():
            return self.answer(404, b"not here")
        for resource in request.resource_metrics:
            host = {one.key: one.value.string_value for one in resource.resource.attributes}
            for metric in resource.scope_metrics[0].metrics:
                for point in metric.gauge.data_points:
                    labels = {one.key: one.value.string_value for one in point.attributes}
                    points.setdefault(metric.name, []).append({"unit": metric.unit, "at": point.time_unix_nano, "from": point.start_time_unix_nano, "value": point.as_double, **labels, **host})
        self.answer(200, b"")
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

#[test]
fn a_collector_of_opentelemetry_has_the_figures_of_intervals() {
    let module = "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2";
    let Some((_server, at)) = python(module, COLLECTOR, &[]) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let lines = format!("kind = \"otlp\"\nurl = \"http://{at}\"");
    let daemon = Daemon::start(&configuration(place.path(), free_port(), &lines));
    let document = daemon.status_when(|it| count(it, "sent") > 5);
    let interval = super::super::entry(&document, "a")["measures"][0]["interval"].clone();
    assert_eq!(daemon.stop().status, 0);
    let points: Value = serde_json::from_str(&page(at, "/")).unwrap();
    let of = |name: &str| points[name].as_array().unwrap().clone();
    let ends = of("twinpath_interval_sent");
    let starts: Vec<i64> = ends.iter().map(|it| it["from"].as_i64().unwrap()).collect();
    let mut stored = stored(&place.path().join("store"));
    stored.sort_unstable();
    assert_eq!(starts, stored);
    let end: jiff::Timestamp = interval["end"].as_str().unwrap().parse().unwrap();
    // The status has whole microseconds.
    let us = i64::try_from(end.as_nanosecond() / 1_000).unwrap();
    let medians = of("twinpath_interval_delay_median_seconds");
    let median = medians.iter().find(|it| {
        it["direction"] == "round_trip" && it["at"].as_i64().map(|ns| ns / 1_000) == Some(us)
    });
    let median = median.unwrap();
    let expected = interval["round_trip_median_ns"].as_f64().unwrap() / 1e9;
    assert!((median["value"].as_f64().unwrap() - expected).abs() < 1e-12);
    for (key, value) in [
        ("unit", "s"),
        ("session", "a"),
        ("class", "be"),
        ("label_site", "fra"),
        ("service.name", "twinpath"),
    ] {
        assert_eq!(median[key], value, "{median}");
    }
    assert!(median["host.name"].is_string(), "{median}");
}
