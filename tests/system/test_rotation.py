"""Rotations in Secrets Manager, step by step as AWS's own rotation takes them, under load: nobody's login or query fails.

Clients that stay, clients that come and go with whatever the secret says, and server connections with a lifetime of a
second, so that new ones must be opened before, between and after the steps."""
import contextlib
import itertools
import json
import os
import threading

import psycopg
import pytest

pytest.importorskip("botocore")
from harness.process import wait_until

pytestmark = pytest.mark.ours

ID = "prod/rotating"
FAULTS = ("throttle", "nonsense", "500")


class Rotation:
    """The rotating side: role, secret, and the four steps."""

    def __init__(self, node, aws, users):
        self.node, self.aws, self.users = node, aws, users
        self.passwords, self.user = [f"p-{os.urandom(12).hex()}"], users[0]
        for user in users:
            node.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{self.passwords[0]}'")
        for user in users[1:]:
            node.sql(f"GRANT {users[0]} TO {user}")
        self.aws.put(ID, self.value(self.user, self.passwords[0]))

    def value(self, user, password) -> dict:
        return {"username": user, "password": password, "engine": "postgres", "host": self.node.host, "port": self.node.port}

    @property
    def current(self) -> str:
        return json.loads(self.aws.call("GetSecretValue", SecretId=ID)["SecretString"])["password"]

    def create(self) -> None:
        self.next_user = self.users[(self.users.index(self.user) + 1) % len(self.users)]
        self.passwords.append(f"p-{os.urandom(12).hex()}")
        self.aws.put(ID, self.value(self.next_user, self.passwords[-1]), stages=["AWSPENDING"])

    def set(self) -> None:
        self.node.sql(f"ALTER ROLE {self.next_user} PASSWORD '{self.passwords[-1]}'")

    def finish(self) -> None:
        self.aws.promote(ID)
        self.user = self.next_user

    def drop(self) -> None:
        self.node.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'rotating%'")
        for user in reversed(self.users):
            self.node.sql(f"DROP ROLE {user}")


class Load:
    """Clients at work until the end of the with block; what failed is in `failures`, what is done is counted."""

    def __init__(self, proxy, rotation, stay=6, come=3):
        self.proxy, self.rotation, self.ended, self.failures = proxy, rotation, False, []
        self.queries, self.logins = itertools.count(), 0
        works = [self.stay] * stay + [self.come_and_go] * come
        self.threads = [threading.Thread(target=self.run, args=(work,)) for work in works]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_):
        self.ended = True
        for thread in self.threads:
            thread.join(60)
        assert not self.failures

    def run(self, work) -> None:
        try:
            work()
        except Exception as failure:
            self.failures.append(repr(failure))

    def connect(self):
        return psycopg.connect(host=self.proxy.host, port=self.proxy.port, dbname="app", user="rotating",
                               password=self.rotation.current, autocommit=True)

    def ask(self, connection) -> None:
        assert connection.execute("SELECT current_user, pg_sleep(0.005)").fetchone()[0] == "rotating"
        next(self.queries)

    def stay(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            while not self.ended:
                self.ask(connection)

    def come_and_go(self) -> None:
        while not self.ended:
            with contextlib.closing(self.connect()) as connection:
                self.ask(connection)
            self.logins += 1

    def opened(self) -> int:
        return self.proxy.log().count("server connection opened")

    def more(self, logins: int = 4, servers: int = 2) -> None:
        """Until that many more clients have logged in, and that many server connections."""
        logins, servers = self.logins + logins, self.opened() + servers
        wait_until(lambda: self.failures or self.logins >= logins and self.opened() >= servers, 40, "logins go on", 0.1)
        assert not self.failures


def row(proxy) -> dict:
    return proxy.show("SECRETS")[0]


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


def assert_says_nothing(proxy, rotation) -> None:
    shown = proxy.log() + "".join(str(proxy.show(what)) for what in ("SECRETS", "CONFIG", "POOLS", "SERVERS", "CLIENTS", "USERS"))
    assert not [password for password in rotation.passwords if password in shown]


def test_a_single_user_is_rotated_under_load(start, aws):
    rotation, proxy = start("rotating")
    with Load(proxy, rotation) as load:
        for _ in range(2):
            rotation.create()
            rotation.set()
            load.more()                 # In the window: only the pending value lets anybody in.
            rotation.finish()
            load.more()
    assert_says_nothing(proxy, rotation)
    seen = row(proxy)
    assert seen["hosts_refusing"] == 0 and 2 <= seen["refused"] <= 12, seen
    assert len(aws.requests("GetSecretValue")) < 60


def test_two_users_take_turns_under_load(start):
    rotation, proxy = start("rotating", "rotating_clone")
    with Load(proxy, rotation) as load:
        for _ in range(4):
            rotation.create()
            rotation.set()
            rotation.finish()
            load.more(2, 1)
    assert_says_nothing(proxy, rotation)


def test_without_access_to_the_pending_value_clients_wait(start, aws):
    """In the window nothing that pgweir may know opens a connection: those that are open serve all, and do not age."""
    aws.fault("deny", operation="GetSecretValue", stage="AWSPENDING")
    rotation, proxy = start("rotating")
    with Load(proxy, rotation) as load:
        rotation.create()
        rotation.set()
        wait_until(lambda: row(proxy)["hosts_refusing"], 30, "the server refuses what is known")
        load.more(servers=0)
        rotation.finish()
        load.more()
    assert_says_nothing(proxy, rotation)


def test_a_service_in_trouble_fails_nobody(start, aws):
    """The last good values serve, the pending one among them, whatever the service does meanwhile."""
    rotation, proxy = start("rotating", refresh_interval="1s")
    with Load(proxy, rotation, stay=3, come=2) as load, contextlib.closing(proxy.admin()) as console:
        rotation.create()
        console.cursor().execute("REFRESH SECRET rotating")
        assert row(proxy)["pending"] == "yes"
        for fault in FAULTS:
            aws.fault(fault, times=1)
        aws.fault("reset")
        rotation.set()
        rotation.finish()
        wait_until(lambda: row(proxy)["problem"], 30, "the trouble is noticed")
        load.more()
        aws.clear_faults()
        console.cursor().execute("REFRESH SECRET rotating")
        assert row(proxy)["version"] == 2
        load.more()
    assert_says_nothing(proxy, rotation)
