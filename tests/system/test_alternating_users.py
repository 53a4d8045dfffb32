"""Rotation in which two users take turns: "app" and "app_clone", of which clients know one name."""
import contextlib
import functools
import json

import psycopg
import pytest

from harness.process import free_port, wait_until
from harness.web import Web

pytestmark = pytest.mark.ours


@pytest.fixture
def turns(cluster):
    """Roles "turns" and "turns_clone", a table that only the one may see, and row-level security by current_user."""
    run = functools.partial(cluster.primary.sql, dbname="app")
    run("CREATE ROLE turns LOGIN PASSWORD 'p0'")
    run("CREATE ROLE turns_clone LOGIN PASSWORD 'none yet'")
    run("GRANT turns TO turns_clone")
    run("CREATE ROLE turns_other")
    run("GRANT turns_other TO turns")
    run("CREATE TABLE turns_rows AS SELECT * FROM (VALUES ('turns', 1), ('turns_clone', 2)) AS v (owner, n)")
    run("ALTER TABLE turns_rows ENABLE ROW LEVEL SECURITY")
    run("CREATE POLICY own ON turns_rows USING (owner = current_user)")
    run("GRANT SELECT ON turns_rows TO turns")
    yield cluster.primary
    run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename LIKE 'turns%'")    # Temporary tables go with them.
    run("DROP TABLE turns_rows")
    run("DROP OWNED BY turns")
    for role in ("turns_clone", "turns", "turns_other"):
        run(f"DROP ROLE {role}")


class Secret:
    """A file that takes turns as AWS's rotation for two users does it: set the other one's password, then say so."""

    def __init__(self, path, server, user="turns", password="p0"):
        self.path, self.server, self.number = path, server, 0
        self.write(user, password)

    def write(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        new = self.path.with_name("new")
        new.write_text(json.dumps({"username": user, "password": password}))
        new.chmod(0o600)
        new.rename(self.path)

    def rotate(self, proxy) -> None:
        self.number += 1
        other, password = ("turns" if self.user == "turns_clone" else "turns_clone"), f"p{self.number}"
        self.server.sql(f"ALTER ROLE {other} PASSWORD '{password}'", dbname="app")
        self.write(other, password)
        wait_until(lambda: proxy.show("SECRETS")[0]["version"] == self.number + 1, 15, "the secret is read")


@pytest.fixture
def secret(turns, tmp_path):
    return Secret(tmp_path / "secret", turns)


def sections(secret, name="turns") -> dict:
    return {"pgweir": {"pool_mode": "transaction", "log_level": "debug"}, "database app": {"pool_size": 3},
            f"user {name}": {"secret": "turns"}, "secret turns": {"provider": "file", "path": secret.path}}


def reconnect(proxy) -> None:
    with contextlib.closing(proxy.admin()) as console:
        console.cursor().execute("RECONNECT")


WHO = "SELECT current_user || ' as ' || session_user"


def test_four_rotations_change_nothing_for_clients(start_pgweir, secret):
    proxy = start_pgweir(sections(secret))
    client = proxy.raw("app", "turns", password="p0")
    seen = [client.value(WHO)]
    for _ in range(4):
        stays = client.value("SELECT pg_backend_pid()")
        secret.rotate(proxy)
        assert client.value("SELECT pg_backend_pid()") == stays         # What is open lives on.
        reconnect(proxy)
        seen.append(client.value(WHO))
        assert client.value("SELECT string_agg(n::text, ',') FROM turns_rows") == "1"
        with contextlib.closing(psycopg.connect(host=proxy.host, port=proxy.port, dbname="app", user="turns",
                                                password=secret.password)) as other:
            assert other.info.parameter_status("session_authorization") == "turns"
    assert seen == [f"turns as turns{'_clone' * (i % 2)}" for i in range(5)]
    client.value("CREATE TABLE IF NOT EXISTS pg_temp.mine ()")
    assert client.value("SELECT relowner::regrole FROM pg_class WHERE relname = 'mine'") == "turns"
    assert "server refused the value" not in proxy.log()
    assert not [word for word in ("p0", "p1", "p2", "p3", "p4") if f'"{word}"' in proxy.log()]


def test_connections_of_both_users_are_one_pool(start_pgweir, secret):
    proxy = start_pgweir(sections(secret))
    first, second = (proxy.raw("app", "turns", password="p0") for _ in range(2))
    first.value("BEGIN")
    assert first.value(WHO) == "turns as turns"
    secret.rotate(proxy)
    second.value("BEGIN")
    assert second.value(WHO) == "turns as turns_clone"
    first.value("COMMIT")
    second.value("COMMIT")
    assert len([row for row in proxy.show("POOLS") if row["user"] == "turns"]) == 1
    assert {row["user"] for row in proxy.show("SERVERS")} == {"turns"}


@pytest.mark.parametrize("undo", ["SET ROLE NONE", "RESET ROLE", "DISCARD ALL", "SET SESSION AUTHORIZATION DEFAULT",
                                  "BEGIN; SET ROLE NONE; COMMIT", "SELECT set_config('role', 'none', false)"])
def test_what_undoes_a_role_leads_to_the_original(start_pgweir, secret, undo):
    proxy = start_pgweir(sections(secret))
    secret.rotate(proxy)
    client = proxy.raw("app", "turns", password="p1")
    client.value("SET ROLE turns_other")
    assert client.value(WHO) == "turns_other as turns_clone"
    client.value(undo)
    assert client.value(WHO) == "turns as turns_clone"
    assert proxy.raw("app", "turns", password="p1").value(WHO) == "turns as turns_clone"


def test_a_role_that_was_set_follows_to_connections_of_the_other_user(start_pgweir, secret):
    proxy = start_pgweir(sections(secret))
    client = proxy.raw("app", "turns", password="p0")
    client.value("SET ROLE turns_other")
    secret.rotate(proxy)
    reconnect(proxy)
    assert client.value(WHO) == "turns_other as turns_clone"
    client.value("RESET ROLE")
    assert client.value(WHO) == "turns as turns_clone"
    secret.rotate(proxy)
    reconnect(proxy)
    assert client.value(WHO) == "turns as turns"


def test_the_clone_may_be_what_the_secret_says_first(start_pgweir, turns, tmp_path):
    """After a restart in the middle of things: the name of the [user] section is the original."""
    turns.sql("ALTER ROLE turns_clone PASSWORD 'p1'", dbname="app")
    secret = Secret(tmp_path / "secret", turns, "turns_clone", "p1")
    proxy = start_pgweir(sections(secret))
    assert proxy.raw("app", "turns", password="p1").value(WHO) == "turns as turns_clone"


def test_a_clone_that_may_not_act_as_the_original_is_itself(start_pgweir, secret, turns):
    turns.sql("REVOKE turns FROM turns_clone", dbname="app")
    turns.sql("GRANT SELECT ON turns_rows TO turns_clone", dbname="app")
    proxy = start_pgweir(sections(secret))
    secret.rotate(proxy)
    client = proxy.raw("app", "turns", password="p1")
    assert client.value(WHO) == "turns_clone as turns_clone"
    assert 'may not act as the other' in proxy.log() and "permission denied to set role" in proxy.log()
    turns.sql("DROP OWNED BY turns_clone", dbname="app")
    turns.sql("GRANT turns TO turns_clone", dbname="app")
    turns.sql("GRANT SELECT ON turns_rows TO turns", dbname="app")


def test_metrics_know_clients_by_the_name_they_use(start_pgweir, secret):
    """A name that changes with each rotation would make new series each time."""
    made, pages = sections(secret), free_port()
    made["pgweir"] |= {"http_listen": f"127.0.0.1:{pages}", "metrics_per_user": 1}
    proxy = start_pgweir(made)
    client = proxy.raw("app", "turns", password="p0")
    assert client.value(WHO) == "turns as turns"
    secret.rotate(proxy)
    reconnect(proxy)
    assert client.value(WHO) == "turns as turns_clone"
    page = Web(pages).text("/metrics")
    assert 'user="turns"' in page
    assert "turns_clone" not in page
