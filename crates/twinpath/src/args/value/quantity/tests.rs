use super::*;

fn ns<T: FromStr<Err = Advice>>(text: &str, get: impl Fn(T) -> Duration) -> Result<u128, String> {
    text.parse::<T>()
        .map(|t| get(t).as_nanos())
        .map_err(|e| e.to_string())
}

#[test]
fn a_bare_interval_is_milliseconds_and_a_bare_time_seconds() {
    for (text, interval, time) in [
        ("100", 100_000_000, 100_000_000_000),
        ("0.5", 500_000, 500_000_000),
        (".5", 500_000, 500_000_000),
        ("1.", 1_000_000, 1_000_000_000),
        ("0.001", 1_000, 1_000_000),
        ("100us", 100_000, 100_000),
        ("100µs", 100_000, 100_000),
        ("10ms", 10_000_000, 10_000_000),
        ("1s", 1_000_000_000, 1_000_000_000),
        ("1 s", 1_000_000_000, 1_000_000_000),
        ("1.5s", 1_500_000_000, 1_500_000_000),
        ("2min", 120_000_000_000, 120_000_000_000),
        ("1h", 3_600_000_000_000, 3_600_000_000_000),
        ("1d", 86_400_000_000_000, 86_400_000_000_000),
        ("0.5d", 43_200_000_000_000, 43_200_000_000_000),
        ("365d", 31_536_000_000_000_000, 31_536_000_000_000_000),
        ("1250ns", 1_250, 1_250),
    ] {
        assert_eq!(ns::<Interval>(text, |t| t.0), Ok(interval), "{text}");
        assert_eq!(ns::<Time>(text, |t| t.0), Ok(time), "{text}");
    }
    assert_eq!(ns::<Time>("0", |t| t.0), Ok(0));
    assert_eq!(ns::<Time>("250ns", |t| t.0), Ok(250));
}

#[test]
fn what_is_not_a_time_says_how_times_are_written() {
    for bad in [
        "", ".", "fast", "1,5", "1.2.3", "-x", "1e3", "1x", "ms", "0x10", "+1", "١",
    ] {
        let error = ns::<Interval>(bad, |t| t.0).unwrap_err();
        assert!(error.contains("100us, 10ms or 1s"), "{bad}: {error}");
        assert!(ns::<Time>(bad, |t| t.0).is_err(), "{bad}");
    }
    for (bad, part) in [
        ("0", "out of range: use 1us to 365d"),
        ("999ns", "out of range: use 1us to 365d"),
        ("0.0ms", "out of range: use 1us to 365d"),
        ("-5", "out of range: use 1us to 365d"),
        ("-.5s", "out of range: use 1us to 365d"),
        ("0.0000001", "finer"),
        ("0.0000000000000000001s", "finer"),
        ("9000h", "out of range: use 1us to 365d"),
        ("366d", "out of range: use 1us to 365d"),
        ("365.1d", "out of range: use 1us to 365d"),
        ("1D", "use 1d"),
        ("2 H", "use 2 h"),
        ("100MS", "use 100ms"),
        (" 10ms", "use 10ms"),
        ("10ms ", "use 10ms"),
        ("1week", "units: ns us ms s m h d"),
        (
            "99999999999999999999999999999999999999999999999",
            "out of range: use 1us to 365d",
        ),
    ] {
        let error = ns::<Interval>(bad, |t| t.0).unwrap_err();
        assert!(error.contains(part), "{bad}: {error}");
    }
}

#[test]
fn counts_paddings_and_ports_parse_or_say_what_to_write() {
    assert_eq!("100".parse(), Ok(Count(100)));
    for bad in ["0", "", "-1", "1.5", "+3", "1e6", "99999999999999999999"] {
        assert!(bad.parse::<Count>().is_err(), "{bad}");
    }
    for (text, part) in [
        (
            "18446744073709551616",
            "out of range: use 1 to 18446744073709551615",
        ),
        ("-5", "out of range: use 1 or more"),
        ("0", "out of range: use 1 or more"),
        (" 5", "not a whole number: use 1 or more"),
        ("1.5", "not a whole number: use 1 or more"),
    ] {
        let error = text.parse::<Count>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert_eq!("99999999999".parse(), Ok(Count(99_999_999_999)));
    for text in ["65536", "99999999999", "99999999999999999999999"] {
        let error = at_least_one::<u16>(text).unwrap_err().to_string();
        assert_eq!(error, "out of range: use 1 to 65535");
    }
    let error = at_least_one::<u32>("4294967296").unwrap_err().to_string();
    assert_eq!(error, "out of range: use 1 to 4294967295");
    assert_eq!("-1".parse(), Ok(PaddingSize::Imix));
    assert_eq!("27".parse(), Ok(PaddingSize::Octets(27)));
    assert_eq!("65513".parse(), Ok(PaddingSize::Octets(65_513)));
    for bad in ["-2", "65514", "", "imix", "1.0"] {
        let error = bad.parse::<PaddingSize>().unwrap_err().to_string();
        assert!(error.contains("-1 for IMIX"), "{bad}: {error}");
    }
    assert_eq!("27".parse(), Ok(ReplyPadding(27)));
    let error = "65514".parse::<ReplyPadding>().unwrap_err().to_string();
    assert!(
        error.ends_with("use 0 to 65513 octets (over IPv4 65493)"),
        "{error}"
    );
    assert!(
        "-1".parse::<ReplyPadding>()
            .unwrap_err()
            .to_string()
            .contains("chosen by the sender")
    );
    assert_eq!(
        "20000-20099".parse(),
        Ok(Ports {
            low: 20_000,
            high: 20_099
        })
    );
    assert_eq!(
        "20000".parse(),
        Ok(Ports {
            low: 20_000,
            high: 20_000
        })
    );
    for (bad, part) in [
        ("20099-20000", "use 20000-20099"),
        ("0-10", "port 0: out of range: use 1 to 65535"),
        ("a-b", "LO-HI"),
        ("1-70000", "port 70000: out of range: use 1 to 65535"),
        ("1:2", "LO-HI"),
        ("-", "LO-HI"),
    ] {
        let error = bad.parse::<Ports>().unwrap_err().to_string();
        assert!(error.contains(part), "{bad}: {error}");
    }
}
