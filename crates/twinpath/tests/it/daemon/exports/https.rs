//! Exports and webhooks by HTTPS, to a server of Python.

use std::fs;
use std::path::Path;

use super::servers::python;
use super::{Daemon, Place, Running, configuration, count, export, free_port};
use crate::program::twinpath;

/// It writes a line for each request: its path, its authorization and the length of its body.
const SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(sys.argv[4], "a") as file:
            print(self.path, self.headers["authorization"], len(body), file=file)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer.handle_error = lambda *about: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

/// The files of a certificate for 127.0.0.1 and of its key, beside that of the authority `ca` that has signed it.
pub(in crate::daemon) fn certificates(place: &Path) -> [String; 2] {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        let path = place.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    write("ca", issuer.pem());
    [
        write("certificate", certificate.pem()),
        write("key", key.serialize_pem()),
    ]
}

/// A server with a certificate that `ca` has signed, and its file of requests.
fn serve(place: &Path) -> Option<(Running, std::net::SocketAddr)> {
    let [certificate, key] = certificates(place);
    let requests = place.join("requests").display().to_string();
    python("ssl", SERVER, &[&certificate, &key, &requests])
}

fn requests(place: &Path) -> String {
    fs::read_to_string(place.join("requests")).unwrap_or_default()
}

#[test]
fn rows_are_sent_by_https_to_a_server_that_is_known() {
    let place = tempfile::tempdir().unwrap();
    let Some((_server, at)) = serve(place.path()) else {
        return;
    };
    let ca = place.path().join("ca").display().to_string();
    let unknown = format!("kind = \"webhook\"\nurl = \"https://{at}/rows\"");
    let known = format!("{unknown}\nca = \"{ca}\"");
    let port = free_port();
    let mut daemon = Daemon::start(&configuration(place.path(), port, &unknown));
    let document = daemon.status_when(|it| export(it)["error"].is_string());
    let error = export(&document)["error"].as_str().unwrap();
    let has_none = error.contains("no certificates of authorities on this host");
    let is_unknown = error.starts_with(&format!("{at}: its certificate is not signed"));
    assert!(has_none || is_unknown, "{error}");
    assert_eq!(requests(place.path()), "");
    daemon.reload(&configuration(place.path(), port, &known));
    daemon.status_when(|it| count(it, "sent") > 2 && export(it)["error"].is_null());
    assert_eq!(daemon.stop().status, 0);
    assert!(requests(place.path()).starts_with("/rows None "));
}

#[test]
fn the_authorities_of_the_system_are_trusted() {
    let place = tempfile::tempdir().unwrap();
    let Some((_server, at)) = serve(place.path()) else {
        return;
    };
    let lines = format!("kind = \"webhook\"\nurl = \"https://{at}/rows\"");
    let file = place.path().join("twinpath.toml");
    fs::write(&file, configuration(place.path(), free_port(), &lines)).unwrap();
    let mut command = twinpath("daemon --config");
    command.arg(file).env("RUNTIME_DIRECTORY", place.path());
    // The variable of OpenSSL.
    command.env("SSL_CERT_FILE", place.path().join("ca"));
    let daemon = Running::spawn(command);
    let until = std::time::Instant::now() + super::PATIENCE;
    while requests(place.path()).is_empty() {
        assert!(std::time::Instant::now() < until, "no request came");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    daemon.signal(&["TERM"]);
    assert_eq!(daemon.finish().status, 0);
}

#[test]
fn an_alert_is_posted_by_https_with_a_token() {
    let place = tempfile::tempdir().unwrap();
    let Some((_server, at)) = serve(place.path()) else {
        return;
    };
    let token = place.path().join("token");
    fs::write(&token, "secret\n").unwrap();
    crate::program::shell(&format!("chmod 600 {}", token.display()));
    let daemon = Daemon::start(&format!(
        "[[session]]
name = \"a\"
address = \"127.0.0.1:{}\"
interval = \"20ms\"
timeout = \"100ms\"
report-interval = \"500ms\"

[[alert]]
name = \"dead\"
when = \"silent\"
actions = [{{ webhook = \"https://{at}/hook?key=1\", ca = \"{}\", token = \"{}\" }}]
",
        free_port(),
        place.path().join("ca").display(),
        token.display(),
    ));
    let until = std::time::Instant::now() + super::PATIENCE;
    while requests(place.path()).is_empty() {
        assert!(std::time::Instant::now() < until, "no request came");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(daemon.stop().status, 0);
    assert!(requests(place.path()).starts_with("/hook?key=1 Bearer secret "));
}

#[test]
fn what_is_wrong_with_files_of_tls_is_said_at_their_line() {
    let of = |lines: &str| {
        let text = format!("[[export]]\nname = \"e\"\nspool-path = \"/tmp\"\n{lines}\n");
        Place::of(&text).config("check").stderr
    };
    let webhook = |scheme: &str| format!("kind = \"webhook\"\nurl = \"{scheme}://a/\"\n");
    for (lines, said) in [
        (
            format!("{}ca = \"/etc/ca.pem\"", webhook("http")),
            ":6: ca: only for https: leave it out",
        ),
        (
            format!("{}certificate = \"/etc/c.pem\"", webhook("https")),
            ":6: certificate: add key",
        ),
        (
            format!("{}key = \"credential:a/b\"", webhook("https")),
            ":6: key: credential:a/b: write credential:NAME",
        ),
        (
            format!("{}ca = \"/nowhere/at/all\"", webhook("https")),
            "cannot read /nowhere/at/all: ",
        ),
        (
            "kind = \"exec\"\nexec = [\"/bin/true\"]\nca = \"/etc/ca.pem\"".to_owned(),
            ":6: ca: not for kind exec: leave it out",
        ),
    ] {
        let stderr = of(&lines);
        assert!(stderr.contains(said), "{lines}: {stderr}");
    }
    let alert = "[[alert]]\nname = \"a\"\nwhen = \"silent\"\nactions = [{ exec = [\"/bin/true\"], ca = \"/etc/ca.pem\" }]\n";
    let stderr = Place::of(alert).config("check").stderr;
    assert!(
        stderr.contains(":4: ca: not for exec: leave it out"),
        "{stderr}"
    );
}
