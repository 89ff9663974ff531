//! What a man page says that the arguments do not: the description, and which pages to see.

/// The prose of a command's page.
pub(crate) struct Page {
    /// The command; "" is the program itself.
    pub(crate) command: &'static str,
    /// Its paragraphs, for someone who does not know the command.
    pub(crate) description: &'static [&'static str],
    /// Where `--help` names no exit status.
    pub(crate) exit: &'static [(&'static str, &'static str)],
    /// Other commands.
    pub(crate) see: &'static [&'static str],
    /// Guides under `docs/`.
    pub(crate) guides: &'static [&'static str],
}

/// Of a role that runs until it is stopped.
const SERVICE: &[(&str, &str)] = &[
    ("0", "ended by a signal"),
    (
        "1",
        "it could not begin or go on (port in use, missing privilege, file not readable), or lines are missing from a \
         log file",
    ),
    ("2", "bad usage"),
];

pub(crate) const PAGES: &[Page] = &[
    Page {
        command: "",
        description: &[
            "twinpath measures delay, delay variation, loss, duplication and reordering between two hosts, in each \
             direction, by the standard protocols that routers support: TWAMP (RFC 5357), TWAMP Light (its Appendix \
             I) and STAMP (RFC 8762, RFC 8972). It has every role of them.",
            "Timestamps come from the kernel or the network adapter where there are any, and each report says which. \
             Times of one direction need synchronized clocks at both ends; round trips, loss and variation do not.",
            "Each command has a page of its own and answers --help.",
        ],
        exit: &[
            ("0", "measured, or did what was asked for"),
            (
                "1",
                "not measured, in whole or in part, or a file is incomplete",
            ),
            ("2", "bad usage"),
            ("3", "every packet was lost"),
        ],
        see: &["sender", "responder", "doctor"],
        guides: &["README.md"],
    },
    Page {
        command: "sender",
        description: &[
            "Sends test packets to a reflector, such as twinpath responder or that of a router, waits for its replies, \
             and prints a report: delay and its variation each way and in the round trip, lost, late, duplicated and \
             reordered packets, the state of both clocks, and what is odd. No control connection is needed.",
            "Several far ends (--to, --targets), classes (--dscp) and paths (--paths) are measured at once, a session \
             each. The packets are those of TWAMP Light unless --stamp is given.",
            "^C ends a run early, with the report so far.",
        ],
        exit: &[],
        see: &["responder", "controller", "check", "report", "dscptable"],
        guides: &[
            "read-the-figures.md",
            "measure-many-targets.md",
            "watch-a-path.md",
            "output.md",
        ],
    },
    Page {
        command: "responder",
        description: &[
            "Answers the test packets of senders: TWAMP Light and STAMP, told apart packet by packet. It needs no \
             configuration and runs until it is stopped, then prints a summary.",
            "On a network that others reach, say who is answered (--allow) or how fast (--max-rate). A reply is at \
             most as long as its request or 44 octets, and replies are never answered. What STAMP's extensions could \
             ask for beyond that is off until it is allowed.",
            "Ports below 1024 need CAP_NET_BIND_SERVICE; hardware timestamps CAP_NET_ADMIN.",
        ],
        exit: SERVICE,
        see: &["sender", "server"],
        guides: &["run-a-responder.md", "stamp-extensions.md"],
    },
    Page {
        command: "controller",
        description: &[
            "Negotiates sessions with a TWAMP server, such as twinpath server or a router, over TCP, and measures \
             them as twinpath sender does. The server says where test packets go; with keys, the control connection \
             and the test packets are authenticated or encrypted.",
        ],
        exit: &[],
        see: &["server", "controlclient", "sender", "report"],
        guides: &["validate-a-router.md", "read-the-figures.md"],
    },
    Page {
        command: "server",
        description: &[
            "Accepts control connections of TWAMP controllers, opens a reflector for each session that they ask for, \
             and answers its test packets until the session ends. Sessions and connections are bounded, in all and \
             for each client.",
            "With --keys only the secured modes are offered. Port 862 needs CAP_NET_BIND_SERVICE.",
        ],
        exit: SERVICE,
        see: &["controller", "responder"],
        guides: &["run-a-responder.md"],
    },
    Page {
        command: "controlclient",
        description: &[
            "Negotiates a session with a TWAMP server for a sender on another host, and keeps the control connection \
             while that sender measures.",
        ],
        exit: &[],
        see: &["controller", "sender", "server"],
        guides: &["run-a-responder.md"],
    },
    Page {
        command: "check",
        description: &[
            "Measures for a second and compares figures with ranges, as a plug-in of Icinga 2, Nagios and the like: \
             one line with the state and performance data, and an exit status.",
            "A list of ranges is FIGURE=RANGE,...: a figure is named as in the JSON report without _ns (loss, \
             rtt_p95, forward.p99, voice.forward.mos), and alerts above it (50ms), below it (4.0:), outside \
             (1ms:5ms) or inside (@1ms:5ms).",
        ],
        exit: &[],
        see: &["sender", "controller", "doctor"],
        guides: &["check.md", "figures.md"],
    },
    Page {
        command: "report",
        description: &[
            "Reads what twinpath sender --save has written, or a packet capture of TWAMP or STAMP, and prints its \
             report in any form. It merges runs into one, and compares two: what changed, and whether chance \
             explains it.",
            "Of a daemon's store it reports on all sessions of a time, worst first, also while the daemon writes it. \
             Times without a zone are UTC.",
        ],
        exit: &[],
        see: &["sender", "controller", "daemon"],
        guides: &["saved.md", "store.md", "output.md"],
    },
    Page {
        command: "doctor",
        description: &[
            "Asks a far end what it speaks (TWAMP Light, STAMP and its extensions, TWAMP-Control and its modes) and \
             looks for what is wrong with it: its sequence numbers, sizes, clock, marking and rate. A row for each \
             check says what was found and what to do about it; the last line is the command to measure this far end \
             with. It sends some hundred packets at most and takes 30 s at most, unless more is asked for.",
        ],
        exit: &[],
        see: &["sender", "controller", "check"],
        guides: &["doctor.md", "strict.md"],
    },
    Page {
        command: "daemon",
        description: &[
            "Runs sessions, responders and servers all the time, as a TOML file or the TOML files of a directory say. \
             SIGHUP reads them again: only entries that changed are begun again, and what has a fault changes nothing. \
             An entry that cannot begin is tried again, and keeps no other from running.",
            "Keys of the file are the options of twinpath sender, controller, responder and server; twinpath config \
             checks it, and twinpath config schema describes each key. Without a file it runs a responder and a \
             session to it on loopback. twinpath status shows what it does.",
        ],
        exit: &[
            ("0", "it was asked to end"),
            (
                "1",
                "a file could not be read, or an address could not be had",
            ),
            ("2", "bad usage, or a configuration with faults"),
        ],
        see: &["config", "status", "sender", "responder", "server"],
        guides: &["daemon.md", "mesh.md", "netconf.md", "status.md"],
    },
    Page {
        command: "config",
        description: &[
            "Works on configurations of twinpath daemon. check says every fault with file, line and what to write \
             instead, and reads key files; show prints a configuration as one file; diff prints what a daemon would \
             change, a line for each node; mesh does the first two with a mesh document; schema prints the YANG module of the configuration, or another one that it \
             imports.",
        ],
        exit: &[
            ("0", "no fault, or no difference"),
            ("1", "different, or a file could not be read"),
            ("2", "bad usage, or a fault"),
        ],
        see: &["daemon"],
        guides: &["daemon.md", "mesh.md"],
    },
    Page {
        command: "status",
        description: &[
            "Asks the responders, servers and daemons that run on this host what they do: packets answered and not answered by \
             reason, the clock, the source of timestamps, control connections, and the sessions heard last with their \
             senders. With one program it shows all of it, with several a line each.",
            "Each program has a Unix socket that its own user and root can read. It is in /run/twinpath for root, \
             in $RUNTIME_DIRECTORY where systemd sets that, else in $XDG_RUNTIME_DIR/twinpath.",
        ],
        exit: &[],
        see: &["responder", "server"],
        guides: &["status.md", "metrics.md"],
    },
    Page {
        command: "import-owamp",
        description: &[
            "Reads the configuration of twampd, the TWAMP server of perfSONAR's owamp: twamp-server.conf, \
             twamp-server.limits and twamp-server.pfs, or twampd.conf, twampd.limits, twampd.pfs and twampd.keys. It \
             makes a file of limits, a file of keys and the options for twinpath server.",
            "What has no equivalent is said on stderr with its line and the nearest option; a warning where clients \
             have more or less than before. Where access cannot be expressed, it is narrower than before, never wider.",
            "Without --to it shows what it would write, except the passphrases.",
        ],
        exit: &[
            ("0", "imported, or shown, perhaps with warnings"),
            ("1", "a file could not be read or written"),
            ("2", "bad usage, or a file that twampd would refuse too"),
        ],
        see: &["server"],
        guides: &["import-from-perfsonar.md", "run-a-responder.md"],
    },
    Page {
        command: "dscptable",
        description: &[
            "Lists the names of Differentiated Services Code Points that options take, with their values and the \
             octets that they make of ToS and Traffic Class.",
        ],
        exit: &[
            ("0", "listed"),
            ("1", "it could not be written"),
            ("2", "bad usage"),
        ],
        see: &["sender"],
        guides: &["README.md"],
    },
    Page {
        command: "selftest",
        description: &[
            "Says what this host can do (sources of timestamps, privileges, clock) and measures over loopback, for \
             each family of addresses: what is left of delay there is the error of measurements from this host.",
        ],
        exit: &[
            ("0", "measured"),
            ("1", "not measured"),
            ("2", "bad usage"),
            ("3", "every packet was lost"),
        ],
        see: &["sender", "responder"],
        guides: &["read-the-figures.md"],
    },
];

impl Page {
    /// That of a command.
    pub(crate) fn of(command: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.command == command)
    }
}
