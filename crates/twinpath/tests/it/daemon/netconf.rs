//! NETCONF of a daemon (RFC 6241) over SSH (RFC 6242), with OpenSSH as its client and messages written by hand.

mod access;
mod clients;
mod datastores;
mod disturbances;
mod keys;
mod notifications;
mod restarts;
mod sessions;
mod shown;

use std::fs;
use std::io::{Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;
use super::restconf::Served;
use crate::program::free_port;

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
const MEASUREMENT: &str = "urn:twinpath:measurement";
const END: &str = "]]>]]>";

/// Keys of a server and of users, in a directory.
struct Keys(TempDir);

/// A daemon with NETCONF.
struct Daemon {
    served: Served,
    port: u16,
    keys: Keys,
}

/// A client of it.
struct Client {
    process: Child,
    stdin: Option<ChildStdin>,
    octets: Receiver<Vec<u8>>,
    received: Vec<u8>,
    /// Whether messages are in chunks.
    is_chunked: bool,
    number: u32,
}

impl Keys {
    /// Of a server, and of users of these names.
    fn of(users: &[&str]) -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        keys.make("host", "ed25519", "host");
        let mut authorized = String::from("# Users\n");
        for user in users {
            keys.make(user, "ed25519", user);
            authorized += &fs::read_to_string(keys.path(&format!("{user}.pub"))).unwrap();
        }
        fs::write(keys.path("authorized"), authorized).unwrap();
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn make(&self, name: &str, algorithm: &str, comment: &str) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", algorithm, "-N", "", "-C", comment, "-f"]);
        let made = command.arg(self.path(name)).status();
        assert!(made.expect("Debian's openssh-client").success());
    }

    /// The configuration of a server.
    fn configuration(&self, port: u16) -> String {
        let [host, authorized] =
            ["host", "authorized"].map(|name| self.path(name).display().to_string());
        format!(
            "\n[netconf]\nlisten = \"127.0.0.1:{port}\"\nhost-key = \"{host}\"\nauthorized-keys = \"{authorized}\"\n"
        )
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Daemon {
    /// With a user `ann`.
    fn start() -> Self {
        Self::with(&["ann"], "")
    }

    /// With these users, and more in its configuration.
    fn with(users: &[&str], more: &str) -> Self {
        let keys = Keys::of(users);
        let port = free_port();
        let served = Served::with(&(keys.configuration(port) + more));
        let public = fs::read_to_string(keys.path("host.pub")).unwrap();
        fs::write(keys.path("known"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        // It listens for NETCONF after HTTP.
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(20));
        }
        Self { served, port, keys }
    }

    /// OpenSSH's client for a user with a key.
    fn ssh(&self, user: &str, key: &str) -> Command {
        let mut command = Command::new("ssh");
        let known = format!("UserKnownHostsFile={}", self.keys.path("known").display());
        command.args([
            "-F",
            "/dev/null",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ]);
        command.args([
            "-o",
            "IdentityAgent=none",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            &known,
        ]);
        command.args([
            "-o",
            "LogLevel=ERROR",
            "-p",
            &self.port.to_string(),
            "-l",
            user,
            "-i",
        ]);
        command.arg(self.keys.path(key)).arg("127.0.0.1");
        command
    }

    /// A client that has said nothing yet.
    fn connect(&self, user: &str) -> Client {
        let mut command = self.ssh(user, user);
        command.args(["-s", "netconf"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut stdout = process.stdout.take().unwrap();
        let (sender, octets) = channel();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(many @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..many].to_vec()).is_err() {
                    return;
                }
            }
        });
        Client {
            stdin: process.stdin.take(),
            process,
            octets,
            received: Vec::new(),
            is_chunked: false,
            number: 0,
        }
    }

    /// A session of `ann` in version 1.1.
    fn session(&self) -> Client {
        self.session_of("ann")
    }

    fn session_of(&self, user: &str) -> Client {
        let mut client = self.connect(user);
        client.hello("1.1");
        client
    }
}

impl Client {
    fn send(&mut self, octets: &str) {
        // The other side may have ended.
        if let Some(stdin) = &mut self.stdin {
            let _gone = stdin
                .write_all(octets.as_bytes())
                .and_then(|()| stdin.flush());
        }
    }

    /// Exchanges hellos; the server's.
    fn hello(&mut self, version: &str) -> String {
        let hello = self.message();
        self.send(&format!(
            "<hello xmlns=\"{BASE}\"><capabilities><capability>urn:ietf:params:netconf:base:{version}</capability></capabilities></hello>{END}"
        ));
        self.is_chunked = version == "1.1";
        hello
    }

    /// Sends a message, framed.
    fn write(&mut self, message: &str) {
        if self.is_chunked {
            // In two chunks.
            let (first, second) = message.split_at(message.len() / 2);
            self.send(&format!(
                "\n#{}\n{first}\n#{}\n{second}\n##\n",
                first.len(),
                second.len()
            ));
        } else {
            self.send(&format!("{message}{END}"));
        }
    }

    /// The next message; panics if the session ends.
    fn message(&mut self) -> String {
        self.next().expect("the session has ended")
    }

    /// The next message; `None`: the session has ended.
    fn next(&mut self) -> Option<String> {
        loop {
            if let Some((message, length)) = self.complete() {
                self.received.drain(..length);
                return Some(message);
            }
            match self.octets.recv_timeout(PATIENCE) {
                Ok(octets) => self.received.extend(octets),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// A message that was received, and its octets with its framing.
    fn complete(&self) -> Option<(String, usize)> {
        let text = String::from_utf8_lossy(&self.received);
        if !self.is_chunked {
            let at = text.find(END)?;
            return Some((text[..at].to_owned(), at + END.len()));
        }
        let mut message = Vec::new();
        let mut at = 0;
        loop {
            let rest = self.received.get(at..)?;
            let rest = rest.strip_prefix(b"\n#").or_else(|| {
                assert!(rest.len() < 2, "{:?}", String::from_utf8_lossy(rest));
                None
            })?;
            let line = rest.iter().position(|octet| *octet == b'\n')?;
            at += 2 + line + 1;
            if rest[..line] == *b"#" {
                return Some((String::from_utf8(message).unwrap(), at));
            }
            let length: usize = std::str::from_utf8(&rest[..line]).unwrap().parse().unwrap();
            message.extend(self.received.get(at..at + length)?);
            at += length;
        }
    }

    /// Sends a request.
    fn request(&mut self, operation: &str) -> String {
        self.number += 1;
        let id = format!("message-id=\"{}\"", self.number);
        self.write(&format!("<rpc {id} xmlns=\"{BASE}\">{operation}</rpc>"));
        id
    }

    /// The reply to a request.
    fn ask(&mut self, operation: &str) -> String {
        let id = self.request(operation);
        let reply = self.message();
        let start = &reply[..reply.find('>').unwrap_or(0)];
        assert!(
            start.starts_with("<rpc-reply") && start.contains(&id),
            "{reply}"
        );
        reply
    }

    fn ok(&mut self, operation: &str) {
        let reply = self.ask(operation);
        assert!(reply.contains("<ok/>"), "{operation}: {reply}");
    }

    /// The tag of the error that a request is refused with.
    fn refused(&mut self, operation: &str) -> String {
        let reply = self.ask(operation);
        let document = roxmltree::Document::parse(&reply).unwrap();
        let mut nodes = document.descendants();
        let tag = nodes.find(|node| node.has_tag_name((BASE, "error-tag")));
        tag.unwrap_or_else(|| panic!("{operation}: {reply}"))
            .text()
            .unwrap()
            .to_owned()
    }

    /// Edits a datastore; `content` is in the container of the configuration.
    fn edit(&mut self, target: &str, content: &str) {
        self.ok(&edit(target, content));
    }

    /// That the session has ended, after all that was to be received.
    fn is_over(&mut self) -> bool {
        while self.next().is_some() {}
        self.process.wait().is_ok()
    }

    /// The number of its session, as the state of the server has the last one.
    fn number(hello: &str) -> u32 {
        let (_, rest) = hello.split_once("<session-id>").unwrap();
        rest.split_once('<').unwrap().0.parse().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _over = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// `edit-config` of what is in the container of the configuration.
fn edit(target: &str, content: &str) -> String {
    format!(
        "<edit-config><target><{target}/></target><config><measurement xmlns=\"{MEASUREMENT}\" xmlns:nc=\"{BASE}\">{content}</measurement></config></edit-config>"
    )
}

/// A session to a responder that is not there; `attributes` of its element.
fn entry(name: &str, attributes: &str) -> String {
    format!("<session {attributes}><name>{name}</name><address>127.0.0.1:9</address></session>")
}

fn get_config(source: &str) -> String {
    format!("<get-config><source><{source}/></source></get-config>")
}
