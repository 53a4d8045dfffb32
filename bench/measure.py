"""How anything is measured: runs of bench_load, interleaved over the targets, and their medians.

In every round each target has its turn, so that what disturbs the machine for a while disturbs all of them. A figure
is the median of its rounds; a ratio is the median of the rounds' own ratios."""

import dataclasses
import json
import statistics
import subprocess

from targets import TargetError


@dataclasses.dataclass
class Table:
    title: str
    columns: list
    rows: list
    notes: list = dataclasses.field(default_factory=list)


class Series:
    """The results of one (target, variant) over the rounds."""

    def __init__(self):
        self.results = []

    def values(self, field):
        return [result.get(field) for result in self.results]

    def median(self, field):
        values = [value for value in self.values(field) if value is not None]
        return statistics.median(values) if values else None

    def errors(self):
        return sum(result["errors"] for result in self.results)


def ratio(above, below, field="cpu_us_per_op"):
    """The median of the rounds' ratios; None where either side is missing."""
    if above is None or below is None:
        return None
    pairs = zip(above.values(field), below.values(field))
    ratios = [a / b for a, b in pairs if a is not None and b]
    return statistics.median(ratios) if ratios else None


def number(value, digits=2):
    return "–" if value is None else f"{value:,.{digits}f}"


def cell(series, field, digits=2):
    if series is None:
        return "–"
    text = number(series.median(field), digits)
    return f"{text} ({series.errors()} errors!)" if series.errors() else text


def load_command(bench, target, extra, seconds=None):
    arguments = bench.arguments
    command = bench.pin(1) + [bench.programs / "bench_load", "--port", target.port, "--json",
                              "--seconds", seconds or arguments.seconds, "--warmup", 0.3]
    if target.name != "direct":
        command += ["--proxy-pid", target.pid]
    return [str(word) for word in command + extra]


def run_load(bench, target, extra):
    command = load_command(bench, target, extra)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=bench.arguments.seconds + 180)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise TargetError(f"bench_load against {target.name}: exit status {done.returncode}") from None


def interleave(bench, jobs):
    """jobs: {key: a function that runs one measurement}. Every round runs each once, from another one on."""
    series = {key: Series() for key in jobs}
    keys = list(jobs)
    for turn in range(bench.arguments.rounds):
        offset = turn % len(keys)
        for key in keys[offset:] + keys[:offset]:
            series[key].results.append(jobs[key]())
    bench.raw += [{"what": str(key), "results": one.results} for key, one in series.items()]
    return series


def start_all(bench, names, settings):
    """{name: target} for those whose program is there. One that will not start is named and left out."""
    targets = {}
    for name in names:
        try:
            target = getattr(bench, name)(settings)
        except TargetError as failure:
            print(f"# {failure}", flush=True)
            continue
        if target:
            targets[name] = target
    return targets


def stop_all(bench, targets):
    bench.stop([target for target in targets.values() if target.name != "direct"])


def loads(bench, targets, extra):
    return {name: (lambda target=target: run_load(bench, target, extra)) for name, target in targets.items()}
