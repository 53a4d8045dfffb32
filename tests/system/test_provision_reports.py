"""What `pgweir provision` tells people and programs: plan, show, and what is in the way of a drop."""
import psycopg2
import psycopg2.extras
import pytest

from harness.postgres import Cluster
from harness.provision import World, kinds, report, run, secret_value

pytestmark = pytest.mark.ours

TURNS = {"user": "hevo", "profile": "read-only", "owners": "migrator", "schemas": "public, stock", "strategy": "alternating"}


@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster.primary, tmp_path)
    yield made
    made.remove()


def shown(world, sections: dict) -> dict[str, str]:
    done = run(world.folder, sections, "show")
    assert done.returncode == 0, done
    return dict(line.split(None, 1) for line in done.stdout.splitlines())


def test_show_says_what_others_need(world):
    sections = world.sections(**TURNS)
    path = str(world.folder / "hevo.json")
    wanted = {"name": "hevo", "user": "hevo", "secret": path, "databases": "shop", "schemas": "public, stock"}
    assert shown(world, sections) == {**wanted, "state": "drifted"}
    assert report(world.folder, sections, "apply")["status"] == 0
    assert shown(world, sections) == {**wanted, "state": "clean", "login": "hevo"}
    assert report(world.folder, sections, "rotate", "hevo")["rotated"]
    assert shown(world, sections) == {**wanted, "state": "clean", "login": "hevo_clone"}
    found = report(world.folder, sections, "show")
    assert {name: found[name] for name in ("name", "role", "login", "secret", "databases", "state", "cluster")} == {
        "name": "hevo", "role": "hevo", "login": "hevo_clone", "secret": path, "databases": ["shop"], "state": "clean",
        "cluster": "main"}
    assert "steps" not in found


def test_what_is_printed_has_the_sql_and_no_password(world):
    sections = world.sections(**TURNS)
    applied = run(world.folder, sections, "apply")
    before = secret_value(world.folder / "hevo.json")["password"]
    world.server.sql("ALTER ROLE hevo PASSWORD 'by hand' CONNECTION LIMIT 3; REVOKE SELECT ON orders FROM hevo", "shop")
    planned = run(world.folder, sections, "plan")
    assert planned.returncode == 0 and run(world.folder, sections, "check").returncode == 1
    for line in ("role hevo does not have the password of the secret", "ALTER ROLE \"hevo\" PASSWORD '********';",
                 "ALTER ROLE \"hevo\" CONNECTION LIMIT -1;", "GRANT SELECT ON TABLE \"public\".\"orders\" TO \"hevo\";"):
        assert line in planned.stdout, planned.stdout
    mended = run(world.folder, sections, "apply")
    assert mended.returncode == 0 and "3 changes made, 0 differences left" in mended.stdout, mended.stdout
    rotated = run(world.folder, sections, "rotate", "hevo")
    after = secret_value(world.folder / "hevo.json")["password"]
    said = "".join(done.stdout + done.stderr for done in (applied, planned, mended, rotated))
    assert after != before and not any(secret in said for secret in (before, after, "SCRAM-SHA-256$"))


def test_a_plan_says_what_replication_reads_and_what_it_lacks(tmp_path):
    made = Cluster()
    try:
        made.start().primary.sql("ALTER SYSTEM SET wal_level = 'replica'")
        made.primary.restart()
        world = World(made.primary, tmp_path)
        for admin, remedy in (("postgres", "wal_level is not logical (rds.logical_replication = 1"), ("master", "wal_level is not logical")):
            said = kinds(report(tmp_path, world.sections(admin, user="hevo", profile="replication"), "plan"), "warning")
            assert any(remedy in what for what in said), said
            assert any("can read every table of a database that it may connect to" in what for what in said), said
        said = kinds(report(tmp_path, world.sections(user="hevo", profile="read-only"), "plan"), "warning")
        assert not any("wal_level" in what or "can read every table" in what for what in said), said
    finally:
        made.stop()


def test_drop_lists_the_slots_that_stay(world):
    sections = world.sections(user="hevo", profile="replication")
    assert report(world.folder, sections, "apply")["status"] == 0
    value = secret_value(world.folder / "hevo.json")
    world.server.sql("CREATE PUBLICATION pipeline", "shop")
    stream = psycopg2.connect(host=world.server.host, port=world.server.port, user="hevo", password=value["password"], dbname="shop",
                              connection_factory=psycopg2.extras.LogicalReplicationConnection)
    cursor = stream.cursor()
    cursor.create_replication_slot("the_slot", output_plugin="pgoutput")
    cursor.start_replication("the_slot", options={"proto_version": "1", "publication_names": "pipeline"})
    listed = report(world.folder, sections, "drop", "hevo")
    assert any("replication slot the_slot is in use by hevo and stays" in what for what in kinds(listed, "warning")), listed
    assert report(world.folder, sections, "drop", "hevo", "--yes")["status"] == 0
    assert world.server.sql("SELECT slot_name::text FROM pg_replication_slots WHERE database = 'shop'") == [("the_slot",)]
    stream.close()
