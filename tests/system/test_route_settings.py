"""pgweir's own settings at a session's start, and what takes them back."""
import psycopg
import pytest

from harness import raw
from harness.routing import place, routed, sections, where  # noqa: F401 (place is a fixture)

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def proxy(place):
    with routed(sections(place, {"read_your_writes": "session"})) as started:
        yield started


def begun(proxy, database="app", **parameters) -> raw.Client:
    return proxy.raw(database, **parameters)


def refusal(proxy, **parameters) -> dict:
    with pytest.raises(raw.ServerError) as caught:
        begun(proxy, **parameters)
    return caught.value.fields


@pytest.mark.parametrize("parameters", [{"pgweir.route": "replica"}, {"options": "-c pgweir.route=replica"},
                                        {"options": "-c PGWEIR.Route=Replica"}, {"options": "--pgweir.route=replica"},
                                        {"options": "-c pgweir.route=primary", "pgweir.route": "replica"}])
def test_a_route_can_be_asked_for_at_the_start(proxy, parameters):
    """In the packet, or in `options`; what stands in the packet wins."""
    client = begun(proxy, **parameters)
    assert client.value("SHOW pgweir.route") == "replica" and where(client) == "replica"
    assert raw.error_of(client.ask("INSERT INTO routed (what) VALUES ('never')"))["C"] == "25006"
    # No server has heard of it.
    assert client.value("SELECT current_setting('pgweir.route', true)") is None
    # It is what RESET leads to, as with any setting.
    client.ask("SET pgweir.route = primary")
    assert where(client) == "primary"
    for reset in ("RESET pgweir.route", "SET pgweir.route TO DEFAULT", "RESET ALL", "DISCARD ALL"):
        client.ask("SET pgweir.route = primary")
        assert raw.types(client.ask(reset)) == "CZ"
        assert client.value("SHOW pgweir.route") == "replica", reset


def test_without_one_a_reset_leads_to_what_is_configured(proxy):
    client = begun(proxy)
    for reset in ("RESET ALL", "reset /* all of it */ all;", "DISCARD ALL"):
        client.ask("SET pgweir.route = primary")
        client.ask("SET pgweir.min_position = '0123456789abcdef-1'")
        for request in (reset, raw.extended(reset)):
            client.ask(request)
            assert client.value("SHOW pgweir.route") == "auto", reset
            assert client.value("SHOW pgweir.min_position") == "", reset


def test_a_position_can_be_asked_for_at_the_start(proxy):
    writer = begun(proxy)
    writer.ask("INSERT INTO routed (what) VALUES ('position')")
    position = writer.value("SHOW pgweir.position")
    client = begun(proxy, **{"pgweir.min_position": position})
    assert client.value("SHOW pgweir.min_position") == position
    client.ask("SET pgweir.min_position = ''")
    client.ask("RESET pgweir.min_position")
    assert client.value("SHOW pgweir.min_position") == position


def test_drivers_can_ask_for_it(proxy):
    with psycopg.connect(proxy.conninfo("app", sslmode="prefer"), options="-c pgweir.route=primary", autocommit=True) as connection:
        assert connection.execute("SHOW pgweir.route").fetchone() == ("primary",)
        assert connection.execute("SELECT where_am_i()").fetchone() == ("false",)


@pytest.mark.parametrize("parameters, sqlstate, text", [
    ({"pgweir.route": "nowhere"}, "22023", 'invalid value for parameter "pgweir.route"'),
    ({"options": "-c pgweir.route="}, "22023", 'invalid value for parameter "pgweir.route"'),
    ({"pgweir.min_position": "yesterday"}, "22023", 'invalid value for parameter "pgweir.min_position"'),
    ({"pgweir.position": "1"}, "42704", "unrecognized configuration parameter of pgweir's"),
    ({"options": "-c pgweir.colour=blue"}, "42704", "unrecognized configuration parameter of pgweir's")])
def test_a_bad_one_ends_the_login_as_a_bad_setting_does(proxy, parameters, sqlstate, text):
    error = refusal(proxy, **parameters)
    assert (error["S"], error["C"], error["M"]) == ("FATAL", sqlstate, text) and error["H"]
    # What the server makes of a value of its own that is bad.
    assert refusal(proxy, work_mem="much")["S"] == "FATAL"


@pytest.mark.parametrize("before", [b"", raw.query("SELECT 1")])
def test_it_is_answered_behind_what_needs_no_server_either(pgweir, before):
    client = pgweir.raw("app", timeout_s=20)
    client.ask("BEGIN")
    client.send(before + raw.close_statement("nothing") + raw.query("SHOW pgweir.route"))
    assert raw.types(client.read_until_ready(2 if before else 1)) == ("TDCZ" if before else "") + "3TDCZ"
    client.close()


def test_it_is_taken_where_nothing_is_routed_as_well(pgweir):
    """A client that moves between databases need not know."""
    client = pgweir.raw("app", **{"pgweir.route": "replica"})
    assert client.value("SHOW pgweir.route") == "replica" and client.value("SELECT 1") == "1"
    client = pgweir.raw("session", options="-c pgweir.route=primary -c work_mem=5MB")
    assert client.value("SHOW work_mem") == "5MB"
