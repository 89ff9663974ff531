//! A server that takes batches, or does not.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::program::free_port;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Status(u16),
    /// A second later it was taken.
    Late,
    /// The connection ends, though the batch was taken.
    TakeAndSayNothing,
}

/// A batch that was taken, and how often it came, taken or not.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) head: String,
    pub(super) body: String,
    pub(super) attempts: usize,
    pub(super) is_taken: bool,
}

pub(super) struct Receiver {
    pub(super) at: SocketAddr,
    batches: Arc<Mutex<Vec<Batch>>>,
}

impl Receiver {
    /// An address at which nothing listens.
    pub(super) fn reserve() -> Self {
        Self {
            at: SocketAddr::from(([127, 0, 0, 1], free_port())),
            batches: Arc::default(),
        }
    }

    /// Answers so, and takes all batches that come after that.
    pub(super) fn start(self, answers: &[Answer]) -> Self {
        let listener = TcpListener::bind(self.at).unwrap();
        let batches = Arc::clone(&self.batches);
        let mut answers: VecDeque<Answer> = answers.iter().copied().collect();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if let Some(request) = Request::read(stream) {
                    let answer = answers.pop_front().unwrap_or(Answer::Status(200));
                    request.answer(answer, &batches);
                }
            }
        });
        self
    }

    /// Those that were taken.
    pub(super) fn batches(&self) -> Vec<Batch> {
        let batches = self.batches.lock().unwrap();
        batches.iter().filter(|it| it.is_taken).cloned().collect()
    }
}

struct Request {
    head: String,
    body: String,
    stream: BufReader<TcpStream>,
}

impl Request {
    /// `None`: the client has gone.
    fn read(stream: TcpStream) -> Option<Self> {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse().unwrap())
        });
        let mut body = vec![0; length.unwrap()];
        stream.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).unwrap();
        Some(Self { head, body, stream })
    }

    /// The token of ClickHouse, or the key of others.
    fn id(&self) -> String {
        let head = self.head.to_ascii_lowercase();
        let marks = ["insert_deduplication_token=", "idempotency-key: "];
        let behind = marks.iter().find_map(|mark| head.split_once(mark));
        behind.unwrap().1[..32].to_owned()
    }

    fn answer(mut self, answer: Answer, batches: &Mutex<Vec<Batch>>) {
        let id = self.id();
        let is_taken = match answer {
            Answer::Status(status) => status == 200,
            Answer::Late | Answer::TakeAndSayNothing => true,
        };
        {
            let mut batches = batches.lock().unwrap();
            if let Some(known) = batches.iter_mut().find(|it| it.id == id) {
                assert_eq!(known.body, self.body, "the same rows each time");
                known.attempts += 1;
                known.is_taken |= is_taken;
            } else {
                batches.push(Batch {
                    id,
                    head: self.head,
                    body: self.body,
                    attempts: 1,
                    is_taken,
                });
            }
        }
        let status = match answer {
            Answer::Status(status) => status,
            Answer::Late => {
                std::thread::sleep(Duration::from_secs(1));
                200
            }
            Answer::TakeAndSayNothing => return,
        };
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n");
        let _gone = self.stream.get_mut().write_all(answer.as_bytes());
    }
}
