#!/usr/bin/env python3
"""Counts the instructions that pgweir and PgBouncer execute in user space per operation, under valgrind's callgrind.

Each proxy serves the same operations twice, few and many times; the difference, divided by the operations between, leaves
out starting, logging in and ending. The kernel is not in it, nor is what the clock costs (valgrind has no vDSO). Unlike
times these figures hardly depend on what else the machine does: runs differ by less than a percent."""

import argparse
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys

import targets
from run import ROOT

FEW, MANY = 20, 220         # rounds; in each every client runs one operation
READY = b"Z\0\0\0\x05"


def message(kind, *fields):
    body = b"".join(fields)
    return kind + struct.pack("!I", len(body) + 4) + body


def parse(name):
    return message(b"P", name, b"\0SELECT 1\0\0\0")


def bind(name):
    return message(b"B", b"\0", name, b"\0\0\0\0\0\0\0")


DESCRIBE, EXECUTE, SYNC = message(b"D", b"P\0"), message(b"E", b"\0\0\0\0\0"), message(b"S")
SELECT = message(b"Q", b"SELECT 1\0")

# What an operation sends, packet by packet; each is answered by one ReadyForQuery.
OPERATIONS = {
    "simple": [SELECT],
    "extended": [parse(b"") + bind(b"") + DESCRIBE + EXECUTE + SYNC],
    "prepared": [bind(b"s") + EXECUTE + SYNC],
    "described": [bind(b"s") + DESCRIBE + EXECUTE + SYNC],
    "transaction": [message(b"Q", b"BEGIN\0"), SELECT, message(b"Q", b"COMMIT\0")],
}
OPERATIONS["simple, 200 bytes"] = [message(b"Q", b"SELECT 1 /* " + b"tenant report " * 13 + b" */\0")]
LONG = b"SELECT 1 WHERE 1 = 1" + b" AND 1 = 1" * 817 + b"\0"      # 8 KiB
OPERATIONS["simple, 8 KiB"] = [message(b"Q", LONG)]
OPERATIONS["extended, 8 KiB"] = [message(b"P", b"\0", LONG, b"\0\0") + bind(b"") + DESCRIBE + EXECUTE + SYNC]
NAMED = {"prepared", "described"}
# Two clients in turn on one server connection, in the same state and in two different ones.
TURNS = {"in turn, equal": lambda number: {}, "in turn, different": lambda number: {
    "application_name": f"client{number}", "search_path": f"s{number}, public", "timezone": ["UTC", "Europe/Berlin"][number]}}
OPERATIONS |= dict.fromkeys(TURNS, [SELECT])


class Client:
    def __init__(self, port, **settings):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        settings |= {"user": targets.USER, "database": "bench"}
        fields = "".join(f"{name}\0{value}\0" for name, value in settings.items()).encode() + b"\0"
        self.send(struct.pack("!II", len(fields) + 8, 196608) + fields)
        self.wait()

    def send(self, packet):
        self.socket.sendall(packet)

    def wait(self):
        received = b""
        while received[-6:-1] != READY:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise targets.TargetError(f"connection lost after {received!r}")
            received += chunk
        if received.startswith(b"E"):
            raise targets.TargetError(f"error: {received!r}")

    def close(self):
        self.send(message(b"X"))
        self.socket.close()


def work_in_turn(port, mode, operations):
    pair = [Client(port, **TURNS[mode](number)) for number in range(2)]
    for number in range(operations):
        pair[number % 2].send(SELECT)
        pair[number % 2].wait()
    for client in pair:
        client.close()


def work(port, mode, clients, rounds):
    if mode in TURNS:
        work_in_turn(port, mode, clients * rounds)
        return
    crowd = [Client(port) for _ in range(clients)]
    if mode in NAMED:
        for client in crowd:
            client.send(parse(b"s") + SYNC)
            client.wait()
    for _ in range(rounds):
        for packet in OPERATIONS[mode]:
            for client in crowd:
                client.send(packet)
            for client in crowd:
                client.wait()
    for client in crowd:
        client.close()


class CountedBench(targets.Bench):
    """The proxies run under callgrind; the server does not."""

    def start_proxy(self, name, command, port, account):
        self.counts = self.folder / f"callgrind-{name}-{port}.out"
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.counts}", "--dump-instr=no"]
        return super().start_proxy(name, valgrind + command, port, account)

    def count(self, start, mode, rounds):
        pool_mode = "session" if mode in NAMED and start == self.pgbouncer else "transaction"
        target = start(targets.Settings(pool_mode=pool_mode, pool_size=1 if mode in TURNS else self.arguments.clients))
        if not target:
            return None
        work(target.port, mode, self.arguments.clients, rounds)
        self.stop([target])
        if self.arguments.keep:
            shutil.copy(self.counts, self.arguments.keep / f"{target.name}-{mode}-{rounds}.callgrind")
        return sum(int(total) for total in re.findall(r"^totals: (\d+)", self.counts.read_text(), re.M))

    def per_operation(self, start, mode):
        few, many = (self.count(start, mode, rounds) for rounds in (FEW, MANY))
        return None if few is None else (many - few) / ((MANY - FEW) * self.arguments.clients)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgweir", default=ROOT / "build/release/pgweir", help="default: %(default)s")
    parser.add_argument("--programs", default=ROOT / "build/release/bench", help="the folder of bench_server")
    parser.add_argument("--pgbouncer", default="/usr/sbin/pgbouncer", help="default: %(default)s; '' for none")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--mode", action="append", choices=OPERATIONS, help="may be repeated; default: all")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="callgrind's files are copied there")
    # What targets.Bench knows and nobody changes here.
    parser.set_defaults(pin=False, tls_key="ec", pgweir_set=[], pgbouncer_set=["ignore_startup_parameters=search_path"])
    return parser.parse_args()


def main():
    arguments = read_arguments()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    bench = CountedBench(arguments)
    print("| | pgweir | pgbouncer | ratio |\n|---|---|---|---|")
    try:
        for mode in arguments.mode or OPERATIONS:
            ours, theirs = (bench.per_operation(start, mode) for start in (bench.pgweir, bench.pgbouncer))
            cells = [f"{count:,.0f}" if count else "–" for count in (ours, theirs)]
            ratio = f"{ours / theirs:.2f}" if ours and theirs else "–"
            print(f"| {mode} | {cells[0]} | {cells[1]} | {ratio} |", flush=True)
    except (targets.TargetError, subprocess.TimeoutExpired) as failure:
        sys.exit(str(failure))
    finally:
        bench.close()


if __name__ == "__main__":
    main()
