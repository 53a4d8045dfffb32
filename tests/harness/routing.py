"""Reads on replicas: a proxy's sections, where a read runs, what is counted, and tables and functions to try it with."""
import contextlib

import pytest

from . import raw
from .clusters import PROBE, address
from .pgweir import Pgweir
from .process import wait_until


def sections(cluster, database=None, **more) -> dict:
    servers = [cluster.primary, *cluster.replicas]
    return {"pgweir": {"pool_mode": "transaction", "threads": 2, "server_login_retry": "1s", "query_wait_timeout": "100s"},
            "cluster main": {"hosts": ", ".join(address(server) for server in servers), **PROBE, **more},
            "database app": {"cluster": "main", "routing": "auto", **(database or {})}}


def where(client) -> str:
    """On which kind of server a read runs."""
    return "replica" if client.value("SELECT where_am_i()") == "true" else "primary"


def ready(proxy):
    """Both replicas get reads, and what functions there are is known."""
    wait_until(lambda: sum(row["fresh_as_of_age_ms"] is not None and row["role"] == "replica" for row in proxy.show("HOSTS")) == 2,
               20, "the replicas are measured")
    with reader(proxy):
        pass


@contextlib.contextmanager
def routed(settings: dict):
    """A proxy that sends reads to replicas."""
    started = Pgweir(settings)
    started.start()
    try:
        ready(started)
        yield started
    finally:
        started.stop()


@contextlib.contextmanager
def reader(proxy):
    """A client whose reads go to a replica."""
    client = proxy.raw("app")
    wait_until(lambda: where(client) == "replica", 20, "a read goes to a replica")
    yield client
    client.close()


def routes(proxy, database="app") -> dict:
    return {row["reason"]: row["count"] for row in proxy.show("ROUTES") if row["database"] == database}


def value_of(messages) -> str:
    return raw.rows_of(messages)[0][0]


@pytest.fixture(scope="module")
def place(cluster, replicas):
    """Functions that are not honest about themselves, and tables."""
    for statement in (
            "CREATE FUNCTION where_am_i() RETURNS text STABLE LANGUAGE sql AS 'SELECT pg_is_in_recovery()::text'",
            "CREATE FUNCTION which_am_i() RETURNS text STABLE LANGUAGE sql AS 'SELECT current_setting(''port'')'",
            "CREATE TABLE routed (n serial PRIMARY KEY, what text, v int NOT NULL DEFAULT 0)",
            "CREATE FUNCTION writes(w text) RETURNS text VOLATILE LANGUAGE sql AS"
            " 'INSERT INTO public.routed (what) VALUES (w) RETURNING w'",
            "CREATE VIEW writing_view AS SELECT public.writes('view') AS w",
            "GRANT ALL ON routed, writing_view TO app", "GRANT ALL ON SEQUENCE routed_n_seq TO app"):
        cluster.primary.sql(statement, "app")
    wait_until(cluster.caught_up, 20, "the replicas have them")
    yield cluster
    for statement in ("DROP VIEW writing_view", "DROP FUNCTION writes(text)",
                      "DROP FUNCTION where_am_i()", "DROP FUNCTION which_am_i()", "DROP TABLE routed"):
        cluster.primary.sql(statement, "app")


def written(place, what) -> int:
    return place.primary.sql(f"SELECT count(*) FROM routed WHERE what = '{what}'", "app")[0][0]


@contextlib.contextmanager
def paused(*replicas):
    for replica in replicas:
        replica.sql("SELECT pg_wal_replay_pause()")
    for replica in replicas:
        wait_until(lambda: replica.sql("SELECT pg_get_wal_replay_pause_state()")[0][0] == "paused", 20, "replay has stopped")
    try:
        yield
    finally:
        for replica in replicas:
            replica.sql("SELECT pg_wal_replay_resume()")
