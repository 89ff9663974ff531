//! A document of a server with a certificate.

use std::fs;
use std::path::Path;

use super::{Document, FULL, answered, entry};
use crate::daemon::exports::{certificates, python};
use crate::daemon::{Daemon, wait_for};

/// It serves the files of a directory with their entity tags, and writes a line for each request: its path, the entity
/// tag that it has, the status of its answer.
const SERVER: &str = r#"
import hashlib, http.server, os, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = os.path.join(sys.argv[4], os.path.basename(self.path))
        octets = open(path, "rb").read()
        tag = '"' + hashlib.sha256(octets).hexdigest()[:16] + '"'
        known = self.headers["if-none-match"]
        status = 304 if known == tag else 200
        with open(sys.argv[5], "a") as file:
            print(self.path, known, status, file=file)
        self.send_response(status)
        self.send_header("etag", tag)
        if status == 200:
            self.send_header("content-length", str(len(octets)))
        self.end_headers()
        if status == 200:
            self.wfile.write(octets)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer.handle_error = lambda *about: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

/// Requests for the document: the entity tag that each has, the status of its answer.
fn requests(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let lines = lines.filter(|line| line[0] == "/mesh.toml");
    lines
        .map(|line| (line[1].to_owned(), line[2].to_owned()))
        .collect()
}

#[test]
fn a_document_comes_by_https_from_a_server_whose_authority_is_known_and_again_if_it_is_another() {
    let both = FULL.replace("[responder]", "both-ends = true\n[responder]");
    let Some(mut document) = Document::of(&["a", "b", "c"], both.leak()).signed() else {
        eprintln!("SKIPPED: minisign is missing");
        return;
    };
    document.write(1);
    let own = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let [certificate, key] = certificates(own.path());
    certificates(other.path());
    let log = own.path().join("requests");
    let directory = document.place.path().display().to_string();
    let arguments = [&*certificate, &key, &directory, &log.display().to_string()];
    let Some((_server, at)) = python("ssl", SERVER, &arguments) else {
        return;
    };
    document.url = Some(format!("https://{at}/mesh.toml"));
    let with = |node: &str, ca: &Path| {
        let ca = ca.join("ca").display().to_string();
        document.configuration(node, &format!("[mesh.http]\nca = \"{ca}\"\n"))
    };
    let mut a = Daemon::start(&with("a", other.path()));
    let said = a.process().wait_for_error("its certificate is not signed");
    let authority = other.path().join("ca").display().to_string();
    assert!(said.contains("mesh document: "), "{said}");
    assert!(
        said.contains(&format!(
            "{at}: its certificate is not signed by an authority of {authority}"
        )),
        "{said}"
    );
    let before = a.status_when(|_| true);
    assert!(entry(&before, "prod").is_null(), "{before:#}");
    assert_eq!(requests(&log), []);
    a.reload(&with("a", own.path()));
    let b = Daemon::start(&with("b", own.path()));
    a.status_when(|status| answered(status) == ["core:b"]);
    b.status_when(|status| answered(status) == ["core:a"]);
    let unchanged = |requests: &[(String, String)]| {
        let unchanged = requests.iter().filter(|(_, status)| status == "304");
        unchanged.count()
    };
    wait_for("the document is asked for again", || {
        unchanged(&requests(&log)) > 3
    });
    let first = requests(&log);
    let whole: Vec<&str> = first
        .iter()
        .filter(|(_, status)| status == "200")
        .map(|(tag, _)| tag.as_str())
        .collect();
    assert_eq!(whole, ["None", "None"], "{first:?}");
    // Another document is another entity.
    document.write_nodes(2, &document.nodes[..2]);
    for daemon in [&a, &b] {
        daemon.status_when(|status| entry(status, "core:c").is_null());
    }
    let later = requests(&log);
    let news = later[first.len()..]
        .iter()
        .filter(|(_, status)| status == "200");
    let tags: Vec<&str> = news.map(|(tag, _)| tag.as_str()).collect();
    assert!(
        !tags.is_empty() && tags.iter().all(|tag| tag.starts_with('"')),
        "{later:?}"
    );
    assert_eq!((a.stop().status, b.stop().status), (0, 0));
}
