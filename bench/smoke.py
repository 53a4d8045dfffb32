#!/usr/bin/env python3
"""Runs every mode of bench_load for a moment against bench_server, directly and through bench_relay.

Asserts that nothing fails; never how fast anything is."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

CASES = {
    "simple": ["--mode", "simple"],
    "extended": ["--mode", "extended"],
    "prepared": ["--mode", "prepared"],
    "transaction": ["--mode", "transaction"],
    "two_threads": ["--mode", "simple", "--threads", "2"],
    "vary_app_name": ["--mode", "simple", "--vary-app-name"],
    "vary_state": ["--mode", "extended", "--vary-state"],
    "batch": ["--mode", "batch"],
    "text": ["--mode", "simple", "--text", "SELECT 2"],
    "long_text": ["--mode", "extended", "--text-size", "20000"],
    "logins": ["--logins"],
    "logins_at_a_rate": ["--logins", "--rate", "200"],
}

# On a busy machine not even one login over TLS may come to its end in the first.
MOMENTS = ["0.1", "3", "20"]


def start(command):
    """Starts a program that says `listening PORT`; returns the process and the port."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().split()[1]


def run_case(programs, port, extra):
    command = [programs / "bench_load", "--port", port, "--clients", "8", "--warmup", "0.05", "--json"]
    for seconds in MOMENTS:
        done = subprocess.run(command + ["--seconds", seconds] + extra, stdout=subprocess.PIPE, text=True, timeout=60)
        outcome = json.loads(done.stdout or "{}")
        if done.returncode or outcome.get("errors") != 0 or outcome.get("ops", 0) > 0:
            break
    else:
        return f"nothing was done in {seconds} s"
    if done.returncode == 0 and outcome.get("errors") == 0:
        return None
    return f"exit status {done.returncode}, {done.stdout.strip()}"


def run_idle(programs, port):
    command = [programs / "bench_load", "--port", port, "--idle", "50"]
    done = subprocess.run(command, input="query\nquery\n", stdout=subprocess.PIPE, text=True, timeout=60)
    line = '{"queried": 50, "errors": 0}\n'
    return None if done.stdout == "ready\n" + line * 2 else done.stdout


def make_certificate(folder):
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=bench",
                    "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    return ["--cert", certificate, "--key", key]


def run_all(programs, server_arguments, started):
    server, server_port = start([programs / "bench_server", "--threads", "2", "--row-size", "5000"] + server_arguments)
    started.append(server)
    relay, relay_port = start([programs / "bench_relay", "--to", server_port])
    started.append(relay)
    tls = ["--tls"] if server_arguments else []
    failures = 0
    for way, port in (("direct", server_port), ("relay", relay_port)):
        for name, extra in CASES.items():
            failure = run_case(programs, port, extra + tls)
            failures += failure is not None
            print(f"{way:7} {'tls' if tls else 'plain':5} {name:17} {failure or 'ok'}", flush=True)
        failure = run_idle(programs, port) if not tls else None
        failures += failure is not None
        print(f"{way:7} {'tls' if tls else 'plain':5} {'idle':17} {failure or 'ok'}", flush=True)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="the folder of the built programs")
    programs = parser.parse_args().programs
    started = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            failures = run_all(programs, [], started)
            failures += run_all(programs, make_certificate(pathlib.Path(folder)), started)
    finally:
        for process in started:
            process.kill()
            process.wait()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
