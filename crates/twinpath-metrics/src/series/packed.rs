//! Records in few octets each: while a session has few packets, they take less than what is counted of
//! them.

use std::{iter, slice};

use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use super::session_series::Record;

/// Numbers that a sample is made of.
const WORDS: usize = 15;
/// Octets of a sample at most: which numbers changed, and ten for each.
const MOST_OCTETS: usize = 2 + 10 * WORDS;

type Words = [i64; WORDS];

/// Records in their order, each as it was. Of a sample, only the numbers are kept that differ from those
/// of the one before, and these as differences, most of which are small.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackedRecords {
    samples: Vec<u8>,
    count: usize,
    last: Words,
    /// All others, which are rare, and how many samples came before each.
    others: Vec<(usize, Record)>,
}

impl PackedRecords {
    pub(crate) fn push(&mut self, record: &Record) {
        if let Record::Sample(sample) = record {
            self.push_sample(sample);
        } else {
            self.others.push((self.count, *record));
        }
    }

    fn push_sample(&mut self, sample: &Sample) {
        let words = words(sample);
        let mut packed = [0; MOST_OCTETS];
        let (head, free) = packed.split_at_mut(2);
        let mut free = free.iter_mut();
        let mut changed = 0_u16;
        for ((bit, word), last) in (0..).zip(words).zip(self.last) {
            if word != last {
                changed |= 1 << bit;
                put(&mut free, word.wrapping_sub(last));
            }
        }
        head.copy_from_slice(&changed.to_le_bytes());
        let octets = MOST_OCTETS - free.len();
        let packed = packed.get(..octets).unwrap_or_default();
        if self.samples.capacity() - self.samples.len() < octets {
            // Doubled, as vectors are, they would take twice what they need.
            let more = MOST_OCTETS.max(self.samples.len() / 4);
            self.samples.reserve_exact(more);
        }
        self.samples.extend_from_slice(packed);
        self.count += 1;
        self.last = words;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Record> + '_ {
        let mut others = self.others.iter().peekable();
        let mut samples = self.samples();
        let mut count = 0;
        iter::from_fn(move || {
            if let Some((_, other)) = others.next_if(|(before, _)| *before == count) {
                return Some(*other);
            }
            count += 1;
            samples.next().map(Record::Sample)
        })
    }

    fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        let mut octets = self.samples.iter().copied();
        let mut words: Words = [0; WORDS];
        iter::from_fn(move || {
            let changed = u16::from_le_bytes([octets.next()?, octets.next()?]);
            for (bit, word) in (0..).zip(&mut words) {
                if changed & 1 << bit != 0 {
                    *word = word.wrapping_add(take(&mut octets)?);
                }
            }
            sample(words)
        })
    }

    /// Octets of all.
    pub(crate) fn octets(&self) -> usize {
        self.samples.len() + size_of_val(&*self.others)
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.samples.capacity() + self.others.capacity() * size_of::<(usize, Record)>()
    }
}

/// Seven bits an octet, the least first; the sign is the least of all.
fn put(to: &mut slice::IterMut<'_, u8>, number: i64) {
    let mut bits = ((number << 1) ^ (number >> 63)).cast_unsigned();
    for octet in to {
        let [least, ..] = bits.to_le_bytes();
        bits >>= 7;
        *octet = least & 0x7f | u8::from(bits > 0) << 7;
        if bits == 0 {
            break;
        }
    }
}

fn take(octets: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let mut bits = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let octet = octets.next()?;
        bits |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            break;
        }
    }
    Some((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
}

const RUNGS: [Rung; 4] = [Rung::Hardware, Rung::Kernel, Rung::Queue, Rung::User];
const EXCLUSIONS: [Exclusion; 2] = [Exclusion::ClockStep, Exclusion::Implausible];

fn words(sample: &Sample) -> Words {
    let t1 = sample.t1.at.unix_ns();
    let t2 = sample.t2.map_or(t1, Wall::unix_ns);
    let t3 = sample.t3.map_or(t2, Wall::unix_ns);
    let t4 = sample.t4.map_or(t3, |t4| t4.at.unix_ns());
    let has_times = i64::from(sample.t2.is_some()) + 2 * i64::from(sample.t3.is_some());
    [
        sample.seq.cast_signed(),
        t1,
        t2.wrapping_sub(t1),
        t3.wrapping_sub(t2),
        t4.wrapping_sub(t3),
        sample.departure.ns(),
        number(sample.reflector_seq),
        has_times,
        place(&Fate::ALL, Some(sample.fate)),
        place(&RUNGS, Some(sample.t1.rung)),
        place(&RUNGS, sample.t4.map(|t4| t4.rung)),
        place(&EXCLUSIONS, sample.excluded),
        number(sample.ttl_forward),
        number(sample.ttl_backward),
        // Both in one.
        number(sample.tos_forward.map(|tos| tos.0)) << 16
            | number(sample.tos_backward.map(|tos| tos.0)),
    ]
}

/// `None`: not what [`words`] gave.
fn sample(words: Words) -> Option<Sample> {
    let [
        seq,
        t1,
        to_t2,
        to_t3,
        to_t4,
        departure,
        reflector_seq,
        has_times,
        more @ ..,
    ] = words;
    let [
        fate,
        t1_rung,
        t4_rung,
        excluded,
        ttl_forward,
        ttl_backward,
        tos,
    ] = more;
    let t2 = t1.wrapping_add(to_t2);
    let t3 = t2.wrapping_add(to_t3);
    let t4 = Wall::from_unix_ns(t3.wrapping_add(to_t4));
    Some(Sample {
        seq: seq.cast_unsigned(),
        fate: at(&Fate::ALL, fate)?,
        t1: Stamp {
            at: Wall::from_unix_ns(t1),
            rung: at(&RUNGS, t1_rung)?,
        },
        t2: (has_times & 1 > 0).then_some(Wall::from_unix_ns(t2)),
        t3: (has_times & 2 > 0).then_some(Wall::from_unix_ns(t3)),
        t4: at(&RUNGS, t4_rung).map(|rung| Stamp { at: t4, rung }),
        reflector_seq: of_number(reflector_seq),
        ttl_forward: of_number(ttl_forward),
        ttl_backward: of_number(ttl_backward),
        tos_forward: of_number(tos >> 16).map(Tos),
        tos_backward: of_number(tos & 0xffff).map(Tos),
        departure: Delta::from_ns(departure),
        excluded: at(&EXCLUSIONS, excluded),
    })
}

/// A number, from 1 on; 0: none.
fn number(one: Option<impl Into<i64>>) -> i64 {
    one.map_or(0, |one| one.into() + 1)
}

fn of_number<T: TryFrom<i64>>(number: i64) -> Option<T> {
    T::try_from(number - 1).ok()
}

/// Which of `all`, from 1 on; 0: none.
fn place<T: Copy + PartialEq>(all: &[T], one: Option<T>) -> i64 {
    let found = (1..).zip(all).find(|(_, other)| one == Some(**other));
    found.map_or(0, |(place, _)| place)
}

fn at<T: Copy>(all: &[T], place: i64) -> Option<T> {
    all.get(of_number::<usize>(place)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence that visits all scales.
    fn any(state: &mut u64) -> i64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        state.cast_signed() >> (*state % 63)
    }

    fn any_of<T: Copy>(all: &[T], state: &mut u64) -> T {
        all[usize::try_from(any(state) & 0xff).unwrap() % all.len()]
    }

    fn some<T>(one: T, state: &mut u64) -> Option<T> {
        (any(state) % 3 != 0).then_some(one)
    }

    #[test]
    fn records_come_back_as_they_were_and_in_their_order() {
        let state = &mut 88_172_645_463_325_252;
        let mut packed = PackedRecords::default();
        let mut all = Vec::new();
        for n in 0..5_000 {
            let wall = |state: &mut u64| Wall::from_unix_ns(any(state));
            let stamp = |state: &mut u64| Stamp {
                at: wall(state),
                rung: any_of(&RUNGS, state),
            };
            let octet = |state: &mut u64| u8::try_from(any(state)).ok();
            let record = match n % 11 {
                3 => Record::SourceChange { at: wall(state) },
                7 => Record::NotSent {
                    seq: any(state).cast_unsigned(),
                    at: wall(state),
                },
                _ => Record::Sample(Sample {
                    seq: any(state).cast_unsigned(),
                    fate: any_of(&Fate::ALL, state),
                    t1: stamp(state),
                    t2: some(wall(state), state),
                    t3: some(wall(state), state),
                    t4: some(stamp(state), state),
                    reflector_seq: u32::try_from(any(state)).ok(),
                    ttl_forward: octet(state),
                    ttl_backward: octet(state),
                    tos_forward: octet(state).map(Tos),
                    tos_backward: octet(state).map(Tos),
                    departure: Delta::from_ns(any(state)),
                    excluded: some(any_of(&EXCLUSIONS, state), state),
                }),
            };
            packed.push(&record);
            all.push(record);
            if n % 100 == 0 {
                assert!(packed.iter().eq(all.iter().copied()), "{n}");
            }
        }
        assert!(packed.iter().eq(all));
    }

    #[test]
    fn the_ends_of_the_scale_come_back() {
        for number in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut room = [0; 10];
            let mut free = room.iter_mut();
            put(&mut free, number);
            let left = free.len();
            let mut octets = room.into_iter();
            assert_eq!(take(&mut octets), Some(number));
            assert_eq!(octets.len(), left);
        }
    }
}
