//! Messages of syslog (RFC 5424): to a Unix socket of datagrams, by UDP (RFC 5426), by TCP (RFC 6587 section 3.4.1, which
//! counts octets) or by TLS (RFC 5425).

mod message;

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UdpSocket, lookup_host};

use crate::failure::Failure;
use crate::http::client::{EndpointOptions, Peer};

use super::Facts;
use message::Message;

/// What to write.
const ADVICE: &str =
    "write the path of a socket, as in /dev/log, or udp://HOST, tcp://HOST or tls://HOST";
/// Octets of a message: what receivers should take (RFC 5424 section 6.1).
const MOST_OCTETS: usize = 2_048;
/// The private number of RFC 5612, which is for examples: this project has none of its own.
const DATA_ID: &str = "twinpath@32473";
/// RFC 5424 section 6.2.1.
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

/// Facilities and their numbers (RFC 5424 section 6.2.1).
const FACILITIES: [(&str, u8); 10] = [
    ("user", 1),
    ("daemon", 3),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// A receiver of messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::daemon) struct SyslogServer {
    transport: Transport,
    facility: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Transport {
    Unix(PathBuf),
    Udp(Remote),
    Tcp(Remote),
    Tls(Remote, EndpointOptions),
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Remote {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

impl fmt::Display for SyslogServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            Transport::Unix(path) => write!(f, "{}", path.display()),
            Transport::Udp(remote) => write!(f, "udp://{remote}"),
            Transport::Tcp(remote) => write!(f, "tcp://{remote}"),
            Transport::Tls(remote, _) => write!(f, "tls://{remote}"),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

impl Remote {
    fn parse(text: &str, usual: u16) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (
                    host,
                    port.strip_prefix(':').or(port.is_empty().then_some(""))?,
                )
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let port = match port {
            "" if !text.ends_with(':') => usual,
            port => port.parse().ok().filter(|port| *port > 0)?,
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        let is_right = !host.is_empty() && host.chars().all(is_host);
        is_right.then(|| Self {
            host: host.to_owned(),
            port,
        })
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((self.host.as_str(), self.port))
            .await?
            .collect())
    }
}

impl SyslogServer {
    /// A receiver, and the facility of its messages; `options`: of TLS.
    ///
    /// # Errors
    /// The leaf that is wrong, and what to write instead.
    pub(in crate::daemon) fn parse(
        text: &str,
        facility: &str,
        options: &EndpointOptions,
    ) -> Result<Self, (&'static str, String)> {
        let wrong = |advice: &str| ("syslog", format!("syslog {text}: {advice}"));
        let known = FACILITIES.iter().find(|(name, _)| *name == facility);
        let Some((_, facility)) = known else {
            let names = FACILITIES.map(|(name, _)| name).join(", ");
            return Err(("facility", format!("facility {facility}: use {names}")));
        };
        let remote = |rest, usual| Remote::parse(rest, usual).ok_or_else(|| wrong(ADVICE));
        let transport = if text.starts_with('/') {
            if !cfg!(unix) {
                return Err(wrong(
                    "this system has no such sockets: write udp://HOST, tcp://HOST or tls://HOST",
                ));
            }
            Transport::Unix(text.into())
        } else if let Some(rest) = text.strip_prefix("udp://") {
            Transport::Udp(remote(rest, 514)?)
        } else if let Some(rest) = text.strip_prefix("tcp://") {
            Transport::Tcp(remote(rest, 601)?)
        } else if let Some(rest) = text.strip_prefix("tls://") {
            let remote = remote(rest, 6_514)?;
            let fault = Peer::check(&remote.host, options);
            fault.map_err(|fault| match fault.option {
                Some(option) => (option, format!("{option}: {}", fault.advice)),
                None => wrong(&fault.advice),
            })?;
            Transport::Tls(remote, options.clone())
        } else {
            return Err(wrong(ADVICE));
        };
        let server = Self {
            transport,
            facility: *facility,
        };
        server.check_options(options)?;
        Ok(server)
    }

    /// Refuses options that it has no use for.
    fn check_options(&self, options: &EndpointOptions) -> Result<(), (&'static str, String)> {
        let is_tls = matches!(self.transport, Transport::Tls(..));
        let unused = [
            ("token", options.token.is_some()),
            ("user", options.user.is_some()),
            ("ca", !is_tls && options.ca.is_some()),
            ("certificate", !is_tls && options.certificate.is_some()),
            ("key", !is_tls && options.key.is_some()),
        ];
        match unused.into_iter().find(|(_, is_set)| *is_set) {
            Some((option @ ("token" | "user"), _)) => {
                Err((option, format!("{option}: not for syslog: leave it out")))
            }
            Some((option, _)) => Err((option, format!("{option}: only for tls://: leave it out"))),
            None => Ok(()),
        }
    }

    /// What this host lacks for it.
    pub(super) fn lacks(&self) -> Option<Failure> {
        match &self.transport {
            Transport::Tls(remote, options) => {
                Peer::tls(&remote.host, remote.port, options).lacks()
            }
            Transport::Unix(path) => {
                let error = fs::metadata(path).err()?;
                let line = format!("syslog {}: {error}", path.display());
                Some(
                    Failure::could_not(line)
                        .with_remedy(Some("use the socket of a server that runs")),
                )
            }
            Transport::Udp(_) | Transport::Tcp(_) => None,
        }
    }

    /// The message of an alarm.
    pub(super) fn message(&self, facts: &Facts) -> Vec<u8> {
        let severity = if facts.is_raised { WARNING } else { NOTICE };
        let text = facts.words();
        let mut data = facts.data();
        loop {
            let message = Message {
                facility: self.facility,
                severity,
                // Of RFC 3339 with microseconds, the finest that there may be.
                timestamp: &facts.at,
                host: &facts.host,
                program: "twinpath",
                process: Some(process::id()),
                kind: Some("alarm"),
                data: Some((DATA_ID, &data)),
                text: &text,
            };
            let octets = message.octets();
            // The longest parameters are the last.
            if octets.len() <= MOST_OCTETS || data.pop().is_none() {
                return octets;
            }
        }
    }

    /// Sends a message once.
    ///
    /// # Errors
    /// It was not sent.
    pub(super) async fn send(&self, message: &[u8]) -> Result<(), String> {
        match &self.transport {
            Transport::Unix(path) => {
                let sent = local::send(path, message).await;
                sent.map_err(|error| format!("cannot be sent: {error}"))
            }
            Transport::Udp(remote) => {
                let sent = datagram(remote, message).await;
                sent.map_err(|error| format!("cannot be sent: {error}"))
            }
            Transport::Tcp(remote) => {
                counted(Peer::plain(&remote.host, remote.port), message).await
            }
            Transport::Tls(remote, options) => {
                counted(Peer::tls(&remote.host, remote.port, options), message).await
            }
        }
    }
}

async fn datagram(remote: &Remote, message: &[u8]) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for to in remote.addresses().await? {
        let any: SocketAddr = if to.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any).await?;
        match socket.send_to(message, to).await {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends a message with its length before it, and waits until the receiver has closed the connection, for a short time:
/// an error says that the message is lost.
async fn counted(peer: Peer<'_>, message: &[u8]) -> Result<(), String> {
    const LONGEST_CLOSE: std::time::Duration = std::time::Duration::from_secs(1);
    let mut stream = peer.connect().await.map_err(|error| error.to_string())?;
    let frame = [format!("{} ", message.len()).as_bytes(), message].concat();
    let sent = async {
        stream.write_all(&frame).await?;
        stream.shutdown().await?;
        let mut octets = [0; 64];
        let closed = tokio::time::timeout(LONGEST_CLOSE, async {
            while stream.read(&mut octets).await? > 0 {}
            io::Result::Ok(())
        });
        match closed.await {
            // One of TLS may end without its notification.
            Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    };
    let sent: io::Result<()> = sent.await;
    sent.map_err(|error| peer.failed(&error).to_string())
}

#[cfg(unix)]
mod local {
    use std::io;
    use std::path::Path;

    use tokio::net::UnixDatagram;

    pub(super) async fn send(path: &Path, message: &[u8]) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.send_to(message, path).await.map(|_| ())
    }
}

#[cfg(not(unix))]
mod local {
    use std::io;
    use std::path::Path;

    #[expect(
        clippy::unused_async,
        reason = "where there are such sockets, it waits"
    )]
    pub(super) async fn send(_: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SyslogServer, (&'static str, String)> {
        SyslogServer::parse(text, "daemon", &EndpointOptions::default())
    }

    #[test]
    fn receivers_are_sockets_and_hosts() {
        for (text, shown) in [
            ("/dev/log", "/dev/log"),
            ("udp://192.0.2.1", "udp://192.0.2.1:514"),
            ("udp://[2001:db8::1]:5514/", "udp://[2001:db8::1]:5514"),
            ("tcp://log.example", "tcp://log.example:601"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "dev/log",
            "udp://",
            "udp://:514",
            "udp://a:0",
            "udp://a:",
            "udp://a:b",
            "udp://[a]",
            "udp://[::1",
            "udp://[::1]514",
            "tcp://a/b",
            "http://a",
            "tcp://u@a",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let options = EndpointOptions {
            ca: Some("/etc/ca".into()),
            ..EndpointOptions::default()
        };
        let (leaf, what) = SyslogServer::parse("tcp://a", "daemon", &options).unwrap_err();
        assert_eq!(
            (leaf, what.as_str()),
            ("ca", "ca: only for tls://: leave it out")
        );
        let none = EndpointOptions::default();
        let (leaf, _) = SyslogServer::parse("tcp://a", "kern", &none).unwrap_err();
        assert_eq!(leaf, "facility");
    }

    #[tokio::test]
    async fn a_message_by_tcp_has_its_length_before_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let taken = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = Vec::new();
            stream.read_to_end(&mut octets).await.unwrap();
            octets
        });
        let server = parse(&format!("tcp://{at}")).unwrap();
        server
            .send("<13>1 - - - - - - \u{e4}".as_bytes())
            .await
            .unwrap();
        assert_eq!(
            taken.await.unwrap(),
            "20 <13>1 - - - - - - \u{e4}".as_bytes()
        );
        // Bound, so that no other test takes it, and not listened to.
        let closed = tokio::net::TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let at = closed.local_addr().unwrap();
        let server = parse(&format!("tcp://{at}")).unwrap();
        let error = server.send(b"x").await.unwrap_err();
        assert!(
            error.starts_with(&format!("cannot connect to {at}: ")),
            "{error}"
        );
    }
}
