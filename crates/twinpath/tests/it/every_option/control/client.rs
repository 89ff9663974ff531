//! A Control-Client of the tests' own: it says what a test wants, and looks at what comes back
//! (RFC 5357 section 3, octets by hand).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Longer than any answer takes on a busy host.
const PATIENCE: Duration = Duration::from_secs(20);

/// A control connection, unauthenticated.
pub(super) struct Client {
    stream: TcpStream,
    /// The Server Greeting.
    pub(super) greeting: [u8; 64],
}

/// What a Request-TW-Session asks for.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) sender: Ipv4Addr,
    pub(super) sender_port: u16,
    pub(super) receiver_port: u16,
    pub(super) padding: u32,
    pub(super) padding_to_reflect: u16,
}

/// What an Accept-Session says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    pub(super) accept: u8,
    pub(super) port: u16,
    pub(super) server_octets: u16,
}

impl Request {
    /// A session of the sender at this socket.
    pub(super) fn of(sender: &UdpSocket) -> Self {
        Self {
            sender: Ipv4Addr::LOCALHOST,
            sender_port: sender.local_addr().unwrap().port(),
            receiver_port: 0,
            padding: 27,
            padding_to_reflect: 0,
        }
    }
}

impl Client {
    /// Connects and reads the greeting.
    pub(super) fn connect(server: SocketAddr) -> Self {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut greeting = [0; 64];
        stream.read_exact(&mut greeting).unwrap();
        Self { stream, greeting }
    }

    /// The Modes that are offered.
    pub(super) fn modes(&self) -> u32 {
        u32::from_be_bytes(self.greeting[12..16].try_into().unwrap())
    }

    /// The Count of the greeting.
    pub(super) fn count(&self) -> u32 {
        u32::from_be_bytes(self.greeting[48..52].try_into().unwrap())
    }

    /// Chooses modes: the Accept of Server-Start.
    pub(super) fn set_up(&mut self, modes: u32) -> u8 {
        let mut message = [0; 164];
        message[..4].copy_from_slice(&modes.to_be_bytes());
        self.say(&message);
        self.hear::<48>()[15]
    }

    /// Connects and chooses the unauthenticated mode.
    pub(super) fn ready(server: SocketAddr) -> Self {
        let mut client = Self::connect(server);
        assert_eq!(client.set_up(1), 0);
        client
    }

    /// Asks for a session.
    pub(super) fn request(&mut self, request: Request) -> Accepted {
        let mut message = [0; 112];
        message[0] = 5;
        message[1] = 4;
        message[12..14].copy_from_slice(&request.sender_port.to_be_bytes());
        message[14..16].copy_from_slice(&request.receiver_port.to_be_bytes());
        message[16..20].copy_from_slice(&request.sender.octets());
        message[32..36].copy_from_slice(&Ipv4Addr::LOCALHOST.octets());
        message[64..68].copy_from_slice(&request.padding.to_be_bytes());
        // Timeout: two seconds.
        message[79] = 2;
        message[90..92].copy_from_slice(&request.padding_to_reflect.to_be_bytes());
        self.say(&message);
        let answer = self.hear::<48>();
        let word = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
        Accepted {
            accept: answer[0],
            port: word(2),
            server_octets: word(22),
        }
    }

    /// Starts what was agreed.
    pub(super) fn start(&mut self) {
        let mut message = [0; 32];
        message[0] = 2;
        self.say(&message);
        assert_eq!(self.hear::<32>()[0], 0);
    }

    /// Stop-Sessions, with this number of sessions in it.
    pub(super) fn stop(&mut self, sessions: u32) {
        let mut message = [0; 32];
        message[0] = 3;
        message[4..8].copy_from_slice(&sessions.to_be_bytes());
        self.say(&message);
    }

    /// Whether the server closes the connection.
    pub(super) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }

    /// Whether it answers a request still.
    pub(super) fn is_served(&mut self, request: Request) -> bool {
        self.request(request).accept == 0
    }

    fn say(&mut self, message: &[u8]) {
        self.stream.write_all(message).unwrap();
    }

    fn hear<const OCTETS: usize>(&mut self) -> [u8; OCTETS] {
        let mut message = [0; OCTETS];
        self.stream.read_exact(&mut message).unwrap();
        message
    }
}

/// A sender's socket on loopback.
pub(super) fn sender() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

/// An unauthenticated packet with padding to 41 octets.
pub(super) fn packet(number: u32, error_estimate: u16) -> [u8; 41] {
    let mut packet = [0; 41];
    packet[..4].copy_from_slice(&number.to_be_bytes());
    // Some time in 2026.
    packet[4..8].copy_from_slice(&4_000_000_000_u32.to_be_bytes());
    packet[12..14].copy_from_slice(&error_estimate.to_be_bytes());
    packet
}

/// Runs a session by hand: the socket that sent, and where to.
pub(super) fn session(
    client: &mut Client,
    request: impl Fn(Request) -> Request,
) -> (UdpSocket, SocketAddr) {
    let socket = sender();
    let accepted = client.request(request(Request::of(&socket)));
    assert_eq!(accepted.accept, 0);
    client.start();
    (socket, (Ipv4Addr::LOCALHOST, accepted.port).into())
}

/// Whether a reply to these octets comes.
pub(super) fn is_answered(socket: &UdpSocket, to: SocketAddr, octets: &[u8]) -> bool {
    socket.send_to(octets, to).unwrap();
    socket.recv_from(&mut [0; 200]).is_ok()
}
