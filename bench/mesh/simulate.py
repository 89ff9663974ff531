#!/usr/bin/env python3
"""Runs many daemons of one mesh document on loopback addresses of this host, and says what they take.

Each has an address of its own, 127.1.X.Y, with a responder and a page. All derive their sessions from one document.
The run ends when all cells of all nodes are known, have been measured for a time, and a node that is ended is grey on
the pages of the others. Processes that it started are ended, and no others.

    simulate.py target/release/twinpath --nodes 200 --topology full --interval 10s --report-interval 20s
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


def address(node):
    return f"127.1.{node // 250}.{node % 250 + 1}"


def document(options):
    lines = ['name = "simulated"', "serial = 1"]
    for node in range(options.nodes):
        at = address(node)
        lines += ["[[node]]", f'name = "n{node:04}"', f'address = "{at}:20001"', f'page = "http://{at}:8862"']
        lines += [f'labels = {{ site = "s{node % 10}" }}', f"hub = {str(node < 2).lower()}"]
        lines += [f'side = "{"left" if node % 5 == 0 else "right"}"']
    lines += ["[[mesh]]", 'name = "core"', f'topology = "{options.topology}"', f'interval = "{options.interval}"']
    lines += [f'report-interval = "{options.report_interval}"', 'timeout = "2s"', "[responder]"]
    return "\n".join(lines) + "\n"


def start(options, place, node):
    own = place / f"n{node:04}"
    own.mkdir()
    gather = '[mesh.gather]\nevery = "20s"\n' if node == 0 else ""
    (own / "twinpath.toml").write_text(
        f'[daemon]\nname = "n{node:04}"\nthreads = 1\n[mesh]\nurl = "{place}/mesh.toml"\n{gather}'
        f'[api]\nlisten = "{address(node)}:8862"\n'
    )
    environment = dict(os.environ, RUNTIME_DIRECTORY=str(own))
    with open(own / "log", "w") as log:
        command = [options.program, "daemon", "--config", str(own / "twinpath.toml")]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def ask(node, path):
    with urllib.request.urlopen(f"http://{address(node)}:8862{path}", timeout=30) as answer:
        return answer.read()


def cells(node):
    try:
        report = json.loads(ask(node, "/mesh.json?own=1")) or {"cells": []}
        return report["cells"]
    except OSError:
        return []


def of_all(nodes, get):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(get, nodes))


def processor(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(process):
    """Octets of its own, and shared ones in part (PSS)."""
    for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def counters(node):
    """Packets that were sent, and lost."""
    sent = lost = 0
    for line in ask(node, "/metrics").decode().splitlines():
        if line.startswith("twinpath_packets_sent_total"):
            sent += float(line.rpartition(" ")[2])
        if line.startswith("twinpath_packets_lost_total"):
            lost += float(line.rpartition(" ")[2])
    return sent, lost


def wait(what, is_so, longest):
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > longest:
            sys.exit(f"not within {longest} s: {what}")
        time.sleep(2)
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)


def run(options, place, processes):
    nodes = range(options.nodes)
    began = time.monotonic()
    for node in nodes:
        processes.append(start(options, place, node))
    print(f"{options.nodes} daemons begun in {time.monotonic() - began:.0f} s", flush=True)

    summary = subprocess.run([options.program, "config", "mesh", place / "mesh.toml"], capture_output=True, text=True, check=True)
    print(summary.stdout, end="", flush=True)
    wanted = 2 * int(summary.stdout.splitlines()[1].split(", ")[2].split()[0])

    known = {}

    def all_known():
        for node, found in zip(nodes, of_all(nodes, cells)):
            known[node] = [cell for cell in found if cell["state"] != "unknown"]
        return sum(map(len, known.values())) == wanted

    wait("all cells are known", all_known, options.longest)
    busy = [processor(process) for process in processes]
    before = of_all(nodes, counters)
    time.sleep(options.seconds)
    after = of_all(nodes, counters)
    busy = sorted((processor(process) - was) / options.seconds for process, was in zip(processes, busy))
    sent = sum(now[0] - was[0] for now, was in zip(after, before))
    lost = sum(now[1] - was[1] for now, was in zip(after, before))
    used = sorted(memory(process) for process in processes)
    print(f"packets: {sent / options.seconds:.0f}/s, {lost:.0f} of {sent:.0f} lost in {options.seconds} s")
    print(f"processor: {100 * sum(busy):.0f} % of one core in all, {100 * busy[len(busy) // 2]:.2f} % for a median node")
    print(f"memory: {sum(used) / 1e6:.0f} MB in all, {used[len(used) // 2] / 1e6:.1f} MB for a median node, {used[-1] / 1e6:.1f} MB at most")

    def gathered():
        return sum(cell["state"] == "good" for cell in json.loads(ask(0, "/mesh.json"))["cells"]) >= 0.95 * wanted

    wait("one page has 95 % of all cells", gathered, 120)
    began = time.monotonic()
    page = ask(0, "/mesh?group=site")
    print(f"page: {len(page) / 1e6:.2f} MB in {time.monotonic() - began:.2f} s", flush=True)
    pathlib.Path(options.page).write_bytes(page)
    last = options.nodes - 1
    processes[last].kill()
    processes.pop(last).wait()

    def is_grey():
        gone = json.loads(ask(0, "/mesh.json"))["gone"]
        return [one["node"] for one in gone] == [f"n{last:04}"]

    wait("a node that was killed is grey, and no other", is_grey, options.longest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--topology", default="full")
    parser.add_argument("--interval", default="10s")
    parser.add_argument("--report-interval", default="20s")
    parser.add_argument("--seconds", type=int, default=60, help="how long they are measured")
    parser.add_argument("--longest", type=int, default=300, help="the longest wait, in seconds")
    parser.add_argument("--page", default=os.devnull, help="where the page of the matrix is kept")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    processes = []
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        (place / "mesh.toml").write_text(document(options))
        try:
            run(options, place, processes)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


if __name__ == "__main__":
    main()
