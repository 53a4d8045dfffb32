#!/usr/bin/env python3
"""What reading /metrics costs with many pools: time and size of a scrape, CPU of the control thread and of the others.

With --instructions not time is measured but what is executed in user space, under callgrind: a machine that is busy with
other things has little to say about that. """

import argparse
import http.client
import pathlib
import re
import statistics
import sys
import time

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgweir", default=ROOT / "build/release/pgweir", help="default: %(default)s")
    parser.add_argument("--programs", default=ROOT / "build/release/bench", help="the folder of bench_server")
    parser.add_argument("--pools", type=int, action="append", help="may be repeated; default: 10, 100, 1000")
    parser.add_argument("--instructions", action="store_true", help="count instructions, in millions, instead of time")
    parser.set_defaults(pin=False, tls_key="ec", pgbouncer="", pgbouncer_set=[])
    arguments = parser.parse_args()
    http_port = targets.free_port()
    arguments.pgweir_set = [f"http_listen=127.0.0.1:{http_port}", "metrics_max_pools=10000", "log_connections=0", "log_disconnections=0"]
    if arguments.instructions:
        bench, each = CountedBench(arguments), measure_instructions
        print("| pools | control thread, million instructions | other threads |\n|---|---|---|")
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
