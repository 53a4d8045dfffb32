"""What clients meet when another host becomes the primary, and what an old one never gets."""
import os
import signal
import threading
import time

import psycopg
import psycopg2.errors
import pytest

from harness import raw
from harness.clusters import address, command, conninfo_of, follow, host, own, row, sections  # noqa: F401 (own is a fixture)
from harness.process import free_port, give_away, wait_until
from harness.writers import end_writers, keys_on, make_table, writers

pytestmark = pytest.mark.ours


def streams_from(replica):
    found = replica.sql("SELECT sender_port FROM pg_stat_wal_receiver WHERE status = 'streaming'")
    return found[0][0] if found else None


def clients_of(server) -> int:
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")[0][0]


def refused(proxy):
    command(proxy, "SET query_wait_timeout = 1")
    with pytest.raises(psycopg.OperationalError) as caught:
        with proxy.connect("app", autocommit=True, sslmode="prefer") as connection:
            connection.execute("CREATE TABLE must_not_be (n int)")
    return str(caught.value)


def test_an_old_primary_that_is_cut_off_from_its_cluster_gets_no_write_also_after_a_restart(start_pgweir, own, tmp_path):
    """The proxy sees the old primary and a replica, but not the new primary: the replica's timeline tells."""
    old, (new, other) = own.primary, own.replicas
    settings = sections(old, f"127.0.0.1:{free_port()}", other)
    settings["pgweir"]["state_dir"] = tmp_path
    proxy = start_pgweir(settings)
    assert proxy.raw("app").value("SELECT inet_server_port()") == str(old.port)
    # Behind it, so that it is not ahead of the new primary when that begins its timeline.
    follow(other, new)
    wait_until(lambda: streams_from(other) == new.port, 20, "the one replica streams from the other")
    new.sql("SELECT pg_promote()")
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "the replica shows the newer timeline")
    assert row(proxy)["state"] == "without primary" and host(proxy, other)["timeline"] == 2
    assert 'no primary is known in cluster "main"' in refused(proxy)

    # Nobody is left to tell but the file.
    proxy.stop()
    other.stop()
    wait_until(lambda: clients_of(old) == 0, 20, "the old primary has noticed that the proxy is gone")
    record = tmp_path / "cluster-main"
    assert "timeline 2\n" in record.read_text()
    proxy = start_pgweir(settings)
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "it is known")
    assert 'no primary is known in cluster "main"' in refused(proxy)
    assert clients_of(old) == 0
    proxy.stop()

    record.write_text(record.read_text().replace("timeline 2", "timeline 3"))
    proxy = start_pgweir(settings)
    wait_until(lambda: row(proxy)["primary"] == address(old), 20, "a damaged file is none")
    assert "the record of a cluster is damaged" in proxy.log()
    wait_until(lambda: "timeline 1\n" in record.read_text(), 10, "and is written anew")


def test_an_orderly_switchover_is_seen_by_nobody(start_pgweir, own):
    """PAUSE CLUSTER, stop, promote, RESUME CLUSTER: every write is there once, and no client gets an error."""
    make_table(own)
    old, (new, other) = own.primary, own.replicas
    follow(other, new)              # A cascade.
    wait_until(lambda: streams_from(other) == new.port, 20, "the one replica streams from the other")
    proxy = start_pgweir(sections(old, new, other))
    wait_until(lambda: host(proxy, other)["eligible"] == 1, 20, "which makes no difference")
    with writers(proxy, 8) as at_work:
        busy = proxy.raw("app")
        busy.ask("BEGIN")
        busy.ask("INSERT INTO numbers VALUES ('busy')")
        console = threading.Thread(target=lambda: command(proxy, "PAUSE CLUSTER main"))
        console.start()
        wait_until(lambda: row(proxy)["paused"] == 1 and proxy.pool("app")["cl_waiting"] == 8, 20, "new transactions wait")
        assert console.is_alive()                       # For the transaction that is open.
        busy.ask("COMMIT")
        console.join(60)
        assert not console.is_alive()
        wait_until(lambda: clients_of(old) == 0, 10, "nobody is left")
        old.stop()                                      # Whoever streams from it gets the rest before it ends.
        new.sql("SELECT pg_promote()")
        before = {writer: len(writer.written) for writer in at_work}
        command(proxy, "RESUME CLUSTER main")
        wait_until(lambda: all(len(writer.written) > before[writer] + 3 for writer in at_work), 20, "everybody goes on")
        end_writers(at_work)
    assert [writer.errors for writer in at_work] == [[]] * 8
    written = [key for writer in at_work for key in writer.written]
    assert sorted(keys_on(new)) == sorted(written + ["busy"])
    assert busy.value("SELECT inet_server_port()") == str(new.port)
    # What was the primary comes back as a replica, and is one.
    (old.data / "standby.signal").touch()
    give_away(old.data / "standby.signal")
    (old.data / "postgresql.auto.conf").open("a").write(f"primary_conninfo = '{conninfo_of(new)}'\n")
    old.start()
    wait_until(lambda: host(proxy, old)["eligible"] == 1 and host(proxy, old)["timeline"] == 2, 20, "it has caught up")
    wait_until(lambda: row(proxy)["replicas_up"] == 2, 10, "both are seen")
    assert host(proxy, old)["role"] == "replica"
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        command(proxy, "RESUME CLUSTER main")
    with pytest.raises(psycopg2.errors.UndefinedObject):
        command(proxy, "PAUSE CLUSTER nobody")


def test_a_primary_that_hangs_keeps_nobody_once_another_has_taken_its_place(start_pgweir, own):
    """Nothing ends the connections to it: neither those at work, nor those that are being opened, also to listen."""
    make_table(own)
    old, (new, other) = own.primary, own.replicas
    settings = sections(old, new, other, probe_failures=1)
    settings["pgweir"].update(server_connect_timeout="1h", query_wait_timeout="60s")
    proxy = start_pgweir(settings)
    within, *others = [proxy.raw("app", timeout_s=60) for _ in range(9)]
    listener = proxy.connect2("app", "app", sslmode="prefer")
    listener.cursor().execute("LISTEN news")
    wait_until(lambda: not proxy.pins() and [each["state"] for each in proxy.show("LISTENERS")] == ["open"], 20,
               "it listens over the shared connection")
    with writers(proxy, 2) as at_work:
        within.ask("BEGIN")
        within.ask("INSERT INTO numbers VALUES ('within')")
        with old.hung():
            for client in others:               # More than there are idle connections.
                client.send(raw.query("SELECT inet_server_port()"))
            os.kill(int(proxy.show("LISTENERS")[0]["server_pid"]), signal.SIGKILL)
            wait_until(lambda: [each["state"] for each in proxy.show("LISTENERS")] == ["opening"], 20, "another shared connection is being opened")
            wait_until(lambda: row(proxy)["state"] == "without primary", 30, "the primary is missed")
            new.sql("SELECT pg_promote()")
            before = {writer: len(writer.written) for writer in at_work}
            wait_until(lambda: all(len(writer.written) > before[writer] + 3 for writer in at_work), 30, "everybody goes on")
            answers = [client.read_until_ready() for client in others]
            assert raw.error_of(within.ask("INSERT INTO numbers VALUES ('within')"))["C"] == "40001"
            wait_until(lambda: (new.sql("NOTIFY news", "app"), listener.poll(), listener.notifies)[-1], 30, "news of the new primary are heard")
    within.ask("ROLLBACK")
    assert within.value("SELECT inet_server_port()") == str(new.port)
    served = [raw.rows_of(answer) for answer in answers if raw.good(answer)]
    assert served and all(rows == [[str(new.port)]] for rows in served)
    assert {raw.error_of(answer)["C"] for answer in answers if not raw.good(answer)} <= {"08007"}
    assert {sqlstate for writer in at_work for sqlstate, _ in writer.errors} <= {"08007", "40001"}         # Some prepare.
    there = keys_on(new)
    assert len(set(there)) == len(there) and "within" not in there
    # But for one each, whose answer the old primary may have sent before.
    assert {key for writer in at_work for key in writer.written[before[writer] + 1:]} <= set(there)


CLIENTS = 64


def replayed_all(replica):
    return replica.sql("SELECT pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")[0][0]


def test_a_crash_under_load_loses_and_repeats_nothing_and_the_old_primary_gets_no_write(start_pgweir, own):
    make_table(own)
    old, (new, other) = own.primary, own.replicas
    proxy = start_pgweir(sections(old, new, other))
    idle = [proxy.raw("app") for _ in range(8)]
    assert [client.value("SELECT 1") for client in idle] == ["1"] * 8
    with writers(proxy, CLIENTS) as at_work:
        old.crash()
        wait_until(lambda: replayed_all(new), 20, "the replica has replayed what it has got")
        had = keys_on(new)
        promoted_at = time.monotonic()
        new.sql("SELECT pg_promote()")
        promotion = time.monotonic() - promoted_at
        follow(other, new)
        before = {writer: len(writer.written) for writer in at_work}
        wait_until(lambda: all(len(writer.written) > before[writer] + 1 for writer in at_work), 40, "everybody goes on")
        # As it was: a primary of timeline 1.
        old.start()
        wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "it is seen, and fenced")
        left = keys_on(old)
        further = {writer: len(writer.written) for writer in at_work}
        wait_until(lambda: all(len(writer.written) > further[writer] + 1 for writer in at_work), 20, "everybody goes on")
        end_writers(at_work)
    assert keys_on(old) == left
    there = keys_on(new)
    assert len(set(there)) == len(there), "a write was done twice"
    assert set(had) <= set(there)
    # But for one each, whose answer the old primary may have sent before.
    assert {key for writer in at_work for key in writer.written[before[writer] + 1:]} <= set(there)
    # What was under way when the server died is in doubt, and its client was told; nobody else noticed. (Whose statement was
    # only being prepared hears that nothing was done.)
    assert {sqlstate for writer in at_work for sqlstate, _ in writer.errors} <= {"08007", "40001"}
    assert max(len(writer.errors) for writer in at_work) <= 1, [writer.errors for writer in at_work if len(writer.errors) > 1]
    assert sum(len(writer.errors) for writer in at_work) <= 20          # The pool's size.
    assert [client.value("SELECT inet_server_port()") for client in idle] == [str(new.port)] * 8
    lost = {key for writer in at_work for key in writer.written} - set(there)
    assert not lost & set(had)
    # One that knows nothing yet, and looks at all of them.
    proxy.stop()
    proxy = start_pgweir(sections(old, new, other))
    assert proxy.raw("app").value("INSERT INTO numbers VALUES ('restarted') RETURNING inet_server_port()") == str(new.port)
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "it is fenced by this one, too")
    assert keys_on(old) == left
    times = sorted(at for writer in at_work for at in writer.times)
    print(f"\nfailover: {max(later - sooner for sooner, later in zip(times, times[1:])):.2f} s without writes, of which pg_promote() took {promotion:.2f} s; "
          f"{len(there)} writes, {len(lost)} acknowledged by the old primary alone, {sum(len(w.errors) for w in at_work)} in doubt")
