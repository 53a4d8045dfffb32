"""Part of `make soak`: passwords that are rotated while clients work, and no login or query may fail.

First what a rotation can meet, one case after the other: 64 clients, and WINDOW_S seconds between the change on the server and
in the secret. Every second all 20 server connections are made anew, but for the cases in which nobody can know the new
password: there they are only due for it, being older than server_lifetime. Then SOAK_ROTATIONS rotations, one every SOAK_ROTATION_S seconds: memory must
stay flat, and nothing may remember a retired password: log, console, /metrics, the memory of the process.

With a word of CASES as argument only that one runs."""
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from harness.aws import Aws
from harness.memory import places_of
from harness.pgweir import Pgweir
from harness.plugin import tls_settings
from harness.postgres import Cluster
from harness.process import free_port, wait_until
from harness.rotation import Load, Rotation, console, said, secret_row

ROTATIONS = int(os.environ.get("SOAK_ROTATIONS", "360"))
PERIOD_S = float(os.environ.get("SOAK_ROTATION_S", "10"))
WINDOW_S = float(os.environ.get("SOAK_WINDOW_S", "10"))
POOL = 20
CREEP_KIB = 4 * 1024
ID = "prod/rotating"

# Name: users, rotations, and what the service does from before the first step until after the last one.
CASES = {
    "single": (["rotating"], 1, {}),
    "alternating": (["rotating", "rotating_clone"], 4, {}),
    "denied": (["rotating"], 1, {"kind": "deny", "operation": "GetSecretValue", "stage": "AWSPENDING"}),
    "throttle": (["rotating"], 1, {"kind": "throttle"}),
    "hang": (["rotating"], 1, {"kind": "hang"}),
    "reset": (["rotating"], 1, {"kind": "reset"}),
    "nonsense": (["rotating"], 1, {"kind": "nonsense"}),
}


class Stage:
    """A rotation, a look-alike of AWS behind TLS, and a proxy between clients and a server, both behind TLS too."""

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
        return Load(self.proxy, "rotating", lambda: self.known, stay, come)

    def sessions(self) -> int:
        """Server connections so far, as the server counts them."""
        return self.node.sql("SELECT sessions FROM pg_stat_database WHERE datname = 'app'")[0][0]

    def everything_shown(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics") as answer:
            return said(self.proxy) + answer.read().decode()

    def retired_places(self) -> list[str]:
        """The current and the previous password are not retired; a login that is under way may hold one for a moment."""
        retired = self.rotation.passwords[:-2]
        self.places = places_of(self.proxy.process, retired) if retired else []
        return self.places


def is_outage(fault: dict) -> bool:
    """Neither pgweir nor anybody else learns of a new password."""
    return bool(fault) and fault["kind"] != "deny"


def rotate(stage: Stage, clients: Load, fault: dict) -> None:
    """Clients learn of the new password when the secret does; in trouble they cannot, like everybody."""
    if fault:
        stage.aws.fault(**fault)
    stage.rotation.create()
    stage.rotation.set()
    began, opened = time.monotonic(), stage.sessions()
    while time.monotonic() < began + WINDOW_S:
        assert not clients.failures, clients.failures[:5]
        if not is_outage(fault):
            console(stage.proxy, "RECONNECT")
        time.sleep(0.8)
    print(f"    window: {(stage.sessions() - opened) / WINDOW_S:.1f} new server connections a second, "
          f"{secret_row(stage.proxy, 'rotating')['refused']} refused logins so far", flush=True)
    stage.rotation.finish()
    if is_outage(fault):
        clients.more(8)
    stage.aws.clear_faults()
    stage.known = stage.rotation.current
    clients.more(8)
    version = len(stage.rotation.passwords)
    wait_until(lambda: secret_row(stage.proxy, "rotating")["version"] == version, 60, "the new value is in force", 0.2)
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
                rotate(stage, clients, fault)
        shown = stage.everything_shown()
        assert not [password for password in stage.rotation.passwords if password in shown], "a password is shown"
        print(f"{name}: {next(clients.queries)} queries, {clients.logins} logins, none failed; {time.monotonic() - began:.0f} s",
              flush=True)


def many(cluster: Cluster) -> None:
    with Stage(cluster, ["rotating"]) as stage:
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
                    early_kib = stage.proxy.memory_kib()
                if number % 10 == 0 or number == ROTATIONS:
                    wait_until(lambda: not stage.retired_places(), 30, "nothing holds a retired password", 2)
                    print(f"  {number} rotations, {clients.logins} logins, {stage.sessions()} server connections, "
                          f"{stage.proxy.memory_kib()} KiB", flush=True)
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
        return 1
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
