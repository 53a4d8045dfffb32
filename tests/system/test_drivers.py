"""Drivers in five languages, each over TLS and SCRAM, in transaction and in session mode."""
import json
import os
import pathlib
import shutil
import sys

import psycopg
import psycopg2
import psycopg2.errors
import psycopg2.extras
import pytest

from harness.postgres import PASSWORDS
from harness.process import ROOT, run

DRIVERS = pathlib.Path(__file__).parent / "drivers"
MODES = pytest.mark.parametrize("mode", ["app", "session", "one"])


@MODES
def test_psycopg3(pgweir, mode):
    with pgweir.connect(mode, autocommit=False, channel_binding="require") as connection:
        connection.execute("DROP TABLE IF EXISTS psycopg_t")
        connection.execute("CREATE TABLE psycopg_t (id int PRIMARY KEY, what text)")
        connection.commit()
        with connection.cursor() as cursor:
            with cursor.copy("COPY psycopg_t FROM STDIN") as copy:
                for n in range(1000):
                    copy.write_row((n, f"row {n}"))
            assert cursor.rowcount == 1000
            for n in range(30):                     # Above prepare_threshold: a named statement.
                assert cursor.execute("SELECT what FROM psycopg_t WHERE id = %s", [n]).fetchone() == (f"row {n}",)
            assert cursor.execute("SELECT %s::int, %b::int", [1, 2]).fetchone() == (1, 2)
            cursor.executemany("UPDATE psycopg_t SET what = %s WHERE id = %s", [("changed", n) for n in range(100)])
            connection.commit()
            with cursor.copy("COPY (SELECT * FROM psycopg_t ORDER BY id) TO STDOUT") as copy:
                rows = list(copy.rows())
            assert len(rows) == 1000 and rows[5] == ("5", "changed") and rows[500] == ("500", "row 500")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO psycopg_t VALUES (1, 'twice')")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
        with connection.transaction():
            connection.execute("DELETE FROM psycopg_t WHERE id = 1")
            with pytest.raises(ZeroDivisionError), connection.transaction():
                connection.execute("DELETE FROM psycopg_t")
                raise ZeroDivisionError
        assert connection.execute("SELECT count(*) FROM psycopg_t").fetchone() == (999,)
        with connection.cursor("named") as cursor:  # A server-side cursor, inside its transaction.
            cursor.itersize = 100
            assert sum(1 for _ in cursor.execute("SELECT * FROM psycopg_t")) == 999
        connection.execute("DROP TABLE psycopg_t")


@MODES
def test_psycopg3_pipeline(pgweir, mode):
    with pgweir.connect(mode) as connection, connection.pipeline():
        cursors = [connection.execute("SELECT %s::int * 2", [n]) for n in range(200)]
        assert [cursor.fetchone()[0] for cursor in cursors] == [n * 2 for n in range(200)]
    with pgweir.connect(mode) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline():
            connection.execute("SELECT 1")
            connection.execute("SELECT 1 / 0")
            connection.execute("SELECT 2")
        assert connection.execute("SELECT 3").fetchone() == (3,)


@MODES
def test_psycopg2(pgweir, mode):
    connection = pgweir.connect2(mode, autocommit=False)
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS psycopg2_t; CREATE TABLE psycopg2_t (id int PRIMARY KEY, what text)")
    psycopg2.extras.execute_values(cursor, "INSERT INTO psycopg2_t VALUES %s", [(n, f"row {n}") for n in range(1000)])
    connection.commit()
    with pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute("INSERT INTO psycopg2_t VALUES (1, 'twice')")
    connection.rollback()
    cursor.execute("PREPARE twice(int) AS SELECT $1 * 2; EXECUTE twice(21); DEALLOCATE twice") if mode == "session" else None
    out = open(os.devnull, "w")
    cursor.copy_expert("COPY psycopg2_t TO STDOUT", out)
    cursor.execute("SELECT count(*) FROM psycopg2_t WHERE what LIKE %s", ["row %"])
    assert cursor.fetchone() == (1000,)
    cursor.execute("DROP TABLE psycopg2_t")
    connection.commit()
    connection.close()


@MODES
def test_asyncpg(pgweir, mode):
    """In a process of its own, like the other languages: an event loop that hangs cannot be interrupted."""
    config = {"host": pgweir.host, "port": pgweir.port, "user": "app", "password": PASSWORDS["app"], "database": pgweir.database(mode)}
    out = run([sys.executable, DRIVERS / "asyncpg_driver.py", json.dumps(config)], timeout_s=60)
    assert out.stdout.strip() == "ok"


@pytest.fixture(scope="session")
def node_modules():
    folder = ROOT / "build" / "npm"
    if not shutil.which("node") or not (folder / "node_modules" / "pg").exists():
        pytest.skip("node or its pg package is missing")
    return folder / "node_modules"


@MODES
def test_node_postgres(pgweir, node_modules, mode):
    config = {"host": pgweir.host, "port": pgweir.port, "user": "app", "password": PASSWORDS["app"],
              "database": pgweir.database(mode), "ssl": {"rejectUnauthorized": False}}
    out = run(["node", DRIVERS / "pg_driver.js", json.dumps(config)], env={"NODE_PATH": str(node_modules)})
    assert out.stdout.strip() == "ok"


@pytest.fixture(scope="session")
def java_classes(tmp_path_factory):
    if not shutil.which("javac"):
        pytest.skip("no Java compiler")
    folder = tmp_path_factory.mktemp("java")
    classpath = f"/usr/share/java/postgresql.jar:{folder}"
    run(["javac", "-cp", classpath, "-d", folder, DRIVERS / "PgDriver.java"])
    return classpath


@MODES
def test_jdbc(pgweir, java_classes, mode):
    url = f"jdbc:postgresql://{pgweir.host}:{pgweir.port}/{pgweir.database(mode)}?sslmode=require"
    out = run(["java", "-XX:TieredStopAtLevel=1", "-cp", java_classes, "PgDriver", url, "app", PASSWORDS["app"]])
    assert out.stdout.strip() == "ok"


@pytest.fixture(scope="session")
def go_program(tmp_path_factory):
    if not shutil.which("go"):
        pytest.skip("no Go compiler")
    program = tmp_path_factory.mktemp("go") / "driver"
    cache = ROOT / "build" / "go-cache"
    run(["go", "build", "-o", program, DRIVERS / "pg_driver.go"], timeout_s=300,
        env={"GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOCACHE": str(cache), "GOFLAGS": ""})
    return program


@MODES
def test_go_pq(pgweir, go_program, mode):
    out = run([go_program, pgweir.conninfo(mode)])
    assert out.stdout.strip() == "ok"
