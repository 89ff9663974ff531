//! `twinpath status` and the control sockets that it asks.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::metrics::{address, metrics_when};
use crate::program::{Done, Responder, Running, finish, free_port, run, twinpath};

const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of control sockets.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = twinpath(line);
        command.env("RUNTIME_DIRECTORY", self.0.path());
        command
    }

    fn start(&self, line: &str) -> Responder {
        Responder::spawn(self.command(line))
    }

    fn status(&self, line: &str) -> Done {
        finish(self.command(&format!("status {line}")))
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let entries = self.0.path().read_dir().unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Waits for the first socket: programs say that they listen before they have one.
    fn socket(&self) -> PathBuf {
        let until = Instant::now() + PATIENCE;
        loop {
            let sockets = self.sockets();
            let socket = sockets.iter().find(|path| path.extension().is_some());
            if let Some(socket) = socket {
                return socket.clone();
            }
            assert!(Instant::now() < until, "no socket");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The document of the only program, once it is so.
    fn document_when(&self, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        self.socket();
        loop {
            let done = self.status("--json");
            assert_eq!(done.status, 0, "{}", done.stderr);
            let document = done.document()["programs"][0].clone();
            if is(&document) {
                return document;
            }
            assert!(Instant::now() < until, "{document}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// All that a program sends by its socket.
fn told(socket: &Path) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_responder_says_what_its_metrics_and_its_summary_say_and_whose_packets_came() {
    let place = Place::new();
    let mut responder = place.start("responder 127.0.0.1:0 --metrics 127.0.0.1:0 --json");
    let metrics = address(&mut responder);
    let line = format!(
        "sender {} 127.0.0.1:0 -c 7 -i 1 --stamp --ssid 7 --json",
        responder.at
    );
    let sent = run(&line);
    let sender = sent.session()["sender"].as_str().unwrap().to_owned();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        socket.send_to(&[0; 5], responder.at).unwrap();
    }
    metrics_when(metrics, "twinpath_reflector_replies_total", "7");
    let document = place.document_when(|it| it["summary"]["ignored"]["too_short"] == 3);
    assert_eq!(document["schema"], "twinpath-status-1");
    let name = format!("responder-127.0.0.1-{}", responder.at.port());
    assert_eq!(document["name"], name);
    assert_eq!(document["process"], responder.process());
    assert_eq!(document["summary"]["schema"], "twinpath-responder-1");
    assert_eq!(document["summary"]["reflected"], 7);
    assert_eq!(document["receive_timestamps"]["kernel"], 10);
    assert_eq!(document["sessions"]["open"], 1);
    let session = &document["sessions"]["listed"][0];
    assert_eq!(session["sender"], sender);
    assert_eq!(session["ssid"], 7);
    assert_eq!(session["replies"], 7);
    assert_eq!(session["port"], responder.at.port());
    // By its name, by its path, and without twinpath.
    let socket = place.socket();
    let one = place.status(&format!("{name} --json")).document();
    assert_eq!(one["schema"], "twinpath-status-1");
    let by_path = place.status(&format!("{} --json", socket.display()));
    assert_eq!(by_path.document()["name"], name);
    assert_eq!(told(&socket)["summary"]["reflected"], 7);
    let text = place.status("").stdout;
    for part in [&name, "7 packets", "3 too short", &sender, "SSID 7"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let done = responder.stop("TERM");
    assert_eq!(done.document()["reflected"], 7);
    assert!(place.sockets().is_empty(), "{:?}", place.sockets());
}

#[cfg(feature = "control")]
#[test]
fn a_server_says_what_its_connections_do_and_whose_sessions_it_has() {
    let place = Place::new();
    let mut server = place.start("server 127.0.0.1:0 --metrics 127.0.0.1:0");
    let metrics = address(&mut server);
    let waiting = std::net::TcpStream::connect(server.at).unwrap();
    let line = format!(
        "controller {} 127.0.0.1:0 -c inf -i 10 --dscp ef",
        server.at
    );
    let controller = Running::start(&line);
    let running = serde_json::json!({ "state": "running", "mode": "unauthenticated", "count": 1 });
    let document = place.document_when(|it| {
        let states = it["connections"]["by_state"].as_array().unwrap();
        states.contains(&running) && it["sessions"]["listed"][0]["replies"].as_u64() > Some(3)
    });
    let setting_up = serde_json::json!({ "state": "setting_up", "mode": null, "count": 1 });
    let states = document["connections"]["by_state"].as_array().unwrap();
    assert!(states.contains(&setting_up), "{document}");
    assert_eq!(document["connections"]["open"], 2);
    assert_eq!(
        (&document["ports"], &document["sessions"]["open"]),
        (&1.into(), &1.into())
    );
    let session = &document["sessions"]["listed"][0];
    assert_eq!(session["dscp"], 46);
    assert_eq!(session["state"], "running");
    assert!(
        session["sender"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    let of = |state: &str, mode: &str| {
        format!("twinpath_server_connections{{state=\"{state}\",mode=\"{mode}\"}}")
    };
    let text = metrics_when(metrics, &of("running", "unauthenticated"), "1");
    assert!(
        text.contains(&(of("setting_up", "none") + " 1\n")),
        "{text}"
    );
    assert!(text.contains(&(of("idle", "mixed") + " 0\n")), "{text}");
    let shown = place.status("").stdout;
    assert!(shown.contains("1 running, unauthenticated"), "{shown}");
    drop((waiting, controller));
    place.document_when(|it| it["connections"]["open"] == 0);
    metrics_when(metrics, &of("running", "unauthenticated"), "0");
    assert_eq!(server.stop("TERM").status, 0);
}

#[test]
fn clients_that_do_not_read_delay_others_for_a_bounded_time_and_no_packet() {
    let place = Place::new();
    let responder = place.start("responder 127.0.0.1:0");
    let socket = place.socket();
    // They write, and do not read.
    let idle: Vec<UnixStream> = (0..60)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).unwrap();
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n");
            stream
        })
        .collect();
    let line = format!("sender {} -c 10 -i 1", responder.at);
    assert_eq!(run(&line).status, 0);
    place.document_when(|it| it["summary"]["reflected"] == 10);
    let descriptors = || {
        let open = fs::read_dir(format!("/proc/{}/fd", responder.process()));
        open.unwrap().count()
    };
    assert!(descriptors() < 40, "{}", descriptors());
    drop(idle);
    assert_eq!(responder.stop("TERM").status, 0);
}

#[test]
fn a_socket_left_behind_is_said_and_replaced() {
    let place = Place::new();
    let port = free_port();
    let first = place.start(&format!("responder 127.0.0.1:{port}"));
    place.socket();
    first.signal("KILL");
    let until = Instant::now() + PATIENCE;
    let done = loop {
        let done = place.status("");
        if done.status == 1 && !done.stderr.contains("no answer") {
            break done;
        }
        assert!(Instant::now() < until, "{}", done.stdout);
    };
    let said = "no program listens there any more; it was killed";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    let before = place.sockets();
    assert_eq!(before.len(), 1);
    let second = place.start(&format!("responder 127.0.0.1:{port}"));
    let document = loop {
        let done = place.status("--json");
        if done.status == 0 {
            break done.document()["programs"][0].clone();
        }
        assert!(Instant::now() < until, "{}", done.stderr);
    };
    assert_eq!(document["process"], second.process());
    assert_eq!(place.sockets(), before);
}

#[test]
fn a_name_that_another_program_has_is_left_to_it_and_both_are_listed() {
    let place = Place::new();
    let port = free_port();
    let name = format!("responder-127.0.0.1-{port}");
    let path = place.0.path().join(format!("{name}.sock"));
    let other = UnixListener::bind(&path).unwrap();
    let responder = place.start(&format!("responder 127.0.0.1:{port}"));
    let with_number = format!("{name}-{}", responder.process());
    let until = Instant::now() + PATIENCE;
    while place.sockets().len() < 2 {
        assert!(Instant::now() < until, "{:?}", place.sockets());
    }
    // The other one says something else, to the responder too, which looked twice whether it is there.
    let foreign = std::thread::spawn(move || {
        for stream in other.incoming().take(4) {
            let _ = stream.unwrap().write_all(b"\x1b[2J{}");
        }
    });
    UnixStream::connect(&path).unwrap();
    let done = place.status("--json");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let list = done.document();
    assert_eq!(list["schema"], "twinpath-status-list-1");
    assert_eq!(list["programs"][0]["name"], with_number);
    assert_eq!(list["failed"][0]["socket"], path.display().to_string());
    assert!(
        list["failed"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("not a status")
    );
    foreign.join().unwrap();
    assert_eq!(responder.stop("TERM").status, 0);
    assert_eq!(place.sockets(), [path]);
}

#[test]
fn several_programs_are_listed_and_an_unknown_one_is_told_from_them() {
    let place = Place::new();
    let first = place.start("responder 127.0.0.1:0");
    let second = place.start("responder [::1]:0");
    let until = Instant::now() + PATIENCE;
    while place.sockets().len() < 2 {
        assert!(Instant::now() < until, "{:?}", place.sockets());
    }
    let list = place.status("").stdout;
    assert_eq!(list.lines().count(), 3, "{list}");
    for port in [first.at.port(), second.at.port()] {
        assert!(list.contains(&port.to_string()), "{list}");
    }
    let unknown = place.status("nothing");
    assert_eq!((unknown.status, &*unknown.stdout), (1, ""));
    let said = format!("there is responder-127.0.0.1-{}", first.at.port());
    assert!(unknown.stderr.contains(&said), "{}", unknown.stderr);
}

#[test]
fn where_nothing_runs_that_is_said() {
    let place = Place::new();
    let done = place.status("");
    assert_eq!((done.status, &*done.stdout), (1, ""));
    let said = format!(
        "twinpath: nothing runs: no control socket in {}",
        place.0.path().display()
    );
    assert!(done.stderr.starts_with(&said), "{}", done.stderr);
    let missing = place.status("/none/a.sock");
    assert_eq!(missing.status, 1);
    assert!(
        missing.stderr.contains("there is no such socket"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_program_whose_directory_cannot_be_made_says_so_and_runs() {
    let place = Place::new();
    let in_the_way = place.0.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let mut command = place.command("responder 127.0.0.1:0");
    command.env("RUNTIME_DIRECTORY", in_the_way.join("under"));
    let mut responder = Responder::spawn(command);
    let note = responder.wait_for("note: no control socket ");
    assert!(
        note.contains("use --control-socket PATH, or none"),
        "{note}"
    );
    assert_eq!(run(&format!("sender {} -c 2 -i 1", responder.at)).status, 0);
    assert_eq!(responder.stop("TERM").status, 0);
    // Where a path was given, it is an error.
    let line = format!(
        "responder 127.0.0.1:0 --control-socket {}",
        in_the_way.display()
    );
    let done = finish(place.command(&line));
    assert_eq!((done.status, &*done.stdout), (1, ""));
    assert!(
        done.stderr.contains("it exists and is not a socket"),
        "{}",
        done.stderr
    );
}

/// Its row among the options.
#[test]
fn a_control_socket_is_where_it_is_wanted_and_nowhere_on_request() {
    let place = Place::new();
    let path = place.0.path().join("elsewhere/mine.sock");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let given = place.start(&format!(
        "responder 127.0.0.1:0 --control-socket {}",
        path.display()
    ));
    let until = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < until, "no socket");
    }
    // It is named by its path, and found one directory down.
    assert_eq!(told(&path)["name"], "mine");
    assert_eq!(place.status("mine --json").document()["name"], "mine");
    assert_eq!(given.stop("TERM").status, 0);
    assert!(!path.exists());
    let none = place.start("responder 127.0.0.1:0 --control-socket none");
    assert_eq!(run(&format!("sender {} -c 2 -i 1", none.at)).status, 0);
    assert_eq!(none.stop("TERM").status, 0);
    assert_eq!(place.sockets(), [path.parent().unwrap()]);
}

#[test]
fn another_user_is_told_that_permission_lacks() {
    let place = Place::new();
    let responder = place.start("responder 127.0.0.1:0");
    let socket = place.socket();
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).unwrap();
    // The program may be where only its owner goes.
    let program = place.0.path().join("twinpath");
    if fs::copy(env!("CARGO_BIN_EXE_twinpath"), &program).is_err() {
        println!("skipped: no room for a copy of the program");
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(&program).arg("status").arg(&socket);
    let Ok(done) = command.output() else {
        println!("skipped: setpriv is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if said.contains("setpriv:") {
        println!("skipped: not root: {said}");
        return;
    }
    assert_eq!(done.status.code(), Some(1));
    assert!(
        said.contains("it is for its own user and root; use sudo"),
        "{said}"
    );
    assert_eq!(responder.stop("TERM").status, 0);
}

#[test]
fn a_watch_has_a_line_each_time_and_follows_the_next_program() {
    let place = Place::new();
    let port = free_port();
    let first = place.start(&format!("responder 127.0.0.1:{port}"));
    place.socket();
    let mut watch = Running::spawn(place.command("status --watch --interval 0.1"));
    watch.wait_for(" rate 0 ");
    assert_eq!(run(&format!("sender 127.0.0.1:{port} -c 5 -i 1")).status, 0);
    let line = watch.wait_for(" answered 5 ");
    assert!(
        line.contains(&format!(" responder-127.0.0.1-{port} ")),
        "{line}"
    );
    assert_eq!(first.stop("TERM").status, 0);
    watch.wait_for_error("nothing runs");
    let _second = place.start(&format!("responder 127.0.0.1:{port}"));
    watch.wait_for(" answered 0 ");
    watch.signal(&["INT"]);
    assert_eq!(watch.finish().status, 0);
}

#[test]
fn a_watch_says_which_of_several_programs_has_ended() {
    let place = Place::new();
    let first = place.start("responder 127.0.0.1:0");
    let second = place.start("responder 127.0.0.1:0");
    let until = Instant::now() + PATIENCE;
    while place.sockets().len() < 2 {
        assert!(Instant::now() < until, "{:?}", place.sockets());
    }
    let mut watch = Running::spawn(place.command("status --watch --interval 0.1"));
    let name = |one: &Responder| format!("responder-127.0.0.1-{}", one.at.port());
    watch.wait_for(&name(&first));
    let ended = name(&first);
    assert_eq!(first.stop("TERM").status, 0);
    watch.wait_for_error(&format!("note: {ended} has ended"));
    watch.wait_for(&name(&second));
    watch.signal(&["INT"]);
    assert_eq!(watch.finish().status, 0);
}

#[test]
fn a_socket_in_the_current_directory_is_asked_by_its_file_name() {
    let place = Place::new();
    let mut command = place.command("responder 127.0.0.1:0 --control-socket my.sock");
    command.current_dir(place.0.path());
    let responder = Responder::spawn(command);
    let until = Instant::now() + PATIENCE;
    while !place.0.path().join("my.sock").exists() {
        assert!(Instant::now() < until, "there is no socket");
    }
    let mut command = place.command("status my.sock --json");
    command.current_dir(place.0.path());
    let done = finish(command);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.document()["process"], responder.process());
}

#[test]
fn a_watch_on_a_terminal_is_drawn_in_place() {
    let place = Place::new();
    let responder = place.start("responder 127.0.0.1:0");
    let socket = place.socket();
    let program = env!("CARGO_BIN_EXE_twinpath");
    let line = format!(
        "{program} status {} --watch --interval 0.2",
        socket.display()
    );
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped());
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: script (Debian: bsdutils) is not installed");
        return;
    }
    let mut watch = Running::spawn(command);
    for _ in 0..2 {
        let heading = watch.wait_for("every 0.2 s");
        assert!(heading.contains("\u{1b}[H2"), "{heading:?}");
        let drawn = watch.wait_for("Sessions ");
        assert!(drawn.contains("Answered         0 packets"), "{drawn}");
    }
    assert_eq!(responder.stop("TERM").status, 0);
}
