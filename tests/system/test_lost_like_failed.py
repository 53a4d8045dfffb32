"""A transaction whose server is lost answers, message by message, as one does that has failed on a server."""
import pytest

from harness import raw
from harness.clusters import row, sections
from harness.pgweir import Pgweir
from harness.postgres import PASSWORDS
from harness.process import wait_until

pytestmark = pytest.mark.ours

NAMED = {"mine": "SELECT 'mine'", "ended": "ROLLBACK", "chained": "ROLLBACK AND CHAIN", "committed": "COMMIT", "empty": ""}


@pytest.fixture(scope="module")
def proxy(cluster, replicas):
    started = Pgweir(sections(cluster.primary, *replicas))
    started.start()
    try:
        wait_until(lambda: row(started).get("state") == "served", 20, "the primary is known")
        yield started
    finally:
        started.stop()


def direct(cluster):
    client = raw.Client(cluster.primary.host, cluster.primary.port)
    client.login("app", "app", PASSWORDS["app"])
    return client


def prepare(client):
    client.ask("SET application_name = 'before'")
    for name, text in NAMED.items():
        client.ask(raw.parse(text, name) + raw.sync())


def fail(cluster, client, begin, lost):
    """By an error, or by the loss of its server; in both cases the client has been told."""
    for text in begin:
        client.ask(text)
    if lost:
        client.ask("SAVEPOINT passed")
        pid = int(client.value("SELECT pg_backend_pid()"))
        cluster.primary.sql("SELECT pg_terminate_backend(%s, 10000)", parameters=[pid])
        assert raw.error_of(client.ask("SELECT 1"))["C"] == "40001"
    else:
        assert raw.error_of(client.ask("SELECT 1 / 0"))["C"] == "22012"
    assert client.status == "E"


def seen(replies):
    """What a client sees. An error is what it says, but where in PostgreSQL's source."""
    return [(each.type, {name: each.fields().get(name) for name in "SCMDH"} if each.type in "EN" else each.body) for each in replies]


def bound(text, name="", portal="", values=()):
    return raw.parse(text, name) + raw.bind(*values, name=name, portal=portal)


CHARACTERISTICS = "SELECT current_setting('transaction_isolation') || current_setting('transaction_read_only') || current_setting('transaction_deferrable')"

# Each: messages that go out one after the other, each answered up to its ReadyForQuery.
SAID = {
    "rollback": ["ROLLBACK", "SELECT 1"],
    "commit": ["COMMIT", "SELECT 1"],
    "end": ["/* so */ end TRANSACTION;", "SHOW application_name"],
    "abort": [";; ABORT work ;;", "SELECT 1"],
    "no chain": ["ROLLBACK AND NO CHAIN", "SELECT 1"],
    "chain": ["ROLLBACK AND CHAIN", CHARACTERISTICS, "COMMIT", "SELECT 1"],
    "commit and chain": ["COMMIT WORK AND CHAIN", CHARACTERISTICS, "ROLLBACK"],
    "chain twice": ["ROLLBACK AND CHAIN", "ROLLBACK AND CHAIN", CHARACTERISTICS, "SELECT 1 / 0", "ABORT AND CHAIN", CHARACTERISTICS, "COMMIT"],
    "prepare transaction": ["PREPARE TRANSACTION 'two'", "SELECT 1"],
    "the second phase": ["COMMIT PREPARED 'two'", "ROLLBACK PREPARED 'two'", "ROLLBACK"],
    "savepoint": ["ROLLBACK TO SAVEPOINT nowhere", "ROLLBACK TO \"No\"\"where\"", "rollback transaction to Savepoint", "SAVEPOINT s",
                  "RELEASE nowhere", "ROLLBACK TO SAVEPOINT one; SELECT 1", "ROLLBACK"],
    "behind rollback": ["ROLLBACK; SELECT 1; SELECT 2", "SELECT 3"],
    "behind commit": ["COMMIT; SELECT 1", "SELECT 3"],
    "begins anew": ["ROLLBACK; BEGIN READ ONLY; SELECT 1", CHARACTERISTICS, "COMMIT"],
    "behind a chain": ["ROLLBACK AND CHAIN; SELECT 1", CHARACTERISTICS, "ROLLBACK"],
    "fails behind": ["ROLLBACK; SELECT 1 / 0; SELECT 2", "SELECT 3"],
    "in front": ["SELECT 1; ROLLBACK", "ROLLBACK"],
    "nothing": ["", "-- nothing", ";", "ROLLBACK"],
    "statements": ["SELECT 1", "INSERT INTO nowhere VALUES (1)", "BEGIN", "SET work_mem = '1MB'", "SHOW work_mem", "DISCARD ALL", "EXECUTE mine",
                   "DEALLOCATE ALL", "LISTEN x", "LOCK TABLE pg_class", "ROLLBACK"],
    "copy": ["COPY pg_class FROM STDIN", "COPY pg_class TO STDOUT", raw.copy_data(b"x\n") + raw.copy_done() + raw.query("SELECT 1"),
             raw.copy_fail("no") + raw.query("ROLLBACK")],
    "function call": [raw.function_call(1598), "ROLLBACK"],
    "extended": [raw.extended("SELECT 1"), raw.extended("ROLLBACK"), raw.extended("SELECT 1")],
    "extended commit": [raw.extended("COMMIT"), raw.extended("SELECT 1")],
    "extended chain": [raw.extended("ROLLBACK AND CHAIN"), raw.extended(CHARACTERISTICS), raw.extended("COMMIT AND CHAIN"), "ROLLBACK"],
    "extended savepoint": [raw.extended("ROLLBACK TO nowhere"), raw.extended("SAVEPOINT s"), "ROLLBACK"],
    "extended prepare": [raw.extended("PREPARE TRANSACTION 'two'"), "SELECT 1"],
    "several commands": [raw.extended("ROLLBACK; SELECT 1"), "ROLLBACK"],
    "empty statement": [raw.parse("") + raw.describe_statement() + raw.sync(), raw.extended(""), raw.parse("") + raw.bind() + raw.sync(),
                        raw.bind(name="empty") + raw.execute() + raw.sync(), "ROLLBACK"],
    "known": [raw.bind(name="mine") + raw.execute() + raw.sync(), raw.describe_statement("mine") + raw.sync(),
              raw.describe_statement("ended") + raw.bind(name="ended") + raw.describe_portal() + raw.execute() + raw.sync(),
              raw.bind(name="mine") + raw.describe_portal() + raw.execute() + raw.sync()],
    "known chain": [raw.describe_statement("chained") + raw.sync(), raw.bind(name="chained") + raw.execute() + raw.bind(name="mine") + raw.execute()
                    + raw.sync(), CHARACTERISTICS, raw.bind(name="committed") + raw.execute() + raw.sync(), "SELECT 1"],
    "unknown": [raw.bind(name="never") + raw.execute() + raw.sync(), raw.describe_statement("never") + raw.sync(), raw.query("SELECT 1"),
                raw.bind() + raw.execute() + raw.sync(), raw.describe_statement() + raw.sync(), "ROLLBACK"],
    "named portal": [bound("ROLLBACK", portal="p") + raw.describe_portal("p") + raw.sync(), raw.describe_portal("p") + raw.sync(),
                     bound("COMMIT", portal="p") + raw.sync(), raw.execute("p") + raw.sync(), raw.execute("p") + raw.sync()],
    "with values": [bound("ROLLBACK", values=(1,)) + raw.execute() + raw.sync(), "ROLLBACK"],
    "parameters": [raw.bind(1, 2, name="ended") + raw.execute() + raw.sync(), "ROLLBACK"],
    "skipped": [raw.parse("SELECT 1") + raw.close_statement("ended") + raw.execute() + raw.sync(), raw.bind(name="ended") + raw.execute() + raw.sync()],
    "closed": [raw.close_statement("ended") + raw.close_portal("never") + raw.sync(), raw.bind(name="ended") + raw.execute() + raw.sync(), "ROLLBACK"],
    "pipelined behind": [raw.parse("ROLLBACK") + raw.bind() + raw.execute() + raw.parse("SELECT 1") + raw.bind() + raw.execute() + raw.sync(),
                         "SELECT 2"],
    "sync": [raw.sync(), raw.sync(), "ROLLBACK"],
    "taken name": [raw.parse("ROLLBACK", "ended") + raw.sync(), "ROLLBACK"],
}

BEGINNINGS = {
    "plain": ["BEGIN"],
    "modes": ["START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"],
    "set": ["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION READ ONLY"],
    "settings": ["BEGIN", "SET application_name = 'inside'"],
}


def conversation(cluster, client, begin, messages, lost):
    prepare(client)
    fail(cluster, client, begin, lost)
    answers = [seen(client.ask(message)) for message in messages]
    client.close()
    return answers


@pytest.mark.parametrize("what", SAID)
def test_it_answers_as_one_that_has_failed(proxy, cluster, what):
    begin = BEGINNINGS["modes"] if "chain" in what else BEGINNINGS["plain"]
    wanted = conversation(cluster, direct(cluster), begin, SAID[what], lost=False)
    assert conversation(cluster, proxy.raw("app"), begin, SAID[what], lost=True) == wanted


@pytest.mark.parametrize("begin", ["set", "plain"])
def test_a_chain_has_the_characteristics_of_what_was_lost(proxy, cluster, begin):
    messages = ["ROLLBACK AND CHAIN", CHARACTERISTICS, "COMMIT"]
    wanted = conversation(cluster, direct(cluster), BEGINNINGS[begin], messages, lost=False)
    assert conversation(cluster, proxy.raw("app"), BEGINNINGS[begin], messages, lost=True) == wanted


def test_a_chain_of_what_was_begun_in_a_way_that_is_not_known_is_refused(proxy, cluster):
    client = proxy.raw("app")
    fail(cluster, client, ["BEGIN", "SET LOCAL default_transaction_read_only = on"], lost=True)
    assert raw.error_of(client.ask("ROLLBACK AND CHAIN"))["C"] == "25P02" and client.status == "E"
    assert raw.error_of(client.ask(raw.extended("COMMIT AND CHAIN")))["C"] == "25P02"
    assert raw.types(client.ask("ROLLBACK; SELECT 1")) == "CTDCZ" and client.status == "I"


def test_settings_of_the_transaction_are_undone_and_the_client_hears_of_it(proxy, cluster):
    messages = ["ROLLBACK", "SHOW application_name", "SHOW work_mem"]
    begin = ["BEGIN", "SET application_name = 'inside'", "SET work_mem = '5MB'"]
    wanted = conversation(cluster, direct(cluster), begin, messages, lost=False)
    assert conversation(cluster, proxy.raw("app"), begin, messages, lost=True) == wanted


def test_a_portal_that_was_closed_is_none(proxy, cluster):
    client = proxy.raw("app")
    fail(cluster, client, ["BEGIN"], lost=True)
    client.ask(bound("ROLLBACK", portal="p") + raw.close_portal("p") + raw.sync())
    assert raw.error_of(client.ask(raw.execute("p") + raw.sync()))["C"] == "25P02" and client.status == "E"
    assert raw.types(client.ask(bound("ROLLBACK", portal="p") + raw.execute("p") + raw.sync())) == "12CZ"


def test_who_does_not_know_is_told_first(proxy, cluster):
    for said, status in (("COMMIT AND CHAIN", "I"), ("COMMIT; SELECT 1", "I"), ("ROLLBACK TO SAVEPOINT passed", "E"),
                         (raw.extended("COMMIT AND CHAIN"), "E"), (raw.extended("ROLLBACK TO passed"), "E"),
                         (raw.bind(name="never") + raw.sync(), "E"), ("PREPARE TRANSACTION 'two'", "I")):
        client = proxy.raw("app")
        client.ask("BEGIN")
        client.ask("SAVEPOINT passed")
        pid = int(client.value("SELECT pg_backend_pid()"))
        cluster.primary.sql("SELECT pg_terminate_backend(%s, 10000)", parameters=[pid])
        assert (raw.error_of(client.ask(said))["C"], client.status) == ("40001", status), said
        client.close()
    # A ROLLBACK is what it wants, and what comes behind it has nothing to do with the loss.
    client = proxy.raw("app")
    client.ask("BEGIN")
    pid = int(client.value("SELECT pg_backend_pid()"))
    cluster.primary.sql("SELECT pg_terminate_backend(%s, 10000)", parameters=[pid])
    assert raw.types(client.ask("ROLLBACK AND CHAIN")) == "CZ" and client.status == "T"
    assert raw.types(client.ask("COMMIT")) == "CZ" and client.status == "I"
