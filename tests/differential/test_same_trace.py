"""The same script straight to PostgreSQL and through pgweir, two clients on a pool of one: the traces must be equal.

Direct clients do not wait for one another, so no script leaves a transaction of one open while the other speaks. """
import struct

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.raw import (bind, close_portal, close_statement, copy_data, copy_done, copy_fail, describe_portal, describe_statement,
                         execute, extended, flush, function_call, parse, query, sync)
from session import comparable, hears, play, until

A, B = "a", "b"


def both(*steps):
    """Each step by a and then by b."""
    return [(who, step) for step in steps for who in (A, B)]


TABLE = """DROP TABLE IF EXISTS d; SET ROLE app; CREATE TABLE d (n int PRIMARY KEY, t text);
INSERT INTO d SELECT n, 'row ' || n FROM generate_series(1, 20) n"""

SCRIPTS = {
    "simple queries": [(A, "SELECT 1"), (B, "SELECT 2, NULL, 'x'"), (A, "SELECT * FROM d ORDER BY n LIMIT 3"), (B, ""), (A, ";;"),
                       (B, "SELECT 1; SELECT 2; SELECT 'three'"), (A, "VALUES (1), (2)"), (B, "TABLE d")],
    "errors of every class": [step for sql in ("SELECT nonsense", "syntax error here", "SELECT 1/0", "SELECT * FROM no_such_table", "INSERT INTO d VALUES (1)",
                              "SELECT 'x'::int", "SELECT no_such_function()", "INSERT INTO d VALUES (NULL)", "SET work_mem = 'much'",
                              "COMMIT PREPARED 'none'", "SELECT 1; SELECT nonsense; SELECT 2", "DO $$BEGIN RAISE EXCEPTION 'mine' USING ERRCODE='P0042', HINT='a hint', DETAIL='more'; END$$")
                              for step in ((A, sql), (B, "SELECT 'unaffected'"))],
    "notices and warnings": [(A, "COMMIT"), (B, "ROLLBACK"), (A, "DROP TABLE IF EXISTS nothing_here"), (B, "DO $$BEGIN RAISE NOTICE 'hello %', 1; RAISE WARNING 'careful'; END$$"),
                             (A, "BEGIN"), (A, "BEGIN"), (A, "COMMIT"), (B, "SELECT 1")],
    "transactions": [(A, "BEGIN"), (A, "UPDATE d SET t = 'a' WHERE n = 1"), (A, "SELECT t FROM d WHERE n = 1"), (A, "ROLLBACK"), (B, "SELECT t FROM d WHERE n = 1"),
                     (B, "BEGIN; UPDATE d SET t = 'b' WHERE n = 1; COMMIT"), (A, "SELECT t FROM d WHERE n = 1"),
                     (A, "BEGIN"), (A, "SELECT nonsense"), (A, "SELECT 1"), (A, "COMMIT"), (B, "SELECT 1")],
    "savepoints": [(A, "BEGIN"), (A, "SAVEPOINT s"), (A, "SELECT 1/0"), (A, "ROLLBACK TO s"), (A, "SELECT 'on'"), (A, "RELEASE s"), (A, "ROLLBACK TO s"), (A, "ROLLBACK"), (B, "SELECT 1")],
    "commit and chain": [(A, "BEGIN"), (A, "COMMIT AND CHAIN"), (A, "SELECT 1"), (A, "ROLLBACK AND CHAIN"), (A, "COMMIT"), (B, "SELECT 2")],
    "begin in the middle of a query": [(A, "SELECT 1; BEGIN; SELECT 2"), (A, "SELECT 3; COMMIT; SELECT 4"), (B, "SELECT 5"), (A, "COMMIT; BEGIN"), (A, "ROLLBACK"), (B, "SELECT 6")],
    "extended, unnamed": both(extended("SELECT $1::int + 1", 41), extended("SELECT $1::text, $2::date", "x", "2024-02-29"), extended("SELECT n FROM d WHERE n < $1 ORDER BY n", 4),
                              extended("INSERT INTO d VALUES (1)"), extended(""), extended("SELECT nonsense")),
    "named statements": both(parse("SELECT $1::int * 2", "s") + describe_statement("s") + sync(), bind(4, name="s") + execute() + sync(), bind(5, name="s") + describe_portal() + execute() + sync(),
                             parse("SELECT 1", "s") + sync(), close_statement("s") + sync(), bind(1, name="s") + sync(), describe_statement("s") + sync(), close_statement("s") + sync()),
    "same name, different text": [(A, parse("SELECT 'a'", "s") + sync()), (B, parse("SELECT 'b', 2", "s") + sync()), *both(bind(name="s") + describe_portal() + execute() + sync()) * 2,
                                  *both(describe_statement("s") + sync()), (A, close_statement("s") + sync()), *both(bind(name="s") + execute() + sync())],
    "failed parses": both(parse("SELECT nonsense", "f") + sync(), bind(name="f") + sync(), parse("SELECT 'mended'", "f") + sync(), bind(name="f") + execute() + sync(),
                          parse("SELECT nonsense") + parse("SELECT 1", "skipped") + sync(), bind(name="skipped") + sync()),
    "parse in a failed transaction": [(A, "BEGIN"), (A, "SELECT nonsense"), (A, parse("SELECT 1", "s") + sync()), (A, bind(name="s") + sync()), (A, parse("ROLLBACK", "r") + bind(name="r") + execute() + sync()),
                                      (B, "SELECT 1"), (A, bind(name="s") + sync()), (A, parse("SELECT 2", "s") + bind(name="s") + execute() + sync()), (B, "SELECT 1")],
    "names given in a batch that fails": both(execute("none") + parse("SELECT 1", "s") + sync() + parse("SELECT 2", "s") + bind(name="s") + execute() + sync(), bind(name="s") + execute() + sync(),
                                              execute("none") + parse("SELECT 1", "t") + sync() + close_statement("t") + parse("SELECT nonsense", "t") + sync(), bind(name="t") + sync()),
    "names closed in a batch that fails": both(parse("SELECT 'old'", "s") + sync(), execute("none") + close_statement("s") + sync() + bind(name="s") + execute() + sync(),
                                               execute("none") + close_statement("s") + parse("SELECT 'new'", "s") + sync() + bind(name="s") + execute() + sync(), bind(name="s") + execute() + sync(),
                                               execute("none") + close_statement("s") + sync() + parse("SELECT 'new'", "s") + sync(), bind(name="s") + execute() + sync()),
    "statements that the server has lost, in a batch that fails": [(A, parse("SELECT 'a'", "s") + sync()), (B, "DISCARD ALL"), (A, execute("none") + bind(name="s") + sync() + bind(name="s") + execute() + sync()),
                                                                   (B, "DISCARD ALL"), (A, execute("none") + bind(name="s") + sync() + query("EXECUTE s") + parse("EXECUTE s") + bind() + execute() + sync()),
                                                                   *[step for ahead in (b"", query("SELECT 1")) for step in ((B, "DISCARD ALL"), (A, until(execute("none") + ahead + query("EXECUTE s") + sync() + query("EXECUTE s"), "Z", 2)))]],
    "a query that a batch that fails takes with it": both(parse("SELECT 1", "s") + sync(), until(execute("none") + query("EXECUTE s") + sync() + query("SELECT 1"), "Z", 2), until(execute("none") + query("SELECT 1") + query("EXECUTE s") + sync() + query("DEALLOCATE s"), "Z", 2)),
    "an unnamed statement that stays": [step for skipped in (parse("SELECT 'new'"), close_statement(), close_statement() + parse("SELECT 'new'"), parse("SELECT 'new'") + close_statement(), query("SELECT 1"),
                                                             parse("SELECT 'new'") + parse("SELECT 'newer'"), query("SELECT 1") + parse("SELECT 'new'"))
                                        for step in ((A, parse("SELECT 'old'") + sync()), (A, until(execute("none") + skipped + sync() + bind() + execute() + sync(), "Z", 2)), (B, "SELECT 1"), (A, bind() + execute() + sync()), (B, "SELECT 1"), (A, until(execute("none") + skipped + sync() + bind() + execute() + sync(), "Z", 2)),
                                                     (A, until(execute("none") + skipped + sync() + execute("none") + parse("SELECT 'newest'") + sync() + describe_statement() + bind() + execute() + sync(), "Z", 3)),
                                                     (A, execute("none") + parse("SELECT 'new'") + sync() + close_statement() + parse("SELECT 'newest'") + sync() + bind() + execute() + sync()),
                                                     (A, execute("none") + parse("SELECT 'new'") + sync() + close_statement() + sync() + bind() + sync()))],
    "an unnamed statement that stays in a transaction that fails": [(A, "BEGIN"), (A, parse("SET work_mem = '7MB'") + sync()), (A, execute("none") + parse("SELECT 'new'") + sync() + describe_statement() + sync()),
                                                                    (A, "ROLLBACK"), (B, "SELECT 1")],
    "portals": [(A, "BEGIN"), (A, parse("SELECT n FROM d ORDER BY n", "s") + bind(name="s", portal="p") + bind(name="s", portal="q") + describe_portal("p") + sync()),
                (A, execute("p", 3) + execute("q", 1) + execute("p", 2) + sync()), (A, bind(name="s", portal="p") + sync()), (A, "ROLLBACK"), (B, "SELECT 1"),
                (A, execute("p") + sync()), (A, close_portal("p") + close_portal("never") + sync())],
    "suspended portals and flush": [(A, until(parse("SELECT n FROM d ORDER BY n") + bind() + execute(limit=4) + flush(), "s")), (A, until(execute(limit=4) + flush(), "s")),
                                    (A, execute() + sync()), (B, extended("SELECT 1"))],
    "flush after each": [(who, step) for who in (A, B) for step in (until(parse("SELECT $1::int", "x") + flush(), "1"), until(describe_statement("x") + flush(), "T"),
                                                                    until(bind(7, name="x") + flush(), "2"), until(execute() + flush(), "C"), sync())],
    "pipelines": both(b"".join(extended("SELECT $1::int", n) for n in range(20)), b"".join(query(f"SELECT {n}") for n in range(20)),
                      parse("SELECT 1") + bind() + execute() + parse("SELECT nonsense") + bind() + execute() + sync() + extended("SELECT 2")),
    "a transaction in a pipeline": both(extended("BEGIN") + extended("UPDATE d SET t = 'p' WHERE n = 2 RETURNING t") + extended("ROLLBACK") + extended("SELECT t FROM d WHERE n = 2"),
                                        parse("BEGIN") + bind() + execute() + parse("SELECT 1") + bind() + execute() + parse("COMMIT") + bind() + execute() + sync()),
    "an implicit transaction undone": both(parse("DELETE FROM d WHERE n = 3") + bind() + execute() + parse("SELECT 1/0") + bind() + execute() + sync(), "SELECT count(*) FROM d"),
    "syncs and flushes": both(sync() * 3, flush() + sync(), flush() * 3 + query("SELECT 1")),
    "copy out": both("COPY (SELECT n, t FROM d ORDER BY n) TO STDOUT", "COPY d TO STDOUT (FORMAT binary)", parse("COPY (SELECT 1) TO STDOUT") + bind() + execute() + sync(), "COPY no_such TO STDOUT"),
    "copy in": [(A, until(query("COPY d FROM STDIN"), "G")), (A, until(copy_data(b"100\thundred\n101\t\\N\n") + copy_done(), "Z")), (B, "SELECT * FROM d WHERE n >= 100 ORDER BY n"),
                (B, until(query("COPY d FROM STDIN (FORMAT csv)"), "G")), (B, until(copy_data(b"102,x\n") + copy_fail("no more"), "Z")), (A, "SELECT count(*) FROM d WHERE n = 102"),
                (A, until(query("COPY d FROM STDIN"), "G")), (A, until(copy_data(b"wrong\n") + copy_done(), "Z")), (B, "SELECT 1")],
    "copy in, extended": [(A, until(parse("COPY d FROM STDIN") + bind() + execute() + flush(), "G")), (A, copy_data(b"200\tx\n") + copy_done() + sync()), (B, "SELECT t FROM d WHERE n = 200"),
                          (B, until(parse("COPY d FROM STDIN") + bind() + execute() + flush(), "G")), (B, copy_data(b"200\tagain\n") + copy_done() + sync()), (A, extended("SELECT 1"))],
    "function call": both(function_call(1397, struct.pack("!i", -5)), function_call(154, struct.pack("!ii", 1, 0)[:4], struct.pack("!i", 0)), function_call(4000000000)),
    "binary results": both(parse("SELECT 1::int4, 2::int8, 'x'::text, 1.5::float8") + bind(result_formats=(1,)) + describe_portal() + execute() + sync()),
    "no rows and many": both("SELECT * FROM d WHERE false", "DELETE FROM d WHERE false", "SELECT repeat('x', n) FROM generate_series(1, 3000) n", extended("SELECT * FROM d WHERE n = $1", -1)),
    "cursors": [(A, "BEGIN"), (A, "DECLARE c CURSOR FOR SELECT n FROM d ORDER BY n"), (A, "FETCH 3 FROM c"), (A, "MOVE 2 FROM c"), (A, "FETCH c"), (A, "CLOSE c"), (A, "FETCH c"), (A, "ROLLBACK"), (B, "SELECT 1")],
    "set local": [(A, "BEGIN"), (A, "SET LOCAL work_mem = '9MB'"), (A, "SHOW work_mem"), (A, "COMMIT"), (A, "SHOW work_mem"), (B, "SHOW work_mem"), (B, "SET LOCAL work_mem = '9MB'")],
    "isolation levels": [(A, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"), (A, "SHOW transaction_isolation"), (A, "INSERT INTO d VALUES (500)"), (A, "ROLLBACK"), (B, "SHOW transaction_isolation"),
                         (B, "BEGIN"), (B, "SET TRANSACTION READ ONLY"), (B, "SHOW transaction_read_only"), (B, "COMMIT"), (A, "SHOW transaction_read_only")],
    "two-phase commit": [(A, "BEGIN; INSERT INTO d VALUES (300, 'two'); PREPARE TRANSACTION 'differential'"), (B, "SELECT count(*) FROM d WHERE n = 300"), (B, "COMMIT PREPARED 'differential'"), (A, "SELECT t FROM d WHERE n = 300")],
    "startup parameters": [(A, {"application_name": "alpha", "DateStyle": "German, DMY", "TimeZone": "Asia/Tokyo"}), (B, {"options": "-c statement_timeout=7s -c IntervalStyle=iso_8601"}),
                           *both("SHOW application_name", "SHOW DateStyle", "SELECT '2024-03-01 12:00+00'::timestamptz", "SELECT '1 day'::interval", "SHOW statement_timeout") * 2],
    "client encodings": [(A, {"client_encoding": "LATIN1"}), (B, {"client_encoding": "utf8"}), *both("SHOW client_encoding", "SELECT chr(228)", "SELECT chr(8364)"), (B, "SELECT length('ä€')")],
    "a clients end": [(A, "BEGIN"), (A, "DELETE FROM d"), (A, None), (B, "SELECT count(*) FROM d"), (A, "SELECT count(*) FROM d"), (B, None), (A, "SELECT 1")],
    "ddl between executions": [(A, parse("SELECT t FROM d WHERE n = $1", "s") + sync()), (A, bind(5, name="s") + execute() + sync()), (B, "CREATE INDEX ON d (t)"), (A, bind(6, name="s") + execute() + sync()),
                               (B, "ALTER TABLE d ADD extra int"), (A, bind(7, name="s") + execute() + sync())],
    "deallocate all": both(parse("SELECT 'kept'", "s") + sync()) + [(A, "DEALLOCATE ALL")] + both(bind(name="s") + execute() + sync()),
    "closed behind a deallocate": [step for close in (close_statement("s"), execute("none") + close_statement("s"))
                                   for step in ((A, parse("SELECT 1", "s") + sync()), (A, parse("DEALLOCATE ALL") + bind() + execute() + close + sync()), (A, bind(name="s") + sync()), (B, "SELECT 1"))],
    "sql at the edge": both("SELECT E'\\\\''; SELECT $$;$$; SELECT 'a;b' -- ;", "/* /* nested */ ; */ SELECT 1", "SELECT \"column\" FROM (SELECT 1 AS \"column\") x", "select(1)", "  \n\t SELECT 1  "),
}

# What a client leaves in its session: docs of the session state say how it is kept in transaction mode.
STATE = {
    "multi-statement with set": [(A, "BEGIN; SET LOCAL search_path = pg_catalog; SHOW search_path; COMMIT; SHOW search_path"), (B, "SHOW search_path")],
    "set": [(A, "SET work_mem = '7MB'"), (B, "SHOW work_mem"), (A, "SHOW work_mem"), (A, "RESET work_mem"), (A, "SHOW work_mem")],
    "set rolled back": [(A, "BEGIN"), (A, "SET work_mem = '7MB'"), (A, "ROLLBACK"), (B, "SHOW work_mem"), (A, "SHOW work_mem")],
    "set_config with bound values": [(A, extended("SELECT set_config($1, $2, false)", "work_mem", "6MB")), (B, "SHOW work_mem"), (A, "SHOW work_mem")],
    "reset rolled back": [(A, "SET work_mem = '7MB'"), (A, "BEGIN"), (A, "RESET work_mem"), (A, "SHOW work_mem"), (A, "ROLLBACK"), *both("SHOW work_mem"), (A, "BEGIN; RESET ALL; ROLLBACK"), *both("SHOW work_mem")],
    "set local and set": [(A, "BEGIN"), (A, "SET LOCAL work_mem = '9MB'"), (A, "SET work_mem = '7MB'"), (A, "SHOW work_mem"), (A, "COMMIT"), *both("SHOW work_mem"),
                          (A, "BEGIN"), (A, "SET work_mem = '8MB'"), (A, "SET LOCAL work_mem = '6MB'"), (A, "SHOW work_mem"), (A, "COMMIT"), *both("SHOW work_mem")],
    "set by an unnamed statement that stays": [step for sql in ("SET work_mem = '7MB'", "SET app.kept = 'a'", "PREPARE p AS SELECT 'a'")
                                               for step in ((A, parse(sql) + sync()), (A, execute("none") + parse("SELECT 1") + sync() + bind() + execute() + sync()),
                                                            *both("SHOW work_mem", "SELECT current_setting('app.kept', true)", "EXECUTE p"))],
    "set transaction": [(A, "BEGIN"), (A, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), (A, "SHOW transaction_isolation"), (A, "COMMIT"), *both("SHOW transaction_isolation"),
                        (A, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"), *both("SHOW transaction_read_only", "INSERT INTO d VALUES (400)", "DELETE FROM d WHERE n = 400"),
                        (A, "RESET ALL"), *both("SHOW default_transaction_read_only")],
    "set after savepoints": [(A, "BEGIN"), (A, "SET work_mem = '7MB'"), (A, "SAVEPOINT s"), (A, "SET work_mem = '8MB'"), (A, "ROLLBACK TO s"), (A, "SHOW work_mem"), (A, "COMMIT"), *both("SHOW work_mem"),
                             (A, "BEGIN; SET work_mem = '9MB'; COMMIT AND CHAIN"), (A, "SET work_mem = '6MB'"), (A, "ROLLBACK"), *both("SHOW work_mem")],
    "set and errors": [(A, "SET work_mem = '7MB'; SELECT 1/0"), *both("SHOW work_mem"), (A, "SET work_mem = '8MB'"), (A, "SET work_mem = 'nonsense'"), (A, "SET work_mem = '9MB'; SET DateStyle = 'nonsense'"), *both("SHOW work_mem"),
                       (A, parse("SET work_mem = '6MB'") + bind() + execute() + parse("SELECT nonsense") + sync()), *both("SHOW work_mem")],
    "set in other words": [(A, "SET TIME ZONE 'Asia/Tokyo'"), (A, "SET NAMES 'LATIN1'"), (A, "SET SCHEMA 'pg_catalog'"), (A, "SET XML OPTION DOCUMENT"), (A, "SET SESSION work_mem TO '7MB'"),
                           *both("SHOW TimeZone", "SHOW client_encoding", "SHOW search_path", "SHOW xmloption", "SHOW work_mem"), (A, "RESET TIME ZONE"), (A, "RESET ALL"),
                           *both("SHOW TimeZone", "SHOW client_encoding", "SHOW search_path", "SHOW xmloption", "SHOW work_mem")],
    "session authorization": [(A, "SET SESSION AUTHORIZATION other"), (A, "SET SESSION AUTHORIZATION app"), *both("SELECT session_user, current_user"), (A, "RESET SESSION AUTHORIZATION"), (A, "SET ROLE nobody")],
    "custom settings": [*both("SELECT current_setting('app.t', true) IS NULL"), (A, "BEGIN; SET LOCAL app.t = '1'; COMMIT"), *both("SELECT current_setting('app.t', true) IS NULL"),
                        (B, "SELECT set_config('app.t', 'b', true)"), *both("SELECT current_setting('app.t', true)"), (A, "SET app.t = 'a'"), *both("SELECT current_setting('app.t', true)")],
    "execute in other statements": [(A, "PREPARE p(int) AS SELECT $1 AS n"), (B, "SELECT 1"), (A, "EXPLAIN (COSTS OFF) EXECUTE p(1)"), (B, "SELECT 1"), (A, "CREATE TABLE made AS EXECUTE p(2)"), (A, "TABLE made"),
                                    (A, "DROP TABLE made"), (B, "EXECUTE p(1)"), (B, "EXPLAIN EXECUTE p(1)"), (A, "DEALLOCATE ALL"), (A, "EXECUTE p(3)")],
    "discards": [(A, "SET work_mem = '7MB'"), (A, "PREPARE p AS SELECT 'a'"), (A, "DISCARD PLANS"), (A, "DISCARD TEMP"), (A, "DISCARD SEQUENCES"), (B, "DISCARD ALL"), (A, "EXECUTE p"), *both("SHOW work_mem"),
                 (A, "BEGIN"), (A, "DISCARD ALL"), (A, "ROLLBACK"), (A, "EXECUTE p"), (A, "DISCARD ALL"), *both("SHOW work_mem"), (A, "EXECUTE p")],
    "cursors with hold": [(A, "BEGIN"), (A, "DECLARE c CURSOR WITH HOLD FOR SELECT n FROM d ORDER BY n"), (A, "COMMIT"), (A, "FETCH 2 FROM c"), (A, "CLOSE c"), (B, "FETCH c"), (A, "FETCH c")],
    "seeds": [(A, "SELECT setseed(0.5)"), (A, "SELECT random()"), (A, "BEGIN; SELECT random(); COMMIT"), (A, None), (B, "SELECT 1")],
    "set role": [(A, "SET ROLE app"), (B, "SHOW role"), (A, "SHOW role"), (A, "RESET ROLE")],
    "prepare and execute": [(A, "PREPARE p(int) AS SELECT $1 + 1"), (B, "EXECUTE p(1)"), (A, "EXECUTE p(1)"), (B, "PREPARE p AS SELECT 'b'"), *both("EXECUTE p"), (A, "DEALLOCATE p"), *both("EXECUTE p(2)")],
    "reported settings": [(A, "SET TimeZone = 'Asia/Tokyo'"), (B, "SET DateStyle = 'SQL, DMY'"), *both("SELECT '2024-03-01 12:00+00'::timestamptz", "SHOW TimeZone", "SHOW DateStyle"), *both("RESET ALL", "SHOW TimeZone")],
    "temporary tables": [(A, "CREATE TEMP TABLE mine (n int)"), (A, "INSERT INTO mine VALUES (1)"), (A, "SELECT * FROM mine"), (A, "DROP TABLE mine"), (B, "SELECT * FROM mine")],
    "advisory locks": [(A, "SELECT pg_try_advisory_lock(7)"), (A, "SELECT pg_advisory_unlock(7)"), (A, "SELECT pg_advisory_unlock(7)"), (B, "SELECT pg_try_advisory_lock(7)")],
    "channels": [(A, "LISTEN d"), (A, "LISTEN e"), *both("SELECT count(*) FROM pg_listening_channels()"), (A, "BEGIN"), (A, "UNLISTEN d"), (A, "ROLLBACK"), (B, "LISTEN f"), *both("SELECT c FROM pg_listening_channels() c ORDER BY c"), (A, extended("UNLISTEN e")), (A, "BEGIN; UNLISTEN *; SELECT 1/0"), (A, "SELECT c FROM pg_listening_channels() c"), (A, "ROLLBACK"), *both("SELECT c FROM pg_listening_channels() c"), (A, "DISCARD ALL"), *both("SELECT count(*) FROM pg_listening_channels()")],
    "listen": [(A, "LISTEN d"), (A, "NOTIFY d, 'hello'"), (A, hears(1)), (A, "SELECT 1"), (A, "UNLISTEN *"), (A, "NOTIFY d, 'unheard'"), (B, "SELECT count(*) FROM pg_listening_channels()")],
    "notifications": [*both("LISTEN d"), (A, "LISTEN e"), (B, "NOTIFY d, 'from b'"), *both(hears(1)), (A, "BEGIN"), (A, "NOTIFY d, 'once'"), (A, "NOTIFY d, 'once'"), (A, "NOTIFY e"),
                      (A, "SAVEPOINT s"), (A, "NOTIFY d, 'undone'"), (A, "ROLLBACK TO s"), (A, "NOTIFY d, 'second'"), (A, "COMMIT"), (A, hears(4)), (B, hears(3)),
                      (A, "BEGIN; NOTIFY d, 'never'; ROLLBACK"), (A, extended("SELECT pg_notify('d', $1)", "third")), (A, hears(5)), (B, hears(4)),
                      (A, "UNLISTEN d"), (B, "NOTIFY d, 'not to a'"), (B, "NOTIFY e, 'to a'"), (A, hears(6)), (B, hears(5)), *both("UNLISTEN *"), *both("NOTIFY d, 'to nobody'")],
}


def connector(target, database):
    def connect(**parameters):
        client = raw.Client(target.host, target.port, timeout_s=60)
        client.login("app", target.database(database), PASSWORDS["app"], **parameters)
        return client

    return connect


@pytest.fixture
def traces(pgweir, cluster):
    class Straight:
        host, port = cluster.primary.host, cluster.primary.port

        @staticmethod
        def database(_):
            return "app"

    def run(script, database="one", apart=""):
        found = []
        for target, name in ((Straight, "app"), (pgweir, database)):
            cluster.primary.sql(TABLE, "app")
            found.append(play(connector(target, name), script, apart))
        return found

    return run


def assert_equal(straight: list, through: list) -> None:
    for number, (expected, got) in enumerate(zip(straight, through)):
        assert got == expected, f"message {number}"
    assert len(through) == len(straight)


@pytest.mark.threaded
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_pool_of_one_answers_as_postgresql_does(traces, name):
    assert_equal(*traces(SCRIPTS[name]))


@pytest.mark.parametrize("begin", [query("COPY d FROM STDIN"), parse("COPY d FROM STDIN") + bind() + execute() + flush()], ids=["simple", "extended"])
@pytest.mark.parametrize("stray", [query("SELECT 1"), parse("SELECT 1") + sync(), bind() + query("SELECT 1"), close_statement() + sync(), function_call(1397, struct.pack("!i", -5))],
                         ids=["query", "parse", "bind", "close", "function call"])
def test_what_copy_does_not_expect_ends_the_session_in_the_servers_words(pgweir, cluster, begin, stray):
    cluster.primary.sql(TABLE, "app")
    found = []
    for target, database in (cluster.primary, "app"), (pgweir, "one"):
        client = raw.Client(target.host, target.port)
        client.login("app", database, PASSWORDS["app"])
        client.send(begin)
        client.read_until("G")
        client.send(copy_data(b"1") + stray)
        found.append([(each.type, comparable(each)) for each in client.read_to_end()])
        client.close()
    assert found[0] == found[1] and [kind for kind, _ in found[0]] == ["E", "E"]
    assert pgweir.raw("one").value("SELECT count(*) FROM d") == "20"


@pytest.mark.parametrize("name", {**SCRIPTS, **STATE})
def test_session_mode_answers_as_postgresql_does(traces, name):
    assert_equal(*traces({**SCRIPTS, **STATE}[name], "session"))


@pytest.mark.parametrize("name", STATE)
def test_session_state_on_a_pool_of_one_is_as_on_postgresql(traces, name):
    """But for notifications, which may come a moment after the ReadyForQuery that they stand before: the same, and in order."""
    assert_equal(*traces(STATE[name], apart="A"))
