"""Clusters: roles are found out by probes, and connections go to the primary that was found, also after a failover."""
import signal
import time

import psycopg
import pytest

from harness.clusters import address, command, host, own, row, sections  # noqa: F401 (own is a fixture)
from harness.postgres import PASSWORD
from harness.process import wait_until
from harness.writers import keys_on, make_table, writers

pytestmark = pytest.mark.ours


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_primary_is_found_wherever_it_stands_in_the_list(start_pgweir, cluster, replicas, place):
    servers = list(replicas)
    servers.insert(place, cluster.primary)
    proxy = start_pgweir(sections(*servers))
    assert proxy.raw("app").value("SELECT pg_is_in_recovery()") == "f"
    found = wait_until(lambda: (found := row(proxy))["state"] == "served" and found, 10, "every host has been looked at")
    assert (found["primary"], found["state"], found["timeline"], found["hosts"]) == (address(cluster.primary), "served", 1, 3)
    wait_until(lambda: row(proxy)["replicas_up"] == 2, 10, "both replicas are seen")
    assert host(proxy, cluster.primary)["role"] == "primary"
    for replica in replicas:
        assert (host(proxy, replica)["role"], host(proxy, replica)["state"]) == ("replica", "up")


def test_a_replica_that_has_caught_up_has_no_lag_and_one_that_waits_falls_behind(start_pgweir, cluster, replicas):
    proxy = start_pgweir(sections(cluster.primary, *replicas))
    behind = replicas[0]
    for replica in replicas:
        wait_until(lambda: host(proxy, replica)["lag_bytes"] == 0, 20, "the replica is measured and has caught up")
    behind.sql("SELECT pg_wal_replay_pause()")
    try:
        cluster.primary.sql("CREATE TABLE lag_is_made (n int)")
        cluster.primary.sql("DROP TABLE lag_is_made")
        wait_until(lambda: (host(proxy, behind)["lag_bytes"] or 0) > 0, 20, "the paused replica has something to replay")
        wait_until(lambda: (host(proxy, behind)["fresh_as_of_age_ms"] or 0) > 1000, 20, "it gets older")
    finally:
        behind.sql("SELECT pg_wal_replay_resume()")
    wait_until(lambda: host(proxy, behind)["lag_bytes"] == 0, 20, "it has caught up again")


def test_an_idle_primary_behind_a_segment_switch_has_replicas_that_are_current(start_pgweir, own):
    proxy = start_pgweir(sections(own.primary, *own.replicas))
    wait_until(lambda: host(proxy, own.replicas[0])["lag_bytes"] == 0, 20, "the replica is measured and has caught up")
    own.primary.sql("CHECKPOINT")

    def at_the_beginning_of_a_segment():
        """Again each time that the server has written something of its own meanwhile."""
        own.primary.sql("SELECT pg_switch_wal()")
        return own.primary.sql("SELECT pg_current_wal_insert_lsn()")[0][0].endswith("000028")

    wait_until(at_the_beginning_of_a_segment, 10, "nothing is written")
    wait_until(lambda: host(proxy, own.replicas[0])["lag_bytes"] == 0, 20, "no byte is owed")


def test_writes_wait_for_the_promotion_and_go_on_there(start_pgweir, own):
    make_table(own)
    old, (new, other) = own.primary, own.replicas
    proxy = start_pgweir(sections(other, old, new))
    idle = proxy.raw("app")
    assert idle.value("SELECT 1") == "1"
    with writers(proxy, 1) as (writer,):
        old.stop(signal.SIGKILL)
        wait_until(lambda: row(proxy)["state"] == "without primary", 20, "the primary is missed")
        wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, 20, "the writer waits")
        before = len(writer.written)    # All that the old one has answered.
        proxy.raw("app").close()        # Newcomers are let in.
        new.sql("SELECT pg_promote()")
        wait_until(lambda: len(writer.written) > before + 10, 20, "writing goes on")
        assert row(proxy)["primary"] == address(new) and row(proxy)["timeline"] == 2
    # At most what was under way on a connection when its server process died is lost, and its client was told. There were two: the
    # process of the other one may live a moment longer.
    # (Whose statement was only being prepared hears that nothing was done.)
    assert len(writer.errors) <= 2 and {sqlstate for sqlstate, _ in writer.errors} <= {"08007", "40001"}, writer.errors
    assert set(writer.written[before:]) <= set(keys_on(new))
    assert idle.value("SELECT inet_server_port()") == str(new.port)

    # As it was, it is a primary of timeline 1: of those it serves nobody.
    old.start()
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "it is seen, and fenced")
    new.stop(signal.SIGKILL)
    wait_until(lambda: row(proxy)["state"] == "without primary", 20, "the new one is missed")
    assert host(proxy, old)["state"] == "fenced"
    assert old.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")[0][0] == 0


def test_without_a_primary_the_error_says_so(start_pgweir, own):
    proxy = start_pgweir(sections(own.primary, *own.replicas))
    client = psycopg.connect(proxy.conninfo("app", "app", sslmode="prefer"), autocommit=True)
    client.execute("SELECT 1")
    wait_until(lambda: proxy.pool("app")["sv_active"] == 0, 10, "the client holds no server connection")
    own.primary.stop(signal.SIGQUIT)
    wait_until(lambda: row(proxy)["state"] == "without primary", 20, "the primary is missed")
    command(proxy, "SET query_wait_timeout = 1")
    with pytest.raises(psycopg.errors.CannotConnectNow) as caught:
        client.execute("SELECT 1")
    command(proxy, "SET query_wait_timeout = 100")
    assert 'no primary is known in cluster "main"' in str(caught.value)
    own.primary.start()
    wait_until(lambda: row(proxy)["state"] == "served", 20, "the primary is back")
    assert client.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    client.close()


def test_connections_to_an_old_primary_that_still_runs_are_let_go(start_pgweir, own):
    """Two that call themselves primary: the newer timeline is right, at once, for connections that are open as well."""
    old, (new, _) = own.primary, own.replicas
    settings = sections(old, *own.replicas)
    settings["database session"] = {"cluster": "main", "dbname": "app", "pool_mode": "session"}
    proxy = start_pgweir(settings)
    client, busy = proxy.raw("app"), proxy.raw("app")
    keeper = psycopg.connect(proxy.conninfo("session", "app", sslmode="prefer"), autocommit=True)
    keeper.execute("SELECT 1")
    busy.ask("BEGIN")
    assert client.value("SELECT inet_server_port()") == str(old.port)       # On another connection, which is idle from now on.
    new.sql("SELECT pg_promote()")
    wait_until(lambda: row(proxy)["primary"] == address(new), 20, "the new primary is found")
    assert host(proxy, old)["state"] == "fenced"
    assert client.value("SELECT inet_server_port()") == str(new.port)
    assert busy.value("SELECT inet_server_port()") == str(old.port)         # Its transaction goes on where it began.
    busy.ask("COMMIT")
    assert busy.value("SELECT inet_server_port()") == str(new.port)
    with pytest.raises(psycopg.OperationalError) as caught:                 # In session mode there is no better moment.
        keeper.execute("SELECT 1")
    assert caught.value.sqlstate in ("57P01", None)
    assert "reason=not_primary " in proxy.log() and "reason=reconnect" not in proxy.log()       # At once, not when they are next looked at.
    wait_until(lambda: old.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")[0][0] == 0, 10, "nobody is left")


def test_what_is_listened_to_is_heard_from_the_new_primary(start_pgweir, own):
    """Sooner than after server_login_retry, which begins when the old one cannot be reached."""
    settings = sections(own.primary, *own.replicas)
    settings["pgweir"]["server_login_retry"] = "1h"
    proxy = start_pgweir(settings)
    listener = proxy.connect2("app", "app", sslmode="prefer")
    listener.cursor().execute("LISTEN news")
    wait_until(lambda: not proxy.pins() and any(row["state"] == "open" for row in proxy.show("LISTENERS")), 10,
               "the channel has moved from the client's connection to the shared one")
    new = own.replicas[0]
    own.primary.stop(signal.SIGQUIT)
    wait_until(lambda: row(proxy)["state"] == "without primary", 20, "the primary is missed")
    new.sql("SELECT pg_promote()")

    def heard():
        new.sql("NOTIFY news", "app")
        listener.poll()
        return listener.notifies

    wait_until(heard, 20, "a notification of the new primary arrives")
    assert any("may have been lost" in notice for notice in listener.notices), listener.notices


@pytest.mark.parametrize("more", [{"probe_password": "wrong"}, {"probe_user": "nobody_by_that_name"}])
def test_where_probes_are_refused_connections_find_the_primary_as_before(start_pgweir, cluster, replicas, more):
    proxy = start_pgweir(sections(*replicas, cluster.primary, probe_interval="20s", **more))     # Each has so long to refuse.
    assert proxy.raw("app").value("SELECT pg_is_in_recovery()") == "f"
    wait_until(lambda: row(proxy)["state"] == "unobserved", 10, "every host has refused")
    refused = [line for line in proxy.log().splitlines() if "cannot probe host" in line and "28P01" in line]
    assert len(refused) == 3 and all("password authentication failed" in line and "LOCATION" not in line for line in refused)
    assert "28P01" not in host(proxy, cluster.primary)["last_error"] and "password" in host(proxy, cluster.primary)["last_error"]


def test_probes_log_in_with_a_secret_and_again_when_it_changes(start_pgweir, cluster, replicas, tmp_path):
    secret = tmp_path / "probe"
    secret.write_text("wrong")
    secret.chmod(0o600)
    settings = sections(*replicas, cluster.primary, probe_password=None, probe_secret="probe")
    settings["secret probe"] = {"provider": "file", "path": secret}
    proxy = start_pgweir(settings)
    wait_until(lambda: row(proxy)["state"] == "unobserved", 10, "the hosts refuse the login")
    secret.write_text(PASSWORD)
    proxy.reload()
    wait_until(lambda: row(proxy)["state"] == "served", 15, "the new password has been used")


def test_a_reload_goes_on_watching_what_has_not_changed(start_pgweir, cluster, replicas):
    proxy = start_pgweir(sections(cluster.primary, *replicas))
    client = proxy.raw("app")
    assert client.value("SELECT 1") == "1"
    since = wait_until(lambda: (found := row(proxy))["state"] == "served" and found, 10, "every host has been looked at")["since"]
    proxy.reload()
    wait_until(lambda: "configuration reloaded" in proxy.log(), 10, "the reload is done")
    assert row(proxy)["state"] == "served" and row(proxy)["since"] == since
    proxy.sections["cluster main"]["hosts"] = f"{address(replicas[0])}, {address(cluster.primary)}"
    proxy.reload()
    wait_until(lambda: row(proxy)["hosts"] == 2 and row(proxy)["state"] == "served", 10, "two hosts are left")
    assert client.value("SELECT pg_is_in_recovery()") == "f"
    del proxy.sections["cluster main"]["probe_user"], proxy.sections["cluster main"]["probe_password"]
    proxy.reload()
    wait_until(lambda: not row(proxy), 10, "nobody is watched")
    assert client.value("SELECT pg_is_in_recovery()") == "f"


def test_a_primary_that_refuses_to_write_is_looked_at_at_once(start_pgweir, cluster, replicas):
    proxy = start_pgweir(sections(cluster.primary, *replicas, probe_interval="1h"))
    wait_until(lambda: row(proxy)["state"] == "served", 10, "every host has been looked at")
    client = proxy.raw("app")
    assert client.value("SELECT 1") == "1"

    def looked_at():
        return cluster.primary.sql("SELECT max(query_start) FROM pg_stat_activity WHERE query LIKE '%pg_control_system%'"
                                   " AND pid <> pg_backend_pid()")[0][0]

    # Until the haste of the start is over, looks come by themselves.
    quiet_since = [looked_at()]
    wait_until(lambda: (time.sleep(1.5), quiet_since.append(looked_at()), quiet_since[-1] == quiet_since[-2])[-1], 20, "nobody looks")
    client.ask("BEGIN READ ONLY")
    client.ask("CREATE TABLE not_here (n int)")
    wait_until(lambda: looked_at() > quiet_since[-1], 10, "it is looked at")
    client.ask("ROLLBACK")
