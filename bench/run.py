#!/usr/bin/env python3
"""Measures pgweir beside PgBouncer, a bare TCP relay and no proxy at all, in front of an instant server.

What the figures mean and how they are made: README.md in this folder."""

import argparse
import json
import os
import pathlib
import platform
import resource
import signal
import subprocess
import sys
import time

import sections
import targets

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgweir", default=ROOT / "build/release/pgweir", help="default: %(default)s")
    parser.add_argument("--programs", default=ROOT / "build/release/bench", help="the folder of bench_load and the others")
    parser.add_argument("--pgbouncer", default="/usr/sbin/pgbouncer", help="default: %(default)s")
    parser.add_argument("--only", action="append", choices=sections.SECTIONS, metavar="SECTION",
                        help=f"may be repeated: {', '.join(sections.SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="one round of a second: shows that it runs, little more")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pool-size", type=int, default=32)
    parser.add_argument("--pools", type=int, default=1000, help="section pools: how many unused ones")
    parser.add_argument("--storm-rate", type=int, default=200, help="section storm: logins per second")
    parser.add_argument("--tls-key", choices=("rsa", "ec"), default="rsa", help="RSA 2048 or P-256")
    parser.add_argument("--pin", action="store_true", help="the proxy to core 0, load and server to core 1")
    parser.add_argument("--pgweir-set", action="append", default=[], metavar="KEY=VALUE", help="one more key of [pgweir]")
    parser.add_argument("--pgbouncer-set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--markdown", action="store_true", help="tables as RESULTS.md has them")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the tables there too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 1
    return arguments


def version_of(program):
    try:
        done = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    return done.stdout.splitlines()[0] if done.stdout else "unknown version"


def has_prepared_statements(version):
    """PgBouncer learned protocol-level prepared statements in 1.21."""
    try:
        return tuple(int(part) for part in version.split()[1].split(".")[:2]) >= (1, 21)
    except (AttributeError, IndexError, ValueError):
        return False


def print_markdown(table):
    print(f"### {table.title}\n")
    print("| " + " | ".join(table.columns) + " |")
    print("|---" * len(table.columns) + "|")
    for row in table.rows:
        print("| " + " | ".join(row) + " |")
    print("".join(f"\n{note}\n" for note in table.notes), flush=True)


def print_plain(table):
    lines = [table.columns] + table.rows
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    print(f"{table.title}")
    for line in lines:
        print("  " + line[0].ljust(widths[0]) + "".join(f"  {text:>{width}}" for text, width in zip(line[1:], widths[1:])))
    print("".join(f"  {note}\n" for note in table.notes), flush=True)


def describe(arguments):
    """What a reader must know to judge the figures."""
    versions = {"pgweir": version_of(arguments.pgweir), "pgbouncer": version_of(arguments.pgbouncer)}
    arguments.pgbouncer_prepares = has_prepared_statements(versions["pgbouncer"])
    lines = [f"{name}: {version or 'not found: its columns stay empty'}" for name, version in versions.items()]
    lines += [f"machine: {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"
              + (", pinned" if arguments.pin else ", not pinned"),
              f"load average at the start: {os.getloadavg()[0]:.2f}",
              f"rounds: {arguments.rounds} of {arguments.seconds:g} s, interleaved, medians"]
    return lines


def run_sections(bench, names):
    tables = {}
    show = print_markdown if bench.arguments.markdown else print_plain
    for name in names:
        try:
            tables[name] = sections.SECTIONS[name](bench)
        except (targets.TargetError, subprocess.TimeoutExpired) as failure:
            print(f"# section {name}: {failure}\n", flush=True)
            bench.stop_all_but_server()
            continue
        for table in tables[name]:
            show(table)
    return tables


def main():
    arguments = read_arguments()
    # Thousands of sessions: what is started from here inherits the limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    about = describe(arguments)
    print("".join(f"- {line}\n" for line in about), flush=True)
    if not (pathlib.Path(arguments.programs) / "bench_load").exists():
        sys.exit(f"{arguments.programs}: no bench_load there; build the tree, or name the folder with --programs")
    bench = targets.Bench(arguments)
    try:
        tables = run_sections(bench, arguments.only or list(sections.SECTIONS))
    finally:
        bench.close()
    about.append(f"load average at the end: {os.getloadavg()[0]:.2f}")
    print(f"- {about[-1]}", flush=True)
    if arguments.json:
        plain = {name: [vars(table) for table in group] for name, group in tables.items()}
        arguments.json.write_text(json.dumps({"about": about, "time": time.time(), "sections": plain,
                                              "raw": bench.raw}, indent=1) + "\n")


if __name__ == "__main__":
    main()
