"""Rotations in Secrets Manager, step by step as AWS's own rotation takes them, under load: nobody's login or query fails.

Clients that stay, clients that come and go with whatever the secret says, and server connections with a lifetime of a
second, so that new ones must be opened before, between and after the steps."""
import contextlib
import struct
import threading

import pytest

pytest.importorskip("botocore")
from harness import raw
from harness.aws import Aws
from harness.memory import findable, places_of
from harness.plugin import tls_settings
from harness.postgres import PASSWORDS
from harness.process import wait_until
from harness.rotation import Load, Mount, Rotation, assert_says_nothing, console, has_version, secret_row, temporary_role

pytestmark = pytest.mark.ours

ID = "prod/rotating"
FAULTS = ("throttle", "nonsense", "500")


def load(proxy, rotation, stay: int = 6, come: int = 3) -> Load:
    return Load(proxy, "rotating", lambda: rotation.current, stay, come)


def row(proxy) -> dict:
    return secret_row(proxy, "rotating")


@pytest.fixture
def start(aws, cluster, start_pgweir, monkeypatch):
    """start(*users): a rotation, and a proxy that knows its secret and polls it rarely: it is told by refusals."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    made = []

    def begin(*users, **secret):
        rotation = Rotation(cluster.primary, aws, users)
        made.append(rotation)
        proxy = start_pgweir({
            "pgweir": {"pool_mode": "transaction", "query_wait_timeout": "60s", "server_lifetime": "1s",
                       "log_level": "debug"},
            "database app": {"pool_size": 6}, "user rotating": {"secret": "rotating"},
            "secret rotating": {"provider": "aws-secrets-manager", "id": ID, "refresh_interval": "1h", **secret}})
        return rotation, proxy

    yield begin
    for rotation in made:
        rotation.drop()


def test_a_single_user_is_rotated_under_load(start, aws):
    rotation, proxy = start("rotating")
    with load(proxy, rotation) as clients:
        for _ in range(2):
            rotation.create()
            rotation.set()
            clients.more(servers=2)                 # In the window: only the pending value lets anybody in.
            rotation.finish()
            clients.more(servers=2)
    assert_says_nothing(proxy, *rotation.passwords)
    seen = row(proxy)
    assert seen["hosts_refusing"] == 0 and 2 <= seen["refused"] <= 12, seen
    assert len(aws.requests("GetSecretValue")) < 60


def test_two_users_take_turns_under_load(start):
    rotation, proxy = start("rotating", "rotating_clone")
    with load(proxy, rotation) as clients:
        for _ in range(4):
            rotation.create()
            rotation.set()
            rotation.finish()
            clients.more(2, 1)
    assert_says_nothing(proxy, *rotation.passwords)


def test_without_access_to_the_pending_value_clients_wait(start, aws):
    """In the window nothing that pgweir may know opens a connection: those that are open serve all, and do not age."""
    aws.fault("deny", operation="GetSecretValue", stage="AWSPENDING")
    rotation, proxy = start("rotating")
    with load(proxy, rotation) as clients:
        rotation.create()
        rotation.set()
        wait_until(lambda: row(proxy)["hosts_refusing"], 30, "the server refuses what is known")
        clients.more()
        rotation.finish()
        clients.more(servers=2)
    assert_says_nothing(proxy, *rotation.passwords)


def test_a_service_in_trouble_fails_nobody(start, aws):
    """The last good values serve, the pending one among them, whatever the service does meanwhile."""
    rotation, proxy = start("rotating", refresh_interval="1s")
    with load(proxy, rotation) as clients:
        rotation.create()
        console(proxy, "REFRESH SECRET rotating")
        assert row(proxy)["pending"] == "yes"
        for fault in FAULTS:
            aws.fault(fault, times=1)
        aws.fault("reset")
        rotation.set()
        rotation.finish()
        wait_until(lambda: row(proxy)["problem"], 30, "the trouble is noticed")
        clients.more(servers=2)
        aws.clear_faults()
        console(proxy, "REFRESH SECRET rotating")
        assert row(proxy)["version"] == 2
        clients.more(servers=2)
    assert_says_nothing(proxy, *rotation.passwords)


def test_who_could_not_learn_of_a_rotation_waits_for_it(start, aws):
    """The service is out of order from before it begins, and no connection is left that the old password has opened."""
    rotation, proxy = start("rotating")
    with Load(proxy, "rotating", rotation.passwords[0], stay=3, come=2) as clients:
        aws.fault("throttle")
        rotation.create()
        rotation.set()
        console(proxy, "RECONNECT")
        wait_until(lambda: row(proxy)["refused"] >= 3, 30, "the server has refused for longer than without a reason to wait")
        wait_until(lambda: not row(proxy)["servers"], 20, "what the old password has opened is closed")
        assert not clients.failures
        rotation.finish()
        aws.clear_faults()
        clients.more(servers=2)
    assert_says_nothing(proxy, *rotation.passwords)


@pytest.mark.memory
def test_nothing_remembers_a_retired_password(cluster, monkeypatch, start_pgweir):
    """What a core would hold, too. Everything goes over TLS, whose buffers keep what they have had; probes and auth_query log in
    through libpq, which wipes little."""
    with Aws(cert=cluster.certificates.server_cert, key=cluster.certificates.server_key) as aws:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(cluster.certificates.ca))
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        rotation = Rotation(cluster.primary, aws, ["rotating"], notes="x" * 6000)
        cluster.primary.sql("ALTER ROLE rotating SUPERUSER")
        try:
            proxy = start_pgweir({
                "pgweir": {"pool_mode": "transaction", "query_wait_timeout": "60s", "server_lifetime": "1s", "log_level": "debug",
                           "auth_user": "rotating", **tls_settings(cluster)},
                "cluster main": {"hosts": f"{cluster.primary.host}:{cluster.primary.port}", "probe_user": "rotating",
                                 "probe_secret": "rotating", "probe_interval": "100ms"},
                "database app": {"pool_size": 4, "cluster": "main"}, "user rotating": {"secret": "rotating"},
                "secret rotating": {"provider": "aws-secrets-manager", "id": ID}},
                users={"admin": PASSWORDS["admin"]})
            with load(proxy, rotation, 3, 2) as clients:
                for _ in range(5):
                    rotation.create()
                    rotation.set()
                    rotation.finish()
                    console(proxy, "REFRESH SECRET rotating")
                    console(proxy, "RECONNECT")
                    clients.more(2, 1)
                    assert proxy.raw("app", "other").value("SELECT 1") == "1"
            assert places_of(proxy.process, rotation.passwords[-1:])
            wait_until(lambda: not places_of(proxy.process, rotation.passwords[:-2]), 10, "what was retired is forgotten", 0.5)
        finally:
            rotation.drop()
    assert_says_nothing(proxy, *rotation.passwords)


@pytest.fixture
def mount(tmp_path):
    """A secret in a file, whose values are put one after the other."""
    class Values(Mount):
        values = [findable(size) for size in (4, 12, 20, 28)]

        def replace(self, proxy) -> None:
            for version, value in enumerate(self.values[1:], 2):
                self.put(password=value)
                has_version(proxy, version)

    made = Values(tmp_path / "mount")
    made.put(password=made.values[0])
    return made


def begin_login(proxy) -> raw.Client:
    client = raw.Client(proxy.host, proxy.port)
    client.send(raw.startup({"user": "rotated", "database": "app"}))
    assert client.receive().body[:4] == struct.pack("!i", 10)
    return client


@pytest.mark.memory
def test_a_client_that_hangs_in_its_login_has_no_retired_password_remembered(start_pgweir, mount):
    """However long it may hang: when it answers at last, it is judged by what the secret says then."""
    proxy = start_pgweir({"user rotated": {"secret": "rotated"}, "secret rotated": {"provider": "file", "path": mount.folder}})
    silent, slow, scram = begin_login(proxy), begin_login(proxy), raw.Scram(mount.values[-1])
    slow.send(raw.message("p", raw.cstring("SCRAM-SHA-256") + struct.pack("!i", len(scram.first())) + scram.first()))
    challenge = slow.receive()
    mount.replace(proxy)
    assert places_of(proxy.process, mount.values[-1:])
    wait_until(lambda: not places_of(proxy.process, mount.values[:-2]), 5, "what was retired is forgotten", 0.2)
    slow.send(raw.message("p", scram.final(challenge.body[4:])))
    scram.check(slow.receive().body[4:])
    silent.close()
    slow.close()


def answer_challenges(client, password: str) -> None:
    with contextlib.suppress(raw.ServerError, raw.Closed, OSError):
        client.authenticate("rotated", password)


@pytest.mark.memory
def test_a_server_that_hangs_in_a_login_has_a_retired_password_remembered_for_no_longer_than_it_may(start_pgweir, mount):
    """Whoever waits for a server has chosen what to log in with; server_connect_timeout ends it, and the next login chooses anew."""
    begun, over = threading.Semaphore(0), threading.Event()

    def hang(_) -> bool:
        begun.release()
        return over.wait(120)

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(raw.FakeServer(on_startup=hang))
        stack.callback(over.set)
        proxy = start_pgweir({
            "pgweir": {"server_connect_timeout": "2s"},
            "database stuck": {"host": server.host, "port": server.port, "dbname": "stuck"}, "user rotated": {"secret": "rotated"},
            "secret rotated": {"provider": "file", "path": mount.folder}})
        client = stack.enter_context(contextlib.closing(raw.Client(proxy.host, proxy.port)))
        client.send(raw.startup({"user": "rotated", "database": "stuck"}))
        threading.Thread(target=answer_challenges, args=(client, mount.values[0]), daemon=True).start()
        assert begun.acquire(timeout=60)
        mount.replace(proxy)
        assert places_of(proxy.process, mount.values[-1:])
        wait_until(lambda: not places_of(proxy.process, mount.values[:-2]), 10, "what was retired is forgotten", 0.2)
        assert begun.acquire(timeout=60)


LOCKED = "SELECT usename, passwd FROM pg_shadow, pg_advisory_xact_lock_shared(20) WHERE usename = $1"


@pytest.mark.memory
@pytest.mark.parametrize("busy", [False, True])
def test_auth_querys_connection_has_no_retired_password_remembered(start_pgweir, cluster, mount, busy):
    """Though nobody has it asked again, and though it was in the middle of a question when the password was retired."""
    with temporary_role(cluster.primary, "rotated", mount.values[0]), cluster.primary.connect("app") as lock:
        cluster.primary.sql("ALTER ROLE rotated SUPERUSER")
        proxy = start_pgweir({
            "pgweir": {"auth_user": "rotated", "auth_query": LOCKED}, "user rotated": {"secret": "rotated"},
            "secret rotated": {"provider": "file", "path": mount.folder}}, users={"admin": PASSWORDS["admin"]})
        assert proxy.raw("app", "other").value("SELECT 1") == "1"
        if busy:
            lock.execute("SELECT pg_advisory_lock(20)")
            client = raw.Client(proxy.host, proxy.port)
            client.send(raw.startup({"user": "app", "database": "app"}))     # What was just asked would not be asked again.
            wait_until(lambda: cluster.primary.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), 10, "it asks")
        mount.replace(proxy)
        if busy:
            lock.execute("SELECT pg_advisory_unlock(20)")
            client.close()
        assert places_of(proxy.process, mount.values[-1:])
        wait_until(lambda: not places_of(proxy.process, mount.values[:-2]), 5, "what was retired is forgotten", 0.2)


@pytest.mark.memory
def test_what_a_secret_said_is_not_remembered_once_its_section_is_gone(start_pgweir, cluster, mount):
    """The pool is there for as long as its clients are: it serves them as the database was."""
    with temporary_role(cluster.primary, "rotated", mount.values[0]):
        proxy = start_pgweir({
            "pgweir": {"pool_mode": "transaction"}, "database app": {}, "database old": {"dbname": "app"},
            "user rotated": {"secret": "rotated"}, "secret rotated": {"provider": "file", "path": mount.folder}})
        client = proxy.raw("old", "rotated", password=mount.values[0])
        assert client.value("SELECT current_user") == "rotated"
        assert places_of(proxy.process, mount.values[:1])
        for section in ("database old", "user rotated", "secret rotated"):
            del proxy.sections[section]
        proxy.reload()
        wait_until(lambda: not places_of(proxy.process, mount.values[:1]), 5, "it is forgotten", 0.2)
        assert client.value("SELECT current_user") == "rotated"
