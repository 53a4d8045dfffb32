"""DEALLOCATE of statements that the protocol has prepared, as Rails and psycopg send it for what they have not used for long:
in whatever transaction is at hand, on a server connection that may never have had the statement."""
import pytest

from harness import raw
from harness.raw import bind, execute, extended, parse, query, sync

pytestmark = pytest.mark.ours


def run(client: raw.Client, name: str) -> list[raw.Message]:
    return client.ask(bind(name=name) + execute() + sync())


@pytest.fixture
def passing(cluster):
    """A table; what is returned drops it."""
    cluster.primary.sql("DROP TABLE IF EXISTS passing; CREATE TABLE passing (n int); GRANT ALL ON passing TO app", "app")
    yield lambda: cluster.primary.sql("DROP TABLE passing", "app")
    cluster.primary.sql("DROP TABLE IF EXISTS passing", "app")


@pytest.mark.parametrize("form", [query, extended])
def test_a_statement_whose_table_is_gone_costs_no_transaction(pair, passing, form):
    client, other = pair
    client.ask(parse("SELECT * FROM passing", "s") + sync())
    other.ask("DISCARD ALL")
    passing()
    for sql in "BEGIN", "DEALLOCATE s", "SELECT 1", "COMMIT":
        replies = client.ask(form(sql))
        assert raw.good(replies), (sql, raw.error_of(replies))
    assert [each.body for each in replies if each.type == "C"] == [b"COMMIT\0"]
    assert raw.error_of(run(client, "s"))["C"] == "26000"


def test_psycopg_may_forget_what_it_asked_of_a_table_that_was_for_one_transaction(pgweir, pair):
    """With a temporary table none needs to be dropped by anybody."""
    client = pgweir.connect("one")
    client.prepare_threshold, client.prepared_max = 0, 1
    with client.transaction():
        client.execute("CREATE TEMP TABLE passing ON COMMIT DROP AS SELECT 1", prepare=False)
        client.execute("SELECT * FROM passing")
    pair[0].ask("DISCARD ALL")
    with client.transaction():
        assert client.execute("SELECT 'another'").fetchone() == ("another",)
        assert client.execute("SELECT 'a third'").fetchone() == ("a third",)


@pytest.mark.parametrize("text, left", [
    ("SELECT 1/0; DEALLOCATE s", "stu"),
    ("DEALLOCATE t; DEALLOCATE s; SELECT 1/0; DEALLOCATE u", "u"),
])
def test_what_a_text_did_not_come_to_is_as_it_was(pair, text, left):
    client, other = pair
    client.ask(b"".join(parse(f"SELECT '{name}'", name) for name in "stu") + sync())
    other.ask("DISCARD ALL")
    server = client.value("SELECT pg_backend_pid()")
    assert raw.error_of(client.ask(text))["C"] == "22012"
    for name in "stu":
        assert raw.rows_of(run(client, name)) == ([[name]] if name in left else [])
    assert client.value("SELECT pg_backend_pid()") == server


@pytest.mark.parametrize("form", ["one text", "one batch"])
@pytest.mark.parametrize("known", [True, False])
def test_two_names_of_one_statement_go_one_by_one(pair, form, known):
    client, other = pair
    for each, name in (other, "s"), (client, "s"), (client, "t"):
        each.ask(parse("SELECT 'same'", name) + sync())
    other.ask("SELECT 1" if known else "DISCARD ALL")
    if form == "one text":
        replies = client.ask("DEALLOCATE s; DEALLOCATE t")
    else:
        replies = client.ask(b"".join(parse(f"DEALLOCATE {name}") + bind() + execute() for name in "st") + sync())
    assert raw.good(replies), raw.error_of(replies)
    for name in "st":
        assert raw.error_of(run(client, name))["C"] == "26000"
    assert raw.rows_of(run(other, "s")) == ([["same"]] if known else [])


def test_a_deallocate_names_what_the_client_calls_it(pair):
    """Also where the server was told of another one."""
    client, other = pair
    client.ask(parse("SELECT 's'", "s") + sync())
    other.ask("DISCARD ALL")
    assert raw.error_of(client.ask("DEALLOCATE s; DEALLOCATE s"))["M"] == 'prepared statement "s" does not exist'
