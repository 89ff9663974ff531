//! The modules of twinpath's daemon.

/// Texts of the modules, and of those that they import.
pub const TEXTS: [&str; 10] = [
    include_str!("../yang/ietf-inet-types@2013-07-15.yang"),
    include_str!("../yang/ietf-yang-types@2013-07-15.yang"),
    include_str!("../yang/twinpath-measurement@2026-11-30.yang"),
    include_str!("../yang/ietf-netconf-acm@2018-02-14.yang"),
    include_str!("../yang/ietf-twamp@2021-11-17.yang"),
    include_str!("../yang/twinpath-twamp-deviations@2026-11-30.yang"),
    include_str!("../yang/ietf-datastores@2018-02-14.yang"),
    include_str!("../yang/ietf-yang-library@2019-01-04.yang"),
    include_str!("../yang/ietf-restconf@2017-01-26.yang"),
    include_str!("../yang/ietf-restconf-monitoring@2017-01-26.yang"),
];

/// Names of the modules whose data nodes exist.
pub const IMPLEMENTED: [&str; 5] = [
    "twinpath-measurement",
    "ietf-netconf-acm",
    "ietf-twamp",
    "ietf-yang-library",
    "ietf-restconf-monitoring",
];

/// The module of what a daemon does not have of `ietf-twamp`, beside [`IMPLEMENTED`].
pub const DEVIATIONS: &str = "twinpath-twamp-deviations";

/// Texts of the modules of a NETCONF server, beside [`TEXTS`]. `ietf-netconf` is imported only: its operations are in
/// [`crate::netconf`].
pub const NETCONF_TEXTS: [&str; 4] = [
    include_str!("../yang/ietf-netconf@2011-06-01.yang"),
    include_str!("../yang/ietf-netconf-monitoring@2010-10-04.yang"),
    include_str!("../yang/ietf-netconf-notifications@2012-02-06.yang"),
    include_str!("../yang/nc-notifications@2026-11-30.yang"),
];

/// Names of the modules of a NETCONF server whose nodes exist, beside [`IMPLEMENTED`].
pub const NETCONF_IMPLEMENTED: [&str; 3] = [
    "ietf-netconf-monitoring",
    "ietf-netconf-notifications",
    "nc-notifications",
];

/// Texts of the modules of a mesh document, which no datastore has: that of the document, and those that it imports.
pub const MESH_TEXTS: [&str; 6] = [
    include_str!("../yang/ietf-inet-types@2013-07-15.yang"),
    include_str!("../yang/ietf-yang-types@2013-07-15.yang"),
    include_str!("../yang/ietf-netconf-acm@2018-02-14.yang"),
    include_str!("../yang/ietf-twamp@2021-11-17.yang"),
    include_str!("../yang/twinpath-measurement@2026-11-30.yang"),
    include_str!("../yang/twinpath-mesh@2026-11-30.yang"),
];

/// The module of a mesh document, whose nodes exist.
pub const MESH_IMPLEMENTED: [&str; 1] = ["twinpath-mesh"];
