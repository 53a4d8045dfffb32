"""The proxy under test: its pgweir.ini from Python dicts, its process, its log, its admin console."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess

from .postgres import PASSWORDS
from .process import ROOT, accepts, die_with_parent, end, free_port, new_folder, remove_folder, wait_until
from .target import Target

SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): (Address|Thread|Leak|UndefinedBehavior)Sanitizer|runtime error: ")


def binary() -> pathlib.Path:
    if os.environ.get("PGWEIR_BIN"):
        return pathlib.Path(os.environ["PGWEIR_BIN"]).resolve()
    for preset in ("asan", "dev", "release"):
        path = ROOT / "build" / preset / "pgweir"
        if path.exists():
            return path
    raise AssertionError("no pgweir is built; say where it lies with PGWEIR_BIN, or build a preset")


def sanitized() -> bool:
    """True when memory and speed of this build say nothing about the real one."""
    program = binary().read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def ini(sections: dict[str, dict]) -> str:
    """pgweir.ini's text. Values are written as they are, so quote what needs it."""
    lines = []
    for title, body in sections.items():
        lines.append(f"[{title}]")
        lines += [f"{key} = {value}" for key, value in body.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


def replace(path: pathlib.Path, text: str) -> None:
    """Whoever reads it at that moment finds all of the old text or all of the new one."""
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.rename(path)


def userlist(passwords: dict[str, str]) -> str:
    return "".join('"%s" "%s"\n' % (name.replace('"', '""'), password.replace('"', '""')) for name, password in passwords.items())


class Pgweir(Target):
    """One process. Sections given by a test win over the defaults below, key by key."""

    running: "set[Pgweir]" = set()          # For the watchdog.

    def __init__(self, sections: dict[str, dict], users: dict[str, str] | None = None, open_files: int | None = None):
        self.folder = new_folder("proxy")
        self.port = int(sections.get("pgweir", {}).get("listen_port") or free_port())
        self.open_files = open_files
        self.ini_path = self.folder / "pgweir.ini"
        self.log_path = self.folder / "pgweir.log"
        self.sections = {title: dict(body) for title, body in sections.items()}
        self.sections = {"pgweir": {**self.defaults(), **self.sections.pop("pgweir", {})}, **self.sections}
        self.users = dict(PASSWORDS if users is None else users)
        self.process: subprocess.Popen | None = None

    def defaults(self) -> dict:
        return {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "threads": 2,
            "auth_type": "scram-sha-256", "auth_file": "userlist.txt", "admin_users": "admin", "stats_users": "stats",
            "http_listen": "", "health_listen": "", "drain_delay": "0s", "drain_timeout": "5s",
        }

    def write(self) -> None:
        replace(self.folder / "userlist.txt", userlist(self.users))
        replace(self.ini_path, ini(self.sections))

    def command(self) -> list[str]:
        # prlimit, not setrlimit in the child: it needs no code between fork and exec.
        limit = ["prlimit", f"--nofile={self.open_files}:{self.open_files}", "--"] if self.open_files else []
        return [*limit, str(binary()), "-c", str(self.ini_path)]

    def start(self, wait: bool = True) -> "Pgweir":
        self.write()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.folder, env=self.environment(),
                                            preexec_fn=die_with_parent(signal.SIGKILL))
        Pgweir.running.add(self)
        if wait:
            wait_until(self._accepts, 20, "pgweir accepts connections")
        return self

    def environment(self) -> dict[str, str]:
        suppressions = ROOT / "tests" / "harness" / "tsan.supp"
        return {
            # A quarantine that a test of memory use can tell from growth.
            "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1:quarantine_size_mb=16",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1"
                            + (f":suppressions={suppressions}" if suppressions.exists() else ""),
            **os.environ,
        }

    def _accepts(self) -> bool:
        assert self.process.poll() is None, f"pgweir ended with {self.process.returncode}\n{self.log()[-4000:]}"
        # It opens its pages last.
        pages = [self.sections["pgweir"][key].rpartition(":")[2] for key in ("http_listen", "health_listen")]
        if not all(accepts("127.0.0.1", int(port)) for port in pages if port):
            return False
        settings = self.sections["pgweir"]
        if settings["listen_addr"] and not accepts("127.0.0.1", self.port):
            return False
        return not settings["unix_socket_dir"] or accepts(str(settings["unix_socket_dir"]), self.port)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def sanitized(self) -> bool:
        return sanitized()

    def check_log(self) -> None:
        """No sanitizer has complained."""
        found = SANITIZER_REPORT.search(self.log())
        assert not found, f"a sanitizer complains:\n{self.log()[max(found.start() - 200, 0):found.start() + 6000]}"

    def reload(self) -> None:
        """Writes the sections as they are now and sends SIGHUP. What follows is up to the test to wait for."""
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def stop(self, timeout_s: float = 15) -> None:
        """SIGTERM; the drain must end with status 0 and no complaint."""
        if self.process is None:
            return
        process, self.process = self.process, None
        Pgweir.running.discard(self)
        try:
            status = end(process, signal.SIGTERM, timeout_s)
            self.check_log()
            assert status == 0, f"pgweir ended with {status}\n{self.log()[-4000:]}"
        finally:
            remove_folder(self.folder)

    def discard(self) -> None:
        """Ends it however it fares: a test has failed on it already, and what it did then is not the next one's affair."""
        with contextlib.suppress(AssertionError):
            self.stop()

    def admin(self, user: str = "admin", database: str = "pgweir", **more):
        """The console, through psycopg2 in autocommit mode."""
        return self.connect2(database, user, sslmode=more.pop("sslmode", "prefer"), **more)

    def show(self, what: str) -> list[dict]:
        """The rows of a SHOW, by column name."""
        connection = self.admin()
        try:
            cursor = connection.cursor()
            cursor.execute(f"SHOW {what}")
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]
        finally:
            connection.close()

    def pool(self, database: str, user: str = "app") -> dict:
        """One row of SHOW POOLS, or an empty one."""
        return next((row for row in self.show("POOLS") if (row["database"], row["user"]) == (database, user)), {})

    def pins(self) -> dict[str, int]:
        """What keeps clients of transaction mode on their server connections, and how many of them."""
        return {row["reason"]: row["count"] for row in self.show("PINS") if row["count"] and row["reason"] != "session_mode"}

    def memory_kib(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))
