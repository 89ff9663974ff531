//! Who may ask a daemon, by curl: tokens, certificates, the Unix socket.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Daemon, PATIENCE, Place};
use crate::program::{Done, finish, free_port, shell};

const ALICE: &str = "0123456789abcdef0123456789abcdef";
const BOB: &str = "fedcba9876543210fedcba9876543210";

/// Whether there is curl; says so where it is missing.
fn has_curl() -> bool {
    let has = shell("command -v curl").status == 0;
    if !has {
        println!("skipped: curl is not installed");
    }
    has
}

/// A file that only its owner reads.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn curl(options: &[&str], url: &str) -> Done {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30"]);
    command.args(["--output", "-", "--write-out", "%{http_code}"]);
    command.args(options).arg(url);
    finish(command)
}

/// The status of the answer, `000` without an answer.
fn status(options: &[&str], url: &str) -> String {
    let done = curl(options, url);
    let at = done.stdout.len() - 3;
    done.stdout[at..].to_owned()
}

/// Waits until an answer has this status.
fn status_becomes(expected: &str, options: &[&str], url: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = status(options, url);
        if status == expected {
            return;
        }
        assert!(Instant::now() < until, "{status}, not {expected}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Of paths of a daemon: the status of each with these options.
fn statuses(options: &[&str], at: &str) -> Vec<String> {
    let paths = ["/", "/metrics", "/session/x", "/healthz"];
    let each = paths
        .iter()
        .map(|path| status(options, &format!("{at}{path}")));
    each.collect()
}

const REFUSED: [&str; 4] = ["401", "401", "401", "200"];
const ANSWERED: [&str; 4] = ["200", "200", "404", "200"];

#[test]
fn with_tokens_all_but_healthz_needs_one() {
    if !has_curl() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    let socket = place.path().join("api.sock");
    write(&tokens, &format!("# who may ask\nalice {ALICE}\n"));
    let port = free_port();
    let mut daemon = Daemon::start(&format!(
        "[api]\nlisten = \"127.0.0.1:{port}\"\nsocket = \"{}\"\ntokens = \"{}\"\n",
        socket.display(),
        tokens.display()
    ));
    let at = format!("http://127.0.0.1:{port}");
    status_becomes("200", &[], &format!("{at}/healthz"));
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let (alice, bob) = (bearer(ALICE), bearer(BOB));
    let basic = format!("alice:{ALICE}");
    assert_eq!(statuses(&[], &at), REFUSED);
    assert_eq!(statuses(&["-H", &bob], &at), REFUSED);
    assert_eq!(statuses(&["-u", &format!("bob:{ALICE}")], &at), REFUSED);
    assert_eq!(statuses(&["-H", &alice], &at), ANSWERED);
    assert_eq!(statuses(&["-u", &basic], &at), ANSWERED);
    // A name that leads here is no danger with a token.
    let named = ["-H", "Host: probe.example", "-u", &basic];
    assert_eq!(status(&named, &at), "200");
    let posted = ["-X", "POST", "-H", "Origin: http://a.example", "-u", &basic];
    assert_eq!(status(&posted, &at), "403");
    let asked = curl(&["--include"], &at).stdout.to_ascii_lowercase();
    assert!(asked.contains("www-authenticate: bearer"), "{asked}");
    assert!(asked.contains("www-authenticate: basic"), "{asked}");
    // The Unix socket needs none.
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let path = socket.display().to_string();
    let by_socket = ["--unix-socket", &*path];
    assert_eq!(statuses(&by_socket, "http://localhost"), ANSWERED);
    // A fault changes nothing.
    write(&tokens, "bob short\n");
    daemon.process().signal(&["HUP"]);
    let said = daemon.process().wait_for_error("tokens:1: ");
    assert!(
        said.contains("16 characters") && !said.contains("short"),
        "{said}"
    );
    assert_eq!(status(&["-H", &alice], &at), "200");
    write(&tokens, &format!("bob {BOB}\n"));
    daemon.process().signal(&["HUP"]);
    status_becomes("200", &["-H", &bob], &at);
    assert_eq!(statuses(&["-H", &alice], &at), REFUSED);
    assert_eq!(daemon.stop().status, 0);
    assert!(!socket.exists());
}

#[test]
fn a_server_can_have_a_unix_socket_alone() {
    if !has_curl() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("api.sock").display().to_string();
    let daemon = Daemon::start(&format!("[api]\nsocket = \"{socket}\"\n"));
    let by_socket = ["--unix-socket", &*socket];
    status_becomes("200", &by_socket, "http://localhost/");
    assert_eq!(daemon.stop().status, 0);
}

/// Certificates of an authority, in files.
#[cfg(feature = "tls")]
struct Authority {
    place: tempfile::TempDir,
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

#[cfg(feature = "tls")]
impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = Self {
            place: tempfile::tempdir().unwrap(),
            issuer: rcgen::CertifiedIssuer::self_signed(params, key).unwrap(),
        };
        write(&authority.path("ca"), &authority.issuer.pem());
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a certificate and its key to `NAME` and `NAME.key`.
    fn issue(&self, name: &str, common_name: Option<&str>, alternative: &str) {
        let mut params = rcgen::CertificateParams::new([alternative.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common_name) = common_name {
            let kind = rcgen::DnType::CommonName;
            params.distinguished_name.push(kind, common_name);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.path(name), &certificate.pem());
        write(&self.path(&format!("{name}.key")), &key.serialize_pem());
    }

    /// The options of curl with such a certificate, or without one.
    fn options(&self, certificate: Option<&str>) -> Vec<String> {
        let mut options = vec!["--cacert".to_owned(), self.text("ca")];
        if let Some(name) = certificate {
            options.extend(["--cert".to_owned(), self.text(name)]);
            options.extend(["--key".to_owned(), self.text(&format!("{name}.key"))]);
        }
        options
    }
}

#[cfg(feature = "tls")]
#[test]
fn by_tls_a_client_certificate_or_a_token_is_needed() {
    if !has_curl() {
        return;
    }
    let (ours, other) = (Authority::new(), Authority::new());
    ours.issue("server", None, "127.0.0.1");
    ours.issue("carol", Some("carol"), "a.example");
    ours.issue("unnamed", None, "dave.example");
    other.issue("mallory", Some("carol"), "a.example");
    write(&ours.path("tokens"), &format!("alice {ALICE}\n"));
    let port = free_port();
    // Of all addresses, beyond loopback too.
    let mut daemon = Daemon::start(&format!(
        "[api]\nlisten = \"0.0.0.0:{port}\"\ntokens = \"{}\"\n\n[api.tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient-ca = \"{}\"\n",
        ours.text("tokens"),
        ours.text("server"),
        ours.text("server.key"),
        ours.text("ca")
    ));
    let at = format!("https://127.0.0.1:{port}");
    let options = |certificate: Option<&str>, more: &[&str]| -> Vec<String> {
        let more = more.iter().map(|it| (*it).to_owned());
        ours.options(certificate).into_iter().chain(more).collect()
    };
    let with = |options: &[String]| {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        statuses(&options, &at)
    };
    let plain = options(None, &[]);
    let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
    status_becomes("200", &plain, &format!("{at}/healthz"));
    let token = format!("alice:{ALICE}");
    for version in [
        ["--tlsv1.2", "--tls-max", "1.2"],
        ["--tlsv1.3", "--tls-max", "1.3"],
    ] {
        assert_eq!(with(&options(None, &version)), REFUSED);
        assert_eq!(with(&options(Some("carol"), &version)), ANSWERED);
    }
    assert_eq!(with(&options(Some("unnamed"), &[])), ANSWERED);
    assert_eq!(with(&options(None, &["-u", &token])), ANSWERED);
    // A wrong token is not made good by a certificate.
    assert_eq!(with(&options(Some("carol"), &["-u", "alice:x"])), REFUSED);
    let mut foreign = other.options(Some("mallory"));
    foreign.push("--insecure".to_owned());
    assert_eq!(with(&foreign), ["000"; 4]);
    assert_eq!(
        statuses(&[], &format!("http://127.0.0.1:{port}")),
        ["000"; 4]
    );
    // Another certificate of the server, of another authority: curl knows only the first.
    other.issue("server", None, "127.0.0.1");
    let key = fs::read_to_string(other.path("server.key")).unwrap();
    write(&ours.path("server.key"), &key);
    daemon.process().signal(&["HUP"]);
    let said = daemon.process().wait_for_error("stays as it was");
    assert!(said.contains("server"), "{said}");
    assert_eq!(with(&options(Some("carol"), &[])), ANSWERED);
    fs::copy(other.path("server"), ours.path("server")).unwrap();
    daemon.process().signal(&["HUP"]);
    status_becomes("000", &plain, &at);
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn an_address_beyond_loopback_needs_tls_and_credentials() {
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    let file = tokens.display();
    write(&tokens, &format!("alice {ALICE}\n"));
    let check = |text: &str| Place::of(text).config("check");
    let done = check(&format!(
        "[api]\nlisten = \"127.0.0.1:1\"\ntokens = \"{file}\"\n"
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let with_tokens = format!("[api]\nlisten = \"192.0.2.1:1\"\ntokens = \"{file}\"\n");
    for (text, said) in [
        (
            "[api]\nlisten = \"0.0.0.0:1\"\n",
            "add tokens, and [api.tls]",
        ),
        (&*with_tokens, "add [api.tls] with certificate and key"),
    ] {
        let done = check(text);
        assert_eq!(done.status, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains("twinpath.toml:2: listen"),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    // What this host lacks, without what is secret.
    for (content, mode, said) in [
        ("alice\n", 0o600, "tokens:1: not NAME TOKEN"),
        (
            &*format!("a {ALICE}\nb {ALICE}\n"),
            0o600,
            "tokens:2: the same token as in line 1",
        ),
        (&*format!("a {ALICE}\n"), 0o644, "chmod 600"),
        ("#\n", 0o600, "has no token"),
    ] {
        fs::write(&tokens, content).unwrap();
        fs::set_permissions(&tokens, fs::Permissions::from_mode(mode)).unwrap();
        let done = check(&format!(
            "[api]\nlisten = \"127.0.0.1:1\"\ntokens = \"{file}\"\n"
        ));
        assert_eq!(done.status, 2, "{}", done.stderr);
        assert!(done.stderr.contains("twinpath.toml:3: "), "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert!(!done.stderr.contains(ALICE), "{}", done.stderr);
    }
}

#[cfg(feature = "tls")]
#[test]
fn files_of_tls_are_checked() {
    let authority = Authority::new();
    authority.issue("server", None, "127.0.0.1");
    authority.issue("other", None, "127.0.0.1");
    let check = |more: &str| {
        let certificate = authority.text("server");
        Place::of(&format!(
            "[api]\nlisten = \"0.0.0.0:1\"\n\n[api.tls]\ncertificate = \"{certificate}\"\n{more}"
        ))
        .config("check")
    };
    let key = |name: &str| format!("key = \"{}\"\n", authority.text(name));
    let ca = format!("client-ca = \"{}\"\n", authority.text("ca"));
    let good = check(&[&*key("server.key"), &ca].concat());
    assert_eq!(good.status, 0, "{}", good.stderr);
    let open = authority.path("open.key");
    fs::copy(authority.path("server.key"), &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    for (more, said) in [
        (key("server.key"), "add tokens, or client-ca in [api.tls]"),
        (ca.clone(), "key"),
        ([&*key("open.key"), &ca].concat(), "chmod 600"),
        ([&*key("other.key"), &ca].concat(), "other.key"),
        ([&*key("server"), &ca].concat(), "no private key in PEM"),
        ([&*key("none"), &ca].concat(), "none"),
        (
            [&*key("server.key"), "client-ca = \"/dev/null\"\n"].concat(),
            "/dev/null",
        ),
    ] {
        let done = check(&more);
        assert_eq!(done.status, 2, "{more}: {}", done.stderr);
        assert!(done.stderr.contains("twinpath.toml:"), "{}", done.stderr);
        assert!(done.stderr.contains(said), "{more}: {}", done.stderr);
        assert!(!done.stderr.contains("PRIVATE"), "{}", done.stderr);
    }
}
