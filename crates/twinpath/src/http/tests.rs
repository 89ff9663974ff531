//! Clients that are slow, wrong or many.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::*;

/// For what happens at once, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// The most octets of a body that the server takes.
const MOST: usize = 1_000;

/// What the servers of these tests answer: `/body` how long the body of the request is, `/large` a megabyte, `/stream` a
/// word every second for ever, `/silent` a stream of nothing.
async fn answer(mut request: Request<Incoming>) -> Reply {
    match request.uri().path() {
        "/body" => match body(request.body_mut(), MOST).await {
            Ok(octets) => short(StatusCode::OK, &format!("{} octets", octets.len())),
            Err(fault) => short(fault.status(), &fault.line(MOST)),
        },
        "/large" => reply(StatusCode::OK, "text/plain", vec![b'x'; 1_000_000]),
        "/stream" | "/silent" => {
            let is_silent = request.uri().path() == "/silent";
            let (sender, frames) = mpsc::channel(1);
            tokio::spawn(async move {
                if is_silent {
                    return sender.closed().await;
                }
                while sender.send(Bytes::from_static(b"word\n")).await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            });
            streamed("text/event-stream", frames)
        }
        _ => short(StatusCode::OK, "well"),
    }
}

/// A client of a server of one connection, over a pipe with little room.
fn connect() -> (DuplexStream, Arc<Activity>) {
    let (client, server) = duplex(4_096);
    let activity = Activity::new();
    let stream = Observed::new(server, Arc::clone(&activity));
    tokio::spawn(connection::serve(stream, Arc::clone(&activity), answer));
    (client, activity)
}

/// A server by TCP.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let serve = |stream, activity| connection::serve(stream, activity, answer);
    tokio::spawn(accept(listener, Connections::default(), serve));
    at
}

/// All that comes until the connection is closed.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut octets = Vec::new();
    // A connection that is closed with a request in it is reset.
    let _reset = timeout(PATIENCE * 10, stream.read_to_end(&mut octets))
        .await
        .unwrap();
    String::from_utf8_lossy(&octets).into_owned()
}

/// What comes until this has come.
async fn until(stream: &mut (impl AsyncRead + Unpin), last: &str) -> String {
    let mut text = String::new();
    while !text.contains(last) {
        let octet = timeout(PATIENCE, stream.read_u8()).await.unwrap();
        text.push(
            octet
                .unwrap_or_else(|error| panic!("{error}: {text}"))
                .into(),
        );
    }
    text
}

/// For how long it is open, in whole seconds.
async fn open_for(client: &mut DuplexStream) -> (u64, String) {
    let begun = Instant::now();
    let text = rest(client).await;
    (begun.elapsed().as_secs(), text)
}

#[tokio::test(start_paused = true)]
async fn a_header_has_five_seconds_and_an_idle_connection_thirty() {
    for begun in ["", "GET / HT"] {
        let (mut client, _) = connect();
        client.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(open_for(&mut client).await, (5, String::new()), "{begun}");
    }
    let (mut client, _) = connect();
    client.write_all(GET).await.unwrap();
    until(&mut client, "well\n").await;
    assert_eq!(open_for(&mut client).await.0, 30);
    // One octet every four seconds is not enough.
    let (mut client, _) = connect();
    client.write_all(GET).await.unwrap();
    until(&mut client, "well\n").await;
    let begun = Instant::now();
    for octet in GET {
        if client.write_all(&[*octet]).await.is_err() {
            break;
        }
        sleep(Duration::from_secs(4)).await;
    }
    assert!(begun.elapsed() <= Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_many_requests_one_after_another_and_then_ends() {
    let (mut client, _) = connect();
    for _ in 0..999 {
        client.write_all(GET).await.unwrap();
        let reply = until(&mut client, "well\n").await;
        assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
        assert!(!reply.contains("connection: close"), "{reply}");
    }
    client.write_all(GET).await.unwrap();
    let (open, last) = open_for(&mut client).await;
    assert!(last.contains("connection: close"), "{last}");
    assert_eq!(open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_bounded_and_has_fifteen_seconds() {
    let ask = async |head: &str, sent: &str| {
        let (mut client, _) = connect();
        let request = format!("POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let (open, text) = open_for(&mut client).await;
        let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
        (open, status, text)
    };
    let (open, status, text) = ask("Content-Length: 5\r\n", "12345").await;
    assert_eq!((open, &*status), (0, "200"));
    assert!(text.ends_with("5 octets\n"), "{text}");
    let (open, status, _) = ask("Content-Length: 5\r\n", "1234").await;
    assert_eq!((open, &*status), (15, "408"));
    let (open, status, text) = ask("Content-Length: 1001\r\n", "").await;
    assert_eq!((open, &*status), (0, "413"));
    assert!(text.contains("more than 1000 octets"), "{text}");
    let chunk = format!("3e8\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1_000));
    let (open, status, _) = ask("Transfer-Encoding: chunked\r\n", &chunk).await;
    assert_eq!((open, &*status), (0, "413"));
    let chunk = format!("3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1_000));
    let (_, status, text) = ask("Transfer-Encoding: chunked\r\n", &chunk).await;
    assert_eq!(status, "200", "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped_and_one_that_reads_slowly_is_not() {
    let large = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (mut client, _) = connect();
    client.write_all(large).await.unwrap();
    sleep(Duration::from_secs(31)).await;
    assert!(rest(&mut client).await.len() < 10_000);
    let (mut client, _) = connect();
    client.write_all(large).await.unwrap();
    let mut count = 0;
    let mut buffer = vec![0; 4_096];
    while let Ok(octets @ 1..) = client.read(&mut buffer).await {
        count += octets;
        sleep(Duration::from_secs(20)).await;
    }
    assert!(count > 1_000_000, "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_and_is_never_closed_for_others() {
    let (mut client, activity) = connect();
    let request = b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    for _ in 0..1_000 {
        until(&mut client, "word\n").await;
    }
    assert!(activity.waits_since().is_none());
    let (mut client, activity) = connect();
    let request = b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    until(&mut client, "\r\n\r\n").await;
    let more = timeout(Duration::from_hours(1), client.read_u8()).await;
    assert!(more.is_err());
    assert!(activity.waits_since().is_none());
    // All are to end: a stream does in a bounded time, an idle connection at once.
    activity.end();
    assert_eq!(open_for(&mut client).await.0, 15);
    let (mut client, activity) = connect();
    client.write_all(GET).await.unwrap();
    until(&mut client, "well\n").await;
    activity.end();
    assert_eq!(open_for(&mut client).await.0, 0);
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_turn() {
    let at = server().await;
    let mut client = TcpStream::connect(at).await.unwrap();
    let body = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let all = [GET, body, GET, last].concat();
    client.write_all(&all).await.unwrap();
    let text = rest(&mut client).await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 4, "{text}");
    let [first, second] = ["well\n", "3 octets\n"].map(|it| text.find(it).unwrap());
    assert!(first < second, "{text}");
    assert_eq!(text.matches("well\n").count(), 3, "{text}");
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let at = server().await;
    let header = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(9_000));
    let fields = "X: y\r\n".repeat(65);
    let fields = format!("GET / HTTP/1.1\r\n{fields}\r\n");
    for request in [
        "\0\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\u{5}hello",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        &header,
        &fields,
    ] {
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let text = rest(&mut client).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    let mut client = TcpStream::connect(at).await.unwrap();
    client.write_all(GET).await.unwrap();
    until(&mut client, "well\n").await;
}

#[tokio::test]
async fn slow_clients_delay_no_other_and_streams_stay() {
    let at = server().await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request).await.unwrap();
    until(&mut stream, "\r\n\r\n").await;
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut client = TcpStream::connect(at).await.unwrap();
        let begun: &[u8] = if number % 2 == 0 { b"" } else { b"GET / HT" };
        // The oldest of them are closed meanwhile, not this one.
        client.write_all(begun).await.unwrap();
        slow.push(client);
        if number % 50 == 49 {
            let mut client = TcpStream::connect(at).await.unwrap();
            client.write_all(GET).await.unwrap();
            until(&mut client, "well\n").await;
        }
    }
    // The first has waited longest.
    assert_eq!(rest(&mut slow[0]).await, "");
    let more = timeout(Duration::from_millis(50), stream.read_u8()).await;
    assert!(more.is_err(), "{more:?}");
}

/// A connection of this source; the other end of it.
fn connect_from(connections: &Connections, source: Source) -> DuplexStream {
    let (client, server) = duplex(4_096);
    connections.open(source, server, |stream, activity| {
        connection::serve(stream, activity, answer)
    });
    client
}

/// Whether it is open still.
async fn is_open(client: &mut DuplexStream) -> bool {
    timeout(Duration::from_millis(1), client.read_u8())
        .await
        .is_err()
}

#[tokio::test(start_paused = true)]
async fn one_address_has_a_part_of_all_connections() {
    let connections = Connections::default();
    let source = |text: &str| Source::of(text.parse().unwrap());
    let mut other = connect_from(&connections, source("192.0.2.2"));
    let mut of_network = Vec::new();
    for number in 0..33 {
        let address = format!("2001:db8::{number:x}");
        of_network.push(connect_from(&connections, source(&address)));
        sleep(Duration::from_millis(1)).await;
    }
    assert!(!is_open(&mut of_network[0]).await);
    assert!(is_open(&mut of_network[1]).await);
    assert!(is_open(&mut other).await);
    // Where all of them are answered, the new one is closed.
    let connections = Connections::default();
    let mut streams = Vec::new();
    for _ in 0..32 {
        let mut client = connect_from(&connections, source("192.0.2.2"));
        let request = b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        until(&mut client, "\r\n\r\n").await;
        streams.push(client);
    }
    let mut new = connect_from(&connections, source("192.0.2.2"));
    assert!(!is_open(&mut new).await);
    assert!(is_open(&mut streams[0]).await);
    let mut local = Vec::new();
    for _ in 0..100 {
        local.push(connect_from(&connections, source("::ffff:127.0.0.1")));
    }
    assert!(is_open(&mut local[0]).await);
    connections.end();
    assert!(!is_open(&mut local[99]).await);
}
