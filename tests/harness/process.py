"""Child processes of the tests: free ports, temporary folders, and an end that leaves nothing behind."""
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A port nobody listens on right now. The kernel hands out others before it repeats one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def new_folder(prefix: str) -> pathlib.Path:
    """A fresh folder that the postgres user may enter too."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"pgweir-{prefix}-"))
    folder.chmod(0o755)
    return folder


def remove_folder(folder: pathlib.Path) -> None:
    if not os.environ.get("PGWEIR_TEST_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged() -> dict:
    """Popen arguments that give up root: neither PostgreSQL nor PgBouncer runs as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give_away(path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")


def die_with_parent(signum: int):
    """A preexec_fn: the child gets `signum` when the tests die, however they die, but not the Ctrl-C meant for them."""
    libc = ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        os.setpgid(0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signum)

    return arm


def wait_until(condition, timeout_s: float = 10, what: str = "the condition", step_s: float = 0.02):
    """The first true value of condition(); fails when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(step_s)


def accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def run(command, *, timeout_s: float = 120, env=None, stdin=None, check=True, **popen) -> subprocess.CompletedProcess:
    """Runs to the end; a failure carries what the command printed."""
    result = subprocess.run([str(part) for part in command], timeout=timeout_s, env={**os.environ, **(env or {})},
                            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)
    if check and result.returncode != 0:
        raise AssertionError(f"{command[0]} exited with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def end(process: subprocess.Popen, signum: int = signal.SIGTERM, timeout_s: float = 30) -> int:
    """Signals one process that we started, waits for it, and returns its exit status."""
    if process.poll() is None:
        process.send_signal(signum)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"process {process.args[0]} did not end within {timeout_s} s of signal {signum}")
