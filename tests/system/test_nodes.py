"""Clusters that tell their nodes themselves: Aurora, by a stand-in for aurora_replica_status(), and whatever topology_query finds.

A stand-in knows who is asked by the port, and what to say from a table that the test changes on the primary."""
import pytest

from harness.clusters import address, host, row, sections
from harness.process import wait_until

pytestmark = pytest.mark.ours

NODES = """
CREATE SCHEMA standin;
CREATE TABLE standin.nodes (server_id text, port int, session_id text, replica_lag_in_msec float8, behind interval);
CREATE FUNCTION standin.aurora_replica_status() RETURNS TABLE (server_id text, session_id text, replica_lag_in_msec float8,
  last_update_timestamp timestamptz, endpoint text, port int, self bool) LANGUAGE sql STABLE SET search_path = pg_catalog AS
  'SELECT n.server_id, n.session_id, n.replica_lag_in_msec, now() - n.behind, ''127.0.0.1'', n.port,
          n.port = current_setting(''port'')::int FROM standin.nodes n'
"""


@pytest.fixture
def standin(cluster, replicas):
    cluster.primary.sql(NODES)
    cluster.primary.sql("INSERT INTO standin.nodes VALUES ('writer', %s, 'MASTER_SESSION_ID', NULL, NULL), "
                        "('reader-1', %s, 'a', 12.5, '10ms'), ('reader-2', %s, 'b', 20, '10ms')",
                        parameters=[cluster.primary.port, replicas[0].port, replicas[1].port])
    wait_until(cluster.caught_up, 20, "the replicas have it")
    yield
    cluster.primary.sql("DROP SCHEMA standin CASCADE")


def start(start_pgweir, *servers, source="aurora", **more):
    return start_pgweir(sections(*servers, lag_source=source, topology_query="SELECT * FROM standin.aurora_replica_status() -- all",
                                 **more))


def test_lag_is_what_the_nodes_say_and_a_limit_takes_the_reads(start_pgweir, cluster, replicas, standin):
    proxy = start(start_pgweir, cluster.primary, *replicas)
    wait_until(lambda: row(proxy)["state"] == "served", 20, "every host has been looked at")
    wait_until(lambda: all(host(proxy, replica)["eligible"] == 1 for replica in replicas), 20, "the readers are measured")
    found = host(proxy, replicas[0])
    assert (found["role"], found["state"], found["timeline"], found["source"]) == ("replica", "up", None, "aurora")
    assert row(proxy)["primary"] == address(cluster.primary) and proxy.raw("app").value("SELECT pg_is_in_recovery()") == "f"
    cluster.primary.sql("UPDATE standin.nodes SET replica_lag_in_msec = 60000 WHERE server_id = 'reader-1'")
    wait_until(lambda: host(proxy, replicas[0])["reason"] == "lag", 20, "it is behind")
    assert host(proxy, replicas[0])["lag_ms"] >= 60000 and host(proxy, replicas[1])["eligible"] == 1
    cluster.primary.sql("UPDATE standin.nodes SET replica_lag_in_msec = 1 WHERE server_id = 'reader-1'")
    wait_until(lambda: host(proxy, replicas[0])["eligible"] == 1, 20, "it is back")
    # A row that says nothing about it is not taken for freshness.
    cluster.primary.sql("DELETE FROM standin.nodes WHERE server_id = 'reader-1'")
    wait_until(lambda: host(proxy, replicas[0])["reason"] == "unmeasured", 20, "it is not measured")


def test_of_two_writers_the_one_heard_of_last_counts(start_pgweir, cluster, replicas, standin):
    """The old writer still takes itself for one, but says itself that there is a newer: it gets no write."""
    proxy = start(start_pgweir, cluster.primary, *replicas)
    wait_until(lambda: row(proxy)["state"] == "served", 20, "all is well")
    cluster.primary.sql("UPDATE standin.nodes SET behind = '3s' WHERE server_id = 'writer'")
    cluster.primary.sql("UPDATE standin.nodes SET session_id = 'MASTER_SESSION_ID' WHERE server_id = 'reader-1'")
    wait_until(lambda: row(proxy)["state"] == "without primary", 20, "the other is in recovery yet")
    assert host(proxy, cluster.primary)["role"] == "replica"
    cluster.primary.sql("UPDATE standin.nodes SET behind = '4s' WHERE server_id = 'reader-1'")
    wait_until(lambda: row(proxy)["primary"] == address(cluster.primary), 20, "it is the writer again")


@pytest.mark.parametrize("source", ["aurora", "auto"])
def test_nodes_that_are_not_configured_are_found_and_forgotten(start_pgweir, cluster, replicas, standin, source):
    """With `auto` these are ordinary servers, whose lag is told by positions; the query finds the nodes."""
    proxy = start(start_pgweir, cluster.primary, source=source)
    wait_until(lambda: row(proxy).get("hosts") == 3 and row(proxy)["replicas_up"] == 2, 20, "the readers are found")
    wait_until(lambda: host(proxy, replicas[0])["eligible"] == 1, 20, "they are measured")
    assert host(proxy, replicas[0])["source"] == ("aurora" if source == "aurora" else "streaming")
    client = proxy.raw("app")
    assert client.value("SELECT inet_server_port()") == str(cluster.primary.port)
    proxy.reload()
    wait_until(lambda: "configuration reloaded" in proxy.log(), 10, "the reload is done")
    assert row(proxy)["hosts"] == 3 and row(proxy)["state"] == "served"
    if source == "aurora":
        cluster.primary.sql("DELETE FROM standin.nodes WHERE server_id = 'reader-2'")
        wait_until(lambda: row(proxy)["hosts"] == 2, 20, "the reader is gone")
    assert client.value("SELECT inet_server_port()") == str(cluster.primary.port)


def test_two_names_of_the_writer_are_one_primary(start_pgweir, cluster, replicas, standin):
    """As the endpoint of a cluster and that of an instance."""
    proxy = start(start_pgweir, f"localhost:{cluster.primary.port}", *replicas)
    wait_until(lambda: row(proxy).get("primary") == address(cluster.primary), 20, "its own name counts")
    alias = next(row for row in proxy.show("HOSTS") if row["host"].startswith("localhost"))
    assert alias["state"] == "alias"
    assert proxy.raw("app").value("SELECT pg_is_in_recovery()") == "f"


def test_a_query_that_fails_is_named(start_pgweir, cluster, replicas):
    proxy = start_pgweir(sections(cluster.primary, *replicas, topology_query="SELECT * FROM there_is_none"))
    wait_until(lambda: "cannot ask for the nodes of a cluster" in proxy.log(), 20, "it is logged")
    assert "there_is_none" in proxy.log() and "sqlstate=42P01" in proxy.log()
    wait_until(lambda: row(proxy)["state"] == "served", 20, "every host has been looked at")
    assert proxy.raw("app").value("SELECT pg_is_in_recovery()") == "f"
