//! A test session of TWAMP-Control, for the generator: agreed on with a real server, in any mode, and
//! one packet of it that the server's reflector takes for genuine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Result, bail};
use twinpath_net::clock;
use twinpath_proto::TestFeatures;
use twinpath_proto::control::{ClientEvent, ClientPlan, ControlClient, SessionPlan};
use twinpath_proto::security::{Credentials, KeyId, Passphrase, SessionKeys};
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire,
};
use twinpath_wire::control::{Accept, SecurityMode};
use twinpath_wire::{ErrorEstimate, Mono, TimeFormat};

/// The key of generator and server, in a namespace of their own for some seconds.
pub(crate) const KEY_ID: &str = "bench";
pub(crate) const PASSPHRASE: &str = "of no worth";

const PATIENCE: Duration = Duration::from_secs(10);

/// A session that runs.
pub(crate) struct Session {
    client: ControlClient,
    stream: TcpStream,
    /// Connected to the reflector.
    pub(crate) socket: UdpSocket,
    /// The first packet of the session.
    pub(crate) packet: Vec<u8>,
}

impl Session {
    /// Agrees with `server` on a session of packets with `octets`, in this mode and no other, and
    /// starts it.
    pub(crate) fn agree(server: SocketAddr, mode: SecurityMode, octets: usize) -> Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let socket = UdpSocket::bind((stream.local_addr()?.ip(), 0))?;
        let features = TestFeatures {
            modes: mode.modes(),
            ..TestFeatures::default()
        };
        let session_plan = SessionPlan {
            sender_port: socket.local_addr()?.port(),
            receiver_port: server.port(),
            padding_length: u32::try_from(features.padding_length(octets))?,
            ..SessionPlan::default()
        };
        let plan = ClientPlan {
            security: vec![mode],
            credentials: Some(credentials()?),
            sessions: vec![session_plan],
            ..ClientPlan::default()
        };
        let mut session = Self {
            client: ControlClient::new(plan, now(), server),
            stream,
            socket,
            packet: Vec::new(),
        };
        let mut far = server;
        loop {
            match session.event()? {
                ClientEvent::Accepted { port, .. } => far.set_port(port),
                ClientEvent::Settled { accepted: 1 } => {
                    session.client.start(now());
                }
                ClientEvent::Started { .. } => break,
                ClientEvent::Message(_)
                | ClientEvent::Greeting { .. }
                | ClientEvent::Ready { .. }
                | ClientEvent::IrregularCount { .. }
                | ClientEvent::UnexpectedAck { .. } => {}
                other @ (ClientEvent::Refused { .. }
                | ClientEvent::Settled { .. }
                | ClientEvent::Stopped { .. }
                | ClientEvent::Failed(_)
                | ClientEvent::Closed) => bail!("{server}: {other:?}"),
            }
        }
        session.socket.connect(far)?;
        session.packet = session.first_packet(far, features, octets)?;
        Ok(session)
    }

    /// Stops it, so that the server forgets it after its Timeout.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.client.stop(now(), Accept::Ok);
        self.client.close(now());
        self.write()
    }

    fn first_packet(
        &self,
        far: SocketAddr,
        features: TestFeatures,
        octets: usize,
    ) -> Result<Vec<u8>> {
        let mut sender = SessionSender::new(SenderConfig {
            wire: Wire::twamp(features),
            far,
            start: Mono::from_ns(0),
            schedule: Schedule::every(Duration::from_secs(1)),
            limit: Limit::Count(1),
            timeout: PATIENCE,
            payload: PayloadSize::Fixed(octets),
            fill: Fill::Random,
            seed: 1,
            max_burst: 1,
            error: ErrorEstimate::new(false, TimeFormat::Ntp, PATIENCE),
            tai_offset_s: 37,
            await_tx_stamps: false,
        })
        .guarded(self.client.test_guard(0));
        let mut packet = vec![0; sender.largest_payload()];
        let (mono, wall) = clock::pair();
        let Some(transmit) = sender.poll_transmit(mono, &mut packet) else {
            bail!("no packet is due")
        };
        sender.finish(
            &mut packet,
            transmit,
            twinpath_proto::ClockPair { mono, wall },
        );
        Ok(packet)
    }

    fn event(&mut self) -> Result<ClientEvent> {
        loop {
            if let Some(event) = self.client.poll_event() {
                return Ok(event);
            }
            self.write()?;
            let mut octets = [0; 2_048];
            let count = self.stream.read(&mut octets)?;
            if count == 0 {
                bail!("the server closed the connection");
            }
            let mut rest = octets.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                let taken = self.client.handle_input(now(), rest);
                rest = rest.get(taken..).unwrap_or_default();
                if taken == 0 {
                    // One answer at a time comes to one question at a time.
                    bail!("the server says more than it was asked");
                }
            }
        }
    }

    fn write(&mut self) -> Result<()> {
        while let Some(octets) = self.client.poll_output() {
            self.stream.write_all(octets)?;
            let count = octets.len();
            self.client.handle_written(now(), count);
        }
        Ok(())
    }
}

fn now() -> Mono {
    Mono::from_ns(twinpath_bench::monotonic_ns())
}

/// Session keys need not be secret here.
fn credentials() -> Result<Credentials> {
    Ok(Credentials {
        key_id: KeyId::new(KEY_ID)?,
        passphrase: Passphrase::new(PASSPHRASE.into()),
        session: SessionKeys::new([1; 16], [2; 32]),
        client_iv: [3; 16],
    })
}
