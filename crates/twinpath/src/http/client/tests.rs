//! URLs; servers that answer in all ways.

#[cfg(feature = "tls")]
mod https;

use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

fn parse(url: &str) -> Result<Endpoint, EndpointFault> {
    Endpoint::parse(url, EndpointOptions::default())
}

#[test]
fn a_url_is_absolute_and_has_no_user() {
    for (url, advice) in [
        (
            "ftp://host.example/",
            "write http://HOST:PORT/PATH or https",
        ),
        ("host.example:80", "write http://"),
        ("/hook", "write http://"),
        ("http://", "write http://"),
        ("http://a b/", "write http://"),
        ("http://host.example:/", "write http://"),
        ("http://host.example:99999/", "write http://"),
        ("http://user:word@host.example/", "user and token beside it"),
    ] {
        let fault = parse(url).unwrap_err();
        assert_eq!(fault.option, None, "{url}");
        assert!(fault.advice.contains(advice), "{url}: {fault:?}");
    }
    let at = parse("http://[::1]:8123/?database=a&password=b").unwrap();
    assert_eq!(at.to_string(), "http://[::1]:8123/");
    assert_eq!(at.target("query=x"), "/?database=a&password=b&query=x");
    assert_eq!(at.target(""), "/?database=a&password=b");
    let below = at.below("/v1/metrics");
    assert_eq!(below.target(""), "/v1/metrics?database=a&password=b");
    assert_eq!(below.clone().below("/v1/metrics"), below);
    let at = parse("http://host.example").unwrap();
    assert_eq!(at.target("query=x"), "/?query=x");
}

#[test]
fn files_of_tls_are_for_https() {
    let files = |ca: bool, certificate: bool, key: bool| EndpointOptions {
        ca: ca.then(|| "ca".into()),
        certificate: certificate.then(|| "certificate".into()),
        key: key.then(|| "key".into()),
        ..EndpointOptions::default()
    };
    let fault = |url, options| {
        let fault = Endpoint::parse(url, options).unwrap_err();
        (fault.option.unwrap_or_default(), fault.advice)
    };
    let leave_out = "only for https: leave it out".to_owned();
    let got = fault("http://a/", files(true, false, false));
    assert_eq!(got, ("ca", leave_out.clone()));
    let got = fault("http://a/", files(false, false, true));
    assert_eq!(got, ("key", leave_out));
    if tls::HAS_TLS {
        let got = fault("https://a/", files(false, true, false));
        assert_eq!(got, ("certificate", "add key".to_owned()));
        let got = fault("https://a/", files(true, false, true));
        assert_eq!(got, ("key", "add certificate".to_owned()));
        assert!(Endpoint::parse("https://a/", files(true, true, true)).is_ok());
    } else {
        let (_, advice) = fault("https://a/", files(false, false, false));
        assert!(advice.contains("built without TLS"), "{advice}");
    }
}

/// What a server sends, to each connection, once it has the head of a request; then it waits for the client.
async fn answering(answer: Vec<u8>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (sender, heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_one(stream, answer.clone(), sender.clone()));
        }
    });
    (at, heads)
}

/// Reads a request up to its empty line, and answers. Then the client ends.
async fn answer_one<S>(mut stream: S, answer: Vec<u8>, heads: mpsc::UnboundedSender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    let _no_one_reads = heads.send(String::from_utf8(head).unwrap());
    if !answer.is_empty() && stream.write_all(&answer).await.is_ok() {
        let _client_has_gone = stream.flush().await;
    }
    if !answer.ends_with(b"end") {
        let _until_it_goes = stream.read_u8().await;
    }
}

const LIMITS: AnswerLimits = AnswerLimits {
    within: Duration::from_mins(1),
    octets: 100,
};

fn at(address: SocketAddr) -> Endpoint {
    parse(&format!("http://{address}/doc?a=b")).unwrap()
}

#[tokio::test]
async fn a_document_is_asked_for_by_its_tag() {
    let answer = b"HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: 5\r\n\r\n\xff\0abc";
    let (address, mut heads) = answering(answer.to_vec()).await;
    let call = Call::get(LIMITS).with_field(IF_NONE_MATCH, HeaderValue::from_static("\"1\""));
    let answer = at(address).send(&call).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.fields[ETAG], "\"2\"");
    assert_eq!(answer.body.unwrap(), b"\xff\0abc"[..]);
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("GET /doc?a=b HTTP/1.1\r\n"), "{head}");
    let host = format!("host: {address}\r\n");
    for field in [
        host.as_str(),
        "if-none-match: \"1\"\r\n",
        "connection: close\r\n",
    ] {
        assert!(head.contains(field), "{field}: {head}");
    }
    // RFC 9110 section 15.4.5: it has no content.
    let (address, _heads) = answering(b"HTTP/1.1 304 x\r\netag: \"1\"\r\n\r\n".to_vec()).await;
    let answer = at(address).send(&call).await.unwrap();
    assert_eq!(answer.status, 304);
    assert_eq!(answer.body.unwrap(), b""[..]);
}

#[tokio::test]
async fn an_answer_is_bounded_and_a_redirect_is_not_followed() {
    let long = "x".repeat(101);
    for (answer, status) in [
        (format!("HTTP/1.1 200 OK\r\n\r\n{long}"), 200),
        (
            format!("HTTP/1.1 500 x\r\ncontent-length: 101\r\n\r\n{long}"),
            500,
        ),
        (
            format!(
                "HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 101\r\n\r\n{long}"
            ),
            302,
        ),
    ] {
        let (address, _heads) = answering(answer.into_bytes()).await;
        let answer = at(address).send(&Call::get(LIMITS)).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body), (status, None));
    }
    // A body that is not asked for is not waited for.
    let (address, _heads) =
        answering(b"HTTP/1.1 204 x\r\ncontent-length: 9\r\n\r\n".to_vec()).await;
    let limits = AnswerLimits {
        octets: 0,
        ..LIMITS
    };
    let answer = at(address).send(&Call::post("x", limits)).await.unwrap();
    assert_eq!(answer.status, 204);
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1_000_000));
    let (address, _heads) = answering(head.into_bytes()).await;
    let error = at(address).send(&Call::get(LIMITS)).await.unwrap_err();
    assert!(matches!(error, CallError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_an_answer_is_named() {
    for (answer, said) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nend"[..],
            "no answer from 127.0.0.1:",
        ),
        (b"SSH-2.0-x\r\n", "no answer from 127.0.0.1:"),
    ] {
        let (address, _heads) = answering(answer.to_vec()).await;
        let error = at(address).send(&Call::get(LIMITS)).await.unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
    }
    let (address, _heads) = answering(Vec::new()).await;
    let limits = AnswerLimits {
        within: Duration::from_millis(100),
        ..LIMITS
    };
    let error = at(address).send(&Call::get(limits)).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 100 ms");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = at(address).send(&Call::get(LIMITS)).await.unwrap_err();
    let said = format!("cannot connect to {address}: ");
    assert!(error.to_string().starts_with(&said), "{error}");
}
