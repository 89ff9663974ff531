"""From the records and the report of twinpath to the results of the tests "rtt" and "latency"."""

from twinpath_tool import UDP_HEADER, duration

# From 1900 to 1970.
NTP_TO_UNIX = 2208988800


def far_address(report):
    """The IP address of the far end."""
    address = report["reflector"].rsplit(":", 1)[0].strip("[]")
    return address.split("%")[0]


def rtt(records, report):
    """The result of a test "rtt"."""
    packets, delay = report["packets"], report["round_trip"]
    result = {
        "schema": 1,
        "succeeded": True,
        "sent": packets["sent"],
        "received": packets["received"],
        "lost": packets["lost"],
        "loss": packets["loss_ratio"] or 0.0,
        "duplicates": packets["duplicates"],
        "reorders": packets["reordered"],
        "roundtrips": [],
    }
    if delay["count"]:
        for name in ("min", "max", "mean", "stddev"):
            if delay[name + "_ns"] is not None:
                result[name] = duration(delay[name + "_ns"] / 1e9)
    for record in records:
        if record.get("fate") != "received" or record.get("round_trip_ns") is None:
            continue
        trip = {
            "seq": record["seq"] + 1,
            "ip": far_address(report),
            "rtt": duration(record["round_trip_ns"] / 1e9),
        }
        if report.get("payload_octets"):
            trip["length"] = report["payload_octets"] + UDP_HEADER
        if record.get("ttl_backward"):
            trip["ttl"] = record["ttl_backward"]
        result["roundtrips"].append(trip)
    return result


def latency(records, report, spec, is_backward):
    """The result of a test "latency" in one direction."""
    packets, width = report["packets"], spec.get("bucket-width", 0.001)
    way = "backward" if is_backward else "forward"
    result = {
        "schema": 1,
        "succeeded": True,
        "packets-sent": packets["sent"],
        "packets-received": packets["received"],
        "packets-lost": packets["lost"],
        "packets-duplicated": packets["duplicates"],
        "packets-reordered": packets["reordered"],
        "histogram-latency": {},
        "histogram-ttl": {},
    }
    clocks = report["timestamps"]
    far = clocks.get("far_clock") or {}
    errors = (clocks.get("clock_error_ns"), far.get("error_ns"))
    if None not in errors:
        result["max-clock-error"] = round(sum(errors) / 1e6, 2)
    if spec.get("output-raw"):
        result["raw-packets"] = []
    for record in records:
        delay = record.get(way + "_ns")
        if record.get("fate") != "received" or delay is None:
            continue
        # Without the sign of a zero.
        bucket = "%.2f" % (round(delay / 1e9 / width, 2) + 0)
        count(result["histogram-latency"], bucket)
        ttl = record.get("ttl_" + way)
        if ttl is not None:
            count(result["histogram-ttl"], str(ttl))
        if "raw-packets" in result:
            result["raw-packets"].append(raw(record, is_backward, ttl, clocks, far))
    return result


def raw(record, is_backward, ttl, clocks, far):
    """A packet with its two timestamps of one direction."""
    near_end = (clocks.get("clock_synchronized"), clocks.get("clock_error_ns"))
    far_end = (far.get("synchronized"), far.get("error_ns"))
    if is_backward:
        stamps, ends = ("t3_ns", "t4_ns"), (far_end, near_end)
    else:
        stamps, ends = ("t1_ns", "t2_ns"), (near_end, far_end)
    packet = {"seq-num": record["seq"], "ip-ttl": ttl or 0}
    for name, stamp, (synchronized, error_ns) in zip(("src", "dst"), stamps, ends):
        packet[name + "-ts"] = ntp(record[stamp])
        packet[name + "-clock-sync"] = bool(synchronized)
        if error_ns is not None:
            packet[name + "-clock-err"] = error_ns / 1e9
    return packet


def ntp(unix_ns):
    """A point in time as a whole number of 64 bits, as NTP writes it."""
    whole, rest = divmod(unix_ns, 10**9)
    return ((whole + NTP_TO_UNIX) << 32) + (rest << 32) // 10**9


def count(histogram, key):
    """One more."""
    histogram[key] = histogram.get(key, 0) + 1
