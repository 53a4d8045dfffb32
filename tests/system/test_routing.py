"""Reads go to replicas that are fresh enough, everything else to the primary, and the client notices nothing of it."""
import threading
import time

import psycopg
import pytest

from harness import raw
from harness.clusters import address
from harness.postgres import bin_folder
from harness.process import free_port, run, wait_until
from harness.routing import paused, place, ready, routes, sections, value_of, where, written  # noqa: F401 (place is a fixture)
from harness.web import Web

pytestmark = pytest.mark.ours

# --- Where things go ---

def test_reads_go_to_replicas_and_writes_to_the_primary(start_pgweir, place):
    proxy = start_pgweir(sections(place))
    ready(proxy)
    client = proxy.raw("app")
    assert where(client) == "replica"
    assert raw.types(client.ask("INSERT INTO routed (what) VALUES ('plain')")) == "CZ"
    assert written(place, "plain") == 1
    counts = routes(proxy)
    assert counts["read"] >= 2 and counts["writes"] == 1
    # What a pool has at replicas is shown as a part of it.
    assert len([row for row in proxy.show("POOLS") if row["database"] == "app"]) == 1
    assert proxy.pool("app")["sv_idle"] + proxy.pool("app")["sv_active"] == len(proxy.show("SERVERS")) >= 2


def test_the_extended_protocol_is_judged_by_batch_and_by_statement(start_pgweir, place):
    proxy = start_pgweir(sections(place, {"read_your_writes": "off"}))
    ready(proxy)
    client = proxy.raw("app")
    read, write = "SELECT where_am_i()", "INSERT INTO routed (what) VALUES ('extended') RETURNING where_am_i()"
    assert value_of(client.ask(raw.extended(read))) == "true"
    assert value_of(client.ask(raw.extended(write))) == "false"
    # Prepared by name, described, and run later on.
    assert raw.types(client.ask(raw.parse(read, "r") + raw.describe_statement("r") + raw.sync())) == "1tTZ"
    assert raw.types(client.ask(raw.parse(write, "w") + raw.describe_statement("w") + raw.sync())) == "1tTZ"
    run_it = {name: raw.bind(name=name) + raw.execute() for name in "rw"}
    for _ in range(3):
        assert value_of(client.ask(run_it["r"] + raw.sync())) == "true"
        assert value_of(client.ask(run_it["w"] + raw.sync())) == "false"
    # One that writes takes its whole batch along, wherever it stands.
    for batch in ("rrw", "rwr", "wrr"):
        rows = raw.rows_of(client.ask(b"".join(run_it[name] for name in batch) + raw.sync()))
        assert rows == [["false"]] * 3
    assert written(place, "extended") == 1 + 3 + 3
    # Of several batches in one packet those behind one for the primary stay there, since it has still to answer.
    answers = client.ask(run_it["r"] + raw.sync() + run_it["w"] + raw.sync() + run_it["r"] + raw.sync())
    answers += client.read_until_ready(2)
    assert raw.rows_of(answers) == [["true"], ["false"], ["false"]]
    # A batch whose end is not in sight is not waited for.
    client.send(raw.parse(read) + raw.flush())
    assert client.receive().type == "1"
    assert value_of(client.ask(raw.bind() + raw.execute() + raw.sync())) == "false"
    # Nor is one sent that is not whole.
    client.send_bytewise(raw.extended(read))
    assert value_of(client.read_until_ready()) == "true"


def test_queries_in_one_packet_are_answered_in_order(start_pgweir, place):
    proxy = start_pgweir(sections(place, {"read_your_writes": "off"}))
    ready(proxy)
    client = proxy.raw("app")
    sent = ["SELECT where_am_i()", "INSERT INTO routed (what) VALUES ('packet') RETURNING where_am_i()",
            "SELECT where_am_i()", "SELECT where_am_i() FROM writes('packet')", "SELECT where_am_i()"]
    client.send(b"".join(raw.query(sql) for sql in sent))
    # The primary keeps what comes before it has answered.
    assert raw.rows_of(client.read_until_ready(5)) == [["true"], ["false"], ["false"], ["false"], ["false"]]
    assert written(place, "packet") == 2


def test_explicit_transactions_run_where_they_can(start_pgweir, place):
    proxy = start_pgweir(sections(place, {"read_your_writes": "off"}))
    ready(proxy)
    client = proxy.raw("app")

    def inside(begin, extended=False):
        client.ask(raw.extended(begin) if extended else begin)
        found = where(client), where(client)
        client.ask("COMMIT")
        assert found[0] == found[1]
        return found[0]

    assert inside("BEGIN") == "primary"
    assert inside("BEGIN READ ONLY") == "replica"
    assert inside("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", extended=True) == "replica"
    assert inside("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE") == "primary"
    assert where(client) == "replica"
    client.ask("SET default_transaction_read_only = on")
    assert inside("BEGIN") == "replica"
    assert inside("BEGIN READ WRITE") == "primary"
    client.ask("RESET default_transaction_read_only")
    client.ask("SET default_transaction_isolation = serializable")
    assert inside("BEGIN READ ONLY") == where(client) == "primary"
    client.ask("RESET default_transaction_isolation")
    # What would mean something else there, or keep the client there, is an error and not a surprise.
    client.ask("BEGIN READ ONLY")
    assert raw.error_of(client.ask("SELECT pg_advisory_xact_lock(1)"))["C"] == "0A000"
    assert raw.error_of(client.ask("SELECT 1"))["C"] == "25P02"
    client.ask("ROLLBACK")
    # The transaction's end and what comes behind it, in one packet.
    client.send(raw.query("BEGIN READ ONLY") + raw.query("COMMIT") + raw.query("INSERT INTO routed (what) VALUES ('behind')"))
    assert raw.types(client.read_until_ready(3)) == "CZCZCZ"
    client.send(raw.query("BEGIN READ ONLY; SET x.y = 1") + raw.query("COMMIT") + raw.query("SELECT 1"))
    client.read_until_ready(3)
    # A setting made on a replica follows like any other.
    client.ask("BEGIN READ ONLY")
    client.ask("SET work_mem = '5MB'")
    client.ask("COMMIT")
    client.ask("INSERT INTO routed (what) VALUES ('behind')")
    assert written(place, "behind") == 2
    assert client.value("SHOW work_mem") == "5MB"


def test_modes_are_of_the_database_and_of_the_user(start_pgweir, place):
    settings = sections(place, {"routing": "primary"})
    settings["database readers"] = {"cluster": "main", "dbname": "app", "routing": "replica"}
    settings["database preferring"] = {"cluster": "main", "dbname": "app", "routing": "prefer-replica", "read_your_writes": "off"}
    settings["user other"] = {"routing": "replica"}
    place.primary.sql("GRANT ALL ON routed TO other", "app")
    proxy = start_pgweir(settings)
    wait_until(lambda: where(proxy.raw("app", "other")) == "replica", 20, "a replica is found")
    assert where(proxy.raw("app")) == "primary"
    reader = proxy.raw("readers")
    assert where(reader) == "replica"
    assert raw.error_of(reader.ask("INSERT INTO routed (what) VALUES ('never')"))["C"] == "25006"
    assert raw.error_of(reader.ask("INSERT INTO routed (what) VALUES ('never')"))["C"] == "25006"
    client = proxy.raw("preferring")
    wait_until(lambda: where(client) == "replica", 20, "the names are known")
    # It may be a read: a replica finds out that it is none.
    assert client.value("SELECT writes('preferred')") == "preferred"
    assert client.value("SELECT writes('preferred')") == "preferred"
    assert written(place, "preferred") == 2
    counts = routes(proxy, "preferring")
    assert counts["not_writing"] >= 1 and counts["rescued"] == 1 and counts["remembered"] == 1


def test_the_client_says_where_to(start_pgweir, place):
    """In either protocol, in and out of transactions; the server hears nothing of it."""
    proxy = start_pgweir(sections(place, {"read_your_writes": "off"}))
    ready(proxy)
    client = proxy.raw("app")
    assert client.value("SHOW pgweir.route") == "auto"
    assert raw.types(client.ask("SET pgweir.route = primary")) == "CZ"
    assert where(client) == "primary" and client.value("show PgWeir.Route;") == "primary"
    assert raw.types(client.ask(raw.extended("SET SESSION pgweir.route TO 'replica'"))) == "12nCZ"
    assert where(client) == "replica"
    assert raw.error_of(client.ask("INSERT INTO routed (what) VALUES ('never')"))["C"] == "25006"
    show = raw.parse("SHOW pgweir.route", "s") + raw.describe_statement("s")
    assert raw.types(client.ask(show + raw.sync())) == "1tTZ"
    assert value_of(client.ask(raw.bind(name="s") + raw.describe_portal() + raw.execute() + raw.sync())) == "replica"
    client.send(raw.parse("SET pgweir.route = auto", "t") + raw.describe_statement("t") + raw.flush())
    assert raw.types([client.receive() for _ in range(3)]) == "1tn"
    assert raw.types(client.ask(raw.bind(name="t") + raw.execute() + raw.sync())) == "2CZ"
    assert value_of(client.ask(raw.bind(name="s") + raw.execute() + raw.sync())) == "auto"
    # A statement that takes the name over is the server's.
    assert raw.types(client.ask(raw.close_statement("s") + raw.sync())) == "3Z"
    assert value_of(client.ask(raw.extended("SELECT 'mine'", name="s"))) == "mine"
    client.ask("BEGIN")
    assert raw.types(client.ask("SET pgweir.route = primary")) == "CZ"
    client.ask("ROLLBACK")
    assert client.value("SHOW pgweir.route") == "primary"
    assert raw.types(client.ask("RESET pgweir.route")) == "CZ" and client.value("SHOW pgweir.route") == "auto"
    # With psycopg's ways: statements are prepared after a while.
    with psycopg.connect(proxy.conninfo("app", sslmode="disable"), autocommit=True) as connection:
        for turn in range(8):
            for mode in ("primary", "replica"):
                connection.execute(f"SET pgweir.route = '{mode}'")
                assert connection.execute("SHOW pgweir.route").fetchone() == (mode,)
                assert connection.execute("SELECT where_am_i()").fetchone() == (str(mode == "replica").lower(),)


@pytest.mark.parametrize("sql, sqlstate", [
    ("SET pgweir.route = nowhere", "22023"), ("SET pgweir.min_position = 'yesterday'", "22023"),
    ("SET pgweir.position = '1'", "42704"), ("SHOW pgweir.colour", "42704"),
    ("SET LOCAL pgweir.route = primary", "0A000"), ("SET pgweir.route = primary; SELECT 1", "0A000")])
def test_a_bad_setting_is_an_error_that_fails_the_transaction(pgweir, sql, sqlstate):
    client = pgweir.raw("app")
    for query in (sql, raw.extended(sql)):
        assert raw.error_of(client.ask(query))["C"] == sqlstate
        assert client.value("SELECT 1") == "1"
        client.ask("BEGIN")
        assert raw.error_of(client.ask(query))["C"] == sqlstate
        assert raw.error_of(client.ask("SELECT 1"))["C"] == "25P02"
        assert raw.error_of(client.ask("SHOW pgweir.route"))["C"] == "25P02"
        assert raw.types(client.ask("ROLLBACK")) == "CZ"
    # Among others it is refused as well.
    mixed = raw.parse("SELECT 1") + raw.bind() + raw.execute() + raw.parse("SET pgweir.route = auto") + raw.bind() + raw.execute()
    assert raw.error_of(client.ask(mixed + raw.sync()))["C"] == "0A000"


def test_a_position_carries_over_to_another_session(start_pgweir, place):
    proxy = start_pgweir(sections(place))
    ready(proxy)
    writer, reader = proxy.raw("app"), proxy.raw("app")
    wait_until(lambda: where(reader) == "replica", 20, "the reader is on a replica")
    with paused(*place.replicas):
        key = value_of(writer.ask("INSERT INTO routed (what) VALUES ('position') RETURNING n"))
        position = writer.value("SHOW pgweir.position")
        assert reader.ask(f"SELECT n FROM routed WHERE n = {key}")[1].type == "C"       # Not there.
        reader.ask(f"SET pgweir.min_position = '{position}'")
        assert reader.value("SHOW pgweir.min_position") == position
        assert reader.value(f"SELECT n FROM routed WHERE n = {key}") == key
    wait_until(lambda: where(reader) == "replica", 20, "the replicas have caught up")
    with paused(*place.replicas):
        # One that another process has told counts as of now. (Replicas that miss nothing would have it, once that is measured.)
        writer.ask("INSERT INTO routed (what) VALUES ('now')")
        reader.ask("SET pgweir.min_position = '0123456789abcdef-1'")
        assert where(reader) == "primary"
        reader.ask("RESET pgweir.min_position")
        assert where(reader) == "replica"


# --- The safety net ---

def test_what_a_replica_refuses_runs_on_the_primary_unseen(start_pgweir, place):
    """The hint says that it is safe, and it is not."""
    proxy = start_pgweir(sections(place, {"read_your_writes": "off"}))
    ready(proxy)
    client = proxy.raw("app")
    hinted = "/* pgweir: replica */ SELECT writes('hinted')"
    assert raw.types(client.ask(hinted)) == "TDCZ"
    assert routes(proxy)["rescued"] == 1
    assert raw.types(client.ask(hinted)) == "TDCZ"
    assert routes(proxy)["rescued"] == routes(proxy)["remembered"] == 1
    assert written(place, "hinted") == 2
    # With messages of the extended protocol, whose first answers the client must not see twice.
    for name in ("", "s"):
        sql = f"/* pgweir: replica */ SELECT writes('hinted'), {len(name)} AS {name or 'u'}"
        assert raw.types(client.ask(raw.parse(sql, name) + raw.describe_statement(name) + raw.bind(name=name) + raw.execute() + raw.sync())) == "1tT2DCZ"
        assert raw.types(client.ask(raw.bind(name=name) + raw.execute() + raw.sync())) == "2DCZ"
    assert written(place, "hinted") == 6
    assert routes(proxy)["rescued"] == 3
    # An error that the primary would make as well is the client's at once.
    assert raw.error_of(client.ask("SELECT 1 / 0"))["C"] == "22012"
    # A table that is not there yet.
    assert raw.error_of(client.ask("SELECT * FROM there_is_none"))["C"] == "42P01"
    assert routes(proxy)["rescued"] == 4


def test_a_replica_that_dies_under_load_costs_no_error(start_pgweir, place):
    victim = place.replicas[1]
    proxy = start_pgweir(sections(place, {"read_your_writes": "off", "pool_size": 4}))
    ready(proxy)
    over, errors, counts, moved = threading.Event(), [], [], []

    def in_transaction(connection):
        """What has been answered cannot be taken back: then it is to be run again, on the same connection."""
        try:
            with connection.transaction():
                connection.execute("SELECT count(*) FROM generate_series(1, 2000)")
        except psycopg.errors.SerializationFailure as error:
            moved.append(error)

    def read(number):
        done = 0
        try:
            with psycopg.connect(proxy.conninfo("app", sslmode="disable"), autocommit=True) as connection:
                connection.read_only = number % 2 == 1 or None
                while not over.is_set():
                    if number % 2:
                        in_transaction(connection)
                    else:
                        connection.execute("SELECT count(*) FROM generate_series(1, 2000)")
                    done += 1
        except psycopg.Error as error:
            errors.append(error)
        counts.append(done)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    try:
        for thread in threads:
            thread.start()
        wait_until(lambda: routes(proxy).get("read", 0) > 200, 20, "there is load")
        victim.crash()
        before = routes(proxy)["read"]
        wait_until(lambda: routes(proxy)["read"] > before + 200, 20, "reads go on")
    finally:
        over.set()
        for thread in threads:
            thread.join()
        victim.start()
    assert not errors, errors[0]
    assert min(counts) > 0 and len(moved) <= 4
    assert routes(proxy)["read_only"] > 0


# --- Freshness ---

@pytest.mark.parametrize("limit", ["cluster", "database"])
def test_reads_leave_replicas_that_wait_and_come_back(start_pgweir, place, limit):
    bears = {"max_lag": "500ms"}
    settings = sections(place, {"read_your_writes": "off", **(bears if limit == "database" else {})}, **(bears if limit == "cluster" else {}))
    settings["pgweir"]["http_listen"] = f"127.0.0.1:{free_port()}"
    proxy = start_pgweir(settings)
    ready(proxy)
    lost = {row["host"]: row["reads_lost"] for row in proxy.show("HOSTS")}
    one, other = place.replicas

    def write():
        place.primary.sql("INSERT INTO routed (what) VALUES ('lag')", "app")

    def served_by():
        ports = set()
        client = proxy.raw("app")
        for _ in range(20):
            ports.add(client.value("SELECT which_am_i()"))
        client.close()
        return ports

    ports = {str(server.port) for server in place.replicas}
    wait_until(lambda: served_by() == ports, 20, "both serve")
    with paused(one):
        write()
        wait_until(lambda: served_by() == {str(other.port)}, 20, "reads have left the one that waits")
        with paused(other):
            write()
            wait_until(lambda: served_by() == {str(place.primary.port)}, 20, "the primary serves alone")
            assert routes(proxy)["lag"] > 0
    wait_until(lambda: served_by() == ports, 20, "both serve again")
    if limit == "database":
        return                  # Others may read there.
    now = {row["host"]: row["reads_lost"] for row in proxy.show("HOSTS")}
    assert all(now[address(server)] > lost[address(server)] for server in (one, other)) and now[address(place.primary)] == 0
    web = Web(int(settings["pgweir"]["http_listen"].split(":")[1]))
    metrics = web.metrics()["pgweir_replica_reads_lost_total"]
    assert metrics["lag"] >= 2
    # Asked one after the other: a machine that stands still for the 500 ms in between makes them lose some more.
    wait_until(lambda: sum(web.metrics()["pgweir_replica_reads_lost_total"].values()) == sum(row["reads_lost"] for row in proxy.show("HOSTS")),
               20, "the metrics are those of SHOW HOSTS")


def stale_reads(proxy, database, turns) -> tuple[int, int]:
    """A counter is written and read back at once: how often something older is read, and how often on a replica."""
    client = proxy.raw(database)
    key = value_of(client.ask("INSERT INTO routed (what) VALUES ('counter') RETURNING n"))
    stale = replica = 0
    for turn in range(1, turns + 1):
        client.ask(f"UPDATE routed SET v = {turn} WHERE n = {key}")
        for _ in range(3):
            rows = raw.rows_of(client.ask(f"SELECT v, where_am_i() FROM routed WHERE n = {key}"))
            stale += not rows or int(rows[0][0]) < turn
            replica += bool(rows) and rows[0][1] == "true"
    client.close()
    return stale, replica


def test_own_writes_are_read_and_without_that_they_are_not(start_pgweir, place):
    settings = sections(place, {"read_your_writes": "session"})
    settings["database off"] = {"cluster": "main", "dbname": "app", "routing": "auto", "read_your_writes": "off"}
    proxy = start_pgweir(settings)
    ready(proxy)
    off = proxy.raw("off")
    wait_until(lambda: where(off) == "replica", 20, "the other database is ready as well")
    stale, replica = stale_reads(proxy, "app", 100)
    assert stale == 0
    with paused(*place.replicas):
        assert stale_reads(proxy, "off", 10)[0] > 0      # So that it is known to be able to fail.
        assert stale_reads(proxy, "app", 10) == (0, 0)
    assert routes(proxy)["own_writes"] > 0


@pytest.fixture
def lazy(place):
    """A primary that writes its WAL as late as it may."""
    def configure(statement):
        place.primary.sql(statement)
        place.primary.sql("SELECT pg_reload_conf()")

    configure("ALTER SYSTEM SET wal_writer_delay = '10s'")
    wait_until(lambda: place.primary.sql("SHOW wal_writer_delay")[0][0] == "10s", 20, "it is so")
    yield place
    configure("ALTER SYSTEM RESET wal_writer_delay")


def test_own_writes_are_read_that_are_acknowledged_before_they_are_written(start_pgweir, lazy):
    """With synchronous_commit = off replicas have replayed all that the primary has sent, and still not the last commit."""
    proxy = start_pgweir(sections(lazy))
    ready(proxy)
    client = proxy.raw("app")
    key = value_of(client.ask("INSERT INTO routed (what) VALUES ('lazy') RETURNING n"))
    wait_until(lambda: where(client) == "replica", 20, "a replica has it")
    client.ask("SET synchronous_commit = off")
    for turn in range(1, 6):
        client.ask(f"UPDATE routed SET v = {turn} WHERE n = {key}")
        for _ in range(10):
            time.sleep(0.02)            # Several looks at the replicas, none of which may say too much.
            assert client.value(f"SELECT v FROM routed WHERE n = {key}") == str(turn)


def test_writes_of_others_are_read_where_that_is_asked_for(start_pgweir, place):
    proxy = start_pgweir(sections(place, {"read_your_writes": "database"}))
    ready(proxy)
    writer, reader = proxy.raw("app"), proxy.raw("app")
    key = value_of(writer.ask("INSERT INTO routed (what) VALUES ('shared') RETURNING n"))
    with paused(*place.replicas):
        for turn in range(1, 20):
            writer.ask(f"UPDATE routed SET v = {turn} WHERE n = {key}")
            assert reader.value(f"SELECT v FROM routed WHERE n = {key}") == str(turn)
    wait_until(lambda: where(reader) == "replica", 20, "the replicas have caught up")


# --- Load ---

def test_reads_spread_and_every_write_is_on_the_primary(start_pgweir, place):
    """By the servers' own statistics."""
    settings = sections(place)
    settings["database bench"] = {"cluster": "main", "routing": "auto", "read_your_writes": "off"}
    proxy = start_pgweir(settings)
    primary = place.primary
    run([bin_folder() / "pgbench", "-i", "-q", "-s", "2", "-n",
         f"host={primary.host} port={primary.port} user=app password=app-secret dbname=bench"])
    wait_until(place.caught_up, 30, "the replicas have the tables")

    def committed(server):
        server.sql("SELECT pg_stat_clear_snapshot()")
        return server.sql("SELECT xact_commit FROM pg_stat_database WHERE datname = 'bench'")[0][0]

    def load(*arguments):
        out = run([bin_folder() / "pgbench", "-n", "-c", "8", "-j", "2", *arguments, proxy.conninfo("bench", sslmode="disable")])
        assert "number of failed transactions: 0 (0.000%)" in out.stdout, out.stdout + out.stderr

    load("-t", "5", "-S")
    wait_until(lambda: sum(row["fresh_as_of_age_ms"] is not None for row in proxy.show("HOSTS")) >= 2, 20, "measured")
    before = [committed(server) for server in place.replicas]
    for mode in ("simple", "extended", "prepared"):
        load("-t", "100", "-S", "-M", mode)
    load("-t", "20")
    wait_until(lambda: all(committed(server) - was > 500 for server, was in zip(place.replicas, before)), 20,
               "both replicas have had their part")
    assert routes(proxy, "bench")["read"] >= 2000
