use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::http::client::EndpointOptions;

/// A server that gives these answers in turn, and says which requests it had.
pub(in crate::daemon::mesh) fn server(answers: Vec<Vec<u8>>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            sender.send(request(&stream)).unwrap();
            // A client may have enough before the end.
            let _ = (&stream).write_all(&answer);
        }
    });
    (port, requests)
}

fn request(stream: &TcpStream) -> String {
    let mut text = String::new();
    let mut lines = BufReader::new(stream);
    while lines.read_line(&mut text).unwrap() > 2 {}
    text
}

pub(in crate::daemon::mesh) fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn location(port: u16, query: &str) -> Location {
    let url = format!("http://127.0.0.1:{port}/a/mesh.toml{query}");
    let urls = [url.clone(), Location::signature_url(&url)];
    Location::Http(Box::new(
        urls.map(|url| Endpoint::parse(&url, EndpointOptions::default()).unwrap()),
    ))
}

#[test]
fn a_document_comes_with_its_signature_and_once() {
    let (port, requests) = server(vec![
        answer(
            "200 OK\r\nETag: \"7\"\r\nLast-Modified: Mon, 30 Nov 2026 10:00:00 GMT",
            b"text",
        ),
        answer("200 OK", b"signature"),
        answer("304 Not Modified", b""),
    ]);
    let at = location(port, "?site=fra");
    let first = at.fetch(&Validators::default(), true).unwrap().unwrap();
    assert_eq!(
        (&*first.text, first.signature.as_deref()),
        (&b"text"[..], Some(&b"signature"[..]))
    );
    assert_eq!(first.validators.etag.as_deref(), Some("\"7\""));
    assert_eq!(at.fetch(&first.validators, true), Ok(None));
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(
        asked[0].starts_with("GET /a/mesh.toml?site=fra HTTP/1.1\r\n")
            && !asked[0].contains("if-none")
    );
    assert!(asked[1].starts_with("GET /a/mesh.toml.minisig?site=fra HTTP/1.1\r\n"));
    let again = asked[2].to_lowercase();
    assert!(again.contains("if-none-match: \"7\"\r\n"), "{again}");
    assert!(
        again.contains("if-modified-since: mon, 30 nov 2026 10:00:00 gmt"),
        "{again}"
    );
}

#[test]
fn what_is_no_document_is_said() {
    let large = vec![b'#'; MOST_OCTETS + 1];
    for (answers, fault) in [
        (vec![answer("404 Not Found", b"")], "answered 404 Not Found"),
        // Without having been asked whether there is another one.
        (
            vec![answer("304 Not Modified", b"")],
            "answered 304 Not Modified",
        ),
        (
            vec![answer("302 Found\r\nLocation: http://127.0.0.1:1/", b"")],
            "answered 302 Found",
        ),
        (
            vec![answer("200 OK", &large)],
            "has more than 4194304 octets",
        ),
        (
            vec![
                answer("200 OK", b"text"),
                answer("200 OK", &vec![b'x'; 5_000]),
            ],
            "has more than 4096 octets",
        ),
        (
            vec![answer("200 OK", b"text"), answer("404 Not Found", b"")],
            "mesh.toml.minisig answered 404",
        ),
        (
            vec![b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec()],
            "no answer from 127.0.0.1",
        ),
        (
            vec![b"nonsense\r\n\r\n".to_vec()],
            "no answer from 127.0.0.1",
        ),
    ] {
        let (port, _requests) = server(answers);
        let found = location(port, "")
            .fetch(&Validators::default(), true)
            .unwrap_err();
        assert!(found.contains(fault), "{fault}: {found}");
    }
}
