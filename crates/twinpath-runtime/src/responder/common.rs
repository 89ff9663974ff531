//! What the reflectors of a responder's threads have in common, whatever their configuration is.

use std::sync::Arc;

use twinpath_net::clock;
use twinpath_proto::extension::{ControlBudget, GrantedRequests, MemberLink};
use twinpath_proto::reflector::{ClientRates, ReflectorConfig};

#[derive(Debug)]
pub(super) struct Common {
    threads: usize,
    /// Members of links that are known by their interfaces.
    links: Vec<MemberLink>,
    rates: Option<Arc<ClientRates>>,
    /// What all requests for several replies may cost, and which were followed: neither begins again with other
    /// limits.
    budget: Arc<ControlBudget>,
    pub(super) granted: Arc<GrantedRequests>,
}

impl Common {
    pub(super) fn new(threads: usize, links: Vec<MemberLink>) -> Self {
        Self {
            threads,
            links,
            rates: None,
            budget: Arc::default(),
            granted: Arc::default(),
        }
    }

    /// The configuration of each thread, and the rates that their clients have from now on.
    pub(super) fn adapted(
        &mut self,
        mut config: ReflectorConfig,
    ) -> (ReflectorConfig, Option<Arc<ClientRates>>) {
        config.max_sessions = config.max_sessions.div_ceil(self.threads.max(1));
        config.policy.tai_offset_s = clock::discipline().tai_offset_s;
        config.extensions.micro_sessions.extend(&self.links);
        if let Some(control) = &mut config.extensions.control {
            control.budget = Arc::clone(&self.budget);
            control.granted = Arc::clone(&self.granted);
        }
        let max_rate = config.policy.max_rate_pps;
        self.rates = ClientRates::renewed(self.rates.as_ref(), max_rate, self.threads);
        (config, self.rates.clone())
    }
}

#[cfg(test)]
mod tests {
    use twinpath_proto::extension::ControlPolicy;
    use twinpath_proto::reflector::Access;

    use super::*;

    #[test]
    fn what_was_followed_and_paid_is_known_under_other_limits() {
        let link = MemberLink {
            id: 7,
            interface: Some(3),
        };
        let mut common = Common::new(4, vec![link]);
        let config = |control: bool, max_rate_pps| {
            let mut config = ReflectorConfig::default();
            let policy = || ControlPolicy::within(Access::only(&[]));
            config.extensions.control = control.then(policy);
            config.policy.max_rate_pps = max_rate_pps;
            config.max_sessions = 10;
            config
        };
        let (first, rates) = common.adapted(config(true, Some(5)));
        assert_eq!(
            (first.max_sessions, first.extensions.micro_sessions.len()),
            (3, 1)
        );
        let first = first.extensions.control.unwrap();
        let (without, none) = common.adapted(config(false, None));
        assert!(without.extensions.control.is_none() && none.is_none());
        let (again, _) = common.adapted(config(true, Some(5)));
        let again = again.extensions.control.unwrap();
        assert!(Arc::ptr_eq(&first.granted, &again.granted));
        assert!(Arc::ptr_eq(&first.budget, &again.budget));
        let (_, kept) = common.adapted(config(true, Some(5)));
        let (_, same) = common.adapted(config(false, Some(5)));
        assert!(Arc::ptr_eq(&kept.unwrap(), &same.unwrap()) && rates.is_some());
    }
}
