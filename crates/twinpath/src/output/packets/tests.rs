//! Records of packets as JSON lines and CSV.

use super::*;
use crate::args::SenderArgs;
use crate::output::fixtures;

#[test]
fn json_lines_have_the_contract_s_keys_and_end_with_the_document() {
    let mut out = Vec::new();
    let mut sink = JsonLines::new(&mut out, fixtures::meta());
    for sample in fixtures::samples() {
        sink.sample(None, &sample, None).unwrap();
    }
    sink.report([fixtures::quiet_path()].as_slice().into())
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let (last, lines) = {
        let mut lines: Vec<&str> = text.lines().collect();
        (lines.pop().unwrap(), lines)
    };
    insta::assert_snapshot!(lines.join("\n"));
    let document: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(document["schema"], "twinpath-report-1");
    for line in lines {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        for column in COLUMNS {
            assert!(record.get(column).is_some(), "{column} in {line}");
        }
    }
}

#[test]
fn csv_has_a_heading_and_a_row_for_each_packet() {
    let mut out = Vec::new();
    let mut sink = Csv::new(&mut out, fixtures::meta(), &[]).unwrap();
    for sample in fixtures::samples() {
        sink.sample(None, &sample, None).unwrap();
    }
    sink.report([fixtures::quiet_path()].as_slice().into())
        .unwrap();
    drop(sink);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn several_sessions_are_distinguished_before_the_labels() {
    let name = |number| SessionName::new(number, "ef");
    let sample = fixtures::samples()[0];
    let mut out = Vec::new();
    let mut sink = Csv::new(&mut out, fixtures::meta(), &[name(1), name(2)]).unwrap();
    sink.sample(Some(&name(2)), &sample, None).unwrap();
    sink.flush().unwrap();
    drop(sink);
    let table = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].ends_with(",fate,session,site"), "{table}");
    assert!(lines[1].contains(",received,2,"), "{table}");
    let mut out = Vec::new();
    let mut sink = JsonLines::new(&mut out, Meta::default());
    sink.sample(Some(&name(2)), &sample, None).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(line["session"], 2);
}

#[test]
fn columns_of_tlvs_come_last_and_are_there_with_tlvs_alone() {
    let cos = vec![0x80, 4, 0, 4, 184, 0, 0, 0, 0, 5, 0, 0];
    let hmac = HmacResult::named("unchecked");
    let later = Some(Delta::from_ns(4_200));
    let tlvs = ReplyTlvs::from_record(0, cos, later, hmac).unwrap();
    let sample = Sample {
        tos_forward: Some(twinpath_wire::Tos(40)),
        excluded: Some(Exclusion::Implausible),
        ..fixtures::samples()[0]
    };
    let table = |has_tlvs, tlvs: Option<&ReplyTlvs>| {
        let mut out = Vec::new();
        let meta = Meta {
            has_tlvs,
            ..fixtures::meta()
        };
        let mut csv = Csv::new(&mut out, meta, &[]).unwrap();
        csv.sample(None, &sample, tlvs).unwrap();
        csv.flush().unwrap();
        drop(csv);
        String::from_utf8(out).unwrap()
    };
    let with = table(true, Some(&tlvs));
    let lines: Vec<&str> = with.lines().collect();
    assert!(
        lines[0].ends_with(&format!(",tlvs,site,{}", TLV_FACTS.join(","))),
        "{with}"
    );
    let end = ",40,0,implausible,4200,cos direct_measurement,unchecked";
    assert!(lines[1].ends_with(end), "{with}");
    let without = table(true, None);
    assert!(
        without
            .lines()
            .nth(1)
            .unwrap()
            .ends_with(",40,0,implausible,,,"),
        "{without}"
    );
    assert!(
        table(false, None)
            .lines()
            .next()
            .unwrap()
            .ends_with(",fate,site")
    );
    let mut out = Vec::new();
    let mut lines = JsonLines::new(
        &mut out,
        Meta {
            has_tlvs: true,
            ..Meta::default()
        },
    );
    lines.sample(None, &sample, Some(&tlvs)).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(line["tos_backward"], 0);
    assert_eq!(line["tlvs"]["hmac"]["result"], "unchecked");
}

#[test]
fn each_target_s_own_label_comes_before_that_of_the_run_and_every_key_has_a_column() {
    let name = |number, labels: &[(&str, &str)]| SessionName {
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..SessionName::new(number, "ef")
    };
    let names = [name(1, &[("x", "1"), ("site", "fra")]), name(2, &[])];
    let label = Label {
        key: "x".into(),
        value: "2".into(),
    };
    let meta = || Meta {
        labels: vec![label.clone()],
        // Of a target that has no address yet.
        label_keys: vec!["late".into(), "site".into()],
        ..Meta::default()
    };
    let sample = fixtures::samples()[0];
    let (mut table, mut out) = (Vec::new(), Vec::new());
    let mut csv = Csv::new(&mut table, meta(), &names).unwrap();
    let mut lines = JsonLines::new(&mut out, meta());
    for name in &names {
        csv.sample(Some(name), &sample, None).unwrap();
        lines.sample(Some(name), &sample, None).unwrap();
    }
    csv.flush().unwrap();
    drop(csv);
    let table = String::from_utf8(table).unwrap();
    let ends = [
        "fate,session,x,late,site",
        "received,1,1,,fra",
        "received,2,2,,",
    ];
    for (line, end) in table.lines().zip(ends) {
        assert!(line.ends_with(end), "{table}");
    }
    let lines = out.split(|octet| *octet == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let labels = lines.map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        line["labels"].to_string()
    });
    let labels: Vec<String> = labels.collect();
    assert_eq!(labels, [r#"{"site":"fra","x":"1"}"#, r#"{"x":"2"}"#]);
}

#[test]
fn csv_without_a_packet_is_its_heading() {
    let mut out = Vec::new();
    Csv::new(&mut out, Meta::default(), &[])
        .unwrap()
        .report([].as_slice().into())
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("{}\n", COLUMNS.join(","))
    );
}

#[test]
fn a_label_does_not_duplicate_a_column() {
    for (line, fits) in [
        ("--output csv --label seq=1", false),
        ("--output csv --label a=1 --label session=2", false),
        ("--output csv --label a=1", true),
        ("--output json --label seq=1", true),
    ] {
        let args = SenderArgs::of(&format!("::1 {line}"));
        let told = labels_fit(&args.run.results, false).map_err(|failure| failure.to_string());
        assert_eq!(told.is_ok(), fits, "{told:?}");
    }
    for (line, key, fits) in [
        ("--output csv", "path", false),
        ("--output csv", "site", true),
        ("--output json", "path", true),
    ] {
        let args = SenderArgs::of(&format!("::1 {line}"));
        let told = keys_fit(&args.run.results, &[key.to_owned()]);
        assert_eq!(told.is_ok(), fits, "{line} {key}");
    }
}
