//! Files and programs that a configuration names and a host lacks.

use super::{Daemon, Place, entry};

#[test]
fn a_check_names_every_missing_file_at_its_line() {
    let text = "[[session]]
name = \"a\"
address = \"127.0.0.1:9\"
protocol = \"stamp\"
hmac-key-file = \"/nowhere/keys\"
authenticated = true
[[alert]]
name = \"slow\"
when = \"silent\"
actions = [
  { exec = [\"/bin/echo\"] },
  { exec = [\"/nowhere/page\", \"{alert}\"] },
  { webhook = \"http://127.0.0.1:9/\", token = \"/nowhere/token\" },
  { syslog = \"/nowhere/log\" },
]
[[export]]
name = \"e\"
kind = \"exec\"
spool-path = \"/tmp\"
exec = [\"/nowhere/export\"]
[api]
listen = \"127.0.0.1:8862\"
tokens = \"/nowhere/tokens\"
";
    let place = Place::of(text);
    let done = place.config("check");
    assert_eq!(done.status, 2, "{}", done.stderr);
    let said = [
        (5, "/nowhere/keys"),
        (12, "/nowhere/page"),
        (13, "/nowhere/token"),
        (14, "/nowhere/log"),
        (20, "/nowhere/export"),
        (23, "/nowhere/tokens"),
    ];
    for (line, file) in said {
        let at = format!("{}:{line}: ", place.file().display());
        let mut lines = done.stderr.lines();
        let is_said = lines.any(|said| said.contains(&at) && said.contains(file));
        assert!(is_said, "{at}{file}: {}", done.stderr);
    }
    assert_eq!(done.stderr.lines().count(), said.len(), "{}", done.stderr);
}

#[test]
fn what_an_action_lacks_is_logged_and_the_daemon_measures() {
    let text = "[[responder]]
name = \"r\"
address = \"127.0.0.1:0\"
[[alert]]
name = \"slow\"
when = \"silent\"
actions = [{ exec = [\"/nowhere/page\"] }]
";
    let daemon = Daemon::start(text);
    daemon.status_when(|status| entry(status, "r")["state"] == "running");
    let line = format!("{}:7: exec /nowhere/page: ", daemon.file().display());
    let done = daemon.stop();
    assert_eq!(done.stderr.matches(&line).count(), 1, "{}", done.stderr);
}
