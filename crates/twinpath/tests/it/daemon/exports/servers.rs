//! Rows in ClickHouse (chdb of PyPI, with the Python of TWINPATH_TEST_PYTHON or the usual one) and Prometheus.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

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

#[test]
fn clickhouse_has_every_row_once() {
    let python = std::env::var("TWINPATH_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_it = Command::new(&python).args(["-c", "import chdb"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} has no module chdb");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(python);
    command
        .args(["-c", SERVER, &port.to_string()])
        .arg(place.path().join("db"))
        .arg(table())
        .stdin(Stdio::null());
    let _server = Running::of(command.spawn().unwrap());
    let at = format!("127.0.0.1:{port}").parse().unwrap();
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(at).is_err() {
        assert!(Instant::now() < until, "no server");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
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
