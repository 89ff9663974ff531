//! `--metrics`: what Prometheus reads of a running process, by an HTTP client of our own, by Prometheus'
//! tool, and by Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::far_end::{FarEnd, now, ntp, reply};
use crate::program::{Responder, Running, free_port, run, taken_port};
use crate::prometheus::complaints;

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer: its first line, its header fields and what follows.
struct Answer {
    status: String,
    headers: String,
    body: String,
}

/// Sends this and reads to the end.
fn exchange(at: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    // Of messages what is no text is replaced.
    let text = String::from_utf8_lossy(&octets);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    Answer {
        status: status.to_owned(),
        headers: headers.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

fn get(at: SocketAddr, path: &str, accept: &str) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: {accept}\r\n\r\n"
    );
    exchange(at, &request)
}

/// Where it says that its metrics are.
pub(crate) fn address(program: &mut Responder) -> SocketAddr {
    let line = program.wait_for("metrics at ");
    let at = line
        .trim()
        .strip_prefix("metrics at http://")
        .and_then(|rest| rest.strip_suffix("/metrics"));
    at.unwrap_or_else(|| panic!("{line}")).parse().unwrap()
}

/// All metrics, as text.
#[cfg(feature = "daemon")]
pub(crate) fn scrape(at: SocketAddr) -> String {
    get(at, "/metrics", "*/*").body
}

/// What this server has at a path.
#[cfg(feature = "daemon")]
pub(crate) fn page(at: SocketAddr, path: &str) -> String {
    get(at, path, "*/*").body
}

/// Each series with its value.
fn series(text: &str) -> BTreeMap<&str, &str> {
    let samples = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    samples.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

/// The metrics once this series has this value; counts are published ten times a second.
pub(crate) fn metrics_when(at: SocketAddr, name: &str, value: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = get(at, "/metrics", "*/*");
        assert_eq!(answer.status, "HTTP/1.1 200 OK");
        let found = series(&answer.body).get(name).copied();
        if found == Some(value) {
            return answer.body;
        }
        assert!(Instant::now() < until, "{name} is {found:?}, not {value}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn is_flawless(text: &str) {
    match complaints(text) {
        Some(complaints) => assert_eq!(complaints, "", "{text}"),
        None => println!("skipped: promtool (Debian: prometheus) is not installed"),
    }
}

#[test]
fn a_responder_counts_what_it_answers_and_what_it_does_not() {
    let mut responder = Responder::start("127.0.0.1:0 --metrics 127.0.0.1:0");
    let at = address(&mut responder);
    let line = format!("sender {} -c 7 -i 1 --stamp", responder.at);
    assert_eq!(run(&line).status, 0);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        socket.send_to(&[0; 5], responder.at).unwrap();
    }
    let short = "twinpath_reflector_unanswered_packets_total{reason=\"too_short\"}";
    let text = metrics_when(at, short, "3");
    let series = series(&text);
    assert_eq!(series["twinpath_reflector_replies_total"], "7");
    assert_eq!(series["twinpath_reflector_sessions"], "1");
    assert_eq!(
        series["twinpath_reflector_received_packets_total{rung=\"kernel\"}"],
        "10"
    );
    let build = format!(
        "twinpath_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(series[&*build], "1");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let started: f64 = series["twinpath_start_time_seconds"].parse().unwrap();
    assert!((now - 600.0..=now).contains(&started), "{started} {now}");
    is_flawless(&text);
    assert_eq!(responder.stop("INT").status, 0);
}

#[test]
fn the_series_of_a_responder_do_not_depend_on_its_clients() {
    let mut responder = Responder::start("127.0.0.1:0 --metrics 127.0.0.1:0 --max-sessions 1000");
    let at = address(&mut responder);
    let names = |text: &str| {
        let names: BTreeSet<String> = series(text).into_keys().map(str::to_owned).collect();
        names
    };
    let before = names(&get(at, "/metrics", "*/*").body);
    let request = [[0; 12].as_slice(), &[0x80, 1], &[0; 30]].concat();
    // Each port is another client's; a receive buffer takes so many at once.
    for _ in 0..50 {
        let clients: Vec<UdpSocket> = (0..100)
            .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        for client in &clients {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.send_to(&request, responder.at).unwrap();
        }
        for client in &clients {
            client.recv(&mut [0; 100]).unwrap();
        }
    }
    let text = metrics_when(at, "twinpath_reflector_replies_total", "5000");
    assert_eq!(names(&text), before);
    assert!(text.len() < 1_000_000, "{}", text.len());
    let full = series(&text)["twinpath_reflector_stateless_replies_total"];
    assert!(full.parse::<u32>().unwrap() > 1_000, "{full}");
}

#[cfg(feature = "control")]
#[test]
fn a_server_counts_its_connections_and_sessions() {
    let mut server = Responder::server("--metrics [::1]:0");
    let at = address(&mut server);
    assert!(at.is_ipv6());
    let line = format!(
        "controller {} 127.0.0.1:0 -c 4 -i 1 --dscp be,ef",
        server.at
    );
    assert_eq!(run(&line).status, 0);
    let text = metrics_when(at, "twinpath_server_sessions", "0");
    let series = series(&text);
    for (name, count) in [
        ("reflector_replies_total", "8"),
        ("server_connections_served_total", "1"),
        ("server_connections_refused_total{reason=\"full\"}", "0"),
        ("server_sessions_accepted_total", "2"),
        ("server_sessions_started_total", "2"),
    ] {
        assert_eq!(series[&*format!("twinpath_{name}")], count, "{name}");
    }
    is_flawless(&text);
}

#[test]
fn each_client_gets_the_format_that_it_prefers() {
    let mut responder = Responder::start("127.0.0.1:0 --metrics 127.0.0.1:0");
    let at = address(&mut responder);
    let plain = "content-type: text/plain; version=0.0.4; charset=utf-8";
    let open = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    let messages = "content-type: application/vnd.google.protobuf; proto=io.prometheus.client.metricfamily; encoding=delimited";
    // The last three are what Prometheus 2 sends, that with native histograms too, and Prometheus 3.
    for (accept, kind) in [
        ("*/*", plain),
        ("", plain),
        ("text/html", plain),
        ("application/openmetrics-text;version=0.0.1", plain),
        ("application/openmetrics-text;q=0", plain),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", plain),
        ("application/openmetrics-text", open),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            open,
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
             application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            messages,
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.4,\
             text/plain;version=1.0.0;q=0.3,*/*;q=0.2",
            open,
        ),
        (
            "application/vnd.google.protobuf;proto=other;encoding=delimited",
            plain,
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            plain,
        ),
    ] {
        let answer = get(at, "/metrics", accept);
        assert!(
            answer.headers.contains(kind),
            "{accept}: {}",
            answer.headers
        );
        assert_eq!(answer.body.ends_with("# EOF\n"), kind == open, "{accept}");
        if kind == messages {
            let name = "twinpath_reflector_replies_total";
            assert!(answer.body.contains(name) && !answer.body.contains("# TYPE"));
            continue;
        }
        let counter = "# TYPE twinpath_reflector_replies";
        let counter = format!(
            "{counter}{} counter",
            if kind == open { "" } else { "_total" }
        );
        assert!(answer.body.contains(&counter), "{}", answer.body);
    }
    assert_eq!(get(at, "/healthz", "*/*").body, "ok\n");
    let other = get(at, "/", "*/*");
    assert_eq!(other.status, "HTTP/1.1 404 Not Found");
    let post =
        "POST /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let refused = exchange(at, post);
    assert_eq!(refused.status, "HTTP/1.1 405 Method Not Allowed");
    assert!(refused.headers.contains("allow: get, head"));
    let head = exchange(
        at,
        "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert_eq!((&*head.status, &*head.body), ("HTTP/1.1 200 OK", ""));
}

#[test]
fn clients_that_misbehave_delay_no_other_and_no_packet() {
    let mut responder = Responder::start("127.0.0.1:0 --metrics 127.0.0.1:0");
    let at = address(&mut responder);
    // They say nothing, or begin and do not end.
    let idle: Vec<TcpStream> = (0..40)
        .map(|number| {
            let mut stream = TcpStream::connect(at).unwrap();
            let begun = if number % 2 == 0 {
                ""
            } else {
                "GET /metrics HT"
            };
            stream.write_all(begun.as_bytes()).unwrap();
            stream
        })
        .collect();
    let endless = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(9_000));
    for request in ["\0\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", &endless] {
        let status = exchange(at, request).status;
        assert!(status.starts_with("HTTP/1.1 4"), "{request:.20}: {status}");
    }
    let line = format!("sender {} -c 10 -i 1", responder.at);
    assert_eq!(run(&line).status, 0);
    metrics_when(at, "twinpath_reflector_replies_total", "10");
    drop(idle);
    assert_eq!(responder.stop("TERM").status, 0);
}

#[test]
fn an_address_that_cannot_be_had_is_told_and_nothing_starts() {
    let (_udp, port) = taken_port();
    let _tcp = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let done = run(&format!("responder 127.0.0.1:0 --metrics 127.0.0.1:{port}"));
    assert_eq!((done.status, &*done.stdout), (1, ""));
    let said = format!("twinpath: --metrics: cannot use 127.0.0.1:{port}: the port is in use; ");
    assert!(done.stderr.starts_with(&said), "{}", done.stderr);
    let done = run("responder 127.0.0.1:0 --metrics localhost:9862");
    assert_eq!(done.status, 2);
    assert!(
        done.stderr.contains("as in 127.0.0.1:9862"),
        "{}",
        done.stderr
    );
}

/// The value of the first series of this name with this part.
fn value(text: &str, name: &str, part: &str) -> f64 {
    let is = |series: &str| series.starts_with(&format!("{name}{{")) && series.contains(part);
    let series = series(text);
    let found = series.iter().find(|(series, _)| is(series));
    let (_, value) = found.unwrap_or_else(|| panic!("{name} {part}: {text}"));
    value.parse().unwrap()
}

#[test]
fn a_sender_serves_the_figures_of_its_sessions_while_it_measures() {
    let far = FarEnd::losing(4);
    let line = format!(
        "sender {} -c inf -i 5 --timeout 0.3 --dscp be,ef --label site=a.b --metrics 127.0.0.1:0 --json",
        far.at
    );
    let mut sender = Running::start(&line);
    let said = sender.wait_for_error("metrics at ");
    let at = said.trim().strip_prefix("metrics at http://").unwrap();
    let at: SocketAddr = at.strip_suffix("/metrics").unwrap().parse().unwrap();
    let labels = format!("reflector=\"{}\",dscp=\"46\",label_site=\"a.b\"", far.at);
    let until = Instant::now() + PATIENCE;
    let text = loop {
        let text = get(at, "/metrics", "*/*").body;
        if text.contains(&labels) && value(&text, "twinpath_packets_lost_total", &labels) >= 20.0 {
            break text;
        }
        assert!(Instant::now() < until, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    is_flawless(&text);
    let of = |name: &str| value(&text, &format!("twinpath_{name}"), &labels);
    let (sent, received) = (of("packets_sent_total"), of("packets_received_total"));
    let lost = of("packets_lost_total");
    assert!(sent >= received + lost, "{sent} {received} {lost}");
    // Three of four are answered; losses are known later.
    assert!(received >= 2.5 * lost, "{received} {lost}");
    let delays = of("round_trip_delay_seconds_count");
    let in_all_buckets = value(
        &text,
        "twinpath_round_trip_delay_seconds_bucket",
        &format!("{labels},le=\"+Inf\""),
    );
    assert!(
        (delays, in_all_buckets) == (received, received),
        "{delays} {in_all_buckets}"
    );
    assert!(of("round_trip_delay_seconds_sum") > 0.0);
    assert!(
        series(&text)["twinpath_sessions"] == "2"
            && series(&text)["twinpath_sessions_left_out"] == "0"
    );
    sender.signal(&["INT"]);
    let report = sender.finish().document();
    for (key, so_far) in [("sent", sent), ("received", received), ("lost", lost)] {
        let counted = report["sessions"][1]["packets"][key].as_f64().unwrap();
        assert!(counted >= so_far, "{key}: {counted} {so_far}");
    }
}

/// One result of a query of Prometheus' API.
fn query(at: SocketAddr, expression: &str) -> Option<f64> {
    let path = format!("/api/v1/query?query={expression}");
    let answer = get(at, &path, "application/json");
    let document: Value = serde_json::from_str(&answer.body).ok()?;
    let value = document["data"]["result"][0]["value"][1].as_str()?;
    value.parse().ok()
}

/// Prometheus, which scrapes this address once a second.
pub(crate) struct Prometheus {
    pub(crate) api: SocketAddr,
    _process: Running,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// `None` where it is not installed; says so.
    pub(crate) fn start(at: SocketAddr, options: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: twinpath\n  static_configs:\n  - targets: ['{at}']\n"
        );
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("skipped: prometheus (Debian: prometheus) is not installed");
            return None;
        };
        Some(Self {
            api: SocketAddr::from(([127, 0, 0, 1], port)),
            _process: Running::of(child),
            _directory: directory,
        })
    }

    /// Waits until a query has a result of which this holds.
    pub(crate) fn query_until(&self, expression: &str, holds: impl Fn(f64) -> bool) -> f64 {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let result = TcpStream::connect(self.api)
                .ok()
                .and_then(|_| query(self.api, expression));
            match result {
                Some(result) if holds(result) => return result,
                _ => assert!(Instant::now() < until, "{expression} is {result:?}"),
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn prometheus_scrapes_the_figures_of_the_report() {
    let mut responder = Responder::start("127.0.0.1:0 --metrics 127.0.0.1:0 --json");
    let at = address(&mut responder);
    let Some(prometheus) = Prometheus::start(at, &[]) else {
        return;
    };
    let line = format!("sender {} -c 23 -i 1", responder.at);
    assert_eq!(run(&line).status, 0);
    prometheus.query_until("twinpath_reflector_replies_total", |count| count >= 23.0);
    assert_eq!(query(prometheus.api, "up"), Some(1.0));
    let report: Value = serde_json::from_str(&responder.stop("INT").stdout).unwrap();
    assert_eq!(report["reflected"], 23);
}

/// Its buckets are 4.4 % wide, where those of a classic histogram are wide by half and more.
#[test]
fn a_percentile_of_a_native_histogram_is_that_of_the_report() {
    // Replies after 24 ms, which is between 20 and 50 ms; the reflector does not say that it had them so long.
    let far = FarEnd::answering(|request| {
        let t2 = now();
        std::thread::sleep(Duration::from_millis(24));
        reply(request, |_| [t2, t2].map(ntp))
    });
    let line = format!(
        "sender {} -c inf -i 50 --metrics 127.0.0.1:0 --json",
        far.at
    );
    let mut sender = Running::start(&line);
    let said = sender.wait_for_error("metrics at ");
    let at = said.trim().strip_prefix("metrics at http://").unwrap();
    let at: SocketAddr = at.strip_suffix("/metrics").unwrap().parse().unwrap();
    let Some(prometheus) = Prometheus::start(at, &["--enable-feature=native-histograms"]) else {
        return;
    };
    let histogram = "twinpath_round_trip_delay_seconds";
    prometheus.query_until(&format!("histogram_count({histogram})"), |count| {
        count > 60.0
    });
    let median = prometheus.query_until(&format!("histogram_quantile(0.5,{histogram})"), |_| true);
    // No classic one is stored beside it.
    let classic = format!("count({histogram}_bucket)");
    assert_eq!(query(prometheus.api, &classic), None);
    sender.signal(&["INT"]);
    let session = sender.finish().session();
    // A few packets came after the last scrape.
    let reported = session["round_trip"]["median_ns"].as_f64().unwrap() / 1e9;
    let ratio = median / reported;
    assert!((0.94..1.06).contains(&ratio), "{median} {reported}");
}
