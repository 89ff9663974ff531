use super::*;

/// Takes an octet at a time, reports each, and sends what it is given.
#[derive(Debug, Default)]
struct Slow {
    heard: Option<u8>,
    ended: bool,
    says: Vec<u8>,
}

impl Engine for Slow {
    type Event = u8;

    fn wants_input(&self) -> bool {
        self.heard.is_none() && self.says.is_empty()
    }
    fn handle_input(&mut self, _: Mono, octets: &[u8]) -> usize {
        self.heard = octets.first().copied();
        1
    }
    fn handle_eof(&mut self, _: Mono) {
        self.ended = true;
    }
    fn handle_timeout(&mut self, _: Mono) {}
    fn handle_written(&mut self, _: Mono, octets: usize) {
        self.says.drain(..octets);
    }
    fn poll_event(&mut self) -> Option<u8> {
        self.heard.take()
    }
    fn poll_output(&mut self) -> Option<&[u8]> {
        (!self.says.is_empty()).then_some(&self.says)
    }
    fn poll_timeout(&self) -> Option<Mono> {
        None
    }
    fn is_closed(&self) -> bool {
        self.ended && self.says.is_empty()
    }
}

async fn ends<E: Engine>(engine: E) -> (Link<E>, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap());
    let (far, near) = tokio::join!(far, listener.accept());
    (Link::new(near.unwrap().0, engine), far.unwrap())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

#[test]
fn octets_that_the_engine_leaves_are_offered_again_and_the_end_comes_last() {
    run(async {
        let (mut link, mut far) = ends(Slow::default()).await;
        far.write_all(b"abc").await.unwrap();
        drop(far);
        for octet in *b"abc" {
            assert_eq!(link.event().await, Some(octet));
            assert!(!link.engine.ended);
        }
        assert_eq!(link.event().await, None);
        assert!(link.engine.ended);
    });
}

#[test]
fn gathered_octets_wait_for_the_engine() {
    run(async {
        let (mut link, mut far) = ends(Slow::default()).await;
        far.write_all(b"ab").await.unwrap();
        link.gather(|octets| octets.len() >= 2).await;
        assert_eq!(link.unread(), b"ab");
        assert_eq!(link.event().await, Some(b'a'));
        assert_eq!(link.unread(), b"b");
    });
}

/// Takes all that comes and says nothing.
#[derive(Debug, Default)]
struct Greedy {
    taken: usize,
    timeouts: usize,
}

impl Engine for Greedy {
    type Event = u8;

    fn wants_input(&self) -> bool {
        true
    }
    fn handle_input(&mut self, _: Mono, octets: &[u8]) -> usize {
        self.taken += octets.len();
        octets.len()
    }
    fn handle_eof(&mut self, _: Mono) {}
    fn handle_timeout(&mut self, _: Mono) {
        self.timeouts += 1;
    }
    fn handle_written(&mut self, _: Mono, _: usize) {}
    fn poll_event(&mut self) -> Option<u8> {
        None
    }
    fn poll_output(&mut self) -> Option<&[u8]> {
        None
    }
    fn poll_timeout(&self) -> Option<Mono> {
        Some(Mono::from_ns(0))
    }
    fn is_closed(&self) -> bool {
        false
    }
}

#[test]
fn a_peer_that_talks_without_a_pause_lets_others_and_the_timers_have_their_turn() {
    run(async {
        let (mut link, mut far) = ends(Greedy::default()).await;
        let said = 20 * READ_OCTETS;
        far.write_all(&vec![0; said]).await.unwrap();
        link.stream.readable().await.unwrap();
        tokio::select! {
            biased;
            _ = link.event() => unreachable!("nothing happens"),
            () = async {} => {}
        }
        assert!(
            (1..said / 2).contains(&link.engine.taken),
            "{}",
            link.engine.taken
        );
        assert!(link.engine.timeouts > 0);
    });
}

#[test]
fn an_engine_that_can_say_nothing_more_hears_of_the_end() {
    run(async {
        let says = vec![0; 1 << 24];
        let (mut link, mut far) = ends(Slow {
            says,
            ..Slow::default()
        })
        .await;
        // What it said does not fit; then the peer resets the connection.
        let begun = timeout(Duration::from_millis(500), link.event()).await;
        assert!(begun.is_err() && link.blocked);
        far.write_all(b"never heard").await.unwrap();
        drop(far);
        assert_eq!(link.event().await, None);
        assert!(link.engine.ended && !link.engine.says.is_empty());
    });
}
