//! A far end, and how its address is found: before a run, and again while it goes on.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use twinpath_proto::TestGuard;
use twinpath_proto::sender::Wire;
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::SenderPlan;
use twinpath_wire::TlvType;

use crate::args::{FarEnd, Host, IpOptions, NearEnd, PaddingSize, SessionOptions};
use crate::failure::Failure;

use super::ends::all_ends;
use super::resolve::Lookup;
use super::sender::payload;
use super::tlvs;

/// What decides, beside the far end's name, which of its addresses is measured, and how.
#[derive(Debug)]
pub(super) struct Aim {
    near: Option<NearEnd>,
    ip: IpOptions,
    padding: PaddingSize,
    wire: Wire,
    /// Of authenticated packets.
    keys: Arc<StampKeys>,
}

impl Aim {
    pub(super) fn new(
        near: Option<&NearEnd>,
        options: &SessionOptions,
        wire: Wire,
        keys: Arc<StampKeys>,
    ) -> Arc<Self> {
        Arc::new(Self {
            near: near.cloned(),
            ip: options.ip.clone(),
            padding: options.packet.padding(),
            wire,
            keys,
        })
    }

    /// That of a far end without one.
    pub(super) fn default_port(&self) -> u16 {
        self.wire.format.default_port()
    }
}

/// Both addresses, of one family, of which the far one comes first.
pub(crate) type Ends = (SocketAddr, Option<IpAddr>);

/// A far end as it was given.
#[derive(Debug)]
pub(crate) struct NamedEnd {
    pub(super) far: FarEnd,
    pub(super) aim: Arc<Aim>,
}

impl NamedEnd {
    /// Its address may be another one tomorrow.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self.far.host, Host::Name(_))
    }

    /// Where to measure it.
    ///
    /// # Errors
    /// It has no address, or none that can be measured.
    pub(crate) fn ends(&self, lookup: Lookup<'_>) -> Result<Ends, Failure> {
        let ends = self.moved(None, lookup)?;
        ends.ok_or_else(|| Failure::could_not("no address to send to"))
    }

    /// Where to measure it instead of at `used`; `None`: that is one of its addresses.
    ///
    /// # Errors
    /// As [`Self::ends`].
    pub(crate) fn moved(
        &self,
        used: Option<SocketAddr>,
        lookup: Lookup<'_>,
    ) -> Result<Option<Ends>, Failure> {
        let Aim { near, ip, .. } = &*self.aim;
        let port = self.aim.default_port();
        let all = all_ends(&self.far, near.as_ref(), ip, port, lookup)?;
        let is_current = all.iter().any(|(far, _)| Some(*far) == used);
        Ok(all.into_iter().next().filter(|_| !is_current))
    }

    /// The plan with what protects its packets to `far`.
    ///
    /// # Errors
    /// They need a key, and none is for them.
    pub(super) fn protect(&self, plan: &mut SenderPlan, far: IpAddr) -> Result<(), Failure> {
        let signs_tlvs = tlvs::have(&plan.tlvs, TlvType::HMAC);
        if !plan.wire.is_secured() && !signs_tlvs {
            return Ok(());
        }
        let ssid = plan.wire.format.ssid();
        let key = self
            .aim
            .keys
            .for_packet(far, ssid.unwrap_or(0))
            .ok_or_else(|| {
                let ssid = ssid.map_or_else(String::new, |ssid| format!(" with SSID {ssid}"));
                Failure::could_not(format!("--hmac-key-file has no key for {far}{ssid}"))
                    .with_remedy(Some("add one, or one for all packets"))
            })?;
        plan.tlv_key = signs_tlvs.then(|| key.clone());
        if plan.wire.is_secured() {
            plan.guard = TestGuard::stamp(key.clone());
        }
        Ok(())
    }

    /// The plan with these ends.
    ///
    /// # Errors
    /// Packets of this size do not fit, or have no key.
    pub(crate) fn aim(
        &self,
        mut plan: SenderPlan,
        (far, near): Ends,
    ) -> Result<SenderPlan, Failure> {
        self.protect(&mut plan, far.ip())?;
        Ok(SenderPlan {
            payload: payload(self.aim.padding, self.aim.wire, far.ip())?,
            far,
            near,
            ..plan
        })
    }
}
