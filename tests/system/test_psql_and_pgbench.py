"""PostgreSQL's own client programs through transaction pooling, over TLS and SCRAM on both sides."""
import signal
import subprocess
import threading

import pytest

from harness import raw
from harness.postgres import PASSWORDS, bin_folder
from harness.process import end, run, wait_until


def psql(target, *arguments, database="app", user="app", **conninfo):
    return run(["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", target.conninfo(database, user, **conninfo), *arguments])


def test_psql_runs_statements_meta_commands_and_copy(pgweir, tmp_path):
    source, copied = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("".join(f"{n},row {n}\n" for n in range(1000)))
    script = f"""
        DROP TABLE IF EXISTS psql_t;
        CREATE TABLE psql_t (n int PRIMARY KEY, what text);
        \\copy psql_t FROM '{source}' CSV
        BEGIN; UPDATE psql_t SET what = 'changed' WHERE n = 5; COMMIT;
        \\copy (SELECT * FROM psql_t ORDER BY n) TO '{copied}' CSV
        SELECT count(*), max(n) FROM psql_t;
        \\d psql_t
        DROP TABLE psql_t;
    """
    out = run(["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", pgweir.conninfo()], stdin=script).stdout
    assert "1000|999" in out and "n|integer||not null|" in out
    assert copied.read_text() == source.read_text().replace("row 5\n", "changed\n")


def test_psql_says_which_tls_protocol_it_speaks(pgweir):
    assert "TLSv1." in psql(pgweir, "-c", "\\conninfo").stdout


def test_channel_binding_can_be_required(pgweir):
    assert psql(pgweir, "-c", "SELECT 42", channel_binding="require").stdout.strip() == "42"


def test_the_server_certificate_verifies(pgweir, cluster):
    out = psql(pgweir, "-c", "SELECT 1", sslmode="verify-full", sslrootcert=cluster.certificates.ca)
    assert out.stdout.strip() == "1"


@pytest.fixture(scope="session")
def bench_tables(cluster):
    """pgbench's tables, once; the servers' own load is not what is tested here."""
    primary = cluster.primary
    run([bin_folder() / "pgbench", "-i", "-q", "-s", "16", "-n",
         f"host={primary.host} port={primary.port} user=app password=app-secret dbname=bench"])


@pytest.mark.threaded
@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_pgbench_with_64_clients_over_10_servers_sees_no_error(pgweir, bench_tables, cluster, protocol, transport):
    result = run([bin_folder() / "pgbench", "-n", "-M", protocol, "-c", "64", "-j", "2", "-t", "30",
                  pgweir.conninfo("bench", sslmode="require" if transport == "tls" else "disable")])
    assert "number of failed transactions: 0 (0.000%)" in result.stdout, result.stdout + result.stderr
    assert "number of transactions actually processed: 1920/1920" in result.stdout
    assert "error" not in result.stderr.lower()


@pytest.mark.pooler
def test_pgbench_never_used_more_servers_than_the_pool_allows(pgweir, bench_tables, cluster):
    run([bin_folder() / "pgbench", "-n", "-S", "-c", "64", "-j", "2", "-t", "20", pgweir.conninfo("bench")])
    count = cluster.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'bench' AND usename = 'app'")[0][0]
    assert 1 <= count <= 10 + 20                # bench's pool and bench_session's.


@pytest.mark.threaded
@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_pgbench_reconnecting_for_each_transaction_sees_no_error(pgweir, bench_tables, protocol):
    result = run([bin_folder() / "pgbench", "-n", "-S", "-C", "-M", protocol, "-c", "8", "-j", "2", "-t", "10",
                  pgweir.conninfo("bench")])
    assert "number of transactions actually processed: 80/80" in result.stdout


@pytest.mark.parametrize("database", ["bench", "bench_session"])
def test_pgbench_pipelines_a_transaction(pgweir, bench_tables, tmp_path, database):
    script = tmp_path / "pipeline.sql"
    script.write_text("\\startpipeline\nBEGIN;\nSELECT 1;\nSELECT count(*) FROM pgbench_branches;\nCOMMIT;\n\\endpipeline\n")
    result = run([bin_folder() / "pgbench", "-n", "-M", "extended", "-c", "16", "-j", "2", "-t", "50", "-f", script,
                  pgweir.conninfo(database)])
    assert "number of transactions actually processed: 800/800" in result.stdout


def dump(target, database, *arguments):
    return run([bin_folder() / "pg_dump", *arguments, "-d", target.conninfo(database)]).stdout


@pytest.mark.parametrize("mode", ["app", "session"])
def test_pg_dump_into_psql_makes_an_equal_database(pgweir, cluster, start_pgweir, mode):
    cluster.primary.sql("DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop AUTHORIZATION app", "app")
    with pgweir.connect("app") as connection:
        connection.execute("""
            CREATE TABLE shop.item (id bigserial PRIMARY KEY, name text NOT NULL, price numeric(10,2) CHECK (price >= 0), at timestamptz DEFAULT now());
            INSERT INTO shop.item (name, price) SELECT 'item "' || n || E'"\\t\\\\', n / 7.0 FROM generate_series(1, 5000) n;
            CREATE INDEX ON shop.item (price);
            CREATE VIEW shop.cheap AS SELECT * FROM shop.item WHERE price < 10;
            CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
            SELECT lo_from_bytea(0, 'large object')""")
    copy = f"copy_{mode}"
    cluster.primary.sql(f"DROP DATABASE IF EXISTS {copy}")
    cluster.primary.sql(f"CREATE DATABASE {copy} OWNER app")
    into = start_pgweir({"database copy": {"dbname": copy, "pool_mode": "session" if mode == "session" else "transaction"}})
    text = dump(pgweir, mode, "--schema=shop")
    run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", into.conninfo("copy", sslmode="prefer")], stdin=text)
    again = run([bin_folder() / "pg_dump", "--schema=shop", "-d", into.conninfo("copy", sslmode="prefer")]).stdout
    assert without_restrict(again) == without_restrict(text) and "CREATE VIEW shop.cheap" in text and text.count("item \"") == 5000


def without_restrict(dump_text: str) -> list[str]:
    """Newer pg_dumps put a random word into each dump."""
    return [line for line in dump_text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


@pytest.mark.pooler
def test_pg_dump_leaves_no_search_path_to_the_next_client(pgweir):
    """pg_dump empties search_path; on a shared server session that must not reach anybody else."""
    dump(pgweir, "one", "--schema-only", "--schema=public")
    with pgweir.connect("one") as connection:
        assert connection.execute("SHOW search_path").fetchone()[0] == '"$user", public'


def test_pg_receivewal_streams_through(pgweir, cluster, tmp_path):
    """Replication startup gets a dedicated server connection, passed through."""
    primary = cluster.primary
    receiver = subprocess.Popen([bin_folder() / "pg_receivewal", "-D", tmp_path, "-d", pgweir.conninfo("app", "repl"), "-n"])
    try:
        wait_until(lambda: primary.sql("SELECT 1 FROM pg_stat_replication WHERE application_name = 'pg_receivewal' AND state = 'streaming'"),
                   what="the server sees pg_receivewal")
        primary.sql("CREATE TABLE IF NOT EXISTS walmaker (n int); INSERT INTO walmaker VALUES (1)")
        primary.sql("SELECT pg_switch_wal()")
        wait_until(lambda: [file for file in tmp_path.iterdir() if not file.suffix and file.stat().st_size == 16 * 1024 * 1024],
                   what="a whole WAL segment has arrived")
    finally:
        assert end(receiver, signal.SIGINT) == 0


def test_pg_recvlogical_decodes_through(pgweir, cluster, tmp_path):
    primary, out = cluster.primary, tmp_path / "changes"
    tool, where = bin_folder() / "pg_recvlogical", pgweir.conninfo("app", "repl")
    run([tool, "-d", where, "--slot", "through_pgweir", "--create-slot", "-P", "test_decoding"])
    try:
        primary.sql("CREATE TABLE IF NOT EXISTS decoded (n int); INSERT INTO decoded VALUES (42)", "app")
        position = primary.sql("SELECT pg_current_wal_insert_lsn()::text")[0][0]
        run([tool, "-d", where, "--slot", "through_pgweir", "--start", "-E", position, "-f", out], timeout_s=60)
        assert "public.decoded: INSERT: n[integer]:42" in out.read_text()
    finally:
        wait_until(lambda: not primary.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'through_pgweir'")[0][0],
                   what="the slot is free again once pg_recvlogical is gone")
        run([tool, "-d", where, "--slot", "through_pgweir", "--drop-slot"])


def test_walsenders_of_either_kind_that_log_in_at_once_are_not_mistaken_for_each_other(pgweir, cluster):
    """A physical one knows no SQL."""
    def here() -> int:
        return cluster.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'")[0][0]

    before = here()
    knew = {"true": [], "database": []}

    def come(kind):
        client = raw.Client(pgweir.host, pgweir.port)
        client.login("repl", pgweir.database("app"), PASSWORDS["repl"], replication=kind)
        knew[kind].append("D" in raw.types(client.ask("SELECT 1")))
        client.close()

    # No more at once than the server has room for beside its replicas.
    for _ in range(5):
        clients = [threading.Thread(target=come, args=(kind,)) for kind in ("true", "database") * 3]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        wait_until(lambda: here() <= before, what="the server has room again")
    assert knew == {"true": [False] * 15, "database": [True] * 15}


@pytest.mark.ours
def test_a_walsender_is_there_for_its_client_only(start_pgweir):
    """One whose login takes its time holds up none of the other kind, and whose client has left takes up no room on the server."""
    may_log_in = threading.Event()

    def hold(backend) -> bool:
        return backend.startup["replication"] == "true" and not may_log_in.wait(60)

    with raw.FakeServer(on_startup=hold) as server:
        proxy = start_pgweir({"pgweir": {"threads": 1, "auth_type": "trust", "server_tls_sslmode": "disable", "server_check_delay": "1h"},
                              "database app": {"host": server.host, "port": server.port}})
        slow, leaving = (raw.Client(proxy.host, proxy.port) for _ in range(2))
        for number, client in enumerate((slow, leaving), 1):
            client.send(raw.startup({"user": "repl", "database": "app", "replication": "true"}))
            wait_until(lambda: len(server.backends) == number, what="its server connection is logging in")
        proxy.raw("app", "repl", replication="database", timeout_s=30)
        leaving.close()
        wait_until(lambda: [row["user"] for row in proxy.show("CLIENTS")].count("repl") == 2, what="it has been missed")
        may_log_in.set()
        slow.read_until_ready()
        wait_until(lambda: len(proxy.show("SERVERS")) == 2, what="there is one for each who has stayed")
        slow.close()


def test_identify_system_works_on_a_replication_connection(pgweir):
    out = run(["psql", "-X", "-A", "-t", pgweir.conninfo("app", "repl", replication="database"), "-c", "IDENTIFY_SYSTEM"]).stdout
    assert out.count("|") == 3
