"""Part of `make soak`: passwords that are rotated while clients work, and no login or query may fail.

First what a rotation can meet, one case after the other: 64 clients, and WINDOW_S seconds between the change on the server and
in the secret. Queries take long enough to keep all 20 server connections busy, and RECONNECT has them made anew, so that in the
window at least RATE new ones a second are opened. Where nobody can know the new password none can be; then it is
the refusals that are counted, and everybody waits. Then SOAK_ROTATIONS rotations, one every SOAK_ROTATION_S seconds:
memory must stay flat, and nothing may remember a retired password: log, console, /metrics, the memory of the process, a core.

With a word of CASES as argument only that one runs."""
import contextlib
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from harness.aws import Aws
from harness.memory import can_write_cores, places_in_core, places_of
from harness.pgweir import Pgweir
from harness.plugin import tls_settings
from harness.postgres import Cluster
from harness.process import free_port, wait_until
from harness.rotation import Load, Rotation, console, said, secret_row

ROTATIONS = int(os.environ.get("SOAK_ROTATIONS", "360"))
PERIOD_S = float(os.environ.get("SOAK_ROTATION_S", "10"))
WINDOW_S = float(os.environ.get("SOAK_WINDOW_S", "10"))
POOL = 20
RATE = 20                       # New server connections a second, at least.
CREEP_KIB = 4 * 1024
CONNECT_TIMEOUT_S = 15          # The default of server_connect_timeout.
ID = "prod/rotating"

# Name: users, rotations, and what the service does; "blind": from before the first step on, so that nobody learns of the password
# to come, else from when it is known. Until after the last step.
CASES = {
    "single": (["rotating"], 1, {}),
    "alternating": (["rotating", "rotating_clone"], 4, {}),
    "denied": (["rotating"], 1, {"kind": "deny", "operation": "GetSecretValue", "stage": "AWSPENDING"}),
    **{kind: (["rotating"], 1, {"kind": kind}) for kind in ("throttle", "hang", "reset", "nonsense")},
    **{f"{kind}-blind": (["rotating"], 1, {"kind": kind}) for kind in ("throttle", "hang", "reset", "nonsense")},
}


class Stage:
    """A rotation, a look-alike of AWS behind TLS, and a proxy between clients and a server, both behind TLS too."""

    places: list[str] = []          # Where retired passwords were last, for people.

    def __init__(self, cluster: Cluster, users):
        certificates = cluster.certificates
        self.node = cluster.primary
        self.aws = Aws(cert=certificates.server_cert, key=certificates.server_key).__enter__()
        os.environ.update(self.aws.environment(), AWS_CA_BUNDLE=str(certificates.ca))
        self.rotation = Rotation(self.node, self.aws, users, notes="x" * 6000)
        self.http_port = free_port()
        self.proxy = Pgweir({
            "pgweir": {"pool_mode": "transaction", "query_wait_timeout": "60s", "server_lifetime": "1s",
                       "http_listen": f"127.0.0.1:{self.http_port}", **tls_settings(cluster)},
            "database app": {"host": self.node.host, "port": self.node.port, "pool_size": POOL},
            "user rotating": {"secret": "rotating"},
            "secret rotating": {"provider": "aws-secrets-manager", "id": ID, "refresh_interval": "5s"}}).start()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        (self.proxy.stop if failure is None else self.proxy.discard)()
        self.rotation.drop()
        self.aws.__exit__()

    def load(self, stay: int, come: int) -> Load:
        return Load(self.proxy, "rotating", lambda: self.known, stay, come, query_s=0.3)

    def counted(self, metric: str) -> int:
        """The sum of all that /metrics has of it."""
        return sum(int(float(line.split()[-1])) for line in self.metrics().splitlines() if line.startswith(f"{metric}{{"))

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics") as answer:
            return answer.read().decode()

    def sessions(self) -> int:
        """Server connections so far, as the server counts them."""
        return self.node.sql("SELECT sessions FROM pg_stat_database WHERE datname = 'app'")[0][0]

    def everything_shown(self) -> str:
        return said(self.proxy) + self.metrics()

    def retired_places(self) -> list[str]:
        """The current and the previous password are not retired; a login that is under way may hold one for a moment."""
        retired = self.rotation.passwords[:-2]
        Stage.places = places_of(self.proxy.process, retired) if retired else []
        return Stage.places


def force(stage: Stage, clients: Load) -> tuple[float, int]:
    """WINDOW_S seconds of ever new server connections. How many a second there were, and how often the server refused."""
    opened, refused = stage.counted("pgweir_server_logins_total"), secret_row(stage.proxy, "rotating")["refused"]
    began = time.monotonic()
    with contextlib.closing(stage.proxy.admin()) as connection:
        while time.monotonic() < began + WINDOW_S:
            assert not clients.failures, clients.failures[:5]
            connection.cursor().execute("RECONNECT")
            time.sleep(0.3)
    rate = (stage.counted("pgweir_server_logins_total") - opened) / (time.monotonic() - began)
    return rate, secret_row(stage.proxy, "rotating")["refused"] - refused


def rotate(stage: Stage, clients: Load, name: str, fault: dict) -> None:
    """Clients learn of the new password when the secret does; in trouble they cannot, like everybody."""
    denied, blind = name == "denied", name.endswith("blind")
    if denied or blind:
        stage.aws.fault(**fault)
    stage.rotation.create()
    if fault and not denied and not blind:
        console(stage.proxy, "REFRESH SECRET rotating")
        assert secret_row(stage.proxy, "rotating")["pending"] == "yes"
        stage.aws.fault(**fault)
    stage.rotation.set()
    rate, refused = force(stage, clients)
    print(f"    window: {rate:.1f} new server connections a second, {refused} refused logins", flush=True)
    if denied or blind:
        assert refused and secret_row(stage.proxy, "rotating")["hosts_refusing"], "the new password was of no use to anybody"
    else:
        assert rate >= RATE, "too few new server connections for a judgement: is the machine busy?"
    stage.rotation.finish()
    if fault and not denied and not blind:
        clients.more(8)
    stage.aws.clear_faults()
    stage.known = stage.rotation.current
    version = len(stage.rotation.passwords)
    wait_until(lambda: secret_row(stage.proxy, "rotating")["version"] == version, 60, "the new value is in force", 0.2)
    clients.more(8)
    console(stage.proxy, "RECONNECT")
    clients.more(8)
    wait_until(lambda: not secret_row(stage.proxy, "rotating")["hosts_refusing"], 60, "the server takes what the secret says")


def case(cluster: Cluster, name: str) -> None:
    users, rotations, fault = CASES[name]
    with Stage(cluster, users) as stage:
        stage.known = stage.rotation.passwords[0]
        began = time.monotonic()
        with stage.load(56, 8) as clients:
            for _ in range(rotations):
                rotate(stage, clients, name, fault)
        shown = stage.everything_shown()
        assert not [password for password in stage.rotation.passwords if password in shown], "a password is shown"
        print(f"{name}: {next(clients.queries)} queries, {clients.logins} logins, none failed; {time.monotonic() - began:.0f} s",
              flush=True)


def is_forgotten(clients: Load, search) -> bool:
    """A login to a server that is under way may have begun with what was good then: it has CONNECT_TIMEOUT_S, in which no
    password is rotated here. Clients' logins end between two searches; they keep none anyway."""
    for _ in range(CONNECT_TIMEOUT_S + 5):
        if not search():
            return True
        time.sleep(1)
        clients.settle()
    return False


def search_core(stage: Stage, clients: Load) -> None:
    """The current password tells that the search finds what is there."""
    if not can_write_cores():
        print("  no core is searched: there is no gcore here (package gdb)", flush=True)
        return
    process, passwords = stage.proxy.process, stage.rotation.passwords
    assert places_in_core(process, passwords[-1:]), "the password in use is not in the core"
    assert is_forgotten(clients, lambda: places_in_core(process, passwords[:-2])), "a core holds a retired password"
    print(f"  a core: none of {len(passwords) - 2} retired passwords is in it", flush=True)


def many(cluster: Cluster) -> None:
    with Stage(cluster, ["rotating"]) as stage:
        stage.aws.set(**{"secrets_manager.version_limit": None})            # AWS would have a day for so many.
        stage.known = stage.rotation.passwords[0]
        early_kib = 0
        with stage.load(8, 2) as clients:
            for number in range(1, ROTATIONS + 1):
                began = time.monotonic()
                stage.rotation.create()
                stage.rotation.set()
                clients.more(1)
                stage.rotation.finish()
                stage.known = stage.rotation.current
                console(stage.proxy, "REFRESH SECRET rotating")
                clients.more(1)
                time.sleep(max(0, began + PERIOD_S - time.monotonic()))
                if number == max(ROTATIONS // 10, min(10, ROTATIONS)):
                    stage.retired_places()          # Has all of it paged in.
                    early_kib = stage.proxy.memory_kib()
                if number % 10 == 0 or number == ROTATIONS:
                    assert is_forgotten(clients, stage.retired_places), "a retired password is remembered"
                    print(f"  {number} rotations, {clients.logins} logins, {stage.sessions()} server connections, "
                          f"{stage.proxy.memory_kib()} KiB", flush=True)
                if number in (ROTATIONS // 2, ROTATIONS):
                    search_core(stage, clients)
        shown = stage.everything_shown()
        assert not [password for password in stage.rotation.passwords if password in shown], "a password is shown"
        grown_kib = stage.proxy.memory_kib() - early_kib
        requests = len(stage.aws.requests())
        print(f"{ROTATIONS} rotations: {next(clients.queries)} queries, {clients.logins} logins, none failed; memory grew by "
              f"{grown_kib} KiB after the beginning; {requests} requests to AWS", flush=True)
        assert grown_kib < CREEP_KIB, "memory grows"


def main(names) -> int:
    cluster = Cluster().start()
    try:
        for name in names or CASES:
            if name != "many":
                case(cluster, name)
        if not names or "many" in names:
            many(cluster)
        return 0
    except AssertionError as failure:
        print(f"failed: {failure}")
        print("\n".join(Stage.places[:5]))
        return 1
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
