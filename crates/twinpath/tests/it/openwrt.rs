//! The package for OpenWrt: what its init script makes of a configuration, with functions in the place of those of
//! OpenWrt's shell libraries, and what its Makefile installs.

mod host;
mod makefile;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Add as _;
use std::process::Command;

use self::host::{Host, Told, shells};
use crate::program::{Responder, finish, run, twinpath};
use crate::units::packaging;

/// The kinds of options of the script.
const TABLES: [&str; 6] = [
    "values",
    "lists",
    "flags",
    "limit_values",
    "limit_lists",
    "limit_flags",
];

/// The names in a table of the script.
fn table(kind: &str, name: &str) -> Vec<String> {
    let host = Host::new(&["sh"], "");
    let mut command = Command::new("sh");
    let script = host.path("script").display().to_string();
    command.args(["-c", &format!(". {script}; echo ${kind}_{name}")]);
    let names = finish(command).stdout;
    names.split_whitespace().map(str::to_owned).collect()
}

/// The options of a command of the program, without dashes.
fn options(kind: &str) -> BTreeSet<String> {
    let help = run(&format!("{kind} --help")).stdout;
    let lines = help
        .lines()
        .filter(|line| line.starts_with("  ") && line.trim_start().starts_with('-'));
    let options = lines.filter_map(|line| line.split("--").nth(1));
    options
        .map(|option| option.split([' ', ',']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn each_option_of_the_program_is_one_of_the_configuration_or_left_out_on_purpose() {
    // The script gives the file of limits; output goes to the log of the system; a key is in a file, not among processes.
    // What pushes metrics is part of a program with a daemon, which this package is not.
    let left_out = "control-socket help json limits logfile otlp otlp-interval output quiet";
    for (kind, also) in [("responder", " hmac-key"), ("server", "")] {
        let mut configured: BTreeSet<String> = (left_out.to_owned() + also)
            .split(' ')
            .map(str::to_owned)
            .collect();
        for name in TABLES.iter().flat_map(|name| table(kind, name)) {
            assert!(
                configured.insert(name.replace('_', "-")),
                "{kind}: {name} twice"
            );
        }
        assert_eq!(configured, options(kind), "{kind}");
    }
}

/// A configuration with each option, and what its command line and file of limits have to be.
fn everything(kind: &str) -> (String, Vec<String>, Vec<String>) {
    let mut text = format!("config {kind} 'all'\n\toption enabled '1'\n");
    let (mut line, mut limits) = (Vec::new(), Vec::new());
    for (name, is_limit) in [("values", false), ("limit_values", true)] {
        for option in table(kind, name) {
            writeln!(text, "\toption {option} 'of {option}'").unwrap();
            let dashed = option.replace('_', "-");
            if is_limit {
                limits.push(format!("{dashed} of {option}"));
            } else {
                line.push(format!("--{dashed}=of {option}"));
            }
        }
    }
    for (name, is_limit) in [("lists", false), ("limit_lists", true)] {
        for option in table(kind, name) {
            writeln!(text, "\tlist {option} 'one'\n\tlist {option} 'and two'").unwrap();
            let dashed = option.replace('_', "-");
            for value in ["one", "and two"] {
                if is_limit {
                    limits.push(format!("{dashed} {value}"));
                } else {
                    line.push(format!("--{dashed}={value}"));
                }
            }
        }
    }
    for (name, is_limit) in [("flags", false), ("limit_flags", true)] {
        for option in table(kind, name) {
            writeln!(text, "\toption {option} '1'").unwrap();
            let dashed = option.replace('_', "-");
            if is_limit {
                limits.push(dashed);
            } else {
                line.push(format!("--{dashed}"));
            }
        }
    }
    (text, line, limits)
}

#[test]
fn every_option_comes_to_the_command_line_or_into_the_file_of_limits() {
    for (shell, kind) in shells()
        .into_iter()
        .flat_map(|it| [(it, "responder"), (it, "server")])
    {
        let (text, line, limits) = everything(kind);
        let host = Host::new(shell, &text);
        let told = host.call("start_service");
        assert_eq!(told.log(), "");
        let commands = told.commands();
        let [command] = commands.as_slice() else {
            panic!("{commands:?}");
        };
        let file = host.path("limits/all.limits");
        let begin = [env!("CARGO_BIN_EXE_twinpath"), kind, ":862"].map(str::to_owned);
        let limits_option = format!("--limits={}", file.display());
        let expected: Vec<String> = begin
            .into_iter()
            .chain([limits_option])
            .chain(line)
            .collect();
        assert_eq!(*command, expected, "{shell:?}");
        assert_eq!(
            host.limits("all").lines().collect::<Vec<_>>(),
            limits,
            "{shell:?}"
        );
    }
}

#[test]
fn values_come_to_the_program_as_they_are() {
    let values = [
        "two words",
        "a\"b",
        "$(touch /nowhere)",
        "`id`",
        "-1",
        "*",
        "back\\slash",
        "semi;colon",
        "tab\there",
    ];
    for (shell, value) in shells()
        .into_iter()
        .flat_map(|it| values.map(|value| (it, value)))
    {
        let text = format!(
            "config responder 'odd'\n\toption enabled 'on'\n\toption address '2001:db8::1'\n\toption port '8620'\n\
             \toption padding '{value}'\n\toption allow '{value}'\n\tlist join '{value}'\n"
        );
        let host = Host::new(shell, &text);
        let told = host.call("start_service");
        let commands = told.commands();
        assert_eq!(commands[0][2], "[2001:db8::1]:8620");
        assert_eq!(
            commands[0][4..],
            [format!("--padding={value}"), format!("--join={value}")],
            "{shell:?}"
        );
        assert_eq!(
            host.limits("odd"),
            format!("allow {value}\nmax-sessions 1000\n"),
            "{shell:?}"
        );
    }
    // The one that ends a value in the file itself.
    let quote = "config responder 'odd'\n\toption enabled '1'\n\toption location 'it'\\''s'\n";
    let host = Host::new(&["sh"], quote);
    assert_eq!(
        host.call("start_service").commands()[0][4],
        "--location=it's"
    );
}

#[test]
fn a_configuration_with_an_error_starts_and_changes_nothing() {
    let good = "config responder 'one'\n\toption enabled '1'\n\toption max_rate '5'\n";
    for (wrong, said) in [
        (
            "\toption alow '192.0.2.0/24'\n",
            "section one: no option alow of a responder",
        ),
        (
            "\tlist test_ports '5000'\n",
            "section one: no option test_ports of a responder",
        ),
        (
            "\tlist allow '192.0.2.0/24\nmax-rate 7'\n",
            "section one: allow is one value without #",
        ),
        (
            "\toption allow_ssid '7 # comment'\n",
            "section one: allow_ssid is one value without #",
        ),
        (
            "config sender 'two'\n",
            "section two: sender is neither responder nor server",
        ),
    ] {
        for shell in shells() {
            let host = Host::new(shell, good);
            assert_eq!(host.call("start_service").commands().len(), 1);
            let before = host.limits("one");
            host.configure(&good.replace('5', "6").add(wrong));
            for function in ["start_service", "reload_service"] {
                let told = host.call(function);
                assert!(
                    told.log().contains(said),
                    "{shell:?} {function}: {}",
                    told.log()
                );
                assert_eq!(told.calls("open_instance"), [[""; 0]; 0]);
                assert_eq!(told.calls("send_signal"), [[""; 0]; 0]);
                assert_eq!(host.limits("one"), before);
            }
        }
    }
}

#[test]
fn reload_writes_limits_before_the_signal_and_restarts_after_it() {
    for shell in shells() {
        let host = Host::new(
            shell,
            "config server 'one'\n\toption enabled '1'\n\tlist allow '192.0.2.1'\n",
        );
        host.call("start_service");
        host.configure("config server 'one'\n\toption enabled '1'\n\tlist allow '192.0.2.2'\n");
        let told = host.call("reload_service");
        let names: Vec<&str> = told.0.iter().map(|call| call[0].as_str()).collect();
        assert_eq!(
            names[..3],
            ["send_signal", "start", "open_instance"],
            "{shell:?}"
        );
        assert_eq!(told.calls("send_signal"), [["twinpath", "*", "HUP"]]);
        assert_eq!(host.limits("one"), "allow 192.0.2.2\nmax-sessions 1000\n");
        assert_eq!(
            host.call("service_triggers").calls("add_reload_trigger"),
            [["twinpath"]]
        );
        // procd would send it in the place of every restart.
        assert!(
            !told
                .calls("set_param")
                .iter()
                .any(|call| call[0] == "reload_signal")
        );
    }
}

#[test]
fn a_service_is_respawned_and_in_a_jail_where_there_is_one() {
    let text = "config responder 'one'\n\toption enabled '1'\n\toption interface 'eth1'\n\
                \toption hmac_key_file '/etc/twinpath/keys'\n\
                config responder 'off'\n\toption enabled '0'\n\
                config server 'too'\n";
    for shell in shells() {
        let host = Host::new(shell, text);
        let told = host.call("start_service");
        assert_eq!(told.calls("open_instance"), [["one"]]);
        assert_eq!(told.calls("close_instance").len(), 1);
        let set = |told: &Told, line: &str| {
            let mut calls = told.calls("set_param").into_iter();
            calls.any(|call| call.join(" ") == line)
        };
        assert!(
            set(&told, "respawn 3600 5 0") && set(&told, "netdev eth1") && set(&told, "stderr 1")
        );
        assert_eq!(told.calls("add_jail").len(), 0);
        assert!(!set(&told, "user twinpath"));

        host.add_jail();
        let told = host.call("start_service");
        assert_eq!(told.calls("add_jail"), [["twinpath-one", "log", "procfs"]]);
        let limits = host.path("limits").display().to_string();
        assert_eq!(
            told.calls("add_jail_mount"),
            [[limits.as_str()], ["/etc/twinpath"]]
        );
        let run = host.path("run").display().to_string();
        assert_eq!(told.calls("add_jail_mount_rw"), [[run.as_str()]]);
        assert_eq!(told.calls("chown"), [["twinpath:twinpath", run.as_str()]]);
        assert!(set(&told, "user twinpath") && set(&told, "no_new_privs 1"));
        assert!(set(
            &told,
            &format!("capabilities {}", host.path("capabilities").display())
        ));
    }
}

#[test]
fn what_is_installed_answers_once_it_is_enabled() {
    let text = std::fs::read_to_string(packaging("openwrt/files/twinpath.config")).unwrap();
    let host = Host::new(&["sh"], &text);
    assert_eq!(host.call("start_service").commands().len(), 0);
    let enabled = text
        .replace("enabled '0'", "enabled '1'")
        .replace("port '862'", "port '0'");
    host.configure(&enabled);
    let commands = host.call("start_service").commands();
    assert_eq!(commands.len(), 2);
    for command in commands {
        let mut program = twinpath("");
        program.args(&command[1..]);
        let mut reflector = Responder::spawn(program);
        reflector.signal("HUP");
        reflector.wait_for("read; nothing changed");
        let done = reflector.stop("TERM");
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let capabilities = std::fs::read_to_string(packaging("openwrt/files/twinpath.json")).unwrap();
    let capabilities: serde_json::Value = serde_json::from_str(&capabilities).unwrap();
    for set in [
        "bounding",
        "effective",
        "ambient",
        "permitted",
        "inheritable",
    ] {
        assert_eq!(
            capabilities[set],
            serde_json::json!(["CAP_NET_BIND_SERVICE", "CAP_NET_RAW"])
        );
    }
}
