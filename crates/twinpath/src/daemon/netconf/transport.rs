//! SSH: public keys and the subsystem `netconf`, nothing else (RFC 6242 section 3).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::public::KeyData;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Disconnect, Error, MethodKind, MethodSet, SshId,
};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::connections::Connection;
use super::{Shared, session};

/// From a connection to its session.
const LOGIN: Duration = Duration::from_secs(20);
/// Wrong signatures of a connection, at most.
const MOST_TRIES: usize = 6;
/// How long each refusal takes.
const REFUSAL: Duration = Duration::from_millis(100);
/// How often a client that says nothing is asked whether it is there; the third time without an answer ends it.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The subsystem.
const SUBSYSTEM: &str = "netconf";

/// What all connections have in common.
pub(super) fn config(host_key: PrivateKey) -> Config {
    let id = concat!("SSH-2.0-twinpath_", env!("CARGO_PKG_VERSION"));
    Config {
        server_id: SshId::Standard(Cow::Borrowed(id)),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REFUSAL,
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: MOST_TRIES,
        keys: vec![host_key],
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    from: SocketAddr,
    connection: Connection,
) {
    let connection = Arc::new(connection);
    let config = Arc::clone(&shared.keys().config);
    let client = Client {
        shared,
        connection: Arc::clone(&connection),
        from,
        user: None,
        channel: None,
    };
    let running = timeout(LOGIN, russh::server::run_stream(config, stream, client)).await;
    let Ok(Ok(mut running)) = running else {
        return debug!(%from, "a connection by SSH did not begin");
    };
    tokio::select! {
        _ended = &mut running => return,
        () = sleep(LOGIN) => {}
    }
    if !connection.has_begun() {
        debug!(%from, "a connection by SSH without a session after 20 s");
        connection.end();
    }
    let _ended = running.await;
}

/// One client.
struct Client {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    from: SocketAddr,
    /// Its user and the key that proves it.
    user: Option<(Arc<str>, KeyData)>,
    /// The only channel, until its session begins.
    channel: Option<Channel<Msg>>,
}

impl Client {
    fn may_enter(&self, user: &str, key: &KeyData) -> Auth {
        if self.shared.keys().has(user, key) {
            Auth::Accept
        } else {
            Auth::reject()
        }
    }
}

impl Handler for Client {
    type Error = Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Error> {
        Ok(self.may_enter(user, offer.public_key.key_data()))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        let key = key.public_key.key_data();
        let auth = self.may_enter(user, key);
        self.user = matches!(auth, Auth::Accept).then(|| (user.into(), key.clone()));
        if self.user.is_none() {
            debug!(from = %self.from, "a user of NETCONF was refused");
        }
        Ok(auth)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        if self.channel.is_some() || self.connection.has_begun() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.channel.take_if(|channel| channel.id() == id);
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        let channel = self
            .channel
            .take_if(|channel| channel.id() == id && name == SUBSYSTEM);
        let (Some(channel), Some((user, key))) = (channel, &self.user) else {
            return session.channel_failure(id);
        };
        if !self.connection.begin(user, key) {
            debug!(from = %self.from, "as many sessions of NETCONF are open as may be");
            session.channel_failure(id)?;
            let why = "as many sessions are open as may be";
            return session.disconnect(Disconnect::TooManyConnections, why, "en");
        }
        session.channel_success(id)?;
        let (shared, connection) = (Arc::clone(&self.shared), Arc::clone(&self.connection));
        let (user, host) = (Arc::clone(user), self.from.ip().to_canonical());
        tokio::spawn(session::serve(shared, connection, channel, (user, host)));
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(id)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(id)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Error> {
        session.channel_failure(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(id)
    }
}
