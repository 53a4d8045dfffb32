"""Protocol-level prepared statements in transaction mode: each client has its own names, whichever server it gets."""
import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.raw import bind, close_portal, close_statement, describe_portal, describe_statement, execute, extended, flush, parse, query, sync
from harness.relay import Relay

# "one" has a single server connection: whatever two clients do meets there.
ONE = pytest.mark.parametrize("database", ["one"])


def run(client, name="", *values):
    return client.ask(bind(*values, name=name) + execute() + sync())


@pytest.mark.threaded
def test_the_same_name_means_each_clients_own_statement(pair):
    first, second = pair
    first.ask(parse("SELECT 'first'", "s") + sync())
    second.ask(parse("SELECT 'second'", "s") + sync())
    for _ in range(3):
        assert raw.rows_of(run(first, "s")) == [["first"]]
        assert raw.rows_of(run(second, "s")) == [["second"]]


def test_the_unnamed_statement_is_each_clients_own(pair):
    first, second = pair
    first.ask(parse("SELECT 'first'") + sync())
    second.ask(parse("SELECT 'second'") + sync())
    assert raw.rows_of(run(first)) == [["first"]]
    assert raw.rows_of(run(second)) == [["second"]]


@pytest.mark.parametrize("use", [bind() + execute(), describe_statement()], ids=["bind", "describe"])
@pytest.mark.parametrize("ahead", [bind(name="nope"), execute("nope"), describe_portal("nope"), parse("SELECT broken", "named"),
                                   close_statement("nope") + bind(name="nope")], ids=["bind", "execute", "describe", "parse", "close"])
def test_an_unnamed_parse_that_was_skipped_leaves_no_other_clients_statement(pair, ahead, use):
    """Both batches are sent before it is known that the first one fails."""
    first, second = pair
    first.ask(parse("SELECT 'of another'") + sync())
    second.send(ahead + parse("SELECT 'mine'") + sync() + use + sync())
    assert raw.types(second.read_until_ready())[-2:] == "EZ"
    error = raw.error_of(second.read_until_ready())
    assert (error["C"], error["M"]) == ("26000", "unnamed prepared statement does not exist")
    assert raw.rows_of(run(first)) == [["of another"]]


@pytest.mark.parametrize("skipped", [parse("SELECT 'mine'"), query("SELECT 1"), close_statement("")], ids=["parse", "query", "close"])
def test_an_unnamed_statement_that_an_error_has_left_is_not_the_next_clients(pair, skipped):
    """What would have replaced it never ran."""
    first, second = pair
    first.ask(parse("SELECT 'of another'") + sync())
    assert raw.types(first.ask(bind(name="nope") + skipped + sync())) == "EZ"
    error = raw.error_of(second.ask(bind() + execute() + sync()))
    assert (error["C"], error["M"]) == ("26000", "unnamed prepared statement does not exist")


def test_one_clients_statement_is_unknown_to_another(pair):
    first, second = pair
    first.ask(parse("SELECT 1", "mine") + sync())
    error = raw.error_of(run(second, "mine"))
    assert (error["C"], error["M"]) == ("26000", 'prepared statement "mine" does not exist')
    assert raw.rows_of(run(first, "mine")) == [["1"]]


@pytest.mark.parametrize("local", [close_statement("s"), parse("SELECT 'shared'", "t"), close_statement("s") + parse("SELECT 'shared'", "t")],
                         ids=["close", "parse", "both"])
@pytest.mark.parametrize("ahead", [b"", query("SELECT 1"), query("RESET search_path"), query("DISCARD PLANS")], ids=["", "query", "reset", "discard"])
def test_what_is_answered_without_the_server_holds_up_nothing_behind_settings(pair, ahead, local):
    """What comes behind it waits until the settings are in force, and all is answered that was sent before."""
    client, other = pair
    client.ask("SET work_mem = '7MB'")
    client.ask(parse("SELECT 'shared'", "s") + sync())
    assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [["shared"]]
    assert other.value("SHOW work_mem") == "4MB"
    client.send(ahead + local + bind(name="none") + sync())
    replies = client.read_until_ready(2 if ahead else 1)
    assert raw.types(replies).endswith("EZ") and raw.error_of(replies)["C"] == "26000"
    assert client.value("SHOW work_mem") == "7MB"


def test_an_unknown_statement_is_26000_and_the_session_lives_on(pair):
    client, _ = pair
    for message in (bind(name="nope"), describe_statement("nope"), bind(name="nope") + execute() + describe_portal()):
        replies = client.ask(message + sync())
        assert raw.types(replies) == "EZ" and raw.error_of(replies)["C"] == "26000"
    assert client.value("SELECT 1") == "1"
    replies = client.ask(close_statement("nope") + sync())      # Closing what is not there is no error.
    assert raw.types(replies) == "3Z"


def test_a_missing_unnamed_statement_is_worded_as_postgresql_words_it(pair):
    client, _ = pair
    error = raw.error_of(client.ask(bind() + sync()))
    assert (error["C"], error["M"]) == ("26000", "unnamed prepared statement does not exist")


def test_redefinition_is_42P05_as_postgresql_words_it(pair):
    client, _ = pair
    client.ask(parse("SELECT 1", "again") + sync())
    for sql in ("SELECT 1", "SELECT 2"):
        error = raw.error_of(client.ask(parse(sql, "again") + sync()))
        assert (error["S"], error["C"], error["M"]) == ("ERROR", "42P05", 'prepared statement "again" already exists')
    assert raw.rows_of(run(client, "again")) == [["1"]]


def test_an_error_ahead_of_a_close_says_the_clients_name(pair):
    client, _ = pair
    client.ask(parse("SELECT 1", "s") + sync())
    for taken in parse("SELECT 2", "s"), parse("PREPARE s AS SELECT 2") + bind() + execute():
        error = raw.error_of(client.ask(taken + close_statement("s") + sync()))
        assert (error["C"], error["M"]) == ("42P05", 'prepared statement "s" already exists')
    assert raw.rows_of(run(client, "s")) == [["1"]]


def test_the_name_that_is_taken_is_the_one_that_is_told(pair):
    """Names of one text are one statement on the server."""
    client, _ = pair
    names = ["s1", "S 2", "s3", "s4"]
    for name in names:
        client.ask(parse("SELECT 1", name) + sync())
    told = [raw.error_of(client.ask(parse("SELECT 2", name) + sync()))["M"] for name in names]
    assert told == [f'prepared statement "{name}" already exists' for name in names]
    assert [raw.rows_of(run(client, name)) for name in names] == [[["1"]]] * len(names)


def test_redefinition_inside_a_transaction_leaves_it_failed(pair):
    """Invariant: an error of the proxy's own inside a transaction aborts it on the server too."""
    client, other = pair
    client.ask(parse("SELECT 1", "again") + sync())
    client.ask("BEGIN")
    replies = client.ask(parse("SELECT 1", "again") + sync())
    assert raw.error_of(replies)["C"] == "42P05" and client.status == "E"
    assert raw.error_of(client.ask("SELECT 1"))["C"] == "25P02"
    assert client.ask("COMMIT")[0].text() == "ROLLBACK"
    assert other.value("SELECT 1") == "1"


def test_an_error_of_the_proxys_own_in_a_pipeline_undoes_what_went_before(pair, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS undone; CREATE TABLE undone (n int); GRANT ALL ON undone TO app", "app")
    client, other = pair
    replies = client.ask(parse("INSERT INTO undone VALUES (1)") + bind() + execute() + bind(name="nope") + execute() + sync())
    assert raw.error_of(replies)["C"] == "26000" and client.status == "I"
    assert other.value("SELECT count(*) FROM undone") == "0"


@pytest.mark.parametrize("use", [bind(name="lost"), describe_statement("lost")], ids=["bind", "describe"])
def test_an_error_says_the_clients_name_also_of_a_parse_that_never_was(pair, use):
    """All is sent before the Parse has failed, or been skipped. The name of another of the client's for the same text is not meant."""
    client, _ = pair
    client.ask(parse("SELECT 1", "kept") + sync())
    client.send(parse("SELECT broken") + parse("SELECT 1", "lost") + sync() + use + sync())
    assert raw.error_of(client.read_until_ready())["C"] == "42703"
    error = raw.error_of(client.read_until_ready())
    assert (error["C"], error["M"]) == ("26000", 'prepared statement "lost" does not exist')
    client.send(parse("SELECT broken", "lost") + sync() + use + sync())
    assert raw.error_of(client.read_until_ready())["C"] == "42703"
    error = raw.error_of(client.read_until_ready())
    assert (error["C"], error["M"]) == ("26000", 'prepared statement "lost" does not exist')
    assert raw.types(client.ask(bind(name="kept") + execute() + sync())) == "2DCZ"


def test_an_error_in_parse_leaves_the_name_free(pair):
    client, other = pair
    assert raw.error_of(client.ask(parse("SELECT broken", "s") + sync()))["C"] == "42703"
    assert raw.error_of(run(client, "s"))["C"] == "26000"
    assert raw.types(client.ask(parse("SELECT 'mended'", "s") + sync())) == "1Z"
    assert raw.rows_of(run(client, "s")) == [["mended"]]
    assert raw.error_of(run(other, "s"))["C"] == "26000"


def test_a_parse_skipped_after_an_error_does_not_exist(pair):
    client, _ = pair
    replies = client.ask(parse("SELECT broken", "a") + parse("SELECT 1", "b") + sync())
    assert raw.types(replies) == "EZ"
    assert raw.error_of(run(client, "b"))["C"] == "26000"
    assert raw.types(client.ask(parse("SELECT 2", "b") + sync())) == "1Z"


def test_a_close_skipped_after_an_error_forgets_nothing(pair):
    client, _ = pair
    client.ask(parse("SELECT 'alive'", "s") + sync())
    replies = client.ask(parse("SELECT broken") + close_statement("s") + sync())
    assert raw.types(replies) == "EZ"
    assert raw.rows_of(run(client, "s")) == [["alive"]]


def test_a_parse_that_failed_in_an_aborted_transaction_does_not_keep_its_name(pair):
    """supavisor#1175."""
    client, _ = pair
    client.ask("BEGIN")
    client.ask("SELECT broken")
    assert raw.error_of(client.ask(parse("SELECT 1", "s") + sync()))["C"] == "25P02"
    client.ask("ROLLBACK")
    assert raw.error_of(run(client, "s"))["C"] == "26000"
    assert raw.types(client.ask(parse("SELECT 'now'", "s") + sync())) == "1Z"
    assert raw.rows_of(run(client, "s")) == [["now"]]


def test_a_parse_survives_the_rollback_of_its_transaction(pair):
    client, _ = pair
    client.ask("BEGIN")
    client.ask(parse("SELECT 'kept'", "s") + sync())
    client.ask("ROLLBACK")
    assert raw.rows_of(run(client, "s")) == [["kept"]]


def test_close_frees_the_name_of_its_client_only(pair):
    first, second = pair
    for client in pair:
        client.ask(parse("SELECT 'shared text'", "s") + sync())
    assert raw.types(first.ask(close_statement("s") + sync())) == "3Z"
    assert raw.error_of(run(first, "s"))["C"] == "26000"
    assert raw.rows_of(run(second, "s")) == [["shared text"]]
    assert raw.types(first.ask(parse("SELECT 'new'", "s") + sync())) == "1Z"
    assert raw.rows_of(run(first, "s")) == [["new"]]


def test_close_and_parse_in_one_pipeline_redefine(pair):
    client, _ = pair
    client.ask(parse("SELECT 'old'", "s") + sync())
    replies = client.ask(close_statement("s") + parse("SELECT 'new'", "s") + bind(name="s") + execute() + sync())
    assert raw.types(replies) == "312DCZ" and raw.rows_of(replies) == [["new"]]


def test_describe_of_a_statement_works_on_its_own(pair):
    """supavisor#1174: a Describe alone needs the statement on whichever server it meets."""
    first, second = pair
    first.ask(parse("SELECT $1::int AS number, $2::text AS word", "s") + sync())
    second.ask("BEGIN")
    second.ask("COMMIT")
    replies = first.ask(describe_statement("s") + sync())
    assert raw.types(replies) == "tTZ"
    assert replies[0].body == b"\0\2\0\0\0\x17\0\0\0\x19" and b"number\0" in replies[1].body and b"word\0" in replies[1].body


@pytest.mark.threaded
def test_statements_move_between_server_connections(pgweir):
    """Ten server connections, and a client is on a different one whenever the others hold theirs."""
    client = pgweir.raw("app")
    client.ask(parse("SELECT $1::int * 2", "double") + sync())
    holders = []
    seen = set()
    for n in range(6):
        assert raw.rows_of(run(client, "double", n)) == [[str(2 * n)]]
        seen.add(client.value("SELECT pg_backend_pid()"))
        holder = pgweir.raw("app")
        holder.ask("BEGIN")
        holder.ask("SELECT 1")
        holders.append(holder)
    if pgweir.database("app") == "app" and hasattr(pgweir, "process"):
        assert len(seen) > 1
    for holder in holders:
        holder.close()
    client.close()


@pytest.mark.ours
def test_more_statements_than_the_limit_all_keep_working(start_pgweir, cluster):
    """Least recently used ones leave the server connection, not the client."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "max_prepared_statements": 5}, "database app": {"pool_size": 1}})
    client = proxy.raw("app")
    for n in range(30):
        client.ask(parse(f"SELECT {n}", f"s{n}") + sync())
    for n in [*range(30), *reversed(range(30))]:
        assert raw.rows_of(run(client, f"s{n}")) == [[str(n)]]
    assert int(client.value("SELECT count(*) FROM pg_prepared_statements")) <= 5
    big = b"".join(bind(name=f"s{n}") + execute() for n in range(30))
    assert raw.rows_of(client.ask(big + sync())) == [[str(n)] for n in range(30)]
    client.close()


@pytest.mark.ours
def test_the_unnamed_statement_is_each_clients_own_also_where_names_are_not_tracked(start_pgweir):
    proxy = start_pgweir({"pgweir": {"max_prepared_statements": 0}, "database app": {"pool_size": 1}})
    first, second = proxy.raw("app"), proxy.raw("app")
    for client, text in (first, "first"), (second, "second"):
        client.ask(parse(f"SELECT '{text}', set_config('work_mem', '7MB', $1)", types=(16,)) + sync())
    for client, text in (first, "first"), (second, "second"):
        assert raw.rows_of(run(client, "", "true")) == [[text, "7MB"]]
    run(first, "", "false")
    assert second.value("SHOW work_mem") == "4MB" and first.value("SHOW work_mem") == "7MB"
    for client in first, second:
        client.close()


def test_two_executes_and_a_describe_under_one_sync(pair):
    """pgdog#1508."""
    client, _ = pair
    client.ask(parse("SELECT $1::int", "s") + sync())
    replies = client.ask(bind(1, name="s") + describe_portal() + execute() + bind(2, name="s") + execute() + sync())
    assert raw.types(replies) == "2TDC2DCZ" and raw.rows_of(replies) == [["1"], ["2"]]


def test_flush_then_execute_with_a_row_limit(pair):
    """pgdog#1330 and #1332: the portal outlives the Flush, and the server connection stays with it."""
    client, _ = pair
    client.send(parse("SELECT generate_series(1, 5)", "s") + bind(name="s") + flush())
    assert raw.types(client.read_until("2")) == "12"
    client.send(execute(limit=2) + flush())
    assert raw.types(client.read_until("s")) == "DDs"
    client.send(execute(limit=2) + flush())
    assert raw.types(client.read_until("s")) == "DDs"
    replies = client.ask(execute() + sync())
    assert raw.types(replies) == "DCZ" and raw.rows_of(replies) == [["5"]]


def test_flush_after_each_message_is_answered_at_once(pair):
    client, _ = pair
    for message, answer in ((parse("SELECT 7", "f"), "1"), (describe_statement("f"), "tT"), (bind(name="f"), "2"),
                            (describe_portal(), "T"), (execute(), "DC")):
        client.send(message + flush())
        assert raw.types(client.read_until(answer[-1])) == answer
    assert raw.types(client.ask(sync())) == "Z"


def test_closing_a_portal_does_not_close_its_statement(pair):
    """pgdog#1338."""
    client, _ = pair
    client.ask(parse("SELECT 'alive'", "s") + sync())
    replies = client.ask(bind(name="s", portal="p") + execute("p") + close_portal("p") + sync())
    assert raw.types(replies) == "2DC3Z"
    assert raw.rows_of(run(client, "s")) == [["alive"]]


def test_named_portals_in_a_transaction_can_be_interleaved(pair):
    client, other = pair
    client.ask("BEGIN")
    client.ask(parse("SELECT generate_series(1, 4)") + bind(portal="a") + bind(portal="b") + sync())
    assert raw.rows_of(client.ask(execute("a", 2) + execute("b", 1) + execute("a", 2) + sync())) == [["1"], ["2"], ["1"], ["3"], ["4"]]
    client.ask("COMMIT")
    assert raw.error_of(client.ask(execute("a") + sync()))["C"] == "34000"
    assert other.value("SELECT 1") == "1"


def test_a_pipeline_without_a_commit_does_not_commit_early(pair, cluster):
    """proxysql#5119: no Sync of the proxy's own."""
    cluster.primary.sql("DROP TABLE IF EXISTS early; CREATE TABLE early (n int); GRANT ALL ON early TO app", "app")
    client, other = pair
    client.send(parse("INSERT INTO early VALUES (1)") + bind() + execute() + flush())
    client.read_until("C")
    assert cluster.primary.sql("SELECT count(*) FROM early", "app") == [(0,)]
    replies = client.ask(parse("SELECT 1 / 0") + bind() + execute() + sync())
    assert raw.error_of(replies)["C"] == "22012"
    assert other.value("SELECT count(*) FROM early") == "0"


def test_a_large_pipeline_is_answered_in_order(pair):
    client, _ = pair
    client.ask(parse("SELECT $1::int", "s") + sync())
    count = 2000
    replies = []
    client.send(b"".join(bind(n, name="s") + execute() + sync() for n in range(count)))
    replies = client.read_until_ready(count)
    assert raw.rows_of(replies) == [[str(n)] for n in range(count)]


@pytest.mark.parametrize("between", [b"", query("SELECT 'skipped'")], ids=["", "query"])
def test_what_follows_an_error_without_a_sync_is_never_too_much(pair, between):
    """libpq's uniqviol: the server skips it all unanswered, however much it is."""
    client, other = pair
    client.send(parse("SELECT broken") + flush())
    assert raw.error_of(client.read_until("E"))["C"] == "42703"
    client.send(between + (parse("SELECT 1", "late") + bind(name="late") + execute()) * 4000 + sync() + query("SELECT 'next'"))
    assert raw.types(client.read_until_ready(1)) == "Z"
    assert raw.rows_of(client.read_until_ready(1)) == [["next"]]
    assert raw.error_of(client.ask(bind(name="late") + sync()))["C"] == "26000"
    assert other.value("SELECT 1") == "1"


def test_errors_reach_the_one_who_made_them(pair):
    """pgdog#876."""
    first, second = pair
    assert raw.error_of(first.ask("PREPARE p AS SELECT broken"))["C"] == "42703"
    assert raw.error_of(first.ask("EXECUTE p"))["C"] == "26000"
    assert raw.rows_of(second.ask("SELECT 'fine'")) == [["fine"]]
    assert raw.rows_of(first.ask("SELECT 'fine too'")) == [["fine too"]]


SHAPE = "DROP TABLE IF EXISTS shape; CREATE TABLE shape (a int); INSERT INTO shape VALUES (1)"


@pytest.mark.parametrize("described", [True, False])
def test_a_changed_result_type_is_prepared_again_unseen_outside_a_transaction(pair, described):
    """0A000, cached plan must not change result type. Directly, the client sees the error."""
    client, other = pair
    client.ask(SHAPE)
    client.ask(parse("SELECT * FROM shape", "s") + sync())
    assert raw.rows_of(client.ask(bind(name="s") + (describe_portal() if described else b"") + execute() + sync())) == [["1"]]
    other.ask("ALTER TABLE shape ADD b text DEFAULT 'new'")
    replies = client.ask(bind(name="s") + (describe_portal() if described else b"") + execute() + sync())
    if "E" in raw.types(replies):
        assert raw.error_of(replies)["C"] == "0A000"
        pytest.skip("as a direct connection answers") if not has_process(client) else pytest.fail("0A000 reached the client")
    assert raw.rows_of(replies) == [["1", "new"]]


@pytest.mark.ours
def test_a_changed_result_type_is_known_whatever_language_the_server_speaks(start_pgweir, cluster):
    """By the routine's name; the words are replaced on their way, as long as they were."""
    english, other = b"cached plan must not change result type", b"gemerkter Plan, anderer Ergebnistyp: ne"
    assert len(english) == len(other)
    relay = Relay((cluster.primary.host, cluster.primary.port), lambda received: [received.replace(english, other)])
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_tls_sslmode": "disable"},
                          "database app": {"host": "127.0.0.1", "port": relay.port, "pool_size": 1}})
    client = proxy.raw("app")
    client.ask(SHAPE)
    client.ask(parse("SELECT * FROM shape", "s") + sync())
    assert raw.rows_of(run(client, "s")) == [["1"]]
    client.ask("ALTER TABLE shape ADD b text DEFAULT 'new'")
    assert raw.rows_of(run(client, "s")) == [["1", "new"]]
    client.ask("BEGIN")
    client.ask("ALTER TABLE shape ADD c text")
    assert raw.error_of(run(client, "s"))["M"] == other.decode(), "the words were not replaced: this test shows nothing"
    client.close()
    relay.close()


@pytest.mark.parametrize("ours", [True, False], ids=["through pgweir", "past pgweir"])
def test_a_client_that_goes_by_an_older_description_is_told_of_a_changed_result_type(pair, cluster, ours):
    """As pgx, asyncpg and JDBC do: they prepare it again, and must get one that knows the table as it is."""
    client, other = pair
    client.ask(SHAPE)
    client.ask(parse("SELECT * FROM shape", "s") + describe_statement("s") + sync())
    assert raw.rows_of(client.ask(bind(name="s", result_formats=(0,)) + execute() + sync())) == [["1"]]
    other.ask("SELECT 1")
    change = "ALTER TABLE shape ALTER a TYPE text USING 'one', ADD b text DEFAULT 'new'"
    other.ask(change) if ours else cluster.primary.sql(change, "app")
    refused = raw.error_of(client.ask(bind(name="s", result_formats=(0,)) + execute() + sync()))
    assert (refused["C"], refused["M"]) == ("0A000", "cached plan must not change result type")
    client.ask(parse("SELECT * FROM shape", "s2") + describe_statement("s2") + sync())
    assert raw.rows_of(run(client, "s2")) == [["one", "new"]]


COLUMNS = "DROP TABLE IF EXISTS columns; CREATE TABLE columns (a int, b int, c int); INSERT INTO columns VALUES (1, 2, 3)"
# As pgx binds: a format for each column that it was told of.
BOUND_BY_COLUMNS = bind(name="s", result_formats=(0, 0, 0)) + describe_portal() + execute() + sync()


def is_told_and_prepares_again(client):
    refused = raw.error_of(client.ask(BOUND_BY_COLUMNS))
    assert (refused["C"], refused["M"]) == ("0A000", "cached plan must not change result type")
    assert "pgweir_" not in str(refused)
    client.ask(close_statement("s") + parse("SELECT * FROM columns", "s") + describe_statement("s") + sync())
    assert raw.rows_of(client.ask(bind(name="s", result_formats=(0, 0)) + describe_portal() + execute() + sync())) == [["2", "3"]]


def test_a_client_that_binds_by_columns_that_are_gone_is_told_of_the_changed_result_type(pair):
    client, other = pair
    client.ask(COLUMNS)
    client.ask(parse("SELECT * FROM columns", "s") + describe_statement("s") + sync())
    assert raw.rows_of(client.ask(BOUND_BY_COLUMNS)) == [["1", "2", "3"]]
    assert raw.good(other.ask("ALTER TABLE columns DROP a"))
    is_told_and_prepares_again(client)


@pytest.mark.parametrize("begun", [False, True], ids=["outside", "inside a transaction"])
def test_so_is_one_whose_server_connection_has_not_prepared_the_statement_before(start_pgweir, begun):
    proxy = start_pgweir({"pgweir": {"threads": 1}, "database app": {"pool_size": 2}})
    client, holder, other = (proxy.raw("app") for _ in range(3))
    client.ask(COLUMNS)
    client.ask(parse("SELECT * FROM columns", "s") + describe_statement("s") + sync())
    assert raw.rows_of(client.ask(BOUND_BY_COLUMNS)) == [["1", "2", "3"]]
    before = client.value("SELECT pg_backend_pid()")
    holder.ask("BEGIN")
    assert holder.value("SELECT pg_backend_pid()") == before
    assert raw.good(other.ask("ALTER TABLE columns DROP a"))
    if begun:
        client.ask("BEGIN")
        assert raw.error_of(client.ask(BOUND_BY_COLUMNS))["C"] == "0A000" and client.status == "E"
        client.ask("ROLLBACK")
    is_told_and_prepares_again(client)
    assert client.value("SELECT pg_backend_pid()") != before
    for each in client, holder, other:
        each.close()


def test_too_many_formats_for_a_statement_that_was_never_described_are_the_servers_error(pair):
    client, _ = pair
    client.ask(parse("SELECT 1", "s") + sync())
    assert raw.error_of(client.ask(BOUND_BY_COLUMNS))["M"] == "bind message has 3 result formats but query has 1 columns"


def has_process(client) -> bool:
    from harness import target
    return target.kind() == "pgweir"


def test_a_changed_result_type_inside_a_transaction_is_the_servers_error(pair):
    client, other = pair
    client.ask("DROP TABLE IF EXISTS shape; CREATE TABLE shape (a int)")
    client.ask(parse("SELECT * FROM shape", "s") + sync())
    run(client, "s")
    other.ask("ALTER TABLE shape ADD b text")
    client.ask("BEGIN")
    assert raw.error_of(run(client, "s"))["C"] == "0A000" and client.status == "E"
    client.ask("ROLLBACK")


def test_a_batch_whose_beginning_was_answered_is_not_run_again_in_part(pair):
    """What ran before the refusal is undone with it: the client must be told."""
    client, other = pair
    client.ask(SHAPE + "; DROP TABLE IF EXISTS written; CREATE TABLE written (n int)")
    client.ask(parse("SELECT * FROM shape", "s") + sync())
    run(client, "s")
    other.ask("ALTER TABLE shape ADD b text")
    client.send(parse("INSERT INTO written VALUES (1)") + bind() + execute() + flush())
    client.read_until("C")
    assert raw.error_of(run(client, "s"))["C"] == "0A000"
    assert client.value("SELECT count(*) FROM written") == "0"


def test_a_new_parse_of_the_same_text_after_ddl_sees_the_new_shape(pair):
    client, other = pair
    client.ask("DROP TABLE IF EXISTS shape; CREATE TABLE shape (a int); INSERT INTO shape VALUES (1)")
    client.ask(parse("SELECT * FROM shape", "before") + sync())
    run(client, "before")
    other.ask("ALTER TABLE shape ADD b text DEFAULT 'new'")
    replies = client.ask(parse("SELECT * FROM shape", "after") + describe_statement("after") + bind(name="after") + execute() + sync())
    assert raw.rows_of(replies) == [["1", "new"]]


NEARER = {
    "as a query's result": ["CREATE TABLE near.it AS SELECT 'near' AS t"],
    "as a query's result, with a comment": ["/* c */ create /* c */ table near.it as SELECT 'near' AS t"],
    "by SELECT INTO": ["SELECT 'near' AS t INTO near.it"],
    "as a materialized view": ["CREATE MATERIALIZED VIEW near.it AS SELECT 'near' AS t"],
    "by DO": ["DO $$ BEGIN CREATE TABLE near.it AS SELECT 'near' AS t; END $$"],
    "by DO, under another name": ["CREATE TABLE near.other AS SELECT 'near' AS t", "DO $$ BEGIN ALTER TABLE near.other RENAME TO it; END $$"],
    "in a transaction": ["BEGIN", "CREATE TABLE near.it (t text)", "INSERT INTO near.it VALUES ('near')", "COMMIT"],
    "in two phases": ["BEGIN", "CREATE TABLE near.it (t text)", "INSERT INTO near.it VALUES ('near')", "PREPARE TRANSACTION 'near'",
                      "COMMIT PREPARED 'near'"],
}


@pytest.mark.parametrize("steps", NEARER.values(), ids=NEARER)
def test_a_new_parse_of_the_same_text_finds_a_table_that_is_nearer_now(start_pgweir, steps):
    """PostgreSQL looks names up when it parses; a table that comes first on the search_path later changes nothing before."""
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    client, other = proxy.raw("app"), proxy.raw("app")
    client.ask("DROP SCHEMA IF EXISTS near, far CASCADE; CREATE SCHEMA near; CREATE SCHEMA far; CREATE TABLE far.it AS SELECT 'far' AS t")
    number = 0

    def parsed_anew(asking) -> list:
        nonlocal number
        number += 1
        asking.ask(parse("SELECT * FROM it", f"s{number}") + sync())
        return raw.rows_of(run(asking, f"s{number}"))

    for each in client, other:
        assert raw.good(each.ask("SET search_path = near, far"))
        assert parsed_anew(each) == [["far"]]
    for step in steps:
        assert raw.good(client.ask(step))
        if client.status == "T" or step.startswith("PREPARE"):
            assert parsed_anew(other) == [["far"]]
    for _ in range(2):
        assert parsed_anew(client) == parsed_anew(other) == [["near"]]
    client.ask("DROP SCHEMA near, far CASCADE")
    client.close()
    other.close()


def test_one_text_with_different_parameter_types_stays_two_statements(pair):
    first, second = pair
    first.ask(parse("SELECT pg_typeof($1)::text", "s", (23,)) + sync())
    second.ask(parse("SELECT pg_typeof($1)::text", "s", (25,)) + sync())
    assert raw.rows_of(run(first, "s", 1)) == [["integer"]]
    assert raw.rows_of(run(second, "s", 1)) == [["text"]]


def test_one_text_under_different_settings_stays_two_statements(pgweir):
    """Dates and paths are folded in when a statement is parsed; sharing it would give wrong rows."""
    german, american = pgweir.raw("one", DateStyle="ISO, DMY"), pgweir.raw("one", DateStyle="ISO, MDY")
    for client, answer in ((german, "2024-02-01"), (american, "2024-01-02")) * 2:
        client.ask(close_statement("d") + parse("SELECT '1/2/2024'::date", "d") + sync())
        assert raw.rows_of(run(client, "d")) == [[answer]]
    for client, answer in ((german, "2024-02-01"), (american, "2024-01-02")):
        assert raw.rows_of(run(client, "d")) == [[answer]]
        client.close()


@pytest.mark.parametrize("setting, value, text, own, usual", [
    ("bytea_output", "escape", r"SELECT '\xff'::bytea::text", r"\377", r"\xff"),
    ("extra_float_digits", "-10", "SELECT (1 / 3.0::float8)::text", "0.33333", "0.3333333333333333"),
    ("timezone_abbreviations", "'India'", "SELECT extract(hour FROM '2024-01-01 12:00 IST'::timestamptz)", "6", "10"),
])
def test_a_conversion_of_a_constant_is_nobody_elses(pair, setting, value, text, own, usual):
    """It is done when the statement is planned, once."""
    client, other = pair
    assert raw.good(client.ask(f"SET {setting} = {value}"))
    for each, answer in ((client, own), (other, usual)) * 2:
        each.ask(close_statement("s") + sync())
        each.ask(parse(text, "s") + sync())
        assert raw.rows_of(run(each, "s")) == [[answer]]


@pytest.mark.parametrize("command", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_deallocate_all_and_discard_all_forget_the_clients_own_statements_only(pair, command):
    first, second = pair
    for client in pair:
        client.ask(parse("SELECT 'kept'", "s") + sync())
        run(client, "s")
    assert raw.good(first.ask(command))
    assert raw.error_of(run(first, "s"))["C"] == "26000"
    assert raw.rows_of(run(second, "s")) == [["kept"]]
    assert raw.types(first.ask(parse("SELECT 'again'", "s") + sync())) == "1Z"
    assert raw.rows_of(run(first, "s")) == [["again"]]


def batch(sql: str) -> bytes:
    """Without its Sync."""
    return parse(sql) + bind() + execute()


# Behind a DEALLOCATE in the same batch.
BEHIND = {
    "the name again": parse("SELECT 'behind'", "s") + bind(name="s") + execute() + sync(),
    "another name": parse("SELECT 'behind'", "t") + bind(name="t") + execute() + sync(),
    "the same statement": parse("SELECT 'before'", "t") + bind(name="t") + execute() + sync(),
    "the name that is gone": bind(name="s") + execute() + sync(),
    "a description of it": describe_statement("s") + sync(),
    "an error behind it": parse("SELECT 'behind'", "s") + batch("SELECT 1/0") + sync(),
    "the name in a query": query("EXECUTE s"),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("command", ["DEALLOCATE s", "DEALLOCATE ALL"])
def test_names_in_a_batch_are_those_that_its_deallocate_has_left(pair, cluster, command, behind):
    direct = raw.Client(cluster.primary.host, cluster.primary.port)
    direct.login("app", "app", PASSWORDS["app"])
    client, other = pair
    seen = []
    for each in client, direct:
        each.ask(parse("SELECT 'before'", "s") + sync())
        each.send(batch(command) + BEHIND[behind])
        replies = each.read_until_ready()
        for name in "s", "t":
            replies += run(each, name)
        seen.append([(got.type, got.body if got.type != "E" else got.fields()["M"]) for got in replies])
    direct.close()
    assert seen[0] == seen[1]
    for text in "before", "behind":
        assert raw.rows_of(other.ask(parse(f"SELECT '{text}'", text) + bind(name=text) + execute() + sync())) == [[text]]


def test_a_close_is_answered_at_a_flush(pair):
    client, _ = pair
    client.ask(parse("SELECT 'p'", "s") + sync())
    client.send(batch("SELECT 1") + close_statement("s") + flush())
    assert raw.types(client.read_until("3")) == "12DC3"
    assert raw.types(client.ask(sync())) == "Z"


@pytest.mark.ours
def test_an_identical_parse_costs_no_round_trip(start_pgweir):
    """The server connection knows the text already: nothing of it travels again."""
    with raw.FakeServer() as server:
        proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_tls_sslmode": "disable"},
                              "database app": {"host": server.host, "port": server.port, "pool_size": 1}})
        clients = [proxy.raw("app") for _ in range(10)]
        for client in clients:
            replies = client.ask(parse("SELECT 1", "s") + sync())
            assert raw.types(replies) == "1Z"
            assert raw.rows_of(run(client, "s")) == [["SELECT 1"]]
            client.close()
        assert sum(1 for each in server.seen if each.type == "P" and b"SELECT 1\0" in each.body) == 1


def test_statement_names_that_look_like_the_proxys_own_are_just_names(pair):
    """proxysql#6197."""
    first, second = pair
    for name in ("S_1", "pgweir_1", "PGBOUNCER_1", "__1", "p" * 63):
        for number, client in enumerate((first, second)):
            client.ask(parse(f"SELECT '{name} {number}'", name) + sync())
        for number, client in enumerate((first, second)):
            assert raw.rows_of(run(client, name)) == [[f"{name} {number}"]]


@pytest.mark.parametrize("failing", [extended("SELECT syntax error"), parse("SELECT 1/0") + bind() + execute() + parse("SELECT 1") + sync()],
                         ids=["its Parse", "ahead of a Parse"])
def test_an_unnamed_statement_parsed_behind_a_batch_that_fails_is_there(pgweir, failing):
    """It was sent before the error came."""
    client = pgweir.raw("app")
    client.send(failing + parse("SELECT 'later'"))
    assert not raw.good(client.read_until_ready())
    assert raw.rows_of(client.ask(bind() + execute() + sync())) == [["later"]]
