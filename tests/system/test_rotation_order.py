"""Who learns of a new password first: the database long before the secret, one host before another. And how often pgweir
tries what a server refuses."""
import ssl
import threading
import time

import psycopg
import pytest

from harness import raw
from harness.process import wait_until
from harness.rotation import Load, assert_says_nothing, drop_role, has_version, make_role, secret_row, write
from harness.routing import paused

pytestmark = pytest.mark.ours

OLD, NEW = "old-password", "new-password"


@pytest.fixture
def role(cluster, replicas):
    make_role(cluster.primary, "rotated", OLD)
    wait_until(cluster.caught_up, 20, "the replicas have the role")
    yield "rotated"
    drop_role(cluster.primary, "rotated")


def alter(cluster, password: str) -> None:
    cluster.primary.sql(f"ALTER ROLE rotated PASSWORD '{password}'")


def refusals(node, since: int = 0) -> int:
    """Logins that this server has refused, by its own count."""
    return node.log_file.read_text().count('password authentication failed for user "rotated"') - since


def sections(path, **databases) -> dict:
    return {"pgweir": {"pool_mode": "transaction", "log_level": "debug", "query_wait_timeout": "60s", "server_lifetime": "1s"},
            **{f"database {name}": {"dbname": "app", "pool_size": 4, **body} for name, body in databases.items()},
            "user rotated": {"secret": "rotated"}, "secret rotated": {"provider": "file", "path": path}}


def test_a_secret_that_follows_long_after_the_database_fails_nobody(start_pgweir, cluster, role, tmp_path):
    """Many lifetimes of a connection pass meanwhile, here of a second each: the open ones are spared, and few logins tried."""
    path = write(tmp_path / "secret", OLD)
    proxy = start_pgweir(sections(path, app={}))
    with Load(proxy, role, OLD, stay=4, come=2) as clients:
        before, altered = refusals(cluster.primary), time.monotonic()
        alter(cluster, NEW)
        wait_until(lambda: secret_row(proxy)["hosts_refusing"], 20, "the server refuses what is known")
        wait_until(lambda: not proxy.pool("app", role)["sv_login"], 20, "logins that the server has let in before are over")
        opened, began = clients.opened(), time.monotonic()
        while time.monotonic() - began < 4:
            clients.more(logins=10)
        assert clients.opened() == opened
        tried = refusals(cluster.primary, before)
        # After 0.25 s, and then ever later, up to 5 s, whatever the clients do.
        assert 1 <= tried <= 7 + (time.monotonic() - altered) / 5
        write(path, NEW)
        has_version(proxy, 2)
        clients.password = NEW
        clients.more(servers=3)
    with psycopg.connect(host=proxy.host, port=proxy.port, dbname="app", user=role, password=NEW) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert secret_row(proxy)["hosts_refusing"] == 0
    assert_says_nothing(proxy, OLD, NEW)


def test_a_replica_that_learns_of_the_password_later_refuses_nobody(start_pgweir, cluster, replicas, role, tmp_path):
    """What worked last is remembered by host: while replay is paused one wants the old password and one the new."""
    replica = replicas[0]
    path = write(tmp_path / "secret", OLD)
    proxy = start_pgweir(sections(path, app={}, reports={"host": replica.host, "port": replica.port}))
    with Load(proxy, role, OLD, 2, 2) as writers, Load(proxy, role, OLD, 2, 2, dbname="reports") as readers:
        before = refusals(cluster.primary), refusals(replica)
        with paused(replica):
            alter(cluster, NEW)
            write(path, NEW)
            has_version(proxy, 2)
            writers.password = readers.password = NEW
            writers.more(servers=2)
            readers.more(servers=2)
            late = refusals(replica, before[1])
            assert 1 <= late <= 8 and replica.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'rotated'")[0][0]
        wait_until(cluster.caught_up, 20, "the replica has the new password")
        writers.more(servers=2)
        readers.more(servers=2)
        assert refusals(cluster.primary, before[0]) <= 4 and refusals(replica, before[1]) <= late + 4
    assert secret_row(proxy)["hosts_refusing"] == 0


class Guarded:
    """A server that wants one password, in the clear over TLS, and takes its time to refuse another: counts who is at it."""

    def __init__(self, certificates):
        self.password, self.lock, self.trying, self.most, self.refused = None, threading.Lock(), 0, 0, 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server_cert, certificates.server_key)
        self.server = raw.FakeServer(on_startup=self.log_in, tls=context)

    def log_in(self, backend) -> bool:
        with self.lock:
            self.trying += 1
            self.most = max(self.most, self.trying)
        try:
            backend.send(raw.authentication(3))
            said = backend.receive().body.rstrip(b"\0").decode()
            time.sleep(0.05)
        finally:
            with self.lock:             # Before it is answered: the next one may come with the answer.
                self.trying -= 1
        if said != self.password:
            self.refused += 1
            backend.send(raw.error_response("28P01", "password authentication failed", "FATAL"))
            backend.close()
            raise raw.Closed
        return False


def test_at_most_one_failed_trial_is_under_way(start_pgweir, cluster, tmp_path):
    """However many clients wait, on however many databases of that host and secret."""
    path = write(tmp_path / "secret", OLD)
    guarded = Guarded(cluster.certificates)
    with guarded.server as server:
        host = {"host": "localhost", "port": server.port, "server_tls_sslmode": "require"}
        proxy = start_pgweir(sections(path, app=host, more={**host, "dbname": "more"}))
        write(path, NEW)
        has_version(proxy, 2)
        answers = []
        clients = [threading.Thread(target=lambda name=name: answers.append(proxy.raw(name, "rotated", password=NEW).value("SELECT 1")))
                   for name in ("app", "more") * 8]
        for client in clients:
            client.start()
        wait_until(lambda: guarded.refused >= 6, 30, "every value has been refused, several times")
        assert guarded.most == 1
        assert secret_row(proxy)["refused"] >= 5 and not answers
        guarded.password = NEW
        for client in clients:
            client.join(60)
        assert len(answers) == len(clients)
