"""Every message cut at every byte, in both directions: nothing may depend on how TCP delivers it."""
import struct

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.raw import (bind, close_portal, close_statement, copy_data, copy_done, copy_fail, describe_portal, describe_statement,
                         execute, flush, function_call, parse, query, sync)
from harness.relay import Relay

MODES = pytest.mark.parametrize("mode", ["one", "session"])


def bytewise_login(target, database, tls=False) -> raw.Client:
    client = raw.Client(target.host, target.port)
    client.send_bytewise(raw.ssl_request())
    assert client.receive_exactly(1) == b"S"
    if tls:
        client.start_tls()
    else:
        client.close()
        client = raw.Client(target.host, target.port)
    whole_send, client.send = client.send, client.send_bytewise
    client.login("app", target.database(database), PASSWORDS["app"], application_name="slow one", options="-c work_mem=5MB")
    client.send = whole_send
    return client


@MODES
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_login_by_bytes_works(pgweir, mode, tls):
    client = bytewise_login(pgweir, mode, tls)
    assert client.value("SHOW application_name") == "slow one" and client.value("SHOW work_mem") == "5MB"
    client.close()


CONVERSATIONS = {
    "simple": (query("SELECT 1, 'zwei', NULL; SELECT 2"), "TDCTDCZ"),
    "empty": (query("") + query(";"), "IZIZ"),
    "error": (query("SELECT nonsense") + query("SELECT 1"), "EZTDCZ"),
    "extended": (parse("SELECT $1::int, $2", "s", (23, 25)) + describe_statement("s") + bind(1, "x", name="s", portal="p")
                 + describe_portal("p") + execute("p") + close_portal("p") + close_statement("s") + sync(), "1tT2TDC33Z"),
    "extended error": (parse("SELECT 1 / $1::int") + bind(0) + execute() + parse("SELECT 1") + sync(), "1EZ"),
    "pipeline": (raw.extended("SELECT 1") + raw.extended("SELECT 2") + raw.extended("SELECT 3"), "12TDCZ" * 3),
    "row limit": (query("BEGIN") + parse("SELECT generate_series(1, 3)") + bind() + execute(limit=2) + execute(limit=2) + sync() + query("COMMIT"),
                  "CZ12DDsDCZCZ"),
    "copy in": (query("CREATE TEMP TABLE c (n int) ON COMMIT DROP; COPY pg_temp.c FROM STDIN; SELECT count(*) FROM c")
                + copy_data(b"1\n2") + copy_data(b"\n") + copy_data(b"3\n") + copy_done(), "CGCTDCZ"),
    "copy fail": (query("CREATE TEMP TABLE c (n int) ON COMMIT DROP; COPY pg_temp.c FROM STDIN") + copy_data(b"1\n") + copy_fail("changed my mind"), "CGEZ"),
    "copy out": (query("COPY (SELECT generate_series(1, 3)) TO STDOUT"), "HdddcCZ"),
    "copy in, extended": (query("BEGIN; CREATE TEMP TABLE c (n int) ON COMMIT DROP") + parse("COPY c FROM STDIN") + bind() + execute() + sync()
                          + copy_data(b"1\n") + copy_done() + sync() + query("ROLLBACK"), "CCZ12GCZCZ"),
    "function call": (function_call(1397, struct.pack("!i", -42)), "VZ"),           # abs(int4)
    "notice": (query("DO $$BEGIN RAISE NOTICE 'hello'; END$$"), "NCZ"),
}


@MODES
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_what_a_client_sends_by_bytes_is_answered_as_if_sent_whole(pgweir, mode, name):
    data, expected = CONVERSATIONS[name]
    answers = []
    for how in ("send", "send_bytewise"):
        client = pgweir.raw(mode)
        getattr(client, how)(data)
        answers.append([(each.type, comparable(each)) for each in client.read_until_ready(expected.count("Z"))])
        assert client.value("SELECT 'in step'") == "in step"
        client.close()
    assert "".join(kind for kind, _ in answers[0]) == expected
    assert answers[0] == answers[1]


def comparable(got: raw.Message):
    return got.fields() if got.type in "EN" else got.body


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_flush_by_bytes_is_answered_before_the_sync(pgweir, tls):
    client = pgweir.raw("one", tls=tls)
    client.send_bytewise(parse("SELECT 5") + bind() + describe_portal() + execute() + flush())
    assert raw.types(client.read_until("C")) == "12TDC"
    client.send_bytewise(sync())
    assert raw.types(client.read_until_ready()) == "Z"
    client.close()


# --- A server that says everything one byte at a time ---

@pytest.fixture
def slow_server():
    with raw.FakeServer(on_message=scripted, bytewise=True) as server:
        yield server


def scripted(backend, got) -> bool:
    """Answers that PostgreSQL would give only now and then, on demand."""
    if got.type == "Q" and b"everything" in got.body:
        backend.send(raw.message("N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0") + raw.parameter_status("application_name", "changed")
                     + raw.row_description("a", "b") + raw.data_row("1", None) + raw.data_row("", "x" * 3000)
                     + raw.command_complete("SELECT 2") + raw.ready())
        return True
    if got.type == "Q" and b"fails" in got.body:
        backend.send(raw.error_response("22012", "division by zero") + raw.ready())
        return True
    if got.type == "Q" and b"copy out" in got.body:
        backend.send(raw.message("H", b"\0\0\0") + raw.copy_data(b"a\n") + raw.copy_data(b"") + raw.copy_done() + raw.command_complete("COPY 2") + raw.ready())
        return True
    return False


@pytest.fixture(params=["transaction", "session"])
def behind(request, start_pgweir, slow_server):
    return start_pgweir({"pgweir": {"pool_mode": request.param, "server_tls_sslmode": "disable"},
                         "database app": {"host": slow_server.host, "port": slow_server.port, "pool_size": 1}})


@pytest.mark.ours
def test_what_a_server_says_by_bytes_arrives_whole(behind):
    client = behind.raw("app")
    replies = client.ask("SELECT everything")
    assert raw.types(replies) == "NSTDDCZ"
    assert raw.rows_of(replies) == [["1", None], ["", "x" * 3000]]
    assert replies[1].body == b"application_name\0changed\0"
    assert raw.error_of(client.ask("SELECT fails"))["C"] == "22012"
    assert raw.types(client.ask("SELECT copy out")) == "HddcCZ"
    client.close()


@pytest.mark.ours
def test_both_sides_by_bytes_at_once(behind):
    client = behind.raw("app")
    client.send_bytewise(raw.extended("SELECT 1") + query("SELECT 2") + parse("SELECT 3", "s") + sync() + bind(name="s") + execute() + sync())
    replies = client.read_until_ready(4)
    assert raw.rows_of(replies) == [["SELECT 1"], ["SELECT 2"], ["SELECT 3"]]
    assert raw.types(replies) == "12TDCZ" + "TDCZ" + "1Z" + "2DCZ"
    client.close()


@pytest.mark.ours
def test_a_server_that_dies_in_the_middle_of_any_message_gives_an_error_or_nothing_more(start_pgweir):
    """Between messages the client is told. Where a part of one has been passed on already, an error would be read as
    the rest of it: there the connection can only close."""
    reply = raw.row_description("a") + raw.data_row("one") + raw.command_complete("SELECT 1") + raw.ready()
    cuts = iter(range(1, len(reply)))

    def on_message(backend, got):
        if got.type == "Q" and b"cut" in got.body:
            backend.send(reply[:next(cuts)])
            backend.close()
            return True

    with raw.FakeServer(on_message) as server:
        proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_tls_sslmode": "disable", "server_login_retry": 0},
                              "database app": {"host": server.host, "port": server.port, "pool_size": 1}})
        for cut in range(1, len(reply)):
            client = proxy.raw("app")
            client.send(query("SELECT cut"))
            replies = client.read_to_end()
            whole = b"".join(raw.message(each.type, each.body) for each in replies if each.type != "E")
            assert reply.startswith(whole), f"cut at {cut}: {replies}"
            if replies[-1:] and replies[-1].type == "E":
                assert not client.received and replies[-1].fields()["C"].startswith(("08", "57")), replies[-1]
            else:
                assert whole + client.received == reply[:cut], f"cut at {cut}: {replies}"
            client.close()


@pytest.mark.ours
def test_a_login_whose_every_message_comes_by_bytes_works_with_scram(start_pgweir, cluster):
    """A relay in front of the real server passes on one byte at a time."""
    relay = Relay((cluster.primary.host, cluster.primary.port), lambda received: (received[at:at + 1] for at in range(len(received))))
    for sslmode in ("disable", "require"):
        proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_tls_sslmode": sslmode},
                              "database app": {"host": "127.0.0.1", "port": relay.port}})
        client = proxy.raw("app")
        assert raw.rows_of(client.ask(raw.extended("SELECT current_user, $1::int", 7))) == [["app", "7"]]
        client.close()
    relay.close()
