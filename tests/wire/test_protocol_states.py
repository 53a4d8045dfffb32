"""Messages where they belong and where they do not; pipelines, COPY, FunctionCall, very large messages."""
import signal
import struct

import pytest

from harness import raw
from harness.raw import (bind, close_statement, copy_data, copy_done, copy_fail, describe_portal, describe_statement, execute, flush, function_call, message,
                         parse, query, sync)

MODES = pytest.mark.parametrize("mode", ["one", "session"])


@pytest.fixture(params=["one", "session"])
def client(request, pgweir):
    client = pgweir.raw(request.param)
    yield client
    client.close()


def test_simple_queries_may_be_pipelined(client):
    client.send(b"".join(query(f"SELECT {n}") for n in range(500)))
    assert raw.rows_of(client.read_until_ready(500)) == [[str(n)] for n in range(500)]


def test_a_pipeline_that_begins_and_commits_is_one_transaction_each(client):
    data = b"".join(query("BEGIN") + raw.extended("SELECT $1::int", n) + query("COMMIT") for n in range(50))
    client.send(data)
    replies = client.read_until_ready(150)
    assert raw.types(replies) == ("CZ" + "12TDCZ" + "CZ") * 50
    assert [each.body for each in replies if each.type == "Z"] == [b"T", b"T", b"I"] * 50


def test_everything_after_an_error_is_skipped_up_to_the_sync(client):
    replies = client.ask(parse("SELECT 1") + bind() + execute() + parse("SELECT nonsense") + bind() + execute() + parse("SELECT 2")
                         + bind() + execute() + sync())
    assert raw.types(replies) == "12DCEZ"
    assert client.value("SELECT 3") == "3"


def test_errors_in_consecutive_pipelines_stay_apart(client):
    client.send((parse("SELECT nonsense") + sync() + parse("SELECT 1") + bind() + execute() + sync()) * 20)
    assert raw.types(client.read_until_ready(40)) == "EZ12DCZ" * 20


def test_a_simple_query_in_an_unfinished_pipeline_ends_it(client):
    """Without a Sync; PostgreSQL answers the Query and returns to ready."""
    client.send(parse("SELECT 1") + bind() + execute() + query("SELECT 2"))
    assert raw.types(client.read_until_ready()) == "12DCTDCZ"


def test_after_an_error_a_simple_query_is_skipped_too_until_the_sync(client):
    client.send(parse("SELECT nonsense") + query("SELECT 1") + sync())
    replies = client.read_until_ready()
    assert raw.types(replies) == "EZ"
    assert client.value("SELECT 'in step'") == "in step"


def test_what_is_sent_after_the_error_has_come_is_skipped_as_well(client):
    """The server says so at once, so that the client may know before it has sent the rest."""
    client.send(parse("SELECT 1", "before") + parse("SELECT nonsense"))
    client.read_until("E")
    client.send(parse("SELECT 2", "after") + bind(name="after") + execute() + close_statement("before") + flush() + query("SELECT 3") + sync())
    assert raw.types(client.read_until_ready()) == "Z"
    assert raw.types(client.ask(bind(name="after") + sync())) == "EZ"
    assert raw.types(client.ask(bind(name="before") + sync())) == "2Z"


@pytest.mark.parametrize("late", [b"", parse("SELECT 'skipped'") + bind() + execute()], ids=["", "skipped"])
@pytest.mark.parametrize("behind, answers", [
    (parse("SELECT 1") + bind() + execute() + sync(), ["Z", "12DCZ"]), (parse("SELECT 1") + query("SELECT 2") + sync(), ["Z", "1TDCZ", "Z"]),
    (parse("SELECT broken") + bind() + sync() + parse("SELECT 1") + bind() + execute() + sync(), ["Z", "EZ", "12DCZ"])], ids=["batch", "query", "two"])
def test_what_comes_with_the_sync_of_a_failed_batch_is_not_skipped(client, late, behind, answers):
    """The error has come already, and what is behind the Sync is sent with it: it belongs to another batch."""
    client.send(bind(name="there is none") + flush())
    client.read_until("E")
    client.send(late + sync() + behind)
    assert [raw.types(client.read_until_ready()) for _ in answers] == answers
    assert client.value("SELECT 'in step'") == "in step"


def test_a_client_that_leaves_between_an_error_and_its_sync_leaves_a_usable_connection(pgweir):
    client = pgweir.raw("one")
    pid = client.value("SELECT pg_backend_pid()")
    client.send(parse("SELECT nonsense"))
    client.read_until("E")
    client.send(parse("SELECT 2") + bind())
    client.close()
    other = pgweir.raw("one")
    assert other.value("SELECT pg_backend_pid()") == pid
    other.close()


def test_a_stray_sync_in_a_simple_copy_does_not_keep_the_connection(pgweir):
    """A pool of one: the other client waits for ever if the first one keeps it."""
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.send(query("CREATE TEMP TABLE stray (n int) ON COMMIT DROP; COPY stray FROM STDIN") + copy_data(b"1\n") + sync() + copy_done())
    assert raw.types(client.read_until_ready()) == "CGCZ"
    assert other.value("SELECT 'free'") == "free"
    client.close()
    other.close()


def test_a_statement_closed_behind_a_copy_is_closed_behind_it(pgweir, cluster):
    """The proxy answers such a Close itself."""
    cluster.primary.sql("DROP TABLE IF EXISTS copied; CREATE TABLE copied (n int); GRANT ALL ON copied TO app", "app")
    client = pgweir.raw("one")
    client.ask(parse("SELECT 'known'", "k") + sync())
    client.send(query("COPY copied FROM STDIN") + copy_data(b"1\n") + copy_done() + close_statement("k") + sync())
    assert raw.types(client.read_until_ready(2)) == "GCZ3Z"
    client.close()


def test_several_syncs_get_several_readies(client):
    client.send(sync() * 10)
    assert raw.types(client.read_until_ready(10)) == "Z" * 10


def test_flush_alone_is_answered_by_nothing(client):
    client.send(flush() * 10 + sync())
    assert raw.types(client.read_until_ready()) == "Z"


def test_the_transaction_status_is_the_servers(client):
    for sql, status in (("BEGIN", "T"), ("SELECT nonsense", "E"), ("SELECT 1", "E"), ("ROLLBACK", "I"),
                        ("BEGIN; SELECT 1", "T"), ("COMMIT; BEGIN", "T"), ("COMMIT AND CHAIN", "T"), ("COMMIT", "I")):
        client.ask(sql)
        assert client.status == status, sql


def test_multi_statement_queries_are_one_implicit_transaction(client, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS multi; CREATE TABLE multi (n int); GRANT ALL ON multi TO app", "app")
    replies = client.ask("INSERT INTO multi VALUES (1); INSERT INTO multi VALUES (2); SELECT 1 / 0")
    assert raw.types(replies) == "CCEZ"
    assert client.value("SELECT count(*) FROM multi") == "0"


# --- COPY ---

def temp_table(client):
    client.ask("BEGIN")
    client.ask("CREATE TEMP TABLE c (n int) ON COMMIT DROP")


def test_copy_in_by_the_extended_protocol(client):
    temp_table(client)
    client.send(parse("COPY c FROM STDIN") + bind() + describe_portal() + execute() + flush())
    assert raw.types(client.read_until("G")) == "12nG"
    client.send(copy_data(b"1\n2\n") + flush() + copy_data(b"3\n") + copy_done() + sync())
    replies = client.read_until_ready()
    assert raw.types(replies) == "CZ" and replies[0].text() == "COPY 3"
    client.ask("ROLLBACK")


def test_syncs_and_flushes_inside_copy_in_are_ignored(client):
    """As the protocol says, so that a driver may send Sync right behind Execute."""
    temp_table(client)
    client.send(parse("COPY c FROM STDIN") + bind() + execute() + sync())
    assert raw.types(client.read_until("G")) == "12G"
    client.send(copy_data(b"1\n") + sync() + flush() + copy_data(b"2\n") + copy_done() + sync())
    replies = client.read_until_ready()
    assert raw.types(replies) == "CZ" and replies[0].text() == "COPY 2"
    client.ask("ROLLBACK")
    assert client.value("SELECT 'in step'") == "in step"


def test_a_failed_copy_in_by_the_extended_protocol_skips_to_sync(client):
    temp_table(client)
    client.send(parse("COPY c FROM STDIN") + bind() + execute() + flush())
    client.read_until("G")
    client.send(copy_data(b"not a number\n") + copy_data(b"1\n") + copy_done() + sync())
    replies = client.read_until_ready()
    assert raw.types(replies) == "EZ" and replies[0].fields()["C"] == "22P02"
    client.ask("ROLLBACK")
    assert client.value("SELECT 'in step'") == "in step"


def test_copy_fail_aborts_with_the_clients_reason(client):
    temp_table(client)
    client.send(query("COPY c FROM STDIN"))
    client.read_until("G")
    client.send(copy_data(b"1\n") + copy_fail("enough"))
    error = raw.error_of(client.read_until_ready())
    assert error["C"] == "57014" and "enough" in error["M"]
    client.ask("ROLLBACK")


def test_a_query_in_the_middle_of_copy_in_is_an_error_and_the_session_survives_or_ends(client):
    temp_table(client)
    client.send(query("COPY c FROM STDIN"))
    client.read_until("G")
    client.send(query("SELECT 1"))
    client.send(sync())
    error = next(each for each in client.read_until("E") if each.type == "E").fields()
    assert error["C"] == "08P01"


def test_several_copies_in_one_query(client):
    temp_table(client)
    client.send(query("COPY c FROM STDIN; COPY c TO STDOUT; COPY c FROM STDIN; SELECT count(*) FROM c"))
    client.read_until("G")
    client.send(copy_data(b"1\n2\n") + copy_done())
    assert raw.types(client.read_until("G")) == "CHddcCG"
    client.send(copy_data(b"3\n") + copy_done())
    assert raw.rows_of(client.read_until_ready()) == [["3"]]
    client.ask("ROLLBACK")


@pytest.mark.parametrize("pipelined", [False, True])
def test_one_query_may_copy_in_twice_and_each_copy_has_its_own_end(client, pipelined):
    client.ask("CREATE TEMP TABLE copied (n int)")
    client.send(query("COPY copied FROM STDIN; COPY copied FROM STDIN"))
    if not pipelined:
        client.read_until("G")
    client.send(copy_data(b"1\n") + copy_done())
    client.read_until("G", 2 if pipelined else 1)
    # A Sync is a part of the data, and asks for nothing.
    client.send(copy_data(b"2\n") + sync() + flush() + copy_done())
    assert raw.types(client.read_until_ready()) == "CZ"
    assert client.value("SELECT count(*) FROM copied") == "2"


@pytest.mark.ours
def test_a_large_error_that_names_a_statement_arrives_whole(pgweir):
    client = pgweir.raw("one", timeout_s=20)
    client.ask(parse("SELECT 4711", "mine") + sync())
    name = client.value("SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 4711'")
    error = raw.error_of(client.ask(f"DO $$BEGIN RAISE '\"{name}\" %', repeat('x', 100000); END$$"))
    assert len(error["M"]) > 100000 and "R" in error
    assert client.value("SELECT 'in step'") == "in step"
    client.close()


@pytest.mark.pooler
def test_a_client_that_leaves_in_a_second_copy_takes_no_connection_with_it(start_pgweir, cluster):
    """What it has said last and its end come together."""
    pgweir = start_pgweir({"pgweir": {"threads": 1, "default_pool_size": 1}})
    cluster.primary.sql("DROP TABLE IF EXISTS copied; CREATE TABLE copied (n int); GRANT ALL ON copied TO app", "app")
    client, other = pgweir.raw("app"), pgweir.raw("app", timeout_s=20)
    client.send(query("COPY copied FROM STDIN; COPY copied FROM STDIN"))
    client.read_until("G")
    client.send(copy_data(b"1\n") + copy_done())
    client.read_until("G")
    pgweir.process.send_signal(signal.SIGSTOP)
    client.send(copy_data(b"2\n"))
    client.close()
    pgweir.process.send_signal(signal.SIGCONT)
    assert other.value("SELECT count(*) FROM copied") == "0"
    cluster.primary.sql("DROP TABLE copied", "app")


def test_thousands_of_closes_in_front_of_a_large_message_are_answered(pgweir):
    """More than may be outstanding, and what comes next does not fit the packet."""
    client = pgweir.raw("app", timeout_s=30)
    client.send(parse("SELECT 1") + bind() + execute() + close_statement("x") * 5000
                + parse("SELECT length($1)") + bind("z" * 100000) + execute() + sync())
    assert raw.types(client.read_until_ready()) == "12DC" + "3" * 5000 + "12DCZ"
    client.close()


@pytest.mark.ours
def test_what_is_answered_without_a_server_waits_for_a_client_that_reads_nothing(pgweir):
    client = pgweir.raw("app", timeout_s=5)
    answers, taken = len(raw.ready()), 0
    data = sync() * 100000
    with pytest.raises(TimeoutError):
        while taken < 100 * len(data):
            taken += client.sock.send(data)
    client.sock.settimeout(60)
    whole = taken // len(sync())
    client.receive_at_least(whole * answers)
    assert client.received[:whole * answers] == raw.ready() * whole
    client.close()


def test_copy_data_of_odd_sizes_arrives_whole(client):
    temp_table(client)
    client.send(query("COPY c FROM STDIN"))
    client.read_until("G")
    data = b"".join(b"%d\n" % n for n in range(20000))
    at = 0
    for size in [1, 2, 3, 4, 5, 16383, 8192, 0, 65536] * 20:
        client.send(copy_data(data[at:at + size]))
        at += size
    client.send(copy_data(data[at:]) + copy_done())
    assert client.read_until_ready()[0].text() == "COPY 20000"
    client.ask("ROLLBACK")


# --- FunctionCall, large messages ---

def test_function_calls_work_and_their_errors_are_the_servers(client):
    replies = client.ask(function_call(1397, struct.pack("!i", -42)))           # abs(int4)
    assert raw.types(replies) == "VZ" and replies[0].body == struct.pack("!ii", 4, 42)
    assert raw.error_of(client.ask(function_call(154, struct.pack("!i", 1), struct.pack("!i", 0))))["C"] == "22012"    # int4div
    assert raw.error_of(client.ask(function_call(4000000000)))["C"] == "42883"
    client.send(function_call(1397, struct.pack("!i", -1)) * 20)
    assert raw.types(client.read_until_ready(20)) == "VZ" * 20


@pytest.mark.parametrize("size", [100, 8187, 8188, 16384, 65536, 1 << 20, 8 << 20])
def test_messages_of_every_size_pass(client, size):
    text = "m" * size
    assert client.value(f"SELECT length('{text}')") == str(size)
    assert raw.rows_of(client.ask(raw.extended("SELECT $1::text", text))) == [[text]]


def test_a_statement_of_a_megabyte_can_be_prepared(client):
    sql = "SELECT " + "+".join(["1"] * 3000) + " -- " + "x" * 1_000_000
    client.ask(parse(sql, "big") + sync())
    for _ in range(3):
        assert raw.rows_of(client.ask(bind(name="big") + execute() + sync())) == [["3000"]]
    client.ask(raw.close_statement("big") + sync())


def test_a_row_of_1600_columns_passes(client):
    row = raw.rows_of(client.ask("SELECT " + ", ".join(f"{n}" for n in range(1600))))[0]
    assert row == [str(n) for n in range(1600)]


def test_a_message_of_many_parameters_passes(client):
    count = 65535
    sql = "SELECT count(*) FROM (VALUES " + ",".join(f"(${n + 1}::int)" for n in range(0, count, 16)) + ") v"
    values = [1] * (range(0, count, 16)[-1] + 1)
    types = (23,) * len(values)
    replies = client.ask(parse(sql, types=types) + bind(*values) + execute() + sync())
    assert raw.rows_of(replies) == [[str(len(range(0, count, 16)))]]


# --- Where they do not belong ---

@MODES
@pytest.mark.parametrize("kind", list("RZTKG1Y\x00"))
def test_messages_that_only_servers_send_end_the_session(pgweir, mode, kind):
    client = pgweir.raw(mode)
    client.send(message(kind, b"\0\0\0\0"))
    client.sock.settimeout(60)
    error = client.read_to_end()[-1].fields()
    assert (error["S"], error["C"]) == ("FATAL", "08P01")
    other = pgweir.raw(mode)
    assert other.value("SELECT 1") == "1"
    other.close()


@pytest.mark.ours
@pytest.mark.parametrize("sent, said", [
    (message("!"), "invalid frontend message type 33"),
    (b"Q" + bytes(4), 'message "Query" has an impossible length'),
    (message("S", b"x"), 'message "Sync" has an impossible length'),
    (message("C", b"Sfoo"), 'message "Close" is malformed'),
], ids=["type", "length", "body", "malformed"])
def test_what_is_wrong_with_a_message_is_said(pgweir, sent, said):
    client = pgweir.raw("app")
    client.send(sent)
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "08P01", said)


@MODES
def test_an_illegal_message_inside_a_transaction_rolls_it_back(pgweir, cluster, mode):
    cluster.primary.sql("DROP TABLE IF EXISTS illegal; CREATE TABLE illegal (n int); GRANT ALL ON illegal TO app", "app")
    client = pgweir.raw(mode)
    client.ask("BEGIN; INSERT INTO illegal VALUES (1)")
    client.send(message("?", b"") + query("COMMIT"))
    client.read_to_end()
    other = pgweir.raw(mode)
    assert other.value("SELECT count(*) FROM illegal") == "0"
    other.close()


@MODES
def test_terminate_inside_a_transaction_rolls_back(pgweir, cluster, mode):
    cluster.primary.sql("DROP TABLE IF EXISTS illegal; CREATE TABLE illegal (n int); GRANT ALL ON illegal TO app", "app")
    client = pgweir.raw(mode)
    client.ask("BEGIN; INSERT INTO illegal VALUES (1)")
    client.send(raw.terminate())
    assert client.read_to_end() == []
    other = pgweir.raw(mode)
    assert other.value("SELECT count(*) FROM illegal") == "0"
    other.close()


def test_describe_of_what_does_not_exist(client):
    assert raw.error_of(client.ask(describe_statement("none") + sync()))["C"] == "26000"
    assert raw.error_of(client.ask(describe_portal("none") + sync()))["C"] == "34000"
    assert raw.error_of(client.ask(execute("none") + sync()))["C"] == "34000"


def test_a_bind_with_the_wrong_number_of_parameters_is_the_servers_08P01(client):
    client.ask(parse("SELECT $1::int", "s") + sync())
    error = raw.error_of(client.ask(bind(1, 2, name="s") + sync()))
    assert error["C"] == "08P01" and error["S"] == "ERROR"
    client.ask(raw.close_statement("s") + sync())
