"""A client whose server is lost in the middle of its work, in a cluster that can fail over, is told so and goes on."""
import signal

import psycopg
import pytest

from harness import raw
from harness.clusters import own, row, sections  # noqa: F401 (own is a fixture)
from harness.process import wait_until

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def place(cluster, replicas):
    """A table whose COMMIT takes as long as a row says."""
    for statement in (
            "CREATE TABLE lost (what text, seconds int NOT NULL DEFAULT 0)", "GRANT ALL ON lost TO app",
            "CREATE FUNCTION sleeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(NEW.seconds); RETURN NULL; END'",
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON lost DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sleeps()"):
        cluster.primary.sql(statement, "app")
    wait_until(cluster.caught_up, 20, "the replicas have it")
    yield cluster
    for statement in ("DROP TABLE lost", "DROP FUNCTION sleeps()"):
        cluster.primary.sql(statement, "app")


@pytest.fixture
def proxy(start_pgweir, place):
    started = start_pgweir(sections(place.primary, *place.replicas))
    wait_until(lambda: row(started).get("state") == "served", 20, "the primary is known")
    return started


def pid_of(client) -> int:
    return int(client.value("SELECT pg_backend_pid()"))


def begin(client) -> int:
    client.ask("BEGIN")
    return pid_of(client)


def kill(server, pid):
    """Waits until it is gone."""
    server.sql("SELECT pg_terminate_backend(%s, 10000)", parameters=[pid])


def kill_at_work(server, what):
    """Whoever runs a text that has this in it, once it sleeps."""
    find = f"SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND wait_event = 'PgSleep' AND query LIKE '%{what}%'"
    wait_until(lambda: server.sql(find), 20, "it is under way")
    for (pid,) in server.sql(find):
        kill(server, pid)


def error_of(replies) -> str:
    error = raw.error_of(replies)
    assert error["S"] == "ERROR"
    return error["C"]


def tag_of(replies) -> str:
    return next(reply.text() for reply in replies if reply.type == "C")


def rows(place, what) -> int:
    return place.primary.sql(f"SELECT count(*) FROM lost WHERE what = '{what}'", "app")[0][0]


def works(client):
    assert client.value("SELECT 'works'") == "works" and client.status == "I"


def test_an_idle_transaction_is_failed_until_its_rollback(proxy, place):
    client = proxy.raw("app")
    client.ask("SET application_name = 'kept'")
    pid = begin(client)
    client.ask("SET application_name = 'undone'")
    client.ask("INSERT INTO lost VALUES ('idle')")
    kill(place.primary, pid)
    for state in ("40001", "25P02", "25P02"):
        replies = client.ask("INSERT INTO lost VALUES ('idle')")
        assert (error_of(replies), raw.types(replies), client.status) == (state, "EZ", "E")
    assert raw.types(client.ask("-- nothing")) == "IZ" and client.status == "E"
    assert error_of(client.ask("SET pgweir.route = primary")) == "25P02"
    assert error_of(client.ask(raw.function_call(1598))) == "25P02"
    assert error_of(client.ask(f"ROLLBACK;{' ' * 100_000}SELECT 1")) == "25P02" and client.status == "E"
    wait_until(lambda: proxy.pool("app")["sv_active"] == 0, what="no server connection is kept for that")
    assert tag_of(client.ask("/* so be it */ rollback work;")) == "ROLLBACK" and client.status == "I"
    assert client.value("SHOW application_name") == "kept"
    assert rows(place, "idle") == 0


def test_a_commit_that_does_not_know_of_the_loss_is_an_error_and_one_that_does_is_a_rollback(proxy, place):
    client = proxy.raw("app")
    kill(place.primary, begin(client))
    assert error_of(client.ask("COMMIT")) == "40001" and client.status == "I"
    works(client)
    kill(place.primary, begin(client))
    assert tag_of(client.ask("ROLLBACK")) == "ROLLBACK" and client.status == "I"
    works(client)
    kill(place.primary, begin(client))
    assert error_of(client.ask("SELECT 1")) == "40001"
    assert tag_of(client.ask("END TRANSACTION")) == "ROLLBACK" and client.status == "I"
    works(client)
    # As asyncpg resets a connection.
    kill(place.primary, begin(client))
    assert error_of(client.ask("SELECT 1")) == "40001"
    replies = client.ask("ROLLBACK;\nSELECT 'more'")
    assert raw.rows_of(replies) == [["more"]] and tag_of(replies) == "ROLLBACK" and client.status == "I"


def test_a_statement_under_way_in_a_transaction_is_undone(proxy, place):
    client = proxy.raw("app")
    client.ask("BEGIN")
    client.ask("INSERT INTO lost VALUES ('undone')")
    # Three groups on their way: the ones behind are skipped.
    client.send(raw.extended("SELECT pg_sleep(60), 'undone'") + raw.extended("SELECT 1") + raw.query("SELECT 2"))
    kill_at_work(place.primary, "undone")
    replies = client.read_until_ready(3)
    assert [each.fields()["C"] for each in replies if each.type == "E"] == ["40001", "25P02", "25P02"]
    assert raw.types(replies).endswith("EZEZEZ") and client.status == "E"
    client.ask("ROLLBACK")
    works(client)
    assert rows(place, "undone") == 0


def test_a_batch_without_its_sync_is_skipped_up_to_it(proxy, place):
    client = proxy.raw("app")
    client.ask("BEGIN")
    client.send(raw.parse("SELECT pg_sleep(60), 'unsynced'") + raw.bind() + raw.execute() + raw.flush())
    kill_at_work(place.primary, "unsynced")
    replies = client.read_until("E")
    assert error_of(replies) == "40001"
    assert raw.types(client.ask(raw.parse("SELECT 1") + raw.bind() + raw.execute() + raw.sync())) == "Z" and client.status == "E"
    client.ask("ROLLBACK")
    # Outside of a transaction, and answered so far: the batch is lost at its next message.
    for following in (raw.execute() + raw.sync(), raw.sync()):
        client.send(raw.parse("SELECT pg_backend_pid()") + raw.bind() + raw.execute() + raw.flush())
        kill(place.primary, int(client.read_until("C")[-2].values()[0]))
        assert error_of(client.ask(following)) == "40001" and client.status == "I"
        works(client)
    # One that has begun a transaction is one.
    client.send(raw.parse("BEGIN") + raw.bind() + raw.execute() + raw.parse("SELECT pg_backend_pid()") + raw.bind() + raw.execute() + raw.flush())
    kill(place.primary, int(client.read_until("C", 2)[-2].values()[0]))
    assert error_of(client.ask(raw.sync())) == "40001" and client.status == "E"
    client.ask("ROLLBACK")
    works(client)
    # One whose COMMIT has been answered is not said to be undone.
    pid = begin(client)
    client.send(raw.parse("COMMIT") + raw.bind() + raw.execute() + raw.flush())
    client.read_until("C")
    kill(place.primary, pid)
    assert raw.error_of(client.read_to_end())["C"] == "57P01"


def test_what_commits_by_itself_is_in_doubt_before_its_sync_too(proxy, place):
    place.primary.sql("CREATE PROCEDURE commits(seconds int) LANGUAGE plpgsql AS"
                      " 'BEGIN INSERT INTO lost VALUES (''commits''); COMMIT; PERFORM pg_sleep(seconds); END'", "app")
    try:
        client = proxy.raw("app")
        client.send(raw.parse("CALL commits(60)") + raw.bind() + raw.execute() + raw.flush())
        kill_at_work(place.primary, "commits")
        assert error_of(client.read_until("E")) == "08007" and rows(place, "commits") == 1
        client.ask(raw.sync())
        works(client)
        # What is answered cannot be called undone with the next message, either.
        pid = pid_of(client)
        client.send(raw.parse("CALL commits(0)") + raw.bind() + raw.execute() + raw.flush())
        client.read_until("C")
        kill(place.primary, pid)
        assert raw.error_of(client.read_to_end())["C"] == "57P01"
    finally:
        place.primary.sql("DROP PROCEDURE commits", "app")


@pytest.mark.parametrize("protocol", [raw.query, raw.extended], ids=["simple", "extended"])
def test_a_commit_under_way_is_in_doubt(proxy, place, protocol):
    client = proxy.raw("app")
    client.ask("BEGIN")
    client.ask("INSERT INTO lost VALUES ('commit', 60)")
    client.send(protocol("COMMIT"))
    kill_at_work(place.primary, "COMMIT")
    replies = client.read_until_ready()
    assert error_of(replies) == "08007" and client.status == "I"
    works(client)


@pytest.mark.parametrize("protocol", [raw.query, raw.extended], ids=["simple", "extended"])
def test_a_write_under_way_outside_of_a_transaction_is_in_doubt(proxy, place, protocol):
    client = proxy.raw("app")
    client.send(protocol("INSERT INTO lost VALUES ('autocommit', 60)"))
    kill_at_work(place.primary, "autocommit")
    assert error_of(client.read_until_ready()) == "08007" and client.status == "I"
    works(client)
    # One that begins a transaction is not: nothing of it is committed, and what comes behind must not be by itself.
    client.send(raw.parse("BEGIN") + raw.bind() + raw.execute() + raw.extended("INSERT INTO lost SELECT 'begun' FROM pg_sleep(60)"))
    kill_at_work(place.primary, "begun")
    assert error_of(client.read_until_ready()) == "40001" and client.status == "E"
    assert error_of(client.ask("INSERT INTO lost VALUES ('begun')")) == "25P02"
    client.ask("ROLLBACK")
    works(client)
    assert rows(place, "begun") == 0


def test_rollback_in_the_extended_protocol_ends_it(proxy, place):
    client = proxy.raw("app")
    client.ask(raw.extended("SELECT 'mine'", name="mine"))
    client.ask(raw.parse("ROLLBACK", "ended") + raw.sync())
    for name in ("ended", "new", ""):
        kill(place.primary, begin(client))
        for state in ("40001", "25P02"):
            replies = client.ask(raw.bind(name="mine") + raw.execute() + raw.extended("SELECT 1"))
            assert (error_of(replies), raw.types(replies), client.status) == (state, "EZ", "E")
        assert error_of(client.ask(raw.parse("SELECT 2", "never") + raw.sync())) == "25P02"
        assert raw.types(client.ask(raw.close_statement("never") + raw.sync())) == "3Z" and client.status == "E"
        parse = raw.parse("ROLLBACK", name) if name != "ended" else b""
        # What is pipelined behind it runs.
        replies = client.ask(parse + raw.describe_statement(name) + raw.bind(name=name) + raw.describe_portal() + raw.execute()
                             + raw.bind(name="mine") + raw.execute() + raw.sync())
        assert raw.types(replies) == ("1" if parse else "") + "tn2nC2DCZ" and client.status == "I"
        assert tag_of(replies) == "ROLLBACK"
    assert raw.types(client.ask(raw.bind(name="new") + raw.execute() + raw.sync())) == "2NCZ"
    kill(place.primary, begin(client))
    assert error_of(client.ask(raw.extended("COMMIT"))) == "40001" and client.status == "I"
    works(client)


def test_copy_data_that_comes_after_the_loss_is_dropped(proxy, place):
    client = proxy.raw("app")
    client.ask("BEGIN")
    client.send(raw.query("COPY lost FROM STDIN"))
    client.read_until("G")
    find = "SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND query LIKE 'COPY lost%'"
    kill(place.primary, place.primary.sql(find)[0][0])
    client.send(raw.copy_data(b"copied\t0\n") + raw.copy_done())
    assert error_of(client.read_until_ready()) == "40001" and client.status == "E"
    client.ask("ROLLBACK")
    works(client)
    assert rows(place, "copied") == 0


def test_drivers_take_it_for_what_it_is(proxy, place):
    """psycopg: SerializationFailure inside, and the connection is as good as ever."""
    with psycopg.connect(proxy.conninfo("app", "app", sslmode="prefer")) as connection:
        with pytest.raises(psycopg.errors.SerializationFailure):
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("INSERT INTO lost VALUES (%s)", ["driver"])
                kill(place.primary, cursor.execute("SELECT pg_backend_pid()").fetchone()[0])
                cursor.execute("INSERT INTO lost VALUES (%s)", ["driver"])
        assert connection.execute("SELECT 1").fetchone() == (1,)
        connection.rollback()
        kill(place.primary, connection.execute("SELECT pg_backend_pid()").fetchone()[0])
        with pytest.raises(psycopg.errors.SerializationFailure):
            with connection.pipeline():
                connection.execute("INSERT INTO lost VALUES ('driver')")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM lost WHERE what = 'driver'").fetchone() == (0,)


def test_what_only_that_server_had_ends_the_session(proxy, place):
    client = proxy.raw("app")
    client.ask("CREATE TEMPORARY TABLE kept (n int)")
    kill(place.primary, begin(client))
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"]) == ("FATAL", "57P01")
    # Settings that a pipelined transaction has made are not known.
    client = proxy.raw("app")
    client.send(raw.query("SET application_name = 'unknown'") + raw.query("BEGIN") + raw.query("SELECT pg_backend_pid()"))
    kill(place.primary, int(raw.rows_of(client.read_until_ready(3))[0][0]))
    assert raw.error_of(client.read_to_end())["C"] == "57P01"


@pytest.mark.parametrize("hosts", ["one", "unobserved"])
def test_where_nothing_can_fail_over_the_servers_own_words_end_the_session(start_pgweir, place, hosts):
    settings = sections(place.primary, *(place.replicas if hosts == "unobserved" else []))
    if hosts == "unobserved":
        settings["cluster main"] = {"hosts": settings["cluster main"]["hosts"]}
    client = start_pgweir(settings).raw("app")
    kill(place.primary, begin(client))
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "57P01", "terminating connection due to administrator command")


def test_a_read_only_transaction_on_a_replica_is_lost_in_the_same_way(start_pgweir, place):
    settings = sections(place.primary, *place.replicas)
    settings["database app"]["routing"] = "replica"
    started = start_pgweir(settings)
    wait_until(lambda: row(started)["replicas_up"] == 2, 20, "the replicas are known")     # As long as none is, the primary is it.
    client = started.raw("app")
    client.ask("BEGIN READ ONLY")
    pid = pid_of(client)
    for replica in place.replicas:
        kill(replica, pid)
    assert error_of(client.ask("SELECT 1")) == "40001" and client.status == "E"
    client.ask("ROLLBACK")
    works(client)


def test_clients_of_a_primary_that_crashes_go_on_with_the_new_one(start_pgweir, own):
    """kill -9: no FATAL, only the connections' end."""
    own.primary.sql("CREATE TABLE lost (what text)", "app")
    own.primary.sql("GRANT ALL ON lost TO app", "app")
    wait_until(own.caught_up, 20, "the replicas have it")
    new = own.replicas[0]
    proxy = start_pgweir(sections(own.primary, *own.replicas))
    idle, busy, writer = (proxy.raw("app", timeout_s=60) for _ in range(3))
    for client in (idle, busy):
        client.ask("BEGIN")
        client.ask("INSERT INTO lost VALUES ('lost')")
    busy.send(raw.query("SELECT pg_sleep(60)"))
    writer.send(raw.query("INSERT INTO lost SELECT 'doubt' FROM pg_sleep(60)"))
    wait_until(lambda: own.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")[0][0] == 2, 20, "they are at work")
    own.primary.stop(signal.SIGKILL)
    assert error_of(busy.read_until_ready()) == "40001" and busy.status == "E"
    assert error_of(writer.read_until_ready()) == "08007" and writer.status == "I"
    assert error_of(busy.ask("SELECT 1")) == "25P02"
    assert tag_of(busy.ask("ROLLBACK")) == "ROLLBACK"           # There is no primary, and none is needed.
    wait_until(lambda: proxy.pool("app")["sv_active"] == 0, 20, "the server's processes are gone as well")
    assert error_of(idle.ask("COMMIT")) == "40001" and idle.status == "I"
    new.sql("SELECT pg_promote()")
    for client in (idle, busy, writer):
        assert client.value("SELECT inet_server_port()") == str(new.port)
    assert busy.value("SELECT count(*) FROM lost") == "0"
