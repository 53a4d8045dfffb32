"""`pgweir provision`: users that [provision] sections declare are created, checked, mended and dropped."""
import re

import psycopg
import pytest

from harness import provision
from harness.provision import World, can_log_in, kinds, report, run, secret_value

pytestmark = pytest.mark.ours

REFERENCE = {"user_prefix": "prod_platform_api_db_", "profile": "read-only", "owners": "migrator, late owner",
             "replication": 1, "comment": '"Read-only user for Hevo data pipeline operations"'}


@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster.primary, tmp_path)
    yield made
    made.remove()


def as_user(world, dbname: str = "shop"):
    value = secret_value(world.folder / "hevo.json")
    return psycopg.connect(host=world.server.host, port=world.server.port, user=value["username"], password=value["password"],
                           dbname=dbname, autocommit=True)


@pytest.mark.parametrize("admin", ["postgres", "master"])
def test_the_reference_case_from_nothing_in_one_apply(world, admin):
    sections = world.sections(admin, **REFERENCE)
    planned = report(world.folder, sections, "plan")
    assert (planned["status"], planned["state"], planned["role"]) == (0, "drifted", None)
    assert "********" in str(planned) and not (world.folder / "hevo.json").exists()
    applied = report(world.folder, sections, "apply")
    assert (applied["status"], applied["state"], kinds(applied, "change", "blocked", "extra")) == (0, "clean", [])
    value = secret_value(world.folder / "hevo.json")
    assert re.fullmatch(r"prod_platform_api_db_[a-z0-9]{8}", value["username"]) and value["username"] == applied["role"]
    assert len(value["password"]) == 24
    assert all(re.search(kind, value["password"]) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"))
    with as_user(world) as connection:
        assert connection.execute("SELECT what FROM orders").fetchall() == [("a weir",)]
        world.server.sql('SET ROLE "late owner"; CREATE TABLE public.later (id int)', "shop")
        connection.execute('SELECT * FROM later, "odd ""name"')
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO later VALUES (1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM stock.items")
    comment, = world.server.sql("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
                                parameters=[applied["role"]])[0]
    assert comment == "Read-only user for Hevo data pipeline operations"
    checked = report(world.folder, sections, "check")
    assert (checked["status"], checked["state"]) == (0, "clean")
    again = report(world.folder, sections, "apply")
    assert (again["status"], again["changed"], again["role"]) == (0, 0, applied["role"])
    assert value["password"] not in world.server.log_file.read_text()
