#!/usr/bin/env python3
"""What reading /metrics costs with many pools: time and size of a scrape, CPU of the control thread and of the others.

With --instructions not time is measured but what is executed in user space, under callgrind: a machine that is busy with
other things has little to say about that.

With --load simple queries go through it, by turns with /metrics read once a second and not read at all: the process' CPU
per query, the worker's own, and what the slowest queries took. """

import argparse
import http.client
import os
import pathlib
import re
import statistics
import sys
import threading
import time

import measure as runs
import targets
from run import ROOT

SCRAPES = 20
FEW, MANY = 2, 12           # Scrapes under callgrind; the difference leaves out starting and ending.


def cpu_ms(pid):
    """Of the control thread (the first one), and of all others."""
    tasks = {int(task.name): int((task / "schedstat").read_text().split()[0]) / 1e6
             for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}
    return tasks[pid], sum(tasks.values()) - tasks[pid]


def scrape(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read()
    connection.close()
    return body


def measure(bench, pools, http_port):
    target = bench.pgweir(targets.Settings(empty_databases=pools, threads=2))
    if not target:
        sys.exit("there is no pgweir")
    scrape(http_port)
    before, times, size = cpu_ms(target.pid), [], 0
    for _ in range(SCRAPES):
        since = time.perf_counter()
        size = len(scrape(http_port))
        times.append((time.perf_counter() - since) * 1000)
    after = cpu_ms(target.pid)
    bench.stop([target])
    control, others = ((late - early) / SCRAPES for early, late in zip(before, after))
    return f"| {pools:,} | {size / 1024:,.0f} | {statistics.median(times):.1f} | {control:.1f} | {others:.1f} |"


class CountedBench(targets.Bench):
    """pgweir runs under callgrind, which counts each thread by itself."""

    def start_proxy(self, name, command, port, account):
        self.counts = self.folder / f"callgrind-{port}.out"
        valgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={self.counts}"]
        return super().start_proxy(name, valgrind + command, port, account)

    def count(self, pools, http_port, scrapes):
        """Millions of instructions: of the control thread, and of all others."""
        target = self.pgweir(targets.Settings(empty_databases=pools, threads=2))
        for _ in range(scrapes):
            scrape(http_port)
        target.process.terminate()
        target.process.wait(300)            # callgrind writes its counts.
        self.stop([target])
        totals = {path.name[-2:]: int(re.search(r"^totals: (\d+)", path.read_text(), re.M)[1]) / 1e6
                  for path in self.folder.glob(f"{self.counts.name}-*")}
        return totals["01"], sum(totals.values()) - totals["01"]


def measure_instructions(bench, pools, http_port):
    few, many = (bench.count(pools, http_port, scrapes) for scrapes in (FEW, MANY))
    control, others = ((late - early) / (MANY - FEW) for early, late in zip(few, many))
    return f"| {pools:,} | {control:.2f} | {max(0, others):.2f} |"


class Reader(threading.Thread):
    """Reads /metrics once a second until it is told to stop; 0 for the port: reads nothing."""

    def __init__(self, http_port):
        super().__init__(daemon=True)
        self.http_port, self.enough = http_port, threading.Event()

    def run(self):
        while self.http_port and not self.enough.wait(1):
            scrape(self.http_port)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.enough.set()
        self.join()


def load_once(bench, target, http_port):
    before = cpu_ms(target.pid)[1]
    with Reader(http_port):
        result = runs.run_load(bench, target, ["--clients", 32, "--warmup", 0])
    return {**result, "worker_us_per_op": (cpu_ms(target.pid)[1] - before) * 1000 / result["ops"]}


def measure_load(bench, pools, http_port):
    target = bench.pgweir(targets.Settings(empty_databases=pools, threads=1))
    scrape(http_port)
    series = runs.interleave(bench, {"unread": lambda: load_once(bench, target, 0), "read": lambda: load_once(bench, target, http_port)})
    bench.stop([target])
    rows = []
    for name, digits in (("cpu_us_per_op", 3), ("worker_us_per_op", 3), ("p99_us", 0), ("p999_us", 0)):
        unread, read = series["unread"], series["read"]
        ratios = sorted(b / a for a, b in zip(unread.values(name), read.values(name)))
        rows.append(f"| {pools:,} | {name} | {unread.median(name):.{digits}f} | {read.median(name):.{digits}f} | "
                    f"{runs.ratio(read, unread, name):.3f} | {ratios[0]:.3f} to {ratios[-1]:.3f} |")
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgweir", default=ROOT / "build/release/pgweir", help="default: %(default)s")
    parser.add_argument("--programs", default=ROOT / "build/release/bench", help="the folder of bench_server")
    parser.add_argument("--pools", type=int, action="append", help="may be repeated; default: 10, 100, 1000")
    parser.add_argument("--instructions", action="store_true", help="count instructions, in millions, instead of time")
    parser.add_argument("--load", action="store_true", help="CPU per query with /metrics read every second, and without")
    parser.add_argument("--rounds", type=int, default=10, help="with --load; default: %(default)s of each, by turns")
    parser.add_argument("--seconds", type=float, default=3, help="with --load: of each; default: %(default)s")
    parser.add_argument("--pin", action="store_true", help="the proxy to core 0, load and server to core 1")
    parser.set_defaults(tls_key="ec", pgbouncer="", pgbouncer_set=[])
    arguments = parser.parse_args()
    if arguments.pin:
        os.sched_setaffinity(0, {1})
    http_port = targets.free_port()
    arguments.pgweir_set = [f"http_listen=127.0.0.1:{http_port}", "metrics_max_pools=10000", "log_connections=0", "log_disconnections=0"]
    if arguments.instructions:
        bench, each = CountedBench(arguments), measure_instructions
        print("| pools | control thread, million instructions | other threads |\n|---|---|---|")
    elif arguments.load:
        bench, each = targets.Bench(arguments), measure_load
        print("| pools |  | not read | read every second | ratio | of the rounds |\n|---|---|---|---|---|---|")
    else:
        bench, each = targets.Bench(arguments), measure
        print("| pools | KiB | ms | control thread, ms of CPU | other threads, ms of CPU |\n|---|---|---|---|---|")
    try:
        for pools in arguments.pools or (10, 100, 1000):
            print(each(bench, pools, http_port), flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
