"""What the programs of the pScheduler tool "twinpath" share: input, output, specifications, the command that measures.

Tests of the types "rtt" and "latency". Python 3.7 or newer, nothing but its standard library.
"""

import configparser
import json
import os
import re
import shlex
import sys

# The newest version of each test's specification that is understood.
SCHEMAS = {"rtt": 4, "latency": 4}
# Protocols by the names that tests have for them. The first is the one without a name.
PROTOCOLS = {"rtt": ("twamp",), "latency": ("twamp", "stamp", "twamp-light")}
# What a test may ask for and this tool does not do.
UNSUPPORTED = {
    "deadline": "deadline is not supported: use count and interval",
    "flow-label": "flow-label is not supported",
    "port": "port is not supported: a TWAMP server assigns the port",
}
# Of the control port of TWAMP, and the port of STAMP.
PORT = 862
# Octets before the padding of a test packet, and of a UDP header.
TEST_HEADER = 14
UDP_HEADER = 8
# The least padding: replies are then as long as requests.
LEAST_PADDING = 27
# Seconds beyond the packets themselves: start, name lookups, the control connection, late replies.
SLACK = 10

CONFIG = "/etc/pscheduler/tool/twinpath.conf"
SECTION = "twinpath"


class Refused(Exception):
    """The input cannot be meant; the text says why."""


def read_input():
    """The JSON document on stdin. Ends the program where it is none."""
    try:
        document = json.load(sys.stdin)
        if not isinstance(document, dict):
            raise ValueError("not an object")
        return document
    except ValueError as error:
        fail("invalid JSON on stdin: %s" % error)


def succeed(document):
    """Prints the result and ends the program."""
    json.dump(document, sys.stdout)
    print()
    sys.exit(0)


def fail(text):
    """Says what is wrong and ends the program with status 1."""
    print("twinpath: %s" % text, file=sys.stderr)
    sys.exit(1)


def seconds(value):
    """Seconds of a number, or of an ISO 8601 duration such as PT0.1S."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    number = r"(\d+(?:\.\d+)?)"
    form = "P(?:%sW)?(?:%sD)?(?:T(?:%sH)?(?:%sM)?(?:%sS)?)?" % ((number,) * 5)
    match = re.fullmatch(form, value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise Refused("%r is not a duration such as PT0.1S" % (value,))
    units = (604800, 86400, 3600, 60, 1)
    return sum(float(part) * unit for part, unit in zip(match.groups(), units) if part)


def duration(in_seconds):
    """An ISO 8601 duration."""
    return "PT%sS" % (("%.9f" % in_seconds).rstrip("0").rstrip(".") or "0")


class Test:
    """A test: what to measure, and how."""

    def __init__(self, document):
        kind, spec = document.get("type"), document.get("spec")
        if kind is None and spec is None:
            # Some callers give the specification alone; only that of "latency" has such keys.
            spec = document
            kind = "latency" if any(key.startswith("packet-") for key in spec) else "rtt"
        if kind not in SCHEMAS:
            raise Refused("Unsupported test type")
        if not isinstance(spec, dict):
            raise Refused("Missing test specification")
        self.kind, self.spec = kind, spec
        prefix = "packet-" if kind == "latency" else ""
        usual = (100, 0.1, 0) if kind == "latency" else (5, 1.0, 2)
        self.count = spec.get(prefix + "count", usual[0])
        self.interval = seconds(spec.get(prefix + "interval", usual[1]))
        # No reply comes after 0 seconds: as twping, wait as long as is usual.
        self.timeout = seconds(spec.get(prefix + "timeout", usual[2])) or 2.0
        self.protocol = spec.get("protocol") or ("icmp" if kind == "rtt" else "twamp")

    def reasons(self):
        """Why it cannot be run; empty where it can."""
        spec, reasons = self.spec, []
        schema = spec.get("schema", 1)
        if not isinstance(schema, int) or schema > SCHEMAS[self.kind]:
            reasons.append("schema %s of the test is not known" % schema)
        if not isinstance(spec.get("dest"), str):
            reasons.append("Missing dest")
        if self.protocol not in PROTOCOLS[self.kind]:
            reasons.append("protocol is one of: %s" % ", ".join(PROTOCOLS[self.kind]))
        if not isinstance(self.count, int) or self.count < 1:
            reasons.append("count is a whole number above 0")
        if self.interval < 1e-6:
            reasons.append("interval is at least 1 microsecond")
        for key in ("ctrl-port", "ip-tos", "length", "packet-padding", "ttl"):
            if not isinstance(spec.get(key, 0), int):
                reasons.append("%s is a whole number" % key)
        if "data-ports" in spec and not is_range(spec["data-ports"]):
            reasons.append("data-ports is a range with lower and upper")
        if spec.get("suppress-loopback"):
            reasons.append("suppress-loopback is not supported")
        if spec.get("flip") and "source" not in spec:
            reasons.append("flip needs a source")
        reasons.extend(text for key, text in UNSUPPORTED.items() if key in spec)
        return reasons

    def run_time(self):
        """Seconds that a run takes at most."""
        return self.count * self.interval + self.timeout + SLACK

    def client(self):
        """The number of the participant that measures."""
        return 1 if self.kind == "latency" and self.spec.get("flip") else 0

    def is_backward(self):
        """Whether the direction asked for is from the far end to the one that measures."""
        return bool(self.spec.get("flip")) != bool(self.spec.get("reverse"))

    def command(self, config):
        """The command that measures: a list, which no shell reads."""
        spec = self.spec
        far, near = spec["dest"], spec.get("source")
        if self.client() == 1:
            far, near = near, far
        padding = spec.get("packet-padding")
        if padding is None and "length" in spec:
            # As long as an echo request with so many octets behind its header.
            padding = max(spec["length"] - TEST_HEADER, LEAST_PADDING)
        is_agreed = self.protocol == "twamp"
        command = [config.program, "controller" if is_agreed else "sender"]
        command.append(end(far, spec.get("ctrl-port", PORT)))
        if near is not None:
            # The port is chosen by the system, or is one of --ports.
            command.append(end(near, None if "data-ports" in spec else 0))
        command += ["--count", str(self.count)]
        command += ["--interval", "%.6fs" % self.interval, "--timeout", "%.6fs" % self.timeout]
        command += ["--output", "jsonl", "--quiet"]
        if self.protocol == "stamp":
            command.append("--stamp")
        if padding is not None:
            command += ["--padding", str(padding)]
        for key, option in (("ip-tos", "--tos"), ("ttl", "--ttl")):
            if key in spec:
                command += [option, str(spec[key])]
        if spec.get("fragment") is False:
            command.append("--do-not-fragment")
        if spec.get("ip-version") in (4, 6):
            command.append("-%d" % spec["ip-version"])
        if "data-ports" in spec:
            ports = spec["data-ports"]
            command += ["--ports", "%d-%d" % (ports["lower"], ports["upper"])]
        if spec.get("traverse-nat") and is_agreed:
            command.append("--nat")
        return command + config.options


def is_range(ports):
    """Whether these are two ports, as {"lower": 1, "upper": 2}."""
    ends = (ports.get("lower"), ports.get("upper")) if isinstance(ports, dict) else (None,)
    return all(isinstance(port, int) for port in ends)


def end(host, port):
    """HOST:PORT; an IPv6 address has brackets."""
    if host.startswith("-"):
        raise Refused("%s is not a host" % host)
    host = "[%s]" % host if ":" in host else host
    return host if port is None else "%s:%d" % (host, port)


class Config:
    """/etc/pscheduler/tool/twinpath.conf: where the program is, further options."""

    def __init__(self):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(os.environ.get("TWINPATH_PSCHEDULER_CONF", CONFIG))
        self.program = parser.get(SECTION, "program", fallback="/usr/bin/twinpath")
        self.options = shlex.split(parser.get(SECTION, "options", fallback=""))
