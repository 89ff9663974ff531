//! The command definitions of `packaging/`, with the real Icinga 2: it reads them, runs checks by them, and
//! takes what these say.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Done, Responder, Running, finish, free_port, run};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging");

/// Whether Icinga 2 is here (Debian: icinga2-bin); says so where it is not.
fn is_installed() -> bool {
    let found = Command::new("icinga2")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: Icinga 2 (Debian: icinga2-bin) is not installed");
    }
    is_there
}

/// `icinga2 daemon` with a directory of its own, in a process namespace that ends with it.
fn icinga(directory: &Path, options: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--fork", "--pid", "--kill-child", "icinga2", "daemon", "-c"]);
    command.arg(directory.join("icinga2.conf"));
    for name in ["DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir"] {
        command
            .arg("-D")
            .arg(format!("{name}={}", directory.join(name).display()));
    }
    command.args(["-D", "RunAsUser=root", "-D", "RunAsGroup=root"]);
    command
        .args(options.split_whitespace())
        .stdin(Stdio::null());
    command
}

/// Our definitions with the program under test, checked each second, and a host with these services.
fn configure(directory: &Path, services: &str) {
    for name in [
        "DataDir",
        "LogDir",
        "CacheDir",
        "SpoolDir",
        "InitRunDir",
        "perfdata",
    ] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    let ours = std::fs::read_to_string(format!("{ROOT}/icinga2/twinpath.conf")).unwrap();
    let program = env!("CARGO_BIN_EXE_twinpath");
    let (command, often) = ("\"/usr/bin/twinpath\"", "check_interval = 1m");
    assert!(ours.contains(command) && ours.contains(often));
    let ours = ours
        .replace(command, &format!("\"{program}\""))
        .replace(often, "check_interval = 1s");
    std::fs::write(directory.join("twinpath.conf"), ours).unwrap();
    let at = directory.display();
    let text = format!(
        "const PluginDir = \"/usr/lib/nagios/plugins\"\n\
         const NodeName = \"localhost\"\n\
         include <itl>\n\
         include \"{at}/twinpath.conf\"\n\
         object CheckerComponent \"checker\" {{}}\n\
         object PerfdataWriter \"perfdata\" {{\n\
           service_perfdata_path = \"{at}/perfdata/service\"\n\
           host_perfdata_path = \"{at}/perfdata/host\"\n\
           service_temp_path = \"{at}/service\"\n\
           host_temp_path = \"{at}/host\"\n\
           rotation_interval = 1s\n\
           service_format_template = \"@@$service.name$\\t$service.state$\\t$service.perfdata$\\t$service.output$\"\n\
         }}\n\
         object Host \"r1\" {{\n\
           address = \"127.0.0.1\"\n\
           check_command = \"dummy\"\n\
           {services}\n\
         }}\n"
    );
    std::fs::write(directory.join("icinga2.conf"), text).unwrap();
}

/// What Icinga 2 has of each service: its name, state, performance data and output.
fn results(directory: &Path) -> Vec<[String; 4]> {
    let files = std::fs::read_dir(directory.join("perfdata")).unwrap();
    let mut text = String::new();
    for file in files.filter_map(Result::ok) {
        if file.file_name().to_string_lossy().starts_with("service.") {
            text += &std::fs::read_to_string(file.path()).unwrap_or_default();
        }
    }
    let results = text.split("@@").filter_map(|one| {
        let fields: Vec<String> = one.splitn(4, '\t').map(str::to_owned).collect();
        fields.try_into().ok()
    });
    results.collect()
}

/// Values as Icinga 2's own parser reads them: label, value, unit, warning, critical, least and greatest.
fn parsed(items: &[String]) -> Vec<Value> {
    let items = items
        .iter()
        .map(|item| item.replace('\\', "\\\\").replace('"', "\\\""));
    let mut script = String::from("var all = []\n");
    for item in items {
        writeln!(script, "var p = parse_performance_data(\"{item}\")").unwrap();
        writeln!(
            script,
            "all.add([p.label, p.value, p.unit, p.warn, p.crit, p.min, p.max])"
        )
        .unwrap();
    }
    script.push_str("Json.encode(all)");
    let mut command = Command::new("icinga2");
    command
        .args(["console", "--eval", &script.replace('\n', "; ")])
        .stdin(Stdio::null());
    let done = finish(command);
    let text = done
        .stdout
        .trim()
        .trim_matches('"')
        .replace("\\\"", "\"")
        .replace("\\\\", "\\");
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr))
}

/// `'a b'=1;2 c=3` in its items.
fn items(perfdata: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut is_quoted = false;
    for c in perfdata.trim().chars() {
        is_quoted ^= c == '\'';
        match items.last_mut() {
            Some(_) if c == ' ' && !is_quoted => items.push(String::new()),
            Some(last) => last.push(c),
            None => {}
        }
    }
    items
}

#[test]
fn icinga_2_runs_checks_by_our_command_and_takes_their_states_and_data() {
    if !is_installed() {
        return;
    }
    let responder = Responder::on_loopback();
    let (far, closed) = (responder.at, free_port());
    let directory = tempfile::tempdir().unwrap();
    let short = "twinpath_count = 5; twinpath_interval = \"5ms\"; twinpath_timeout = \"0.5\"";
    let services = format!(
        "vars.twinpath[\"good\"] = {{ twinpath_address = \"{far}\"; {short}\n\
           twinpath_warn = [ \"loss=1%\", \"rtt_p95=30s\" ]; twinpath_crit = \"loss=5%,rtt_p95=60s\" }}\n\
         vars.twinpath[\"slow\"] = {{ twinpath_address = \"{far}\"; {short}; twinpath_warn = \"rtt_p95=1us\" }}\n\
         vars.twinpath[\"two\"] = {{ twinpath_has_address = false; {short}\n\
           twinpath_to = [ \"{far}\", \"127.0.0.1:{closed}\" ]; twinpath_crit = \"loss=5%\" }}\n\
         vars.twinpath[\"wrong\"] = {{ twinpath_address = \"{far}\"; twinpath_warn = \"lss=1%\" }}"
    );
    configure(directory.path(), &services);
    let valid = finish(icinga(directory.path(), "-C"));
    if valid.status != 0 && valid.stderr.contains("unshare") {
        println!(
            "skipped: no process namespaces here ({})",
            valid.stderr.trim()
        );
        return;
    }
    assert_eq!(valid.status, 0, "{}{}", valid.stdout, valid.stderr);
    let quiet = icinga(directory.path(), "-x critical");
    let running = Running::spawn(quiet);
    let until = Instant::now() + Duration::from_mins(2);
    let found = |name: &str| {
        let all = results(directory.path());
        all.into_iter()
            .find(|[service, ..]| service == &format!("twinpath {name}"))
    };
    for (name, state, begin) in [
        ("good", "OK", "TWINPATH OK - loss 0 %, round trip p95 "),
        ("slow", "WARNING", "TWINPATH WARNING - round trip p95 "),
        ("two", "CRITICAL", "TWINPATH CRITICAL - 1 of 2 targets: "),
        (
            "wrong",
            "UNKNOWN",
            "TWINPATH UNKNOWN - --warn lss=1%: no figure is called lss: use loss, ",
        ),
    ] {
        let [_, found_state, perfdata, output] = loop {
            if let Some(found) = found(name) {
                break found;
            }
            assert!(Instant::now() < until, "Icinga 2 has no result of {name}");
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(found_state, state, "{output}");
        assert!(
            output.starts_with(begin) && !output.contains('|'),
            "{output}"
        );
        let parsed = match name {
            "wrong" => Vec::new(),
            _ => parsed(&items(&perfdata)),
        };
        stored(name, &parsed, (far, closed));
        assert_eq!(name == "wrong", perfdata.trim().is_empty(), "{perfdata}");
        assert_eq!(name == "two", output.contains("\nOK "), "details: {output}");
    }
    drop(running);
}

/// What Icinga 2 has read of a service's performance data is what was measured.
fn stored(service: &str, read: &[Value], (far, closed): (SocketAddr, u16)) {
    match service {
        "good" => {
            assert_eq!(read[0], json!(["loss", 0, "percent", 1, 5, 0, 100]));
            assert_eq!(
                (&read[1][0], &read[1][2]),
                (&"rtt_p95".into(), &"seconds".into())
            );
            assert_eq!(
                (&read[1][3], &read[1][4]),
                (&30.into(), &60.into()),
                "{read:?}"
            );
        }
        "slow" => assert!(read[0][1].as_f64().unwrap() > 1e-6, "{read:?}"),
        "two" => {
            assert_eq!(read[0][0], format!("{far} loss"));
            let label = format!("127.0.0.1:{closed} loss");
            assert_eq!(read[1], json!([label, 100, "percent", null, 5, 0, 100]));
        }
        _ => assert!(read.is_empty(), "{read:?}"),
    }
}

#[test]
fn icinga_2_reads_all_performance_data() {
    if !is_installed() {
        return;
    }
    let responder = Responder::on_loopback();
    // Figures of each unit, ranges of each form.
    let lists = "--warn rtt_p95=50us:5s,loss=@10%:20%,duplicates=~:3,sent=1:,achieved_pps=1: \
                 --crit forward.p95=-1s:1s,voice.forward.mos=1:,rtt_stddev=1m,round_trip.min=0:1s";
    let line = format!("check {} -c 5 -i 5 --timeout 1 {lists}", responder.at);
    let Done { stdout, .. } = run(&line);
    let perfdata = stdout.split(" | ").nth(1).unwrap();
    let items = items(perfdata);
    assert_eq!(items.len(), 9, "{perfdata}");
    for (item, read) in items.iter().zip(parsed(&items)) {
        let label = item.split('=').next().unwrap();
        assert_eq!(read[0], label, "{item}");
        assert!(read[1].is_number(), "{item}: {read}");
    }
    let odd = [
        "'[2001:db8:_:1]:862 loss'=5.5%;1;5;0;100",
        "'zürich loss'=0%",
        "'a_b c'=1ms;~:1;@2:3",
    ];
    let odd = odd.map(str::to_owned);
    let read = parsed(&odd);
    assert_eq!(
        read[0],
        json!(["[2001:db8:_:1]:862 loss", 5.5, "percent", 1, 5, 0, 100])
    );
    assert_eq!(
        (&read[1][0], &read[2][0]),
        (&"zürich loss".into(), &"a_b c".into())
    );
}

/// The command lines of Nagios's definitions, with its macros put in.
#[test]
fn the_commands_of_nagios_are_ours() {
    let text = std::fs::read_to_string(format!("{ROOT}/nagios/twinpath.cfg")).unwrap();
    let responder = Responder::on_loopback();
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("command_line"));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    assert_eq!(lines.len(), 4);
    for line in lines {
        let options = line.contains("$HOSTADDRESS$ $ARG1$");
        let first = if options {
            "-c 5 -i 5 --warn loss=1%"
        } else {
            "loss=1%,rtt_p95=30s"
        };
        let line = line
            .replace("$HOSTADDRESS$", &responder.at.to_string())
            .replace("$ARG1$", first)
            .replace("$ARG2$", "loss=5%,rtt_p95=60s");
        let words = line.strip_prefix("/usr/bin/twinpath ").unwrap();
        let done = run(words);
        let expected = if words.contains("--control") { 3 } else { 0 };
        assert_eq!(done.status, expected, "{words}: {}", done.stdout);
        assert!(done.stdout.starts_with("TWINPATH "), "{}", done.stdout);
    }
}
