#!/usr/bin/env python3
"""CPU per operation of two or more builds of pgweir, by turns, in many short rounds: what a change costs.

The first build is what the others are measured by. A ratio is the median of the rounds' ratios: on a machine that does other
things as well it takes a hundred rounds to tell 2 % from nothing (and real-time priority helps: chrt -r 10 bench/builds.py)."""

import argparse
import pathlib
import sys

import measure
import targets
from run import ROOT

MODES = ("simple", "extended", "prepared", "transaction")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="+", metavar="NAME=PROGRAM")
    parser.add_argument("--programs", default=ROOT / "build/release/bench", help="the folder of bench_server and bench_load")
    parser.add_argument("--mode", action="append", choices=MODES, help="may be repeated; default: all")
    parser.add_argument("--text-size", type=int, default=0, metavar="BYTES", help="of each query; default: as short as it is")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=0.4)
    # What targets.Bench knows and nobody changes here.
    parser.set_defaults(pin=True, tls_key="ec", pgweir="", pgweir_set=[], pgbouncer="", pgbouncer_set=[])
    return parser.parse_args()


def start(bench, program):
    bench.arguments.pgweir = program
    target = bench.pgweir(targets.Settings())
    if not target:
        raise targets.TargetError(f"{program} is not there")
    return target


def main():
    arguments = read_arguments()
    bench = targets.Bench(arguments)
    size = ["--text-size", arguments.text_size] if arguments.text_size else []
    try:
        builds = dict(pair.split("=", 1) for pair in arguments.builds)
        running = {name: start(bench, pathlib.Path(program)) for name, program in builds.items()}
        first = next(iter(running))
        print(f"| | {' | '.join(f'{name}, µs | / {first}' for name in running)} |")
        print(f"|---|{'---|---|' * len(running)}")
        for mode in arguments.mode or MODES:
            series = measure.interleave(bench, measure.loads(bench, running, ["--clients", 32, "--mode", mode, *size]))
            cells = [f"{measure.cell(one, 'cpu_us_per_op')} | {measure.number(measure.ratio(one, series[first]), 3)}"
                     for one in series.values()]
            print(f"| {mode} | {' | '.join(cells)} |", flush=True)
    except (targets.TargetError, ValueError) as failure:
        sys.exit(str(failure))
    finally:
        bench.close()


if __name__ == "__main__":
    main()
