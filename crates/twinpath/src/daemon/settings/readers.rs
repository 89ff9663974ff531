//! Leaves as the options of commands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::{Args, Command};
use twinpath_wire::Dscp;

use crate::args::{
    ControlClientArgs, ControllerArgs, ResponderArgs, SenderArgs, ServerArgs, UsualSchedule,
};
use crate::plan::{self, Layer, OptionReader, Setting, Unread};

use super::leaves::Leaves;
use super::options::Options;
use crate::daemon::reflectors::{OnAddresses, ServerSpec};
use crate::daemon::sessions::SessionSpec;

/// What a session does unless it is configured.
const USUAL: UsualSchedule = UsualSchedule {
    count: "inf",
    timeout: "2",
    interval: Duration::from_secs(1),
};
/// How long an interval is, likewise.
const REPORT_INTERVAL: &str = "10s";
/// The address of a responder or server that has none: all of the host, at the usual port.
const ANYWHERE: &[String] = &[];

/// The parsers of the command lines.
pub(super) struct Readers {
    sender: OptionReader<SenderArgs>,
    controller: OptionReader<ControllerArgs>,
    responder: OptionReader<ResponderArgs>,
    server: OptionReader<ServerArgs>,
    control_client: OptionReader<ControlClientArgs>,
}

fn command<A: Args>(name: &'static str) -> Command {
    let command = Command::new(name)
        .no_binary_name(true)
        .disable_help_flag(true);
    A::augment_args(command)
}

fn for_ever(command: Command) -> Command {
    command
        .mut_arg("count", |arg| arg.default_value(USUAL.count))
        .mut_arg("timeout", |arg| arg.default_value(USUAL.timeout))
}

impl Readers {
    pub(super) fn new() -> Self {
        let sender = for_ever(command::<SenderArgs>("session"));
        let controller = for_ever(command::<ControllerArgs>("session"));
        Self {
            sender: OptionReader::new(sender, "sender", |mut args: SenderArgs| {
                args.session = args.session.or_usual(USUAL);
                args
            }),
            controller: OptionReader::new(controller, "controller", |mut args: ControllerArgs| {
                args.schedule.fill_interval(USUAL);
                args
            }),
            responder: OptionReader::new(
                command::<ResponderArgs>("responder"),
                "responder",
                |args| args,
            ),
            server: OptionReader::new(command::<ServerArgs>("server"), "server", |args| args),
            control_client: OptionReader::new(
                command::<ControlClientArgs>("controlclient"),
                "controlclient",
                |args| args,
            ),
        }
    }

    /// A responder; `None`: it is switched off.
    pub(super) fn responder(
        &mut self,
        leaves: &Leaves,
    ) -> Result<Option<OnAddresses<ResponderArgs>>, Vec<Unread>> {
        on_addresses(&mut self.responder, leaves)
    }

    /// A server; `None`: it is switched off.
    pub(super) fn server(&mut self, leaves: &Leaves) -> Result<Option<ServerSpec>, Vec<Unread>> {
        let on = on_addresses(&mut self.server, leaves)?;
        Ok(on.map(|on| ServerSpec {
            on,
            extensions: None,
        }))
    }

    /// A server with these options on each of these ends.
    pub(super) fn server_on(
        &mut self,
        options: &Layer,
        near: &[String],
    ) -> Result<OnAddresses<ServerArgs>, Vec<Unread>> {
        let all = near.iter().map(|near| {
            let operands = [near.as_str()];
            let args = self.server.read_with(options.clone(), &operands)?;
            Ok(Options::new(args, options.clone(), &operands))
        });
        all.collect()
    }

    /// A session by TWAMP-Control with these options.
    pub(super) fn limited(
        &mut self,
        options: Layer,
        operands: &[&str],
    ) -> Result<Options<ControllerArgs>, Vec<Unread>> {
        let args = self.controller.read_with(options.clone(), operands)?;
        Ok(Options::new(args, options, operands))
    }

    /// A session of a sender on another host with these options.
    pub(super) fn remote(
        &mut self,
        options: Layer,
        operands: &[&str],
    ) -> Result<Options<ControlClientArgs>, Vec<Unread>> {
        let args = self.control_client.read_with(options.clone(), operands)?;
        Ok(Options::new(args, options, operands))
    }

    /// A session by these layers, of which a later one wins; `None`: it is switched off.
    pub(super) fn session(
        &mut self,
        layers: [&Leaves; 3],
    ) -> Result<Option<SessionSpec>, Vec<Unread>> {
        let last = |name| layers.iter().rev().find_map(|leaves| leaves.one(name));
        if last("enabled") == Some("false") {
            return Ok(None);
        }
        let [.., own] = layers;
        let address = own.one("address").unwrap_or_default();
        let protocol = last("protocol").unwrap_or("twamp-light");
        let mut common = BTreeMap::new();
        let mut set = |name: &str, values: Vec<String>| {
            common.insert(name.to_owned(), (Setting::Values(values), 0));
        };
        set("report-interval", vec![REPORT_INTERVAL.to_owned()]);
        let mut labels = BTreeMap::new();
        for leaves in layers {
            labels.extend(leaves.labels.clone());
        }
        if !labels.is_empty() {
            let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
            set("label", labels.collect());
        }
        if protocol == "twamp" {
            let (settings, near) = self.controlled(&common, layers)?;
            let operands: Vec<&str> = [address].into_iter().chain(near.as_deref()).collect();
            let args = self.controller.read_with(settings.clone(), &operands)?;
            distinct(&args.dscp)?;
            return Ok(Some(SessionSpec::Controlled(Options::new(
                args, settings, &operands,
            ))));
        }
        if protocol == "stamp" {
            common.insert("stamp".to_owned(), (Setting::Switch(true), 0));
        }
        let settings = merged(&self.sender, &common, layers)?;
        let args = self.sender.read_with(settings.clone(), &[address])?;
        distinct(&args.session.marking.dscp)?;
        // A file that cannot be read has none; that is said where sessions begin.
        let keys = plan::stamp_keys(&args.session.stamp.keys);
        let keys = keys.map(|keys| keys.fingerprints()).unwrap_or_default();
        let options = Options::new(args, settings, &[address]).with_keys(keys);
        Ok(Some(SessionSpec::Plain(options)))
    }

    /// The options of a controller, and its local address, which is an operand there.
    fn controlled(
        &self,
        common: &Layer,
        layers: [&Leaves; 3],
    ) -> Result<(Layer, Option<String>), Vec<Unread>> {
        let near = layers.iter().rev().find_map(|leaves| leaves.one("near"));
        let mut settings = merged(&self.controller, common, layers)?;
        settings.remove("near");
        Ok((settings, near.map(str::to_owned)))
    }
}

/// Whether each class is there once, however it is written.
fn distinct(classes: &[Dscp]) -> Result<(), Vec<Unread>> {
    let mut known = BTreeSet::new();
    let twice = classes.iter().find(|class| !known.insert(class.value()));
    twice.map_or(Ok(()), |class| {
        Err(vec![Unread {
            line: None,
            key: Some("dscp".to_owned()),
            why: format!("classes has {class} twice: leave one out"),
        }])
    })
}

/// The options of one command that layers come to. What another protocol has is passed over in defaults and groups,
/// and a fault in the session itself.
fn merged<A: clap::FromArgMatches>(
    reader: &OptionReader<A>,
    common: &Layer,
    layers: [&Leaves; 3],
) -> Result<Layer, Vec<Unread>> {
    let mut all = vec![common.clone()];
    let mut faults = Vec::new();
    for (place, leaves) in layers.into_iter().enumerate() {
        let mut layer = leaves.options(|name| reader.is_repeatable(name));
        let classes = leaves.each("classes");
        if !classes.is_empty() {
            let classes = Setting::Values(vec![classes.join(",")]);
            layer.insert("dscp".to_owned(), (classes, 0));
        }
        let is_own = place + 1 == layers.len();
        layer.retain(|name, _| {
            let is_known = name == "near" || reader.is_switch(name).is_some();
            if !is_known && is_own {
                faults.push(Unread {
                    line: None,
                    key: Some(name.clone()),
                    why: format!("{name}: not for this protocol: leave it out"),
                });
            }
            is_known
        });
        all.push(layer);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(reader.merged(&all.iter().collect::<Vec<_>>()))
}

fn on_addresses<A: clap::FromArgMatches>(
    reader: &mut OptionReader<A>,
    leaves: &Leaves,
) -> Result<Option<OnAddresses<A>>, Vec<Unread>> {
    if leaves.one("enabled") == Some("false") {
        return Ok(None);
    }
    let settings = leaves.options(|name| reader.is_repeatable(name));
    let addresses = leaves.each("address");
    let operands: Vec<Vec<&str>> = if addresses == ANYWHERE {
        vec![Vec::new()]
    } else {
        addresses
            .iter()
            .map(|address| vec![address.as_str()])
            .collect()
    };
    let mut all = Vec::new();
    for operands in operands {
        let args = reader.read_with(settings.clone(), &operands)?;
        all.push(Options::new(args, settings.clone(), &operands));
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::daemon::model::model;

    /// Options of the whole process, of its output, or of an end that a daemon's sessions do not have; and secrets,
    /// which no configuration holds.
    const NO_LEAVES: [&str; 31] = [
        "control-socket",
        "count",
        "debug",
        "duration",
        "graph",
        "graph-theme",
        "hmac-key",
        "html",
        "json",
        "label",
        "limits",
        "live",
        "log-format",
        "logfile",
        "metrics",
        "otlp",
        "otlp-interval",
        "output",
        "quiet",
        "rotate",
        "sandbox",
        "save",
        "spin",
        "start-delay",
        "targets",
        "threads",
        "to",
        "verbose",
        "dscp",
        "stamp",
        "theme",
    ];
    /// Leaves that are no options by these names.
    const NO_OPTIONS: [&str; 8] = [
        "name", "address", "enabled", "group", "labels", "protocol", "classes", "raw",
    ];

    fn leaves(list: &str) -> BTreeSet<String> {
        let model = model().unwrap();
        let list = model.child(model.roots.main, list).unwrap();
        let nodes = model.schema.data_children(Some(list)).iter();
        let nodes = nodes.map(|id| model.schema.node(*id));
        let set = nodes.filter(|node| node.is_config);
        set.map(|node| node.name.to_string()).collect()
    }

    fn options<A: FromArgMatches>(reader: &OptionReader<A>) -> BTreeSet<String> {
        reader.keys().map(str::to_owned).collect()
    }

    /// Every option is a leaf, and every leaf an option.
    fn are_the_same(list: &str, mut options: BTreeSet<String>, others: &[&str]) {
        let leaves = leaves(list);
        options
            .retain(|name| !NO_LEAVES.contains(&name.as_str()) || others.contains(&name.as_str()));
        let without: Vec<&String> = options.difference(&leaves).collect();
        assert!(without.is_empty(), "{list} has no leaf for {without:?}");
        let mut extra = leaves.difference(&options);
        assert!(
            extra.all(|name| NO_OPTIONS.contains(&name.as_str())),
            "{list}: {leaves:?}"
        );
    }

    #[test]
    fn every_option_of_what_a_daemon_runs_is_a_leaf_and_every_leaf_an_option() {
        let readers = Readers::new();
        let mut session = options(&readers.sender);
        session.extend(options(&readers.controller));
        are_the_same("session", session, &[]);
        are_the_same(
            "responder",
            options(&readers.responder),
            &["threads", "dscp"],
        );
        are_the_same("server", options(&readers.server), &["threads"]);
    }

    fn leaves_of(text: &str) -> Leaves {
        let model = model().unwrap();
        let mut reader = twinpath_yang::toml::Reader::new(&model.schema, &model.roots);
        reader.add(
            "text",
            &format!("[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\n{text}"),
        );
        let (document, faults) = reader.finish();
        assert!(faults.is_empty(), "{faults:?}");
        let (_, entry) = model.entries(&document.root, "session").next().unwrap();
        Leaves::of(&model.schema, entry)
    }

    fn session(layers: [&str; 3]) -> Result<SessionSpec, Vec<Unread>> {
        let [defaults, group, own] = layers.map(leaves_of);
        let spec = Readers::new().session([&defaults, &group, &own])?;
        Ok(spec.expect("it is switched on"))
    }

    #[test]
    fn the_session_goes_before_its_group_and_that_before_the_defaults() {
        let of = |layers: [&str; 3]| match session(layers).unwrap() {
            SessionSpec::Plain(options) => {
                let schedule = &options.args.session.schedule;
                (
                    schedule.interval.unwrap().0.as_millis(),
                    schedule.timeout.0.as_millis(),
                )
            }
            SessionSpec::Controlled(_) | SessionSpec::Limited(_) => panic!("no control connection"),
        };
        assert_eq!(of(["", "", ""]), (1_000, 2_000));
        let defaults = "interval = \"7ms\"\ntimeout = \"3s\"\n";
        assert_eq!(of([defaults, "", ""]), (7, 3_000));
        assert_eq!(of([defaults, "interval = \"8ms\"\n", ""]), (8, 3_000));
        let own = "interval = \"9ms\"\n";
        assert_eq!(of([defaults, "interval = \"8ms\"\n", own]), (9, 3_000));
        // Of options that exclude each other the later one stays.
        let marking = |layers: [&str; 3]| match session(layers).unwrap() {
            SessionSpec::Plain(options) => {
                let marking = &options.args.session.marking;
                (marking.tos.is_some(), marking.dscp.len())
            }
            SessionSpec::Controlled(_) | SessionSpec::Limited(_) => panic!("no control connection"),
        };
        assert_eq!(
            marking(["tos = 7\n", "", "classes = [\"ef\", 0]\n"]),
            (false, 2)
        );
        assert_eq!(
            marking(["classes = [\"ef\"]\n", "tos = 7\n", ""]),
            (true, 0)
        );
    }

    #[test]
    fn what_another_protocol_has_is_passed_over_in_defaults_and_a_fault_in_a_session() {
        let twamp = "protocol = \"twamp\"\n";
        assert!(session(["ssid = 7\n", "ssid = 8\n", twamp]).is_ok());
        let faults = session(["", "", "protocol = \"twamp\"\nssid = 7\n"]).unwrap_err();
        assert_eq!(faults[0].key.as_deref(), Some("ssid"));
        assert!(session(["mode = \"encrypted\"\n", "", ""]).is_ok());
        assert!(session(["", "", "mode = \"encrypted\"\n"]).is_err());
    }

    #[test]
    fn specs_are_equal_where_their_options_are_whatever_layer_has_them() {
        let one = session(["interval = \"7ms\"\n", "", ""]).unwrap();
        let other = session(["", "", "interval = \"7ms\"\n"]).unwrap();
        assert!(one == other);
        assert!(one != session(["", "", "interval = \"8ms\"\n"]).unwrap());
    }
}
