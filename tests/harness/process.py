"""Child processes of the tests: free ports, temporary folders, and an end that leaves nothing behind."""
import ctypes
import fcntl
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1

# A machine that others keep busy is given so many times what a quiet one needs. It costs nothing but in a test that fails.
PATIENCE = 4


PORTS_AT_ONCE = 50
LOWEST_PORT, HIGHEST_PORT = 10000, 65535
RANGE_OF_THE_KERNEL = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


class Ports:
    """Ports of this process alone, as long as it lives. None that the kernel gives to whoever asks for any, so that no
    connection and no other test has one of them between here and its use, or while its server is down; and claimed in blocks
    by locks on files, so that no other run of the tests, or half of this one, hands it out too. (A kernel that gives all of
    them away is asked for one.)"""

    def __init__(self):
        self.owner, self.claimed, self.left = os.getpid(), [], []

    def claim(self) -> bool:
        """The next block that nobody has. False: the kernel gives all of them away."""
        lowest, highest = map(int, (RANGE_OF_THE_KERNEL.read_text() if RANGE_OF_THE_KERNEL.exists() else "32768 60999").split())
        folder = pathlib.Path(tempfile.gettempdir()) / f"pgweir-ports-{os.geteuid()}"
        folder.mkdir(exist_ok=True)
        for first in (*range(LOWEST_PORT, lowest - PORTS_AT_ONCE, PORTS_AT_ONCE),
                      *range(highest + 1, HIGHEST_PORT - PORTS_AT_ONCE, PORTS_AT_ONCE)):
            lock = (folder / str(first)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self.claimed.append(lock)
            self.left = list(range(first, first + PORTS_AT_ONCE))
            return True
        return False

    def next(self) -> int:
        while True:
            port = self.left.pop(0) if self.left or self.claim() else 0
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return probe.getsockname()[1]
                except OSError:         # Some other program's.
                    continue


ports = Ports()


def free_port() -> int:
    """A port on loopback that nobody listens on, and that nobody else is given while this process lives."""
    global ports
    if ports.owner != os.getpid():
        ports = Ports()
    return ports.next()


def listen(backlog: int = 128) -> socket.socket:
    """A listener on such a port: when it is closed, no other test's takes its place."""
    return socket.create_server(("127.0.0.1", free_port()), backlog=backlog)


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
    # Looked up here: behind the fork of a process with several threads the linker's lock may be one that nobody gives back.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arm() -> None:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signum)

    return arm


def wait_until(condition, timeout_s: float = 10, what: str = "the condition", step_s: float = 0.02):
    """The first true value of condition(); fails when there is none in PATIENCE times that long."""
    timeout_s *= PATIENCE
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(step_s)


def accepts(host: str, port: int) -> bool:
    """The host may be the folder of a Unix socket; that this is there does not say that somebody listens."""
    try:
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{host}/.s.PGSQL.{port}")
        else:
            socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def run(command, *, timeout_s: float = 120, env=None, stdin=None, check=True, **popen) -> subprocess.CompletedProcess:
    """Runs to the end; a failure carries what the command printed."""
    result = subprocess.run([str(part) for part in command], timeout=timeout_s * PATIENCE, env={**os.environ, **(env or {})},
                            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)
    if check and result.returncode != 0:
        raise AssertionError(f"{command[0]} exited with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def await_end(process: subprocess.Popen, timeout_s: float) -> None:
    """Popen.wait() looks twenty times a second, and a run of the tests ends a thousand processes; this is told at once."""
    pidfd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(timeout_s * 1000)
    finally:
        os.close(pidfd)


def end(process: subprocess.Popen, signum: int = signal.SIGTERM, timeout_s: float = 30) -> int:
    """Signals one process that we started, waits for it, and returns its exit status. PATIENCE as in wait_until."""
    timeout_s *= PATIENCE
    process.send_signal(signum)
    # Whoever has ended by then has no number any more that could be waited for.
    if process.returncode is None:
        await_end(process, timeout_s)
    try:
        return process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"process {process.args[0]} did not end within {timeout_s} s of signal {signum}")
