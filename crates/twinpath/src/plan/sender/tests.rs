//! Command lines of `twinpath sender` and the plans that come of them.

use std::fmt::Write as _;
use std::io;

use twinpath_runtime::StampChoice;
use twinpath_wire::Tos;

use super::*;
use crate::args::SenderArgs;
use crate::plan::sessions;

fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found: &[&str] = match name {
        "both" => &["[2001:db8::1]:0", "192.0.2.1:0"],
        "fe80::1%eth0" => &["[fe80::1%7]:0"],
        "fe80::2%eth0" => &["[fe80::2%7]:0"],
        _ => return Err(io::Error::other("unknown")),
    };
    let mut found: Vec<SocketAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
    for address in &mut found {
        address.set_port(port);
    }
    Ok(found)
}

fn plan(line: &str) -> Result<SenderPlan, Failure> {
    first(&SenderArgs::of(line))
}

fn first(args: &SenderArgs) -> Result<SenderPlan, Failure> {
    let planned = sessions(args, &lookup, |_, _| {})?;
    Ok(planned.sessions.into_iter().next().unwrap().plan)
}

#[test]
fn a_bare_command_line_is_a_ten_second_run_as_users_know_it() {
    let plan = plan("192.0.2.1").unwrap();
    assert_eq!(plan.far, "192.0.2.1:20001".parse().unwrap());
    assert_eq!((plan.near, plan.port), (None, PortChoice::Prefer(20_000)));
    assert_eq!(plan.wire, Wire::TWAMP_LIGHT);
    assert_eq!(plan.limit, Limit::Count(100));
    assert_eq!(plan.schedule, Schedule::every(Duration::from_millis(100)));
    assert_eq!(plan.timeout, Duration::from_secs(2));
    assert_eq!((plan.payload, plan.padding), (PayloadSize::Fixed(41), 27));
    assert_eq!(plan.fill, Fill::Random);
    assert_eq!((plan.tos, plan.path.ttl), (Tos(0), 255));
    assert_eq!(
        (plan.path.dont_fragment, plan.path.interface),
        (false, None)
    );
    assert_eq!((plan.start_delay, plan.max_burst), (Duration::ZERO, 10));
    assert_eq!((plan.path.stamps, plan.spin), (StampChoice::Auto, false));
    assert!(!plan.path.portable && plan.records);
}

#[test]
fn a_key_goes_with_authenticated_stamp_alone() {
    const KEY: &str = "--hmac-key 00112233445566778899aabbccddeeff";
    let authenticated = plan(&format!("::1 --stamp --authenticated {KEY}")).unwrap();
    assert_eq!(authenticated.wire, Wire::stamp(0).authenticated());
    assert!(authenticated.guard.is_secured());
    assert_eq!(authenticated.payload, PayloadSize::Fixed(112));
    for line in ["::1", "::1 --stamp"] {
        let open = plan(line).unwrap();
        assert!(
            !open.wire.is_secured() && !open.guard.is_secured(),
            "{line}"
        );
    }
    for (line, said) in [
        (
            format!("::1 --authenticated {KEY}"),
            "--authenticated needs --stamp",
        ),
        (
            "::1 --stamp --authenticated".to_owned(),
            "--authenticated needs a key",
        ),
        (
            format!("::1 --stamp {KEY}"),
            "--hmac-key needs --authenticated",
        ),
        (
            "::1 --timestamp-format ptp".to_owned(),
            "--timestamp-format ptp needs --stamp",
        ),
        (format!("::1 {KEY}"), "--hmac-key needs --authenticated"),
        (
            "::1 --stamp --on-no-ssid stop".to_owned(),
            "--on-no-ssid stop needs --ssid",
        ),
    ] {
        let failure = plan(&line).unwrap_err().to_string();
        assert!(failure.starts_with(said), "{line}: {failure}");
    }
}

#[test]
fn every_option_reaches_the_plan() {
    let plan = plan(
        "both [2001:db8::2]:0 -6 --stamp --ssid 7 --duration 1 -i 0.5 --seed 7 --timeout 500ms \
         --padding 100 --fill random --dscp ef --ttl 9 --do-not-fragment --interface eth0 \
         --start-delay 1 --timestamps user --spin --max-burst 3 --portable -v --on-no-ssid stop",
    )
    .unwrap();
    assert!(plan.stop_without_ssid);
    assert_eq!(plan.far, "[2001:db8::1]:862".parse().unwrap());
    assert_eq!(plan.near, Some("2001:db8::2".parse().unwrap()));
    assert_eq!(plan.port, PortChoice::Exact(0));
    assert_eq!(plan.wire, Wire::stamp(7));
    assert_eq!(plan.limit, Limit::Duration(Duration::from_secs(1)));
    assert_eq!(plan.schedule, Schedule::every(Duration::from_micros(500)));
    assert_eq!(plan.seed, 7);
    assert_eq!(plan.timeout, Duration::from_millis(500));
    assert_eq!((plan.payload, plan.padding), (PayloadSize::Fixed(114), 100));
    assert_eq!(plan.fill, Fill::Random);
    assert_eq!((plan.tos, plan.path.ttl), (Tos(184), 9));
    assert!(plan.path.dont_fragment && plan.spin && plan.path.portable && plan.records);
    assert_eq!(plan.path.interface.as_deref(), Some("eth0"));
    assert_eq!(
        (plan.start_delay, plan.max_burst),
        (Duration::from_secs(1), 3)
    );
    assert_eq!(plan.path.stamps, StampChoice::User);
}

#[test]
fn a_schedule_has_its_own_times_or_those_of_the_interval() {
    let ms = Duration::from_millis;
    for (options, schedule, max_burst) in [
        ("-i 20 --schedule periodic", Schedule::every(ms(20)), 10),
        (
            "--schedule poisson",
            Schedule::Poisson { mean: ms(100) },
            10,
        ),
        (
            "-i 1s --schedule poisson",
            Schedule::Poisson { mean: ms(1_000) },
            10,
        ),
        (
            "--schedule uniform:5ms-20ms",
            Schedule::Uniform {
                least: ms(5),
                most: ms(20),
            },
            10,
        ),
        (
            "--schedule bursts:1000/10ms",
            Schedule::Bursts {
                packets: 1_000,
                gap: ms(10),
            },
            500,
        ),
    ] {
        let plan = plan(&format!("192.0.2.1 {options}")).unwrap();
        assert_eq!(
            (plan.schedule, plan.max_burst),
            (schedule, max_burst),
            "{options}"
        );
    }
    for pattern in ["uniform:5ms-20ms", "bursts:10/1s"] {
        let error = plan(&format!("192.0.2.1 -i 10 --schedule {pattern}")).unwrap_err();
        assert!(
            error.to_string().contains("leave out --interval"),
            "{error}"
        );
    }
    // A million packets a second, whatever their pattern.
    let dense = plan("192.0.2.1 --schedule bursts:1000/1ms --timeout 1h -c 9000000").unwrap_err();
    assert!(dense.to_string().contains("under way"), "{dense}");
}

#[test]
fn default_seeds_are_short_and_differ() {
    let seed = || plan("192.0.2.1").unwrap().seed;
    let seeds: [u64; 3] = std::array::from_fn(|_| seed());
    assert!(
        seeds.iter().all(|seed| u32::try_from(*seed).is_ok()),
        "{seeds:?}"
    );
    assert!(seeds[0] != seeds[1] || seeds[1] != seeds[2], "{seeds:?}");
}

#[test]
fn ends_choose_families_ports_and_zones() {
    for (line, far, near, port) in [
        (
            "both",
            "[2001:db8::1]:20001",
            None,
            PortChoice::Prefer(20_000),
        ),
        (
            "both -4",
            "192.0.2.1:20001",
            None,
            PortChoice::Prefer(20_000),
        ),
        (
            "both 192.0.2.9",
            "192.0.2.1:20001",
            Some("192.0.2.9"),
            PortChoice::Prefer(20_000),
        ),
        (
            "both 0.0.0.0",
            "192.0.2.1:20001",
            None,
            PortChoice::Prefer(20_000),
        ),
        ("::1 :5000", "[::1]:20001", None, PortChoice::Exact(5000)),
        (
            "::1 --ports 5-9",
            "[::1]:20001",
            None,
            PortChoice::Range(5, 9),
        ),
        ("::1 --stamp", "[::1]:862", None, PortChoice::Prefer(20_000)),
        (
            "[::1]:5 --stamp",
            "[::1]:5",
            None,
            PortChoice::Prefer(20_000),
        ),
        (
            "fe80::1%eth0",
            "[fe80::1%7]:20001",
            None,
            PortChoice::Prefer(20_000),
        ),
        (
            "fe80::1%3",
            "[fe80::1%3]:20001",
            None,
            PortChoice::Prefer(20_000),
        ),
        (
            "fe80::1 --interface eth0",
            "[fe80::1%7]:20001",
            None,
            PortChoice::Prefer(20_000),
        ),
        (
            "fe80::1 fe80::2%eth0",
            "[fe80::1%7]:20001",
            Some("fe80::2"),
            PortChoice::Prefer(20_000),
        ),
    ] {
        let plan = plan(line).unwrap_or_else(|failure| panic!("{line}: {failure}"));
        assert_eq!(plan.far, far.parse().unwrap(), "{line}");
        assert_eq!(plan.near, near.map(|near| near.parse().unwrap()), "{line}");
        assert_eq!(plan.port, port, "{line}");
    }
}

#[test]
fn imix_frames_have_their_sizes_in_either_family_and_never_less_than_a_header() {
    for (line, sizes) in [
        ("192.0.2.1 --padding -1", [22, 548, 1472]),
        ("::1 --padding -1", [14, 528, 1452]),
        ("192.0.2.1 --padding=-1 --stamp", [44, 548, 1472]),
    ] {
        let plan = plan(line).unwrap();
        assert_eq!(
            (plan.payload, plan.padding),
            (PayloadSize::Imix(sizes), -1),
            "{line}"
        );
    }
}

#[test]
fn stamp_packets_have_a_whole_header_and_a_whole_tlv_or_none() {
    for (padding, octets) in [
        (0, 44),
        (27, 44),
        (30, 44),
        (31, 48),
        (33, 48),
        (34, 48),
        (35, 49),
    ] {
        let plan = plan(&format!("::1 --stamp --padding {padding}")).unwrap();
        assert_eq!(plan.payload, PayloadSize::Fixed(octets), "{padding}");
    }
    let plan = plan("::1 --stamp --padding -1").unwrap();
    assert_eq!(plan.payload, PayloadSize::Imix([44, 528, 1452]));
}

#[test]
fn records_are_made_of_every_run() {
    for line in ["::1", "::1 --json", "::1 -v", "::1 --output csv"] {
        assert!(plan(line).unwrap().records, "{line}");
    }
}

#[test]
fn rows_of_intervals_go_where_there_is_a_place_for_them() {
    for line in ["::1", "::1 --json", "::1 --output jsonl"] {
        assert!(
            plan(&format!("{line} --report-interval 10s")).is_ok(),
            "{line}"
        );
    }
    assert!(plan("::1 --report-interval 1 --output csv").is_err());
}

#[test]
fn contradictory_arguments_are_answered_in_one_line() {
    let mut table = String::new();
    for line in [
        "::1 127.0.0.1",
        "both fe80::2%eth0 -4",
        "gone",
        "::1 -4",
        "fe80::1",
        "fe80::1%eth9",
        "0.0.0.0",
        "ff02::1%3",
        "255.255.255.255",
        "::1 --ssid 5",
        "::1 :5 --ports 5-9",
        "::1 --timeout 3600 -i 10us -c 999999999",
        "192.0.2.1 --padding 65494",
        "::1 --label a=1 --label b=2 --label a=3",
    ] {
        let failure = plan(line).expect_err(line);
        writeln!(
            table,
            "sender {line}\n  {} {failure}",
            failure.exit.status()
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
    assert!(plan("192.0.2.1 --padding 65493").is_ok());
    assert!(plan("::1 --padding 65513").is_ok());
    assert!(plan("::1 --timeout 3600 -i 10us -c 1000").is_ok());
}

#[test]
fn a_filling_without_padding_is_remarked_on_with_the_least_that_is_filled() {
    let of = |line: &str| {
        let args = SenderArgs::of(line);
        unfilled(&args.session.packet, &first(&args).unwrap())
    };
    for (line, least) in [
        ("::1 --fill zero --padding 0", 1),
        ("::1 --fill random --padding 0", 1),
        ("::1 --fill zero --stamp", 35),
        ("::1 --fill zero --stamp --padding 34", 35),
    ] {
        let said = of(line).expect(line);
        let use_at_least = format!("use --padding {least} or more");
        assert!(said.contains(&use_at_least), "{line}: {said}");
    }
    for line in [
        "::1 --padding 0",
        "::1 --fill zero",
        "::1 --fill zero --padding 1",
        "::1 --fill zero --padding -1",
        "::1 --stamp",
        "::1 --fill zero --stamp --padding 35",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
}

#[test]
fn classes_are_sessions_in_the_order_given() {
    let of = |line: &str| {
        let args = SenderArgs::of(&format!("::1 {line}"));
        let marking = &args.session.marking;
        classes(marking.tos, &marking.dscp).map(|classes| {
            let octets = classes.iter().map(|tos| tos.0);
            octets.collect::<Vec<_>>()
        })
    };
    assert_eq!(of("").unwrap(), [0]);
    assert_eq!(of("--dscp ef,be,af41").unwrap(), [184, 0, 136]);
    assert_eq!(of("--dscp be --dscp be").unwrap(), [0, 0]);
    assert_eq!(of("--tos 3").unwrap(), [3]);
    let many = vec!["be"; 65].join(",");
    let failure = of(&format!("--dscp {many}")).unwrap_err();
    assert!(failure.to_string().contains("use at most 64"), "{failure}");
}
