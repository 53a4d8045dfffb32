#!/usr/bin/env python3
"""What routing = auto costs the proxy: its CPU per read, beside routing = primary, before a real primary with two replicas.

The same pgbench run goes to both by turns, through one worker. Most of the machine is PostgreSQL's here: only the proxy's own
CPU is compared, and times of whole runs say nothing."""
import argparse
import pathlib
import re
import statistics

from real_server import started

from harness import process
from harness.pgweir import Pgweir
from harness.postgres import PASSWORDS, bin_folder

# 200 bytes, of which the scanner sees each.
READ = "SELECT abalance, bid, aid FROM pgbench_accounts WHERE aid = :aid AND bid >= 0 AND abalance IS NOT NULL AND filler IS NOT NULL"


def script(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "read.sql"
    path.write_text(f"\\set aid random(1, 100000)\n{READ.ljust(190)} LIMIT 1;\n")
    return path


def cpu_us(pid: int) -> float:
    """Of the worker: logins and probes are other threads' work."""
    return sum(int((task / "schedstat").read_text().split()[0]) / 1e3 for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
               if "worker" in (task / "comm").read_text())


def measure(proxy: Pgweir, database: str, mode: str, read: pathlib.Path, seconds: int) -> float:
    """CPU in µs per transaction."""
    before = cpu_us(proxy.process.pid)
    result = process.run([bin_folder() / "pgbench", "-n", "-M", mode, "-c", "32", "-T", seconds, "-f", read, proxy.conninfo(database, sslmode="disable")])
    done = int(re.search(r"transactions actually processed: (\d+)", result.stdout).group(1))
    assert "number of failed transactions: 0" in result.stdout, result.stdout
    return (cpu_us(proxy.process.pid) - before) / done


def sections(servers) -> dict:
    hosts = ", ".join(f"{server.host}:{server.port}" for server in servers)
    return {"pgweir": {"default_pool_size": 16, "client_tls_sslmode": "disable"},
            "cluster main": {"hosts": hosts, "probe_user": "app", "probe_password": PASSWORDS["app"]},
            **{f"database {routing}": {"cluster": "main", "dbname": "bench", "routing": routing} for routing in ("primary", "auto")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    with started(sections, replicas=2) as (_, proxy):
        process.run([bin_folder() / "pgbench", "-i", "-q", proxy.conninfo("primary", sslmode="disable")])
        read = script(proxy.folder)
        print("| CPU in µs per read | primary | auto | auto / primary |\n|---|---|---|---|")
        for mode in ("simple", "extended", "prepared"):
            found = {"primary": [], "auto": []}
            for _ in range(arguments.rounds):
                for routing, all_of_it in found.items():
                    all_of_it.append(measure(proxy, routing, mode, read, arguments.seconds))
            primary, auto = (statistics.median(all_of_it) for all_of_it in found.values())
            print(f"| {mode} | {primary:.1f} | {auto:.1f} | {auto / primary:.2f} |", flush=True)
        for row in proxy.show("ROUTES"):
            print(f"- {row['database']}: {row['count']} to a {row['decision']}, {row['reason']}")


if __name__ == "__main__":
    main()
