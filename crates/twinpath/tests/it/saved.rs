//! Runs that are saved, and what is made of the files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::program::{Done, Responder, Running, run, shell};
use crate::secured::{keys, secured_server};

pub(crate) fn document(done: &Done) -> Value {
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    measured(&done.stdout)
}

/// An output, its documents as [`measured`].
fn output(done: &Done) -> Vec<String> {
    if !done.stdout.starts_with('{') {
        return vec![done.stdout.clone()];
    }
    let values = serde_json::Deserializer::from_str(&done.stdout).into_iter::<Value>();
    values
        .map(|value| measured(&value.unwrap().to_string()).to_string())
        .collect()
}

/// A document without what became of the run's own files, which must be that they are complete.
fn measured(document: &str) -> Value {
    let mut document: Value =
        serde_json::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    let fields = document.as_object_mut().unwrap();
    let files = [fields.remove("saved"), fields.remove("pictures")];
    for file in files.iter().flatten() {
        let incomplete = file.to_string().contains("\"complete\":false");
        assert!(!incomplete, "{file}");
    }
    document
}

pub(crate) fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}

#[test]
fn a_report_from_the_file_is_the_report_of_the_run_figure_for_figure() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let responder = Responder::on_loopback();
    let measured = document(&run(&format!(
        "sender {} -c 300 -i 1 --schedule poisson --seed 5 --label site=lab --bins auto --json \
         --save {file}",
        responder.at
    )));
    let again = document(&run(&format!("report {file} --bins auto --json")));
    assert_eq!(again, measured);
    assert_eq!(again["labels"]["site"], "lab");
    assert_eq!(again["sessions"][0]["packets"]["received"], 300);
}

#[test]
fn a_file_of_the_format_before_gives_the_report_of_its_run() {
    let file = captures().join("../saved/format-1.parquet");
    let session = run(&format!("report {} --json", file.display())).session();
    assert_eq!(session["packets"]["received"], 20);
    let round_trip = &session["round_trip"];
    // As the run's own document had them.
    for (key, ns) in [("min_ns", 1_952), ("median_ns", 3_887), ("max_ns", 16_244)] {
        assert_eq!(round_trip[key], ns, "{key}");
    }
}

#[test]
fn a_controller_s_classes_and_their_connection_are_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let server = Responder::server("");
    let measured = document(&run(&format!(
        "controller {} -c 40 -i 2 --dscp ef,be --json --save {file}",
        server.at
    )));
    let again = document(&run(&format!("report {file} --json")));
    assert_eq!(again, measured);
    assert_eq!(again["sessions"].as_array().unwrap().len(), 2);
    assert!(again["control"]["server"].is_string());
    let merged = document(&run(&format!("report {file} --merge --json")));
    let session = &merged["sessions"][0];
    assert_eq!(merged["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(session["packets"]["received"], 80);
    assert_eq!(session["round_trip"]["count"], 80);
    assert!(session["round_trip"]["jitter_ns"].is_null(), "of no order");
    let least = |session: &Value| session["round_trip"]["min_ns"].as_i64().unwrap();
    let sessions = measured["sessions"].as_array().unwrap();
    assert_eq!(least(session), sessions.iter().map(least).min().unwrap());
}

#[test]
fn every_output_of_a_run_comes_from_its_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let responder = Responder::on_loopback();
    for form in ["text -v", "jsonl", "csv", "text"] {
        let measured = run(&format!(
            "sender {} -c 20 -i 2 --output {form} --save {file}",
            responder.at
        ));
        assert_eq!(measured.status, 0, "{}", measured.stderr);
        let again = run(&format!("report {file} --output {form}"));
        assert_eq!(again.status, 0, "{}", again.stderr);
        assert_eq!(output(&again), output(&measured), "{form}");
    }
}

#[test]
fn a_run_that_is_killed_leaves_a_file_with_all_but_its_last_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let responder = Responder::on_loopback();
    let sender = Running::start(&format!(
        "sender {} --duration 60 -i 1 -q --save {}",
        responder.at,
        file.display()
    ));
    // More than the facts alone: rows were written.
    let mut before = 0;
    for _ in 0..600 {
        let now = std::fs::metadata(&file).map_or(0, |about| about.len());
        if before > 0 && now > before + 4_096 {
            break;
        }
        if before == 0 {
            before = now;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // On a busy host it may have missed departures: then it is 1 for a run measured incompletely.
    let report = || {
        let done = run(&format!("report {} --json", file.display()));
        assert!(done.status <= 1, "{}", done.stderr);
        measured(&done.stdout)
    };
    let says = |done: &Value, key: &str| {
        let notes = done["sessions"][0]["notes"].as_array().unwrap();
        notes.iter().any(|note| note["key"] == key)
    };
    let done = report();
    assert!(
        says(&done, "still-running") && !says(&done, "interrupted"),
        "{done}"
    );
    sender.signal(&["KILL"]);
    drop(sender);
    let done = report();
    assert!(!says(&done, "still-running"), "{done}");
    let session = &done["sessions"][0];
    assert!(
        session["packets"]["received"].as_u64().unwrap() > 100,
        "{session}"
    );
    let notes = session["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note["key"] == "interrupted"),
        "{notes:?}"
    );
}

#[test]
fn what_is_no_raw_file_is_refused_by_name_and_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, octets: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path.display().to_string()
    };
    let text = write("text", b"hello, world\n");
    let empty = write("empty", b"");
    let stub = write("stub", b"PAR1PAR1");
    let capture = write("capture", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]);
    let missing = directory.path().join("missing").display().to_string();
    let here = directory.path().display().to_string();
    for (file, said) in [
        (&text, "neither a raw file nor a capture"),
        (&empty, "neither a raw file nor a capture"),
        (&stub, "not a Parquet file, or damaged"),
        (&capture, "the capture is damaged"),
        (&missing, "No such file"),
        (&here, "is not the directory of a store"),
    ] {
        let done = run(&format!("report {file}"));
        assert_eq!(done.status, 1, "{file}: {}", done.stderr);
        assert!(done.stderr.contains(file.as_str()), "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert!(done.stderr.contains("; "), "a remedy: {}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    }
}

#[test]
fn a_place_that_nothing_can_be_saved_in_is_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let responder = Responder::on_loopback();
    for place in [
        "/dev/null".to_owned(),
        directory.path().display().to_string(),
    ] {
        let done = run(&format!("sender {} -c 2 --save {place}", responder.at));
        assert_eq!(done.status, 1, "{}", done.stderr);
        assert!(done.stderr.contains(&place), "{}", done.stderr);
        assert!(
            done.stderr.contains("; give the name of a file"),
            "{}",
            done.stderr
        );
        assert_eq!(done.stdout, "");
    }
}

#[test]
fn a_full_disk_ends_the_saving_and_not_the_measurement() {
    let Ok(full) = std::fs::canonicalize("/dev/full") else {
        println!("skipped: no /dev/full here");
        return;
    };
    // A limit on the size of files fails the same way, and is there everywhere.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let responder = Responder::on_loopback();
    let _ = full;
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} sender {} -c 2500 -i 1 --timeout 200ms --json --save {}",
        env!("CARGO_BIN_EXE_twinpath"),
        responder.at,
        file.display()
    );
    let done = shell(&script);
    assert_eq!(done.status, 1, "{}", done.stderr);
    let measured: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(measured["sessions"][0]["packets"]["sent"], 2_500);
    assert!(
        done.stderr.contains("warning: saving to "),
        "{}",
        done.stderr
    );
    let again = run(&format!("report {} --json", file.display()));
    assert!([0, 1].contains(&again.status));
    let said = if again.status == 0 {
        &again.stdout
    } else {
        &again.stderr
    };
    assert!(
        said.contains("interrupted") || said.contains("no finished packet"),
        "{said}"
    );
}

#[test]
fn a_capture_gives_the_figures_of_its_packets() {
    for (file, packets, options) in [
        ("light-twampy.pcap", None, ""),
        ("unauthenticated.pcap", None, ""),
        ("stamp-open.pcap", Some(5), ""),
        ("stamp-authenticated.pcap", None, ""),
        ("stamp-v1-ptp.pcap", None, ""),
    ] {
        let path = captures().join(file);
        let done = document(&run(&format!("report {} {options} --json", path.display())));
        let session = &done["sessions"][0];
        let received = session["packets"]["received"].as_u64().unwrap();
        assert!(received > 3, "{file}: {session}");
        if let Some(packets) = packets {
            assert_eq!(received, packets, "{file}");
        }
        assert_eq!(session["packets"]["lost"], 0, "{file}");
        let round_trip = &session["round_trip"];
        assert_eq!(round_trip["count"], received, "{file}: {session}");
        assert!(
            round_trip["max_ns"].as_i64().unwrap() < 50_000_000,
            "{file}: {round_trip}"
        );
        assert!(
            session["departure"].is_null(),
            "{file}: nobody knows the schedule"
        );
    }
    let path = captures().join("encrypted.pcap");
    let done = run(&format!("report {}", path.display()));
    assert_eq!(done.status, 1, "{}", done.stdout);
    assert!(
        done.stderr.contains("no TWAMP or STAMP packets"),
        "{}",
        done.stderr
    );
}

/// A run of so many packets in a file of this name.
pub(crate) fn saved(directory: &Path, name: &str, options: &str) -> String {
    let file = directory.join(name).display().to_string();
    let responder = Responder::on_loopback();
    let done = run(&format!(
        "sender {} -c 60 -i 2 --timeout 5 -q --save {file} {options}",
        responder.at
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    file
}

#[test]
fn the_picture_from_the_file_is_the_picture_of_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| directory.path().join(name).display().to_string();
    for options in ["", "--dscp be,ef"] {
        let file = saved(
            directory.path(),
            "run.parquet",
            &format!(
                "{options} --label site=lab --graph {} --html {}",
                name("run.svg"),
                name("run.html")
            ),
        );
        let done = run(&format!(
            "report {file} -q --graph {} --html {}",
            name("again.svg"),
            name("again.html")
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
        for form in ["svg", "html"] {
            let read = |of: &str| std::fs::read_to_string(name(&format!("{of}.{form}"))).unwrap();
            assert!(read("run").len() > 2_000);
            assert!(read("again") == read("run"), "{form} {options}");
        }
    }
}

#[test]
fn packets_that_lie_an_age_apart_do_not_fill_the_disk_with_intervals() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("far.pcap");
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend([
        2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0,
    ]);
    for (seq, s) in [(1, 10_u32), (2, u32::MAX - 10), (3, u32::MAX)] {
        let mut packet = vec![0x45, 0, 0, 72, 0, 1, 0, 0, 64, 17, 0, 0];
        packet.extend([192, 0, 2, 1, 192, 0, 2, 2, 3, 0xe8, 3, 0x5e, 0, 52, 0, 0]);
        packet.extend([0, 0, 0, seq, 1, 2, 3, 4, 5, 6, 7, 8]);
        packet.resize(72, 0);
        for field in [s, 0, 72, 72] {
            file.extend(field.to_le_bytes());
        }
        file.extend(packet);
    }
    std::fs::write(&path, file).unwrap();
    let line = format!("report {} --port 862 -q", path.display());
    let done = run(&line);
    assert_eq!(done.status, 3, "lost: {}{}", done.stdout, done.stderr);
    let done = run(&format!("{line} --report-interval 1s"));
    assert_eq!(done.status, 3, "{}", done.stderr);
    let said = "4294967274 intervals without a packet, to 2106-02-07T06:28:05Z";
    assert!(done.stdout.contains(said), "{}", done.stdout);
    assert!(done.stdout.len() < 5_000, "{}", done.stdout);
}

#[test]
fn runs_of_every_kind_come_back_figure_for_figure() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let responder = Responder::on_loopback();
    let keys = keys("alice a passphrase\n");
    let server = secured_server(&keys, "");
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let secured = format!(
        "controller {} 127.0.0.1:0 --keys {} --key-id alice -i 2",
        server.at,
        keys.path().display()
    );
    for (line, options) in [
        (format!("sender {} --stamp -i 2", responder.at), ""),
        (format!("sender {} --padding -1 -i 2", responder.at), ""),
        (
            format!("sender {} --schedule bursts:10/20ms", responder.at),
            "--percentiles-with-loss",
        ),
        (
            format!("sender {} --dscp be,ef,be -i 2", responder.at),
            "--bins 1ms,2ms",
        ),
        (
            format!("sender {} -i 2", nobody.local_addr().unwrap()),
            "--report-interval 50ms",
        ),
        (format!("{secured} --mode encrypted"), ""),
        (format!("{secured} --mode authenticated --dscp be,ef"), ""),
        (
            format!("{secured} --mode mixed --timestamp-format ptp"),
            "--report-interval 50ms",
        ),
    ] {
        let measured = run(&format!(
            "{line} -c 60 --timeout 200ms --json {options} --save {file}"
        ));
        assert!(
            [0, 3].contains(&measured.status),
            "{line}: {}",
            measured.stderr
        );
        let again = run(&format!("report {file} --json {options}"));
        assert_eq!(again.status, measured.status, "{line}: {}", again.stderr);
        assert!(measured.stdout.len() > 1_000, "{line}");
        assert_eq!(output(&again), output(&measured), "{line}");
    }
}
