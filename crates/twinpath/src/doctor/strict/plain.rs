//! What several forms of test packets are tried with: numbers, times, Error Estimates, copies.

use std::time::Duration;

use twinpath_runtime::probe::Reply;
use twinpath_wire::{ErrorEstimate, TimeFormat, Wall, WireTime};

use super::Outcome;
use super::form::{Form, Layout, Maker, put};
use super::heard::Heard;

/// TAI - UTC in seconds, since 2017.
const TAI_OFFSET_S: i32 = 37;

/// Copies of a packet.
const COPIES: usize = 3;

/// Around 2^32 - 1.
pub(super) fn wrapped_numbers(maker: &Maker) -> Vec<Vec<u8>> {
    [u32::MAX - 1, u32::MAX, 0, 1]
        .map(|number| maker.plain(number))
        .to_vec()
}

/// Forward, back, and far ahead.
pub(super) fn unordered_numbers(maker: &Maker) -> Vec<Vec<u8>> {
    [7, 5, 6, 1_000_000, 8]
        .map(|number| maker.plain(number))
        .to_vec()
}

/// Each is answered, whatever it says.
pub(super) fn each_is_answered(heard: &Heard<'_>) -> Outcome {
    heard.each(|_, _| Ok(()))
}

pub(super) fn copies(maker: &Maker) -> Vec<Vec<u8>> {
    vec![maker.plain(10); COPIES]
}

/// As many replies as copies. A path can make more of them.
pub(super) fn each_copy_is_answered(heard: &Heard<'_>) -> Outcome {
    let Some(request) = heard.requests.first() else {
        return Outcome::unclear("nothing was sent");
    };
    match heard.replies_to(request).count() {
        replies if replies >= heard.requests.len() => Outcome::pass(format!(
            "{replies} replies to {} copies",
            heard.requests.len()
        )),
        replies => Outcome::fail(format!(
            "{replies} replies to {} copies",
            heard.requests.len()
        ))
        .by_silence(),
    }
}

/// T1 of all zeros, of all ones, and of the year 2076.
pub(super) fn odd_times(maker: &Maker) -> Vec<Vec<u8>> {
    let later = Wall::from_unix_ns(3_345_000_000_000_000_000);
    let times = [
        WireTime::from_bits(0),
        WireTime::from_bits(u64::MAX),
        WireTime::ntp(later),
    ];
    let numbers = 20..;
    let each = numbers.zip(times);
    each.map(|(number, time)| with_time(maker, number, time))
        .collect()
}

fn with_time(maker: &Maker, number: u32, time: WireTime) -> Vec<u8> {
    let at = maker.form.layout().t1;
    maker.changed(number, |packet| put(packet, at, &time.bits().to_be_bytes()))
}

fn with_error(maker: &Maker, number: u32, error: u16) -> Vec<u8> {
    let at = maker.form.layout().error;
    maker.changed(number, |packet| put(packet, at, &error.to_be_bytes()))
}

/// A Multiplier of 0.
pub(super) fn zero_multiplier(maker: &Maker) -> Vec<Vec<u8>> {
    vec![with_error(maker, 30, 0), with_error(maker, 31, 0x8000)]
}

/// It may be discarded. If it is answered, then with what it said.
pub(super) fn discarded_or_answered(heard: &Heard<'_>) -> Outcome {
    if heard.replies.is_empty() {
        return Outcome::pass("discarded as corrupt").by_silence();
    }
    heard.each(|_, _| Ok(()))
}

/// S and Z in each combination, with T1 in the format that Z names.
pub(super) fn error_bits(maker: &Maker) -> Vec<Vec<u8>> {
    let at = maker.form.layout().t1;
    let combinations = [
        (false, TimeFormat::Ntp),
        (true, TimeFormat::Ntp),
        (false, TimeFormat::Ptp),
        (true, TimeFormat::Ptp),
    ];
    let each = (40..).zip(combinations);
    each.map(|(number, (is_synchronized, format))| {
        let error = ErrorEstimate::new(is_synchronized, format, Duration::from_millis(1));
        let time = WireTime::write(maker.now, format, TAI_OFFSET_S);
        let error_at = maker.form.layout().error;
        maker.changed(number, |packet| {
            put(packet, at, &time.bits().to_be_bytes());
            put(packet, error_at, &error.bits().to_be_bytes());
        })
    })
    .collect()
}

/// The reply's own Z bit names the format of its own times, whatever the request's says.
pub(super) fn own_format(heard: &Heard<'_>) -> Outcome {
    let layout = heard.layout;
    heard.each(|_, reply| {
        let Some((error, times)) = error_and_times(layout, reply) else {
            return Err(Outcome::fail("the reply ends before its times"));
        };
        let read = WireTime::read_reply(times, error.format(), reply.at.at, TAI_OFFSET_S);
        if read.z_wrong {
            return Err(Outcome::fail(
                "the reply's Z bit names another format than its times have",
            ));
        }
        Ok(())
    })
}

/// The reply's Multiplier is not 0.
pub(super) fn own_multiplier(heard: &Heard<'_>) -> Outcome {
    let layout = heard.layout;
    heard.each(|_, reply| match error_and_times(layout, reply) {
        Some((error, _)) if error.multiplier() != 0 => Ok(()),
        Some(_) => Err(Outcome::fail("the reply's Multiplier is 0")),
        None => Err(Outcome::fail("the reply ends before its times")),
    })
}

fn error_and_times(layout: Layout, reply: &Reply) -> Option<(ErrorEstimate, [WireTime; 2])> {
    let field = |at: usize| {
        let octets = reply.octets.get(at..)?.first_chunk()?;
        Some(WireTime::from_bits(u64::from_be_bytes(*octets)))
    };
    let error = reply.octets.get(layout.error..)?.first_chunk()?;
    let error = ErrorEstimate::from_bits(u16::from_be_bytes(*error));
    // T3 is where a request has T1.
    Some((error, [field(layout.t2)?, field(layout.t1)?]))
}

/// Two plain packets.
pub(super) fn two(maker: &Maker) -> Vec<Vec<u8>> {
    [50, 51].map(|number| maker.plain(number)).to_vec()
}

/// What must be zero in replies is.
pub(super) fn zeros(heard: &Heard<'_>) -> Outcome {
    let layout = heard.layout;
    heard.each(|_, reply| {
        for (at, octets) in layout.reply_zeros {
            let field = reply.octets.get(*at..at + octets).unwrap_or_default();
            if field.iter().any(|octet| *octet != 0) {
                return Err(Outcome::fail(format!(
                    "octets {at} to {} of the reply must be zero and are {}",
                    at + octets - 1,
                    super::heard::hex(field)
                )));
            }
        }
        Ok(())
    })
}

/// What the far end itself could have sent as a reply, T3 shortly after T2.
pub(super) fn reply_as_request(maker: &Maker) -> Vec<Vec<u8>> {
    let layout = maker.form.layout();
    let time = maker.time().bits();
    let mut reply = vec![0; layout.base];
    for (at, field) in [(layout.t2, time), (layout.t1, time + 100_000)] {
        put(&mut reply, at, &field.to_be_bytes());
    }
    put(&mut reply, 0, &60_u32.to_be_bytes());
    put(&mut reply, layout.sender_number, &61_u32.to_be_bytes());
    let sent = time - 20_000_000;
    put(&mut reply, layout.sender_t1, &sent.to_be_bytes());
    for at in [layout.error, layout.sender_error] {
        put(&mut reply, at, &0x8d01_u16.to_be_bytes());
    }
    if maker.form == Form::Authenticated {
        put(&mut reply, 80, &[64]);
    } else {
        put(&mut reply, 40, &[64]);
    }
    maker.seal(&mut reply);
    vec![reply]
}

/// No RFC forbids an answer in so many words.
pub(super) fn no_loop(heard: &Heard<'_>) -> Outcome {
    if heard.replies.is_empty() {
        return Outcome::pass("no answer").by_silence();
    }
    Outcome::unclear(
        "a reply is answered as if it was a request: with a forged source address two reflectors would answer each other without end",
    )
}
