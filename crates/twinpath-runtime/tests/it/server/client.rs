//! A Control-Client written out message by message, and a Session-Sender of a few lines.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use twinpath_wire::WireTime;
use twinpath_wire::control::{
    Accept, AcceptSession, Command, ManySessions, Modes, RequestSession, ServerGreeting,
    ServerStart, SetUpResponse, Sid, StartAck, StartSessions, StopSessions, WireInterval,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A session as it was agreed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) sid: Sid,
    /// Where its packets go to.
    pub(crate) far: SocketAddr,
    pub(crate) server_octets: u16,
}

/// A control connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    far: SocketAddr,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) fn greeted(far: SocketAddr) -> (Self, Modes) {
        let mut client = Self::connected(TcpStream::connect(far).unwrap(), far);
        let greeting: ServerGreeting = client.message();
        (client, Modes::from_bits(greeting.modes.get()))
    }

    /// Set up in `modes`, from this address of the host.
    pub(crate) fn from(near: IpAddr, far: SocketAddr, modes: Modes) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        let stream = runtime.unwrap().block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(near, 0)).unwrap();
            socket.connect(far).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        let mut client = Self::connected(stream, far);
        let _greeting: ServerGreeting = client.message();
        assert_eq!(client.set_up(modes), Accept::Ok);
        client
    }

    pub(crate) fn connected(stream: TcpStream, far: SocketAddr) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, far }
    }

    /// Set up in `modes`.
    pub(crate) fn new(far: SocketAddr, modes: Modes) -> Self {
        let (mut client, offered) = Self::greeted(far);
        assert!(offered.contains(modes), "{offered}");
        assert_eq!(client.set_up(modes), Accept::Ok);
        client
    }

    pub(crate) fn set_up(&mut self, modes: Modes) -> Accept {
        let mut message = SetUpResponse::new_zeroed();
        message.mode = modes.bits().into();
        self.say(message.as_bytes());
        Accept::from_octet(self.message::<ServerStart>().accept)
    }

    /// A request for packets from `sender` to a port wished for, both addresses zero.
    pub(crate) fn wish(&self, sender: u16, receiver: u16) -> RequestSession {
        let mut message = RequestSession::new_zeroed();
        message.command = Command::RequestSession.octet();
        message.ipvn = if self.far.is_ipv4() { 4 } else { 6 };
        message.sender_port = sender.into();
        message.receiver_port = receiver.into();
        message.padding_length = 27.into();
        message.timeout = WireInterval::from_duration(Duration::from_millis(200));
        message
    }

    pub(crate) fn ask(&mut self, wish: &RequestSession) -> Result<Session, Accept> {
        self.say(wish.as_bytes());
        let answer: AcceptSession = self.message();
        let accept = Accept::from_octet(answer.accept);
        if accept != Accept::Ok {
            assert_eq!((answer.port.get(), answer.sid), (0, Sid::default()));
            return Err(accept);
        }
        let receiver = RequestSession::address(wish.receiver_address, wish.ipvn);
        let mut far = self.far;
        far.set_ip(receiver.unwrap_or(far.ip()));
        far.set_port(answer.port.get());
        Ok(Session {
            sid: answer.sid,
            far,
            server_octets: answer.server_octets.get(),
        })
    }

    pub(crate) fn start(&mut self) -> Accept {
        let mut message = StartSessions::new_zeroed();
        message.command = Command::StartSessions.octet();
        self.say(message.as_bytes());
        Accept::from_octet(self.message::<StartAck>().accept)
    }

    /// Stop-Sessions has no answer.
    pub(crate) fn stop(&mut self, sessions: u32) {
        let mut message = StopSessions::new_zeroed();
        message.command = Command::StopSessions.octet();
        message.sessions = sessions.into();
        self.say(message.as_bytes());
    }

    /// Start-N-Sessions or Stop-N-Sessions for one session.
    pub(crate) fn individually(&mut self, command: Command, sid: Sid) -> Accept {
        let mut head = ManySessions::new_zeroed();
        head.command = command.octet();
        head.sessions = 1.into();
        self.say(&[head.as_bytes(), sid.as_bytes(), &[0; 16]].concat());
        let answer: ManySessions = self.message();
        let mut rest = [0; 32];
        self.stream.read_exact(&mut rest).unwrap();
        assert_eq!(rest[..16], sid.0);
        Accept::from_octet(answer.accept)
    }

    pub(crate) fn say(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    pub(crate) fn message<M: FromBytes + IntoBytes + FromZeros>(&mut self) -> M {
        let mut message = M::new_zeroed();
        self.stream.read_exact(message.as_mut_bytes()).unwrap();
        message
    }

    /// Whether the Server has closed the connection, nothing more being said.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        matches!(self.stream.read_to_end(&mut rest), Ok(0))
            || matches!(self.stream.read(&mut [0; 1]), Err(e) if e.kind() == io::ErrorKind::ConnectionReset)
    }
}

/// A socket to send test packets from.
pub(crate) fn sender(near: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(near, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub(crate) fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

/// Sends one test packet of 41 octets.
pub(crate) fn send(socket: &UdpSocket, far: SocketAddr, seq: u32) {
    let mut packet = [0_u8; 41];
    packet[..4].copy_from_slice(&seq.to_be_bytes());
    let t1 = WireTime::ntp(twinpath_net::clock::wall());
    packet[4..12].copy_from_slice(&t1.bits().to_be_bytes());
    packet[12..14].copy_from_slice(&[0x00, 0x01]);
    socket.send_to(&packet, far).unwrap();
}

/// Sends one, and waits for its reply: octets.
pub(crate) fn exchange(socket: &UdpSocket, far: SocketAddr, seq: u32) -> Vec<u8> {
    send(socket, far, seq);
    let mut reply = [0; 1500];
    let (octets, from) = socket.recv_from(&mut reply).unwrap();
    assert_eq!(from, far);
    assert_eq!(reply[24..28], seq.to_be_bytes());
    reply[..octets].to_vec()
}

/// Sends one that must not be answered.
pub(crate) fn in_vain(socket: &UdpSocket, far: SocketAddr) {
    send(socket, far, 0);
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    assert!(socket.recv_from(&mut [0; 100]).is_err(), "a reply");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
}
