"""The sections of the bench: each measures one thing and returns tables."""

import dataclasses
import json
import subprocess
import time

from measure import Table, cell, interleave, load_command, loads, number, ratio, run_load, start_all, stop_all
from targets import Settings, TargetError

MODES = ("simple", "extended", "prepared", "transaction")


def measure_mode(bench, mode, extra=()):
    """PgBouncer before 1.21 has no protocol-level prepared statements in transaction mode: session mode there."""
    names = ["direct", "relay", "pgweir"]
    settings = Settings(pool_size=bench.arguments.pool_size)
    targets = start_all(bench, names, settings)
    session = mode == "prepared" and not bench.arguments.pgbouncer_prepares
    bouncer = dataclasses.replace(settings, pool_mode="session", pool_size=64) if session else settings
    targets |= start_all(bench, ["pgbouncer"], bouncer)
    clients = ["--clients", bench.arguments.clients]
    series = interleave(bench, loads(bench, targets, ["--mode", mode, *clients, *extra]))
    stop_all(bench, targets)
    return series


CPU_COLUMNS = ["", "relay", "pgbouncer", "pgweir", "pgweir / pgbouncer", "pgweir / relay"]
PACE_COLUMNS = ["", "direct", "relay", "pgbouncer", "pgweir"]


def cpu_row(label, series):
    return [label] + [cell(series.get(name), "cpu_us_per_op") for name in ("relay", "pgbouncer", "pgweir")] + [
        number(ratio(series.get("pgweir"), series.get("pgbouncer"))),
        number(ratio(series.get("pgweir"), series.get("relay")))]


def pace_row(label, series, field, digits=0):
    return [label] + [cell(series.get(name), field, digits) for name in PACE_COLUMNS[1:]]


def section_cpu(bench):
    cpu, pace, late, share = [], [], [], []
    for mode in MODES:
        series = measure_mode(bench, mode)
        cpu.append(cpu_row(mode, series))
        pace.append(pace_row(mode, series, "per_second"))
        late.append(pace_row(mode, series, "p99_us"))
        share.append(pace_row(mode, series, "user_share", 2))
    return [Table("CPU of the proxy in µs per operation", CPU_COLUMNS, cpu,
                  ["A transaction is one operation of three simple queries.",
                   "`prepared`: PgBouncer below 1.21 runs in session mode, having no protocol-level prepared "
                   "statements in transaction mode."]),
            Table("Operations per second", PACE_COLUMNS, pace),
            Table("p99 latency in µs", PACE_COLUMNS, late),
            Table("User share of the proxy's CPU", PACE_COLUMNS, share)]


def section_text(bench):
    rows = [cpu_row("simple, 8 KiB", measure_mode(bench, "simple", ["--text-size", 8192])),
            cpu_row("extended, 8 KiB", measure_mode(bench, "extended", ["--text-size", 8192]))]
    return [Table("CPU in µs per query of 8 KiB text", CPU_COLUMNS, rows)]


def section_threads(bench):
    settings = Settings(pool_size=bench.arguments.pool_size)
    started = {count: start_all(bench, ["pgweir"], dataclasses.replace(settings, threads=count)).get("pgweir")
               for count in (1, 2)}
    targets = {count: target for count, target in started.items() if target}
    series = interleave(bench, loads(bench, targets, ["--clients", bench.arguments.clients])) if targets else {}
    stop_all(bench, targets)
    fields = (("cpu_us_per_op", 2), ("cpu_cores", 2), ("per_second", 0), ("p99_us", 0))
    rows = [[f"threads = {count}"] + [cell(series.get(count), field, digits) for field, digits in fields]
            for count in (1, 2)]
    return [Table("pgweir's threads, simple queries", ["", "CPU µs per query", "cores used", "queries/s", "p99 µs"], rows,
                  ["On two cores, which load and server share, more threads cannot show their throughput."])]


def versus(bench, label, other_label, settings, other_settings, extra, other_extra):
    """pgbouncer and pgweir, each under two conditions; CPU per query and what the second condition adds."""
    clients = ["--clients", bench.arguments.clients]
    first = start_all(bench, ["pgbouncer", "pgweir"], settings)
    second = start_all(bench, ["pgbouncer", "pgweir"], other_settings) if other_settings != settings else first
    jobs = {(name, 0): job for name, job in loads(bench, first, clients + extra).items()}
    jobs |= {(name, 1): job for name, job in loads(bench, second, clients + other_extra).items()}
    series = interleave(bench, jobs) if jobs else {}
    stop_all(bench, first)
    if second is not first:
        stop_all(bench, second)
    rows = []
    for name in ("pgbouncer", "pgweir"):
        pair = series.get((name, 0)), series.get((name, 1))
        rows.append([name] + [cell(one, "cpu_us_per_op") for one in pair] + [number(ratio(pair[1], pair[0]))])
    return ["", label, other_label, "ratio"], rows


def section_pools(bench):
    settings = Settings(pool_size=bench.arguments.pool_size)
    many = dataclasses.replace(settings, empty_databases=bench.arguments.pools)
    columns, rows = versus(bench, "1 pool", f"{bench.arguments.pools} more pools", settings, many, [], [])
    return [Table("CPU in µs per simple query beside pools that nobody uses", columns, rows,
                  ["Each of the other pools has had one login."])]


def section_appname(bench):
    settings = Settings(pool_size=bench.arguments.pool_size)
    columns, rows = versus(bench, "one application_name", "two, alternating", settings, settings, [],
                           ["--vary-app-name"])
    return [Table("CPU in µs per simple query when application_name differs between clients", columns, rows)]


def memory_bytes(pid):
    """The proportional set size: private memory, and a share of what is mapped by several processes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise TargetError(f"no Pss of process {pid}")


def hold_idle(bench, target, count, tls):
    command = bench.pin(1) + [bench.programs / "bench_load", "--port", target.port, "--idle", count] + tls
    holder = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if holder.stdout.readline() != "ready\n":
        raise TargetError(f"no idle sessions at {target.name}")
    return holder


def query_idle(holder):
    """Whether the sessions still answer; returns how many errors there were."""
    holder.stdin.write("query\n")
    holder.stdin.flush()
    return json.loads(holder.stdout.readline())["errors"]


def idle_memory(bench, target, steps, tls):
    """Memory at each step, and the errors of one query per session at the end."""
    holders, measured = [], [memory_bytes(target.pid)]
    try:
        for count, before in zip(steps, [0] + steps[:-1]):
            holders.append(hold_idle(bench, target, count - before, tls))
            time.sleep(1)
            measured.append(memory_bytes(target.pid))
        errors = sum(query_idle(holder) for holder in holders)
    finally:
        for holder in holders:
            holder.stdin.close()
            holder.wait(60)
    return measured, errors


def section_idle(bench):
    steps = [200, 1000] if bench.arguments.quick else [1000, 5000, 10000]
    rows = []
    for tls in (False, True):
        for name in ("pgbouncer", "pgweir"):
            targets = start_all(bench, [name], Settings(tls=tls))
            if name not in targets:
                continue
            measured, errors = idle_memory(bench, targets[name], steps, ["--tls"] if tls else [])
            stop_all(bench, targets)
            slope = (measured[-1] - measured[1]) / (steps[-1] - steps[0])
            totals = [number(size / 2**20, 1) for size in measured]
            rows.append([f"{name}, {'TLS' if tls else 'plain'}"] + totals + [number(slope, 0), str(errors)])
    columns = ["", "MiB at 0"] + [f"at {count:,}" for count in steps] + ["bytes per client", "errors"]
    return [Table("Memory of idle clients (PSS)", columns, rows,
                  ["Bytes per client: between the first and the last step. The kernel's socket memory is not in it.",
                   "Errors: of one query on every session at the end."])]


def section_logins(bench):
    """With a plain password in auth_file a proxy may have to derive its SCRAM keys at every login; both are shown."""
    targets = {}
    for userlist in ("plain", "scram"):
        settings = Settings(auth="scram-sha-256", userlist=userlist, tls=True)
        started = start_all(bench, ["pgbouncer", "pgweir"], settings)
        targets |= {f"{name}, {userlist} userlist": target for name, target in started.items()}
    series = interleave(bench, loads(bench, targets, ["--logins", "--tls", "--clients", 16])) if targets else {}
    stop_all(bench, targets)
    rows = [[name, cell(one, "per_second", 0), cell(one, "cpu_us_per_op", 0), cell(one, "p99_us", 0)]
            for name, one in series.items()]
    return [Table("Logins with SCRAM over TLS", ["", "logins/s", "CPU µs per login", "p99 µs"], rows,
                  [f"Full handshakes with an {bench.arguments.tls_key.upper()} key."])]


def run_storm(bench, target):
    """The running sessions' figures while others log in at a fixed rate."""
    extra = ["--logins", "--tls", "--clients", 64, "--rate", bench.arguments.storm_rate]
    command = load_command(bench, target, extra, bench.arguments.seconds + 2)
    storm = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    result = run_load(bench, target, ["--tls", "--clients", 16])
    logins = json.loads(storm.communicate(timeout=bench.arguments.seconds + 60)[0])
    return result | {"login_rate": logins["per_second"], "errors": result["errors"] + logins["errors"]}


def section_storm(bench):
    targets = start_all(bench, ["pgbouncer", "pgweir"], Settings(auth="scram-sha-256", userlist="scram", tls=True))
    jobs = {}
    for name, target in targets.items():
        jobs[name, "calm"] = lambda target=target: run_load(bench, target, ["--tls", "--clients", 16])
        jobs[name, "storm"] = lambda target=target: run_storm(bench, target)
    series = interleave(bench, jobs) if jobs else {}
    stop_all(bench, targets)
    fields = (("p50_us", 0), ("p99_us", 0), ("p999_us", 0), ("per_second", 0), ("login_rate", 0))
    rows = [[f"{name}, {weather}"] + [cell(one, field, digits) for field, digits in fields]
            for (name, weather), one in series.items()]
    return [Table(f"16 running TLS sessions during {bench.arguments.storm_rate} TLS logins/s",
                  ["", "p50 µs", "p99 µs", "p99.9 µs", "queries/s", "logins/s reached"], rows,
                  [f"SCRAM secrets in the userlist, {bench.arguments.tls_key.upper()} key."])]


SECTIONS = {
    "cpu": section_cpu,
    "threads": section_threads,
    "pools": section_pools,
    "appname": section_appname,
    "idle": section_idle,
    "logins": section_logins,
    "storm": section_storm,
    "text": section_text,
}
