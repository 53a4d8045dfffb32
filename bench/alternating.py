#!/usr/bin/env python3
"""Two clients in different states (application_name, search_path, timezone) in front of a real server: what it costs that pgweir
puts the state of each in force ahead of its questions.

- One server connection for both: the time per query beside a client that does the same by itself, one packet with
  BEGIN; SETs; COMMIT and the question, on a connection of its own; and the proxy's CPU beside two clients in equal states.
- Two server connections, where each client can find one in its own state: beside equal states.
- The proxy's CPU once more before the instant server, on one connection.

With --awake a process that runs only where nothing else wants to keeps each core from halting: on a virtual machine it may take
longer to wake a halted core than to answer, and schedulers that know this put all on one core.

Everything takes its turn in every round. A ratio is the median of the rounds' ratios."""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys

from real_server import ROOT, started

from harness.postgres import PASSWORDS

QUERIES = {"SELECT 1": "SELECT 1", "a longer query": "SELECT count(*) FROM generate_series(1, 5000)"}
# Against what each is measured, and of what.
RATIOS = (("one connection, different states", "batch directly", "us"), ("one connection, different states", "one connection, equal states", "cpu"),
          ("two connections, different states", "two connections, equal states", "us"),
          ("instant server, different states", "instant server, equal states", "cpu"))
PROGRAMS = ROOT / "build/release/bench"


class Bench:
    def __init__(self, server, proxy, seconds: float, text: str):
        self.seconds, self.text = seconds, text
        pair = ["--clients", "2", "--threads", "2"]
        self.cases = {
            "batch directly": (server, "app", None, ["--clients", "1", "--mode", "batch"]),
            "one connection, equal states": (proxy, "one", proxy.process.pid, pair),
            "one connection, different states": (proxy, "one", proxy.process.pid, [*pair, "--vary-state"]),
            "two connections, equal states": (proxy, "two", proxy.process.pid, pair),
            "two connections, different states": (proxy, "two", proxy.process.pid, [*pair, "--vary-state"]),
            "instant server, equal states": (proxy, "instant", proxy.process.pid, pair),
            "instant server, different states": (proxy, "instant", proxy.process.pid, [*pair, "--vary-state"]),
        }

    def measure(self, case: str) -> dict:
        """µs of time and of the proxy's CPU per query."""
        target, database, pid, more = self.cases[case]
        command = [PROGRAMS / "bench_load", "--port", str(target.port), "--user", "app", "--password", PASSWORDS["app"],
                   "--dbname", database, "--text", self.text, "--seconds", str(self.seconds), "--json", *more]
        done = subprocess.run(command + (["--proxy-pid", str(pid)] if pid else []), stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(done.stdout)
        queries = result["ops"] * (2 if "batch" in more else 1)     # An operation has one for each of the two states.
        return {"us": result["seconds"] * 1e6 / queries, "cpu": result.get("cpu_us_per_op", 0)}


def report(name: str, found: dict) -> None:
    print(f"\n| {name} | µs per query | the proxy's CPU, µs |\n|---|---|---|")
    for case, rounds in found.items():
        time_us, cpu_us = (statistics.median(each[what] for each in rounds) for what in ("us", "cpu"))
        print(f"| {case} | {time_us:.1f} | {f'{cpu_us:.1f}' if cpu_us else ''} |")
    print()
    for case, other, what in RATIOS:
        ratio = statistics.median(one[what] / two[what] for one, two in zip(found[case], found[other]))
        print(f"- {case} / {other}, {'time' if what == 'us' else 'CPU'}: {ratio:.3f}")


@contextlib.contextmanager
def instant_server():
    """Its port."""
    server = subprocess.Popen([PROGRAMS / "bench_server"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(server.stdout.readline().split()[1])
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def awake():
    """Something to do for every core that has nothing to do."""
    spinners = []

    def be_idle(core: int) -> None:
        os.sched_setaffinity(0, {core})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    try:
        for core in os.sched_getaffinity(0):
            spinners.append(subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=lambda core=core: be_idle(core)))
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def sections(servers, instant_port: int) -> dict:
    real = {"host": servers[0].host, "port": servers[0].port, "dbname": "app"}
    return {"pgweir": {"server_tls_sslmode": "disable"}, "database one": {**real, "pool_size": 1}, "database two": {**real, "pool_size": 2},
            "database instant": {"host": "127.0.0.1", "port": instant_port, "pool_size": 1}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--awake", action="store_true", help="keep the cores from halting")
    arguments = parser.parse_args()
    with (instant_server() as port, started(lambda servers: sections(servers, port)) as (servers, proxy),
          awake() if arguments.awake else contextlib.nullcontext()):
        for name, text in QUERIES.items():
            bench = Bench(servers[0], proxy, arguments.seconds, text)
            found = {case: [] for case in bench.cases}
            for _ in range(arguments.rounds):
                for case, rounds in found.items():
                    rounds.append(bench.measure(case))
            report(name, found)


if __name__ == "__main__":
    main()
