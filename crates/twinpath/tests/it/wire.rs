//! What is on the wire, as an independent program sees it (tshark).

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;

use crate::hosts::Hosts;
use crate::program::Running;

/// One packet's fields, as text.
pub(crate) type Fields = Vec<String>;

/// Captures on the near host's link while `line` runs there; the fields of each UDP packet, or
/// `None` where there is no tshark.
fn captured(hosts: &Hosts, packets: usize, fields: &[&str], line: &str) -> Option<Vec<Fields>> {
    let filter = ["-f", "udp", "-d", "udp.port==20001,twamp.test"];
    let rows = dissected(hosts, packets, &filter, fields, line)?;
    assert_eq!(rows.len(), packets, "{rows:?}");
    Some(rows)
}

/// Likewise, of what `filter` lets through and dissects; the capture ends after `packets`.
pub(crate) fn dissected(
    hosts: &Hosts,
    packets: usize,
    filter: &[&str],
    fields: &[&str],
    line: &str,
) -> Option<Vec<Fields>> {
    dissected_during(hosts, packets, filter, fields, || {
        let done = hosts.run(line);
        assert!(done.status == 0 || done.status == 3, "{}", done.stderr);
    })
}

/// Likewise, of what is on the link during `what`.
pub(crate) fn dissected_during(
    hosts: &Hosts,
    packets: usize,
    filter: &[&str],
    fields: &[&str],
    what: impl FnOnce(),
) -> Option<Vec<Fields>> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-l", "-i", "v0", "-c", &packets.to_string()]);
    tshark.args(["-a", "duration:120", "-T", "fields"]);
    tshark.args(filter);
    // Fragments are shown one by one.
    tshark.args(["-o", "ip.defragment:FALSE"]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let mut capture = Running::spawn(Hosts::on(&hosts.near, &tshark));
    let mut stderr = BufReader::new(capture.0.stderr.take().unwrap());
    let mut said = String::new();
    loop {
        let before = said.len();
        if stderr.read_line(&mut said).unwrap() == 0 {
            eprintln!("skipped: no tshark here ({})", said.trim());
            return None;
        }
        // Before that it says what it is going to capture on.
        if said[before..].contains("Capture started") {
            break;
        }
    }
    what();
    let mut text = String::new();
    capture
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let rows: Vec<Fields> = text
        .lines()
        .map(|row| row.split('\t').map(str::to_owned).collect())
        .collect();
    Some(rows)
}

#[test]
fn twamp_packets_are_twamp_to_others() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    let fields = [
        "frame.protocols",
        "udp.length",
        "twamp.test.seq_number",
        "twamp.test.sender_seq_number",
        "twamp.test.sender_ttl",
        "ip.dsfield.dscp",
        "ip.ttl",
        "ip.flags.df",
        "_ws.malformed",
    ];
    let line = "sender 10.98.0.2 -c 4 -i 1s --padding 100 --dscp af41 --ttl 33";
    let Some(rows) = captured(&hosts, 8, &fields, line) else {
        return;
    };
    for (index, row) in rows.iter().enumerate() {
        let seq = (index / 2).to_string();
        assert!(row[0].ends_with("udp:twamp.test"), "{row:?}");
        assert_eq!(
            row[1], "122",
            "padding 100 + header 14 + UDP 8, both ways: {row:?}"
        );
        assert_eq!(row[2], seq, "{row:?}");
        assert_eq!(row[5], "34", "{row:?}");
        assert!(
            matches!(row[7].as_str(), "0" | "False"),
            "no DF unless asked: {row:?}"
        );
        assert_eq!(row[8], "", "malformed: {row:?}");
        if index % 2 == 0 {
            assert_eq!(row[6], "33", "{row:?}");
        } else {
            assert_eq!(
                (row[3].as_str(), row[4].as_str(), row[6].as_str()),
                (seq.as_str(), "33", "255")
            );
        }
    }
}

#[test]
fn sizes_and_flags_are_those_that_were_asked() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001 --do-not-fragment");
    let fields = ["frame.len", "ip.flags.df", "udp.srcport"];
    // IMIX: frames of 64, 590 and 1514 octets, the 64 without its four octets of check sum.
    let line = "sender 10.98.0.2 -c 12 -i 10 --padding -1 --do-not-fragment --ports 30500-30510";
    let Some(rows) = captured(&hosts, 24, &fields, line) else {
        return;
    };
    let sent: Vec<&Fields> = rows.iter().filter(|row| row[2] != "20001").collect();
    let count = |length: &str| sent.iter().filter(|row| row[0] == length).count();
    assert_eq!(
        (count("64"), count("590"), count("1514")),
        (7, 4, 1),
        "{rows:?}"
    );
    assert!(sent.iter().all(|row| row[2] == "30500"), "{rows:?}");
    assert!(
        rows.iter()
            .all(|row| matches!(row[1].as_str(), "1" | "True")),
        "{rows:?}"
    );
}

#[test]
fn padding_is_zero_or_random_as_asked() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    for (fill, zero) in [("zero", true), ("random", false)] {
        let line = format!("sender 10.98.0.2 -c 2 -i 1s --padding 64 --fill {fill}");
        let Some(rows) = captured(&hosts, 4, &["udp.payload"], &line) else {
            return;
        };
        let padding = |row: &Fields| row[0].replace(':', "")[28..].to_owned();
        assert_eq!(
            padding(&rows[0]).chars().all(|digit| digit == '0'),
            zero,
            "{rows:?}"
        );
        assert_eq!(padding(&rows[0]) == padding(&rows[2]), zero, "{rows:?}");
    }
}

#[test]
fn stamp_packets_have_their_layout() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    let line = "sender 10.98.0.2:20001 --stamp --ssid 4660 --padding 50 -c 2 -i 1s --fill zero";
    let Some(rows) = captured(&hosts, 4, &["udp.payload", "udp.checksum"], line) else {
        return;
    };
    for (index, row) in rows.iter().enumerate() {
        let payload = row[0].replace(':', "");
        assert_eq!(payload.len(), 2 * 64, "{payload}");
        assert_ne!(row[1], "0x0000", "no checksum");
        assert_eq!(&payload[28..32], "1234", "SSID: {payload}");
        if index % 2 == 0 {
            assert_eq!(&payload[32..88], "0".repeat(56), "MBZ: {payload}");
        } else {
            assert_eq!(&payload[80..82], "ff", "Session-Sender TTL: {payload}");
        }
        // Extra Padding TLV: U as sent, type 1, 16 octets.
        assert_eq!(&payload[90..96], "010010", "{payload}");
    }
    assert_eq!(&rows[0][0].replace(':', "")[88..90], "80");
}
