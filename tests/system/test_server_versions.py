"""The same client behaviour in front of every supported version of PostgreSQL, in transaction mode.

The other tests run against the packaged server; with PGWEIR_TEST_SERVER=18 they run against that version."""
import threading

import psycopg
import pytest

from harness import clusters, raw
from harness.plugin import database, tls_settings
from harness.postgres import Cluster, fetched_programs
from harness.process import run, unprivileged, wait_until
from harness.provision import REFERENCE, ROTATED, kinds, least_privileges_suffice, report, stand_in_for_rds
from harness.provision_aws import AwsWorld, reference_case_in_aws

pytestmark = pytest.mark.ours

VERSIONS = (14, 16, 17, 18)
# What every version reports, and since when it reports more.
REPORTED = {"server_version", "server_encoding", "client_encoding", "application_name", "is_superuser", "session_authorization",
            "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings", "in_hot_standby",
            "default_transaction_read_only"}
REPORTED_SINCE = {18: {"search_path", "scram_iterations"}, 17: {"scram_iterations"}, 16: {"scram_iterations"}}


@pytest.fixture(scope="module", params=VERSIONS)
def cluster(request):
    programs = fetched_programs(request.param)
    if programs is None:
        pytest.skip(f"PostgreSQL {request.param} is missing: tests/harness/install-deps.sh fetches it with npm")
    if run([programs / "postgres", "--version"], check=False, **unprivileged()).returncode:
        pytest.skip(f"PostgreSQL {request.param} cannot be run by the user postgres from {programs}")
    made = Cluster(programs=programs)
    made.version = request.param
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def proxy(start_pgweir, cluster):
    """One connection for all clients of `one`, so that whatever does not follow is seen at once."""
    return start_pgweir({"pgweir": {"pool_mode": "transaction", **tls_settings(cluster)},
                         "database app": {}, "database one": database(cluster, dbname="app", pool_size=1)})


def test_the_version_and_its_parameters_are_reported(proxy, cluster):
    client = proxy.raw("app")
    assert client.parameters["server_version"].startswith(f"{cluster.version}.")
    assert REPORTED | REPORTED_SINCE.get(cluster.version, set()) <= set(client.parameters)
    with cluster.primary.connect() as direct:
        assert {name for name in client.parameters if direct.info.parameter_status(name) is None} == set()


def test_simple_and_extended_queries(proxy):
    client = proxy.raw("one", tls=True)
    assert raw.rows_of(client.ask("SELECT 1; SELECT 2")) == [["1"], ["2"]]
    client.send(raw.parse("SELECT $1::int + 1") + raw.bind("41") + raw.describe_portal() + raw.execute() + raw.sync())
    assert raw.types(client.read_until_ready()) == "12TDCZ"
    with proxy.connect("one", autocommit=False) as connection:
        with connection.pipeline():
            answers = [connection.execute("SELECT %s::int", [n]) for n in range(20)]
        assert [answer.fetchone()[0] for answer in answers] == list(range(20))


def test_prepared_statements_and_settings_follow(proxy):
    first, second = proxy.raw("one"), proxy.raw("one")
    for client, zone, number in ((first, "Asia/Tokyo", 1), (second, "Europe/Lisbon", 2)):
        client.ask(f"SET TimeZone = '{zone}'; SET search_path = s{number}, public; SET work_mem = '{number}MB'")
        client.ask(raw.parse(f"SELECT {number} + $1::int", "mine") + raw.sync())
    for _ in range(3):
        for client, zone, number in ((first, "Asia/Tokyo", 1), (second, "Europe/Lisbon", 2)):
            assert [client.value(f"SHOW {name}") for name in ("TimeZone", "search_path", "work_mem")] == \
                [zone, f"s{number}, public", f"{number}MB"]
            assert raw.rows_of(client.ask(raw.bind("10", name="mine") + raw.execute() + raw.sync())) == [[str(10 + number)]]
    first.ask("RESET ALL")
    assert first.value("SHOW TimeZone") == "UTC" and second.value("SHOW TimeZone") == "Europe/Lisbon"


def test_startup_options_and_roles_follow(proxy, cluster):
    cluster.primary.sql("GRANT other TO app")
    first = proxy.raw("one", application_name="mine", options="-c work_mem=7MB -c geqo=off")
    second = proxy.raw("one")
    second.ask("SET ROLE other")
    assert [first.value(f"SHOW {name}") for name in ("application_name", "work_mem", "geqo")] == ["mine", "7MB", "off"]
    assert (first.value("SELECT current_user"), second.value("SELECT current_user")) == ("app", "other")


def start_sleep(client, cluster) -> None:
    """Until it has run for a while: who asks and ends in the same breath wants an answer."""
    client.send(raw.query("SELECT pg_sleep(60) /* versions */"))
    wait_until(lambda: cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(60) /*%'"
                                           " AND pid <> pg_backend_pid() AND query_start < clock_timestamp() - interval '50 ms'"), 10, "it runs")


@pytest.mark.parametrize("version", [raw.PROTOCOL_3_0, 3 << 16 | 2], ids=["3.0", "3.2"])
def test_cancel_works_with_both_protocol_versions(proxy, cluster, version):
    """Whatever protocol the server itself speaks."""
    client = proxy.raw("one", version=version)
    assert len(client.key) == (4 if version == raw.PROTOCOL_3_0 else 32)
    start_sleep(client, cluster)
    canceller = raw.Client(proxy.host, proxy.port)
    canceller.send(raw.cancel_request(client.pid, client.key))
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    canceller.close()
    assert client.value("SELECT 1") == "1"


def test_copy_in_both_directions(proxy):
    client = proxy.raw("one")
    client.ask("DROP TABLE IF EXISTS copied; CREATE TABLE copied (line text)")
    client.send(raw.query("COPY copied FROM STDIN"))
    client.read_until("G")
    for number in range(5000):
        client.send(raw.copy_data(f"line {number}\n".encode()))
    client.send(raw.copy_done())
    assert raw.types(client.read_until_ready()) == "CZ"
    out = client.ask("COPY copied TO STDOUT")
    assert sum(got.type == "d" for got in out) == 5000
    client.send(raw.query("COPY copied FROM STDIN"))
    client.read_until("G")
    client.send(raw.copy_fail("enough"))
    assert raw.error_of(client.read_until_ready())["C"] == "57014"


FAILING = ["SELECT 1/0", "SELECT nonsense", "INSERT INTO pg_class DEFAULT VALUES", "SELECT 'x'::int", "ALTER SYSTEM SET work_mem = 1",
           "SELECT * FROM generate_series(1, 3) WHERE (SELECT 1 UNION SELECT 2) = 1"]


def test_errors_are_the_servers_own_field_by_field(proxy, cluster):
    client, direct = proxy.raw("one"), raw.Client(cluster.primary.host, cluster.primary.port)
    direct.request_tls()
    direct.login("app", "app", "app-secret")
    for sql in FAILING:
        assert raw.error_of(client.ask(sql)) == raw.error_of(direct.ask(sql)), sql
        assert raw.error_of(client.ask(raw.extended(sql))) == raw.error_of(direct.ask(raw.extended(sql))), sql
    direct.close()


def test_a_client_that_goes_away_leaves_nothing(proxy, cluster):
    leaves = proxy.raw("one")
    leaves.ask("BEGIN")
    leaves.ask("CREATE TEMP TABLE left_over (n int)")
    start_sleep(leaves, cluster)
    leaves.close()
    client = proxy.raw("one")
    assert client.value("SELECT to_regclass('left_over') IS NULL") == "t"
    with pytest.raises(psycopg.errors.SyntaxError), proxy.connect("one") as connection:
        connection.execute("NONSENSE")


def test_clients_on_two_workers_share_one_connection(proxy):
    failed = []

    def work(number):
        client = proxy.raw("one", application_name=f"client {number}")
        for _ in range(50):
            if client.value("SHOW application_name") != f"client {number}":
                failed.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_probes_are_answered(start_pgweir, cluster):
    """The whole question is parsed on a primary too, so that the columns only a standby fills must be there."""
    watching = start_pgweir(clusters.sections(cluster.primary))
    wait_until(lambda: clusters.row(watching).get("state") == "served", 20, "it is seen")
    found = clusters.host(watching, cluster.primary)
    assert (found["role"], found["timeline"], found["source"], found["last_error"]) == ("primary", 1, "streaming", None)


@pytest.fixture
def world(cluster, tmp_path, aws, monkeypatch):
    made = AwsWorld(cluster.primary, tmp_path, aws, monkeypatch)
    yield made
    made.remove()


@pytest.mark.parametrize("admin", ["postgres", "master"])
def test_users_are_provisioned(start_pgweir, world, admin):
    """Who may grant what differs since 16, for whoever is no superuser."""
    reference_case_in_aws(world, admin, start_pgweir)
    if admin == "master":
        rotate_and_drop(world, world.folder)


def test_the_least_privileges_suffice(world):
    least_privileges_suffice(world)


# How a membership comes to give nothing: before 16 the member's attribute decides, since then the membership has options.
LAME = {False: [("ALTER ROLE hevo NOINHERIT; ALTER ROLE hevo_clone NOINHERIT", "role hevo does not inherit")],
        True: [(f"SET ROLE master; GRANT migrator TO hevo WITH {option} FALSE; GRANT hevo TO hevo_clone WITH {option} FALSE",
                "role hevo is a member of migrator that does not inherit, or may not SET ROLE") for option in ("INHERIT", "SET")]}


def test_memberships_that_give_nothing_are_mended(world):
    sections = world.declare("master", user="hevo", database="shop", profile="read-only", owners="migrator", member_of="migrator",
                             strategy="alternating")
    assert world.do(sections, "apply")["status"] == 0 and world.do(sections, "rotate", "hevo")["rotated"]
    for statement, explanation in LAME[world.version >= 16]:
        world.server.sql(statement)
        checked = world.do(sections, "check")
        found = kinds(checked, "change", "blocked")
        assert (checked["status"], len(found)) == (1, 2) and explanation in found, found
        assert world.do(sections, "apply")["state"] == "clean"
        assert world.server.sql("SELECT pg_has_role('hevo', 'migrator', 'USAGE') AND pg_has_role('hevo_clone', 'hevo', 'USAGE')"
                                " AND pg_has_role('hevo_clone', 'hevo', %s)",
                                parameters=["SET" if world.version >= 16 else "MEMBER"]) == [(True,)]
    assert world.do(sections, "check")["status"] == 0


def rotate_and_drop(world, folder) -> None:
    stand_in_for_rds(world, False)
    dropped = world.do(world.declare("master", **REFERENCE), "drop", "hevo", "--yes")
    assert dropped["status"] == 0, dropped
    sections = world.sections("master", secret={"provider": "file", "path": folder / "turn.json"}, **ROTATED)
    for act in ("apply", "rotate", "check"):
        done = report(folder, sections, act, "hevo")
        assert (done["status"], kinds(done, "change", "blocked")) == (0, []), (act, done)
    assert report(folder, sections, "drop", "hevo", "--yes", "--reassign-to", "migrator")["status"] == 0
    assert world.server.sql("SELECT 1 FROM pg_roles WHERE rolname ~ '^(turn|prod_)'") == []
