"""`make check`: every part in turn, whatever became of the one before, and at the end one line of totals."""
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "check"
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-q", "-rs"]
FOLDERS = ["tests/system", "tests/wire", "tests/differential"]
# Two at a time, each with servers of its own: tests wait more than they work.
AT_A_TIME = "2"
SIDE_BY_SIDE = ["-n", AT_A_TIME, "--dist", "loadfile"]


class Totals:
    passed = failed = skipped = 0

    def add(self, passed: int, failed: int, skipped: int = 0) -> None:
        self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


totals = Totals()


def run(title: str, command: list, **environment) -> bool:
    """True when it exited with 0."""
    print(f"\n== {title}", flush=True)
    began = time.monotonic()
    status = subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, **environment}).returncode
    print(f"-- {title}: {time.monotonic() - began:.0f} s, exit status {status}", flush=True)
    return status == 0


def step(title: str, command: list, **environment) -> bool:
    """Something that counts as one test."""
    worked = run(title, command, **environment)
    totals.add(worked, not worked)
    return worked


def build(preset: str, *target: str) -> bool:
    return (step(f"configure {preset}", ["cmake", "--preset", preset])
            and step(f"build {preset}", ["cmake", "--build", "--preset", preset, *target, "--", "--quiet"]))


def count(report: pathlib.Path, worked: bool) -> None:
    """Adds what a JUnit file says; a run that failed without naming a test is a failure of its own."""
    passed = failed = skipped = 0
    if report.exists():
        for case in xml.parse(report).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    if not worked and failed == 0:
        failed = 1
    totals.add(passed, failed, skipped)


def unit_tests(preset: str, *which: str) -> None:
    report = REPORTS / f"ctest-{preset}.xml"
    report.unlink(missing_ok=True)
    count(report, run(f"unit tests ({preset})", ["ctest", "--preset", preset, "--output-junit", report, "--timeout", "300",
                                                 "--parallel", AT_A_TIME, *which]))


def pytest(name: str, preset: str, *arguments: str) -> None:
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    worked = run(f"{name} ({preset})", [*PYTEST, f"--junitxml={report}", *arguments, *FOLDERS],
                 PGWEIR_BIN=str(ROOT / "build" / preset / "pgweir"))
    count(report, worked)


def main() -> int:
    REPORTS.mkdir(parents=True, exist_ok=True)
    if (ROOT / "tests" / "lint" / "lint.py").exists():
        step("lint", [sys.executable, "tests/lint/lint.py"])
    if build("asan"):
        unit_tests("asan")
        pytest("system", "asan", *SIDE_BY_SIDE)
    if build("tsan"):
        unit_tests("tsan", "--label-exclude", "one_thread")     # Nothing to find there, and minutes to find it in.
        pytest("threads", "tsan", "-m", "threaded", *SIDE_BY_SIDE)
    if build("release", "--target", "pgweir"):                  # Optimizing a hundred tests takes minutes, and nobody runs them.
        pytest("memory", "release", "-m", "memory or bulk")
    print()
    print(totals.line(), flush=True)
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
