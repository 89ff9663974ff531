//! Replies: to packets in flight, to those whose fate is decided, and to those that may yet come.

use std::cmp::Ordering;

use twinpath_wire::{Fate, ReplyTimes, Wall};

use super::super::evidence::is_reply;
use super::super::layout::{Layout, Name};
use super::samples::answered_by;
use super::seen::{AsReply, AsRequest, Seen};
use super::{Answer, COPY_WITHIN, GONE, Pairing, Session};

/// Replies that wait for their requests, at most.
const EARLY: usize = 1_024;

impl Pairing<'_> {
    /// The session with the packet that a reply answers, if it is known.
    fn answered(&self, reply: &AsReply) -> Option<usize> {
        let flow = self.flows.get(reply.flow)?;
        let answered = |place: &&usize| {
            let session = self.sessions.get(**place);
            session.is_some_and(|session| {
                let seq = session.run.extended(reply.reply.name.seq);
                let flight = session.flights.get(&seq);
                session.run.layout() == reply.layout
                    && flight.is_some_and(|flight| flight.name.is(&reply.reply.name))
            })
        };
        // A reflector without SSIDs leaves it out.
        let of_ssid = |place: &&usize| {
            let session = self.sessions.get(**place);
            session.is_some_and(|session| session.run.ssid() == reply.ssid)
        };
        let mut answered = flow.sessions.iter().rev().filter(answered);
        let first = answered.next();
        let place = match first {
            Some(place) if !of_ssid(&place) => answered.find(of_ssid).or(first),
            first => first,
        };
        place.copied()
    }

    /// A reply; false if it answers nothing that is known.
    pub(super) fn reply(&mut self, seen: &Seen, reply: &AsReply) -> bool {
        let sighting = &seen.sighting;
        let Some(place) = self.answered(reply) else {
            return false;
        };
        let known = self.known.get(place);
        let wanted = known.and_then(|known| known.run.place());
        let Some(session) = self.sessions.get_mut(place) else {
            return false;
        };
        let repeats_per_interface = known
            .map_or(&session.run, |known| &known.run)
            .repeats_per_interface();
        let seq = session.run.extended(reply.reply.name.seq);
        let Some(flight) = session.flights.get_mut(&seq) else {
            return false;
        };
        let again = flight
            .seen_at
            .is_some_and(|seen| seen != sighting.interface);
        flight.seen_at.get_or_insert(sighting.interface);
        session.run.reply_at(sighting.interface, again);
        let elsewhere = wanted.is_some_and(|wanted| wanted != sighting.interface);
        let is_copy = flight.replies.iter_mut().flatten().any(|answer| {
            let earlier = &answer.sighting;
            let soon = sighting.at - earlier.at <= COPY_WITHIN;
            let other = sighting.interface != earlier.interface;
            if !earlier.is_alike(sighting) || !other && !soon {
                return false;
            }
            // A capture shows a reply as often as it shows requests: what is beyond, the network made.
            let by_hop = other || sighting.is_a_hop_from(earlier);
            let by_mirror = answer.copies < repeats_per_interface;
            answer.copies += u64::from(!other && (by_hop || by_mirror));
            by_hop || by_mirror
        });
        if elsewhere || is_copy {
            session.counts.captured_again += 1;
            self.counts.copies += 1;
            return true;
        }
        // As the network made it, at the same interface.
        let is_repeated = flight
            .replies
            .iter()
            .flatten()
            .any(|it| it.sighting.is_alike(sighting));
        if let Some(free) = flight.replies.iter_mut().find(|reply| reply.is_none()) {
            *free = Some(Answer {
                sighting: *sighting,
                copies: 0,
            });
        }
        self.answer((place, seq), seen, reply, !is_repeated);
        true
    }

    /// A reply to a packet in flight that is no copy made by the capture. `is_new`: nor one made by the
    /// network.
    fn answer(&mut self, (place, seq): (usize, u64), seen: &Seen, reply: &AsReply, is_new: bool) {
        let sighting = &seen.sighting;
        let Some(session) = self.sessions.get_mut(place) else {
            return;
        };
        let Some(flight) = session.flights.get(&seq).copied() else {
            return;
        };
        session.has_replies = true;
        let signed = [
            reply.layout.is_authenticated(),
            session.is_signed && !seen.tlvs.is_empty(),
        ];
        if signed.contains(&true) {
            let hmacs = session.hmacs.get_or_insert_default();
            hmacs.count_reply(seen.hmacs, signed);
        }
        let chain = session.chain(seen, reply, &flight.asks);
        if !session.accepts(seen, reply, &chain, flight.answered) {
            return;
        }
        session.counts.early_replies += u64::from(sighting.at < flight.sighting.at);
        let taught = session.read((seq, &flight), seen, reply, &chain, is_new);
        if !flight.answered {
            session.note_anomalies(reply, sighting.at);
        }
        if let Some(flight) = session.flights.get_mut(&seq) {
            flight.answered = true;
        }
        let mut sample = answered_by(seq, &flight, sighting, &reply.reply, self.timeout);
        sample.tos_forward = taught.observation.tos_forward;
        if !taught.is_further {
            match sample.fate {
                Fate::Received => session.by_size.received(flight.sighting.octets),
                Fate::Lost | Fate::Late => session.by_size.lost(flight.sighting.octets),
                Fate::Duplicate | Fate::Unawaited => {}
            }
        }
        if let Some(told) = taught.observation.follow_up {
            self.follow_up(place, told, &reply.reply, sighting.at);
        }
        if taught.is_further {
            return;
        }
        let next = self
            .sessions
            .get(place)
            .map_or(0, |session| session.run.next());
        self.step(place, sighting, next);
        let stepped = flight.sighting.shift != sighting.shift;
        self.push_answered(place, sample, taught, stepped);
    }

    /// A reply whose request may come yet.
    pub(super) fn put_off(&mut self, seen: &Seen) {
        if self.early.len() >= EARLY
            && let Some(oldest) = self.early.pop_front()
        {
            self.unmatched(&oldest);
        }
        self.early.push_back(seen.clone());
    }

    /// A reply whose request does not come any more: it had come long ago, or is not in the capture.
    pub(super) fn unmatched(&mut self, seen: &Seen) {
        let Some(reply) = &seen.reply else {
            return;
        };
        let gone = self.gone.get(&(reply.flow, reply.reply.name.seq));
        if gone.is_some_and(|(layout, name)| *layout == reply.layout && name.is(&reply.reply.name))
        {
            self.counts.used += 1;
            self.counts.cut_used += u64::from(seen.is_cut);
            self.counts.late += 1;
        } else if !is_reply(&reply.reply, seen.sighting.at) {
            self.counts.foreign += 1;
        } else {
            self.counts.unmatched += 1;
            let (flow, seq) = (reply.flow, reply.reply.name.seq);
            if let Some(session) = self.latest(flow) {
                match session.run.place_of(session.run.extended(seq)) {
                    Ordering::Less => {}
                    Ordering::Equal => session.counts.answered_missing += 1,
                    Ordering::Greater => session.answered_ahead += 1,
                }
            }
        }
    }

    /// Takes the replies that were stamped before this request, which has just departed.
    pub(super) fn answer_early(&mut self, request: &AsRequest) {
        let answers = |seen: &Seen| {
            seen.reply.is_some_and(|reply| {
                (reply.flow, reply.layout) == (request.flow, request.layout)
                    && reply.reply.name.is(&request.name)
            })
        };
        while let Some(place) = self.early.iter().position(answers) {
            let Some(seen) = self.early.remove(place) else {
                return;
            };
            if seen.reply.is_some_and(|reply| self.reply(&seen, &reply)) {
                self.counts.used += 1;
                self.counts.cut_used += u64::from(seen.is_cut);
            } else {
                self.unmatched(&seen);
            }
        }
    }

    /// Remembers a packet whose fate is decided.
    pub(super) fn remember(&mut self, flow: usize, layout: Layout, name: Name) {
        if self.gone_first.len() >= GONE
            && let Some(oldest) = self.gone_first.pop_front()
        {
            self.gone.remove(&oldest);
        }
        self.gone.insert((flow, name.seq), (layout, name));
        self.gone_first.push_back((flow, name.seq));
    }
}

impl Session {
    /// What its sender would have found odd in the first reply to a packet.
    fn note_anomalies(&mut self, reply: &AsReply, at: Wall) {
        let AsReply { reply, ssid, .. } = reply;
        let ReplyTimes { t2, t3, z_wrong } = reply.times(at);
        let anomalies = &mut self.anomalies;
        anomalies.z_wrong += u64::from(z_wrong);
        anomalies.unset_times += u64::from(t2.is_none() || t3.is_none());
        let backwards = t2.zip(t3).is_some_and(|(t2, t3)| t3 < t2);
        anomalies.t3_before_t2 += u64::from(backwards);
        anomalies.short_replies += u64::from(reply.ttl.is_none());
        anomalies.error_multiplier_zero += u64::from(reply.error.multiplier() == 0);
        anomalies.ssid_missing += u64::from(self.run.ssid() != 0 && *ssid == 0);
        self.far_error = Some(reply.error);
    }
}
