//! Which sizes pass, on paths whose links differ.

use super::super::fakes::Link;
use super::*;

/// What `id` says where packets pass so.
fn said(link: Link, id: &str) -> Judged {
    said_of(
        FakeFar {
            link,
            ..FakeFar::honest()
        },
        id,
    )
}

fn said_of(far: FakeFar, id: &str) -> Judged {
    let (checks, _) = examined(far, None);
    let found = checks.into_iter().find(|checked| checked.id == id);
    found.unwrap().judged
}

/// A path whose links all have this MTU.
fn even(mtu: usize) -> Link {
    Link {
        interface: mtu,
        out: mtu,
        back: mtu,
        ..Link::USUAL
    }
}

/// One whose way out is narrower, and says so.
fn narrow(out: usize) -> Link {
    Link { out, ..Link::USUAL }
}

/// One that drops what is too large, without a word.
fn silent(interface: usize, out: usize, back: usize) -> Link {
    Link {
        out,
        back,
        is_reported: false,
        fragments_back: false,
        ..even(interface)
    }
}

#[test]
fn the_limit_of_each_way_is_found_to_the_octet() {
    let fragments = Link {
        back: 1_333,
        ..Link::USUAL
    };
    let (interface, most) = ("this host's interface", "the largest tried");
    let (told, vanish) = ("198.51.100.254 says so", "larger ones vanish");
    let (more, lost) = (
        "or more on the way back",
        "on the way back (larger ones are lost)",
    );
    let come = "on the way back (larger ones come in fragments)";
    for (link, status, out, why, back, what) in [
        (even(1_500), Status::Ok, 1_500, interface, 1_500, more),
        (even(9_000), Status::Ok, 9_000, interface, 9_000, more),
        (even(65_536), Status::Ok, 9_216, most, 9_216, more),
        (narrow(1_400), Status::Ok, 1_400, told, 1_400, more),
        (narrow(1_337), Status::Ok, 1_337, told, 1_337, more),
        (
            silent(1_500, 1_337, 1_500),
            Status::Warn,
            1_337,
            vanish,
            1_337,
            more,
        ),
        (
            silent(9_000, 2_345, 9_000),
            Status::Warn,
            2_345,
            vanish,
            2_345,
            more,
        ),
        (fragments, Status::Warn, 1_500, interface, 1_333, come),
        (
            silent(1_500, 1_500, 1_333),
            Status::Warn,
            1_500,
            interface,
            1_333,
            lost,
        ),
        (
            silent(1_500, 1_444, 1_301),
            Status::Warn,
            1_444,
            vanish,
            1_301,
            lost,
        ),
    ] {
        let judged = said(link, "path.mtu");
        assert_eq!(judged.status, status, "{link:?} {judged:?}");
        let finding = format!(
            "the largest unfragmented packet has {out} octets on the way out ({why}), and {back} {what}"
        );
        assert_eq!(judged.finding, finding, "{link:?}");
    }
}

#[test]
fn a_reflector_that_does_not_count_leaves_the_way_of_a_loss_open() {
    let link = Link {
        out: 1_400,
        is_reported: false,
        ..Link::USUAL
    };
    let stateless = || FakeFar {
        link,
        ..FakeFar::changing(|_, reply| reply.copy_within(24..28, 0))
    };
    let finding = said_of(stateless(), "path.mtu").finding;
    assert!(
        finding.contains("1400 octets on the way out (larger ones or their replies vanish)"),
        "{finding}"
    );
}

#[test]
fn replies_that_are_truncated_say_nothing_of_the_way_back() {
    let far = FakeFar::changing(|_, reply| reply.truncate(44));
    let finding = said_of(far, "path.mtu").finding;
    assert!(
        finding.ends_with("; replies are shorter, so the way back is unknown"),
        "{finding}"
    );
}

#[test]
fn losses_leave_open_what_passes() {
    // One of three: chance is as good a reason as a limit.
    let far = FakeFar {
        link: Link {
            out: 1_400,
            is_reported: false,
            ..Link::USUAL
        },
        ..errors::losing(|number| number % 3 == 1)
    };
    let judged = said_of(far, "path.mtu");
    assert_eq!(judged.status, Status::Unknown, "{judged:?}");
}

#[test]
fn packets_in_fragments_are_answered_or_filtered() {
    let filtered = Link {
        fragments_out: false,
        ..Link::USUAL
    };
    let narrow = Link {
        out: 1_400,
        back: 1_400,
        ..Link::USUAL
    };
    for (link, status, finding) in [
        (
            Link::USUAL,
            Status::Ok,
            "packets of 2100 octets in fragments are answered",
        ),
        (
            narrow,
            Status::Ok,
            "packets of 2001 octets in fragments are answered; replies of 2001 come in fragments",
        ),
        (
            filtered,
            Status::Warn,
            "packets of 2100 octets in fragments are not answered",
        ),
        // A fragment is as large as the interface allows.
        (
            Link {
                out: 1_400,
                is_reported: false,
                ..filtered
            },
            Status::Unknown,
            "a fragment may be larger than what passes",
        ),
    ] {
        let judged = said(link, "path.fragments");
        assert_eq!(judged.status, status, "{judged:?}");
        assert!(judged.finding.contains(finding), "{judged:?}");
    }
}

#[test]
fn padding_that_comes_back_is_told_from_zeros_and_from_the_reflectors_own() {
    type Pads = fn(&[u8], &mut [u8]);
    let cases: [(Pads, &str, &str); 5] = [
        (
            |request, padding| padding.copy_from_slice(&request[14..14 + padding.len()]),
            "copied",
            "the padding of their requests",
        ),
        // The buffer of the request with another header.
        (
            |request, padding| padding.copy_from_slice(&request[41..]),
            "copied",
            "the padding of their requests",
        ),
        // STAMP without extensions: its base packet ends with three octets that must be zero.
        (
            |request, padding| {
                padding.copy_from_slice(&request[41..]);
                padding[..3].fill(0);
            },
            "copied",
            "the padding of their requests",
        ),
        (|_, padding| padding.fill(0), "zero", "padded with zeros"),
        (
            |_, padding| padding.fill(0xa7),
            "own",
            "padding of their own",
        ),
    ];
    for (pads, name, said) in cases {
        // TWAMP Light: it returns no Session Identifier.
        let far = FakeFar::changing(move |request, reply| {
            reply[14..16].fill(0);
            if request.len() > 41 && reply.len() == request.len() {
                pads(request, &mut reply[41..]);
            }
        });
        let found = said_of(far, "test.padding");
        assert_eq!(found.status, Status::Ok, "{found:?}");
        assert_eq!(found.data["padding"], name, "{found:?}");
        assert!(found.finding.contains(said), "{found:?}");
    }
    // What ends before it, and STAMP, whose padding is a TLV.
    let short = FakeFar::changing(|_, reply| {
        reply[14..16].fill(0);
        reply.truncate(41);
    });
    let base_of_stamp = FakeFar::changing(|_, reply| {
        reply[14..16].fill(0);
        reply.resize(44, 0);
        reply[41..].fill(0);
    });
    for far in [short, base_of_stamp, FakeFar::honest()] {
        assert_eq!(said_of(far, "test.padding").status, Status::Skipped);
    }
}
