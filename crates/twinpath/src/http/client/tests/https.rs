//! Servers by TLS: those that are what their URL says, and others.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ALL_VERSIONS, ServerConfig};

use super::*;
use crate::files::{Readers, write_new};
use crate::http::pem;

/// Who signs certificates, with their files in a directory.
struct Authority {
    place: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = Self {
            place: tempfile::tempdir().unwrap(),
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        };
        authority.write("ca", &authority.issuer.pem());
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        write_new(&self.path(name), text.as_bytes(), Readers::Owner, false).unwrap();
    }

    /// Writes a certificate for these names and its key to `NAME` and `NAME.key`.
    fn issue(&self, name: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        // One whose issuer has its own name would be taken for its issuer.
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(name, &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    /// Trust in this authority.
    fn trusted(&self) -> EndpointOptions {
        EndpointOptions {
            ca: Some(self.path("ca")),
            ..EndpointOptions::default()
        }
    }

    /// And a certificate that is shown.
    fn shown(&self, name: &str) -> EndpointOptions {
        EndpointOptions {
            certificate: Some(self.path(name)),
            key: Some(self.path(&format!("{name}.key"))),
            ..self.trusted()
        }
    }

    /// A server with a certificate of this authority, which knows the clients of `clients` alone.
    async fn serve(&self, name: &str, clients: Option<&Self>) -> u16 {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(ALL_VERSIONS).unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let path = clients.path("ca");
                let roots = pem::certificates(&path).unwrap().roots(&path).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = pem::certificates(&self.path(name)).unwrap().chain;
        let (key, _) = pem::private_key(&self.path(&format!("{name}.key"))).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let (heads, _) = mpsc::unbounded_channel();
                        answer_one(stream, OK.to_vec(), heads).await;
                    }
                });
            }
        });
        port
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The body of an answer, or what is said of its lack, with `PORT` for the port.
async fn ask(host: &str, port: u16, options: EndpointOptions) -> Result<String, String> {
    let endpoint = Endpoint::parse(&format!("https://{host}:{port}/"), options).unwrap();
    let answer = endpoint.send(&Call::get(LIMITS)).await;
    let answer = answer.map_err(|error| error.to_string().replace(&port.to_string(), "PORT"))?;
    Ok(String::from_utf8(answer.body.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_server_is_known_by_its_authority_its_name_and_the_time() {
    let (ours, other) = (Authority::new(), Authority::new());
    ours.issue("good", &["localhost", "127.0.0.1"], |_| {});
    let port = ours.serve("good", None).await;
    assert_eq!(
        ask("localhost", port, ours.trusted()).await,
        Ok("ok".to_owned())
    );
    assert_eq!(
        ask("127.0.0.1", port, ours.trusted()).await,
        Ok("ok".to_owned())
    );
    let said = ask("localhost", port, other.trusted()).await.unwrap_err();
    let ca = other.path("ca");
    assert_eq!(
        said,
        format!(
            "localhost:PORT: its certificate is not signed by an authority of {}",
            ca.display()
        )
    );
    // The system does not know it.
    let said = ask("localhost", port, EndpointOptions::default())
        .await
        .unwrap_err();
    let has_none = said.contains("no certificates of authorities on this host");
    assert!(
        has_none || said.contains("that this host knows: write the file of its authority as ca"),
        "{said}"
    );
    ours.issue(
        "elsewhere",
        &["a.example", "b.example", "192.0.2.1"],
        |_| {},
    );
    let port = ours.serve("elsewhere", None).await;
    let said = ask("localhost", port, ours.trusted()).await.unwrap_err();
    assert_eq!(
        said,
        "localhost:PORT: its certificate is for a.example, b.example, 192.0.2.1, not for localhost"
    );
    ours.issue("old", &["localhost"], |it| {
        it.not_after = date_time_ymd(2020, 5, 6);
    });
    let port = ours.serve("old", None).await;
    let said = ask("localhost", port, ours.trusted()).await.unwrap_err();
    assert_eq!(
        said,
        "localhost:PORT: its certificate expired at 2020-05-06T00:00:00Z"
    );
    ours.issue("new", &["localhost"], |it| {
        it.not_before = date_time_ymd(3000, 1, 1);
    });
    let port = ours.serve("new", None).await;
    let said = ask("localhost", port, ours.trusted()).await.unwrap_err();
    assert!(
        said.contains("is not valid before 3000-01-01T00:00:00Z"),
        "{said}"
    );
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_lack_is_named() {
    let (ours, other) = (Authority::new(), Authority::new());
    ours.issue("server", &["localhost"], |_| {});
    ours.issue("client", &["probe.example"], |_| {});
    other.issue("client", &["probe.example"], |_| {});
    let port = ours.serve("server", Some(&ours)).await;
    assert_eq!(
        ask("localhost", port, ours.shown("client")).await,
        Ok("ok".to_owned())
    );
    let said = ask("localhost", port, ours.trusted()).await.unwrap_err();
    assert_eq!(
        said,
        "localhost:PORT: the server asks for a client certificate: add certificate and key"
    );
    let foreign = EndpointOptions {
        ca: Some(ours.path("ca")),
        ..other.shown("client")
    };
    let said = ask("localhost", port, foreign).await.unwrap_err();
    assert!(
        said.contains("the server refuses the handshake: "),
        "{said}"
    );
    let mixed = EndpointOptions {
        key: Some(ours.path("server.key")),
        ..ours.shown("client")
    };
    let endpoint = Endpoint::parse("https://localhost/", mixed.clone()).unwrap();
    let lack = endpoint.lacks().unwrap().to_string();
    assert!(
        lack.contains("client: ") && lack.contains("(with the key "),
        "{lack}"
    );
    assert_eq!(ask("localhost", port, mixed).await.unwrap_err(), lack);
}

#[tokio::test]
async fn a_port_without_tls_and_one_that_ends_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for answer in [&b"HTTP/1.1 400 x\r\n\r\n"[..], b""] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).await.unwrap();
            let length = u16::from_be_bytes([hello[3], hello[4]]);
            let mut hello = vec![0; usize::from(length)];
            stream.read_exact(&mut hello).await.unwrap();
            stream.write_all(answer).await.unwrap();
        }
    });
    let trusted = Authority::new();
    let said = ask("127.0.0.1", port, trusted.trusted()).await.unwrap_err();
    assert_eq!(
        said,
        "127.0.0.1:PORT: the server does not use TLS at this port: write http://, or its port of TLS"
    );
    let said = ask("127.0.0.1", port, trusted.trusted()).await.unwrap_err();
    assert_eq!(said, "no answer from 127.0.0.1:PORT: tls handshake eof");
}

#[tokio::test]
async fn files_are_read_for_each_connection() {
    let ours = Authority::new();
    ours.issue("good", &["localhost"], |_| {});
    let port = ours.serve("good", None).await;
    let late = EndpointOptions {
        ca: Some(ours.path("late")),
        ..EndpointOptions::default()
    };
    let said = ask("localhost", port, late.clone()).await.unwrap_err();
    assert!(
        said.starts_with("cannot read ") && said.contains("late"),
        "{said}"
    );
    ours.write("late", "no certificate");
    let said = ask("localhost", port, late.clone()).await.unwrap_err();
    assert!(said.ends_with("late: no certificate in PEM"), "{said}");
    std::fs::copy(ours.path("ca"), ours.path("late")).unwrap();
    assert_eq!(ask("localhost", port, late).await, Ok("ok".to_owned()));
}

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `openssl s_server` with such options; `None`: openssl is missing.
fn openssl(ours: &Authority, options: &[&str]) -> Option<(Killed, u16)> {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (certificate, key) = (ours.path("good"), ours.path("good.key"));
    let child = Command::new("openssl")
        .args(["s_server", "-www", "-quiet", "-accept", &port.to_string()])
        .args(["-cert".as_ref(), certificate.as_os_str()])
        .args(["-key".as_ref(), key.as_os_str()])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = child else {
        println!("skipped: openssl is missing");
        return None;
    };
    let server = Killed(child);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Some((server, port))
}

#[tokio::test]
async fn openssl_is_asked_by_tls_1_2_and_1_3_and_not_by_older_ones() {
    let ours = Authority::new();
    ours.issue("good", &["localhost"], |_| {});
    ours.issue("client", &["probe.example"], |_| {});
    let ca = ours.path("ca").display().to_string();
    let asking = [
        "-tls1_3",
        "-Verify",
        "1",
        "-verify_return_error",
        "-CAfile",
        &ca,
    ];
    for (options, is_taken) in [
        (&["-tls1_2"][..], true),
        (&["-tls1_3"], true),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], false),
        (&asking, true),
    ] {
        let Some((_server, port)) = openssl(&ours, options) else {
            return;
        };
        let options = ours.shown("client");
        let endpoint = Endpoint::parse(&format!("https://localhost:{port}/"), options).unwrap();
        match endpoint.send(&Call::get(LIMITS)).await {
            Ok(answer) => assert!(is_taken && answer.status == 200, "{answer:?}"),
            Err(error) => {
                assert!(!is_taken, "{error}");
                assert!(matches!(error, CallError::Tls { .. }), "{error}");
            }
        }
    }
}
