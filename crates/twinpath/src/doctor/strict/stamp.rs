//! STAMP's base packet, unauthenticated (RFC 8762 section 4, RFC 8972 section 3).

use super::datagrams::{Datagrams, Gate, open};
use super::form::{Form, Maker, SSID, put};
use super::heard::{Heard, same_length};
use super::{Outcome, Part, Trial, Trials, plain};

/// Replies to what is shorter than the base packet: as TWAMP Light, or as STAMP.
const LIGHT_REPLY: usize = 41;
/// SSIDs of one flow, in this order.
const SSIDS: [u16; 6] = [1, 1, 2, 0xffff, 1, 0x8000];

pub(super) static PART: Part = Part {
    name: "STAMP",
    trials: Trials::Datagrams(
        Gate {
            form: Form::Stamp,
            subject: |subjects, _| subjects.stamp.ok_or("STAMP is not answered"),
            closed: open,
        },
        TRIALS,
    ),
};

static TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.stamp.short",
        rfc: 8762,
        section: "4.6",
        sends: "requests of 14, 20, 41 and 43 octets, shorter than the base packet",
        how: Datagrams {
            packets: |maker| [14, 20, 41, 43].map(|octets| cut(maker, octets)).to_vec(),
            judge: base_reply,
        },
    },
    Trial {
        id: "strict.stamp.mbz",
        rfc: 8762,
        section: "4.2.1",
        sends: "a base packet whose MBZ octets are not zero",
        how: Datagrams {
            packets: |maker| {
                let filled = |number| maker.changed(number, |packet| put(packet, 16, &[0xb7; 28]));
                [70, 71].map(filled).to_vec()
            },
            judge: |heard| heard.each(same_length),
        },
    },
    Trial {
        id: "strict.stamp.ssid",
        rfc: 8972,
        section: "3",
        sends: "the SSIDs 1, 2, 0xffff and 0x8000 by turns from one port",
        how: Datagrams {
            packets: ssids,
            judge: same_ssid,
        },
    },
    Trial {
        id: "strict.stamp.ssid-sessions",
        rfc: 8972,
        section: "3",
        sends: "the SSIDs 1, 2, 0xffff and 0x8000 by turns: each is a session of its own",
        how: Datagrams {
            packets: ssids,
            judge: own_numbers,
        },
    },
    Trial {
        id: "strict.stamp.beyond",
        rfc: 8762,
        section: "4.3",
        sends: "base packets with 1, 2, 3 and 4 octets of zeros behind them",
        how: Datagrams {
            packets: |maker| {
                let with = |octets: u32| {
                    let mut packet = maker.base(80 + octets);
                    packet.extend((0..octets).map(|_| 0));
                    packet
                };
                (1..=4).map(with).collect()
            },
            judge: |heard| heard.each(same_length),
        },
    },
    Trial {
        id: "strict.stamp.number-wrap",
        rfc: 8762,
        section: "4.3.1",
        sends: "Sequence Numbers 2^32 - 2, 2^32 - 1, 0 and 1",
        how: Datagrams {
            packets: plain::wrapped_numbers,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.stamp.copies",
        rfc: 8762,
        section: "4.3",
        sends: "the same packet three times",
        how: Datagrams {
            packets: plain::copies,
            judge: plain::each_copy_is_answered,
        },
    },
    Trial {
        id: "strict.stamp.time",
        rfc: 8762,
        section: "4.3.1",
        sends: "a Timestamp of zeros, one of ones, and the year 2076",
        how: Datagrams {
            packets: plain::odd_times,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.stamp.multiplier",
        rfc: 4656,
        section: "4.1.2",
        sends: "Error Estimates with a Multiplier of 0",
        how: Datagrams {
            packets: plain::zero_multiplier,
            judge: plain::discarded_or_answered,
        },
    },
    Trial {
        id: "strict.stamp.error-bits",
        rfc: 8762,
        section: "4.3.1",
        sends: "S and Z bits in each combination, with times in the format that Z names",
        how: Datagrams {
            packets: plain::error_bits,
            judge: plain::own_format,
        },
    },
    Trial {
        id: "strict.stamp.reply-multiplier",
        rfc: 4656,
        section: "4.1.2",
        sends: "two packets; the replies' own Multiplier must not be 0",
        how: Datagrams {
            packets: plain::two,
            judge: plain::own_multiplier,
        },
    },
    Trial {
        id: "strict.stamp.reply-zeros",
        rfc: 8762,
        section: "4.3.1",
        sends: "two packets; the replies' MBZ octets must be zero",
        how: Datagrams {
            packets: plain::two,
            judge: plain::zeros,
        },
    },
    Trial {
        id: "strict.stamp.loop",
        rfc: 8762,
        section: "4.3",
        sends: "a reply in place of a request",
        how: Datagrams {
            packets: plain::reply_as_request,
            judge: plain::no_loop,
        },
    },
    Trial {
        id: "strict.stamp.unproven",
        rfc: 8762,
        section: "4.4",
        sends: "authenticated packets with HMACs of zeros and of ones",
        how: Datagrams {
            packets: |maker| {
                let maker = Maker {
                    form: Form::Authenticated,
                    key: None,
                    ..maker.clone()
                };
                let with = |(number, octet)| {
                    let mut packet = maker.unsealed(number);
                    put(&mut packet, 96, &[octet; 16]);
                    packet
                };
                [(90, 0), (91, 0xff)].map(with).to_vec()
            },
            judge: unproven,
        },
    },
];

/// The beginning of a base packet.
fn cut(maker: &Maker, octets: usize) -> Vec<u8> {
    let number = u32::try_from(octets).unwrap_or(0);
    let mut packet = maker.plain(number);
    packet.truncate(octets);
    packet
}

fn base_reply(heard: &Heard<'_>) -> Outcome {
    heard.each(|request, reply| {
        let back = reply.octets.len();
        if (LIGHT_REPLY..=heard.layout.base).contains(&back) {
            return Ok(());
        }
        Err(Outcome::fail(format!(
            "the reply to {} octets has {back}, and a base packet {}",
            request.len(),
            heard.layout.base
        )))
    })
}

fn ssids(maker: &Maker) -> Vec<Vec<u8>> {
    let at = maker.form.layout().ssid;
    let each = (100..).zip(SSIDS);
    each.map(|(number, ssid)| maker.changed(number, |packet| put(packet, at, &ssid.to_be_bytes())))
        .collect()
}

fn same_ssid(heard: &Heard<'_>) -> Outcome {
    let at = heard.layout.ssid;
    heard.each(|request, reply| {
        let (sent, back) = (u16_at(request, at), u16_at(&reply.octets, at));
        if sent == back {
            return Ok(());
        }
        let shown = |ssid: Option<u16>| ssid.map_or("nothing".to_owned(), |ssid| ssid.to_string());
        Err(Outcome::fail(format!(
            "the SSID {} comes back as {}",
            shown(sent),
            shown(back)
        )))
    })
}

/// A reflector that numbers its replies begins at 0 with each session; one without state copies the number.
fn own_numbers(heard: &Heard<'_>) -> Outcome {
    let at = heard.layout.ssid;
    heard.each(|request, reply| {
        let before = heard.requests.iter().take_while(|known| *known != request);
        let ssid = u16_at(request, at);
        let earlier = before.filter(|known| u16_at(known, at) == ssid).count();
        let number = u32_at(&reply.octets, 0);
        let is_counted = number.is_some_and(|number| number as usize == earlier);
        if is_counted || number == u32_at(request, 0) {
            return Ok(());
        }
        Err(Outcome::unclear(format!(
            "the reply to packet {} with the SSID {} has the Sequence Number {}: sessions of one port share their numbers",
            earlier + 1,
            ssid.unwrap_or(SSID),
            number.unwrap_or(0)
        )))
    })
}

/// A reply in the authenticated form says that the HMAC was not verified. Without a key the far end may take
/// the packet for one without HMAC.
fn unproven(heard: &Heard<'_>) -> Outcome {
    let authenticated = Heard {
        layout: Form::Authenticated.layout(),
        ..*heard
    };
    let mut requests = heard.requests.iter();
    if requests.any(|request| authenticated.replies_to(request).next().is_some()) {
        return Outcome::fail("answered in the authenticated form: the HMAC is not verified");
    }
    if heard.replies.is_empty() {
        Outcome::pass("no answer").by_silence()
    } else {
        Outcome::unclear(
            "answered in the unauthenticated form: it has no authenticated session here",
        )
    }
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    let field = packet.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*field))
}

fn u32_at(packet: &[u8], at: usize) -> Option<u32> {
    let field = packet.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*field))
}
