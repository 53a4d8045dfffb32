#!/usr/bin/env python3
"""What reading /metrics costs with many pools: time and size of a scrape, CPU of the control thread and of the others."""

import argparse
import http.client
import pathlib
import statistics
import sys
import time

import targets
from run import ROOT

SCRAPES = 20


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgweir", default=ROOT / "build/release/pgweir", help="default: %(default)s")
    parser.add_argument("--programs", default=ROOT / "build/release/bench", help="the folder of bench_server")
    parser.add_argument("--pools", type=int, action="append", help="may be repeated; default: 10, 100, 1000")
    parser.set_defaults(pin=False, tls_key="ec", pgbouncer="", pgbouncer_set=[])
    arguments = parser.parse_args()
    http_port = targets.free_port()
    arguments.pgweir_set = [f"http_listen=127.0.0.1:{http_port}", "metrics_max_pools=10000", "log_connections=0", "log_disconnections=0"]
    bench = targets.Bench(arguments)
    print("| pools | KiB | ms | control thread, ms of CPU | other threads, ms of CPU |\n|---|---|---|---|---|")
    try:
        for pools in arguments.pools or (10, 100, 1000):
            print(measure(bench, pools, http_port), flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
