//! Known answers of the secured captures: keys, SIDs, ports.

use std::path::Path;

use serde_json::Value;
use twinpath_proto::TestGuard;
use twinpath_proto::security::SessionKeys;
use twinpath_wire::control::{Modes, Sid};

/// The description of one capture.
pub(crate) struct Known(Value);

impl Known {
    pub(crate) fn of(capture: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/secured.json");
        let mut all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Self(all["control"][capture].take())
    }

    pub(crate) fn octets<const N: usize>(&self, path: &[&str]) -> [u8; N] {
        let value = path.iter().fold(&self.0, |value, key| &value[*key]);
        let digits = value.as_str().unwrap().as_bytes();
        assert_eq!(digits.len(), 2 * N, "{path:?}");
        let mut octets = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        std::array::from_fn(|_| octets.next().unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        u16::try_from(self.0["port"].as_u64().unwrap()).unwrap()
    }

    pub(crate) fn modes(&self) -> Modes {
        Modes::from_bits(u32::try_from(self.0["mode"].as_u64().unwrap()).unwrap())
    }

    pub(crate) fn sid(&self) -> Sid {
        Sid(self.octets(&["sid"]))
    }

    pub(crate) fn session_keys(&self) -> SessionKeys {
        SessionKeys::new(
            self.octets(&["keys", "aes_session_key"]),
            self.octets(&["keys", "hmac_session_key"]),
        )
    }

    pub(crate) fn guard(&self) -> TestGuard {
        TestGuard::with_keys(self.modes(), &self.session_keys(), self.sid())
    }
}
