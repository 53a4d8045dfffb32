"""Passwords of provisioned users are rotated: in four steps, each of which may be the last one of a process."""
import concurrent.futures

import psycopg
import pytest

from harness import provision
from harness.process import wait_until
from harness.provision import Traffic, World, can_log_in, kinds, report, secret_value

pytestmark = pytest.mark.ours


@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster.primary, tmp_path)
    yield made
    made.remove()


SINGLE = {"user": "hevo", "profile": "read-only", "owners": "migrator", "valid_for": "90d"}
ALTERNATING = {**SINGLE, "strategy": "alternating", "replication": 1, "settings": "work_mem=7MB", "member_of": "pg_monitor"}
# After each write to the store (of which there are three: the first is the pending version's) and to the server.
POINTS = ["after-pending", "in-transaction", "before-commit", "after-role", "after-set", "after-test", "before-finish", "after-write:2",
          "after-finish"]
# From here on the new version is the current one.
FINISHED = ("after-write:2", "after-finish")


def values(world) -> list[dict]:
    """The current version, and the pending one if there is one."""
    path = world.folder / "hevo.json"
    record = provision.json.loads((world.folder / "hevo.json.pgweir").read_text())
    return [secret_value(path)] + [provision.json.loads(record[stage]["text"]) for stage in ("pending",) if stage in record]


def logs_in(world, value: dict) -> bool:
    return can_log_in(world.server, value["username"], value["password"])


def proxy_sections(sections: dict) -> dict:
    """A pgweir in front of the same, which follows the secret and does nothing else about it."""
    return {**sections, "pgweir": {"pool_mode": "transaction", "query_wait_timeout": "60s"},
            "user pipeline": {"provision": "hevo"}, "database shop": {"cluster": "main", "dbname": "shop"}}


@pytest.mark.parametrize("admin, strategy", [("postgres", SINGLE), ("master", ALTERNATING)], ids=["single", "alternating"])
def test_a_rotation_that_is_killed_at_any_step_goes_on_and_nobody_notices(world, start_pgweir, admin, strategy):
    """Clients of a pgweir that follows the secret are at work all the time, and new server connections are opened."""
    sections = world.sections(admin, **strategy)
    assert report(world.folder, sections, "apply")["status"] == 0
    with Traffic(start_pgweir(proxy_sections(sections)), {"pipeline": lambda: secret_value(world.folder / "hevo.json")}) as clients:
        for point in POINTS:
            before = secret_value(world.folder / "hevo.json")
            killed = provision.run(world.folder, sections, "rotate", "hevo", "--crash-at", point)
            assert killed.returncode == -9, (point, killed)
            clients.go_on_anew()
            stored = values(world)
            assert any(logs_in(world, value) for value in stored), point
            if strategy is ALTERNATING:
                assert logs_in(world, stored[0]), point
            done = report(world.folder, sections, "rotate", "hevo")
            after = secret_value(world.folder / "hevo.json")
            assert done["status"] == 0 and done["rotated"] and logs_in(world, after), (point, done)
            assert after["password"] != before["password"]
            assert ("going on" in done["progress"]) == (point not in FINISHED), (point, done)
        assert provision.run(world.folder, sections, "rotate", "hevo", "--crash-at", "after-write:4").returncode == 0
        clients.go_on_anew()
    clients.assert_nobody_noticed()
    checked = report(world.folder, sections, "check")
    assert (checked["status"], kinds(checked, "change", "blocked")) == (0, []), checked


def test_an_apply_that_is_killed_at_any_step_goes_on(world, start_pgweir):
    """Who reads the new secret before the role has its password waits, and is let in by the next run."""
    points = ["before-store", "after-write:1", "after-write:2", "after-write:3", "after-store", "in-transaction", "before-commit",
              "after-role", "after-database"]
    for number, point in enumerate(points):
        secret = {"provider": "file", "path": world.folder / f"{point}.json"}
        sections = world.sections("master", secret=secret, user_prefix=f"hevo{number}_", profile="read-only", owners="migrator")
        assert provision.run(world.folder, sections, "apply", "--crash-at", point).returncode == -9
        waiting = None
        if point == "after-store":
            waiting = Traffic(start_pgweir(proxy_sections(sections)), {"pipeline": lambda path=secret["path"]: secret_value(path)})
            waiting.start()
            wait_until(lambda: waiting.proxy.show("SECRETS")[0]["refused"], 30, "somebody is there too early")
        done = report(world.folder, sections, "apply")
        assert (done["status"], done["state"]) == (0, "clean"), (point, done)
        assert logs_in(world, secret_value(secret["path"]))
        assert len(world.server.sql(f"SELECT 1 FROM pg_roles WHERE rolname LIKE 'hevo{number}\\_%'")) == 1
        if waiting:
            waiting.go_on()
            waiting.end()
            # What it may do in a database is granted in a transaction of its own, behind the one that lets it in.
            assert not waiting.failed_logins and {state for _, state, _ in waiting.failed_queries} <= {"42501"}, waiting.failed_queries


def test_a_clone_that_was_half_made_is_made_whole(world):
    """Its password is set in a transaction, and what it may do in a database in the next one."""
    sections = world.sections(**SINGLE, strategy="alternating")
    assert report(world.folder, sections, "apply")["status"] == 0
    for point in ("after-role", "after-database"):
        assert provision.run(world.folder, sections, "rotate", "hevo", "--crash-at", point).returncode == -9, point
        done = report(world.folder, sections, "rotate", "hevo")
        assert done["status"] == 0 and "going on" in done["progress"], (point, done)
        checked = report(world.folder, sections, "check")
        assert (checked["status"], kinds(checked, "change")) == (0, []), (point, checked)
        # Back to the original, so that the clone is next.
        assert report(world.folder, sections, "rotate", "hevo")["rotated"]
        world.server.sql("REVOKE SELECT ON orders FROM hevo_clone", "shop")


def test_a_drop_that_is_killed_at_any_step_goes_on_and_so_does_its_way_back(world):
    sections = world.sections("master", **SINGLE)
    for act, points in (("drop", ("in-transaction", "before-commit", "after-role", "after-database", "after-drop", "after-write:1",
                                  "after-write:2")), ("apply", ("after-write:1", "after-write:2"))):
        for point in points:
            if act == "drop":
                assert report(world.folder, sections, "apply")["state"] == "clean", point
            more = ("hevo", "--yes") if act == "drop" else ()
            assert provision.run(world.folder, sections, act, *more, "--crash-at", point).returncode == -9, (act, point)
            done = report(world.folder, sections, act, *more)
            assert done["status"] == 0, (act, point, done)
            assert (world.server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'hevo'") == []) == (act == "drop")
            assert (world.folder / "hevo.json").exists() == (act == "apply")
            if act == "apply":
                assert logs_in(world, secret_value(world.folder / "hevo.json"))
                assert report(world.folder, sections, "drop", "hevo", "--yes")["status"] == 0


def test_a_secret_file_that_is_gone_comes_back(world):
    """Its record knows what it has said, also after a rotation."""
    sections = world.sections(**SINGLE)
    assert report(world.folder, sections, "apply")["status"] == 0 and report(world.folder, sections, "rotate", "hevo")["status"] == 0
    before = secret_value(world.folder / "hevo.json")
    (world.folder / "hevo.json").unlink()
    checked = report(world.folder, sections, "check")
    assert checked["status"] == 1 and any("has no value" in what for what in kinds(checked, "change"))
    assert report(world.folder, sections, "apply")["state"] == "clean"
    assert secret_value(world.folder / "hevo.json") == before and logs_in(world, before)


def test_mending_that_is_killed_at_any_step_goes_on_and_nobody_notices(world, start_pgweir):
    sections = world.sections("master", **SINGLE, settings="work_mem=7MB", member_of="pg_monitor")
    assert report(world.folder, sections, "apply")["status"] == 0
    with Traffic(start_pgweir(proxy_sections(sections)), {"pipeline": lambda: secret_value(world.folder / "hevo.json")}) as clients:
        for point in ("in-transaction", "before-commit", "after-role", "after-database"):
            world.server.sql("ALTER ROLE hevo RESET work_mem; REVOKE pg_monitor FROM hevo; REVOKE USAGE ON SEQUENCE orders_id_seq FROM"
                             " hevo; REVOKE SELECT ON recent FROM hevo; ALTER ROLE hevo CONNECTION LIMIT 90", "shop")
            assert provision.run(world.folder, sections, "apply", "--crash-at", point).returncode == -9, point
            clients.go_on(1)
            done = report(world.folder, sections, "apply")
            assert (done["status"], done["state"]) == (0, "clean"), (point, done)
            clients.go_on(1)
    clients.assert_nobody_noticed()


def test_two_users_take_turns_and_have_the_same(world):
    sections = world.sections("master", **ALTERNATING)
    assert report(world.folder, sections, "apply")["status"] == 0
    seen = []
    for _ in range(3):
        assert report(world.folder, sections, "rotate", "hevo")["status"] == 0
        value = secret_value(world.folder / "hevo.json")
        seen.append(value["username"])
        with psycopg.connect(host=world.server.host, port=world.server.port, user=value["username"], dbname="shop",
                             password=value["password"]) as connection:
            assert connection.execute("SELECT current_user::text").fetchone() == ("hevo",)
            assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
            connection.execute("SELECT * FROM orders")
    assert seen == ["hevo_clone", "hevo", "hevo_clone"]
    rows = world.server.sql("SELECT rolname::text, pg_has_role(oid, 'rds_replication', 'USAGE'), rolvaliduntil > now() FROM pg_roles"
                            " WHERE rolname LIKE 'hevo%' ORDER BY 1")
    assert rows == [("hevo", True, True), ("hevo_clone", True, True)]
    world.server.sql("REVOKE SELECT ON public.orders FROM hevo_clone; ALTER ROLE hevo_clone RESET work_mem", "shop")
    assert report(world.folder, sections, "check")["status"] == 1
    assert report(world.folder, sections, "apply")["status"] == 0
    assert report(world.folder, sections, "drop", "hevo", "--yes")["status"] == 0
    assert world.server.sql("SELECT 1 FROM pg_roles WHERE rolname LIKE 'hevo%'") == []


def test_many_at_once_take_turns(world):
    """Applies and rotations of several processes: each waits for its turn, none fails, and the last value logs in."""
    sections = world.sections(**SINGLE)
    folders = [world.folder / f"process{number}" for number in range(4)]
    for folder in folders:
        folder.mkdir()
    acts = ["apply", "apply", "rotate", "rotate"]
    assert report(world.folder, sections, "apply")["status"] == 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda folder, act: report(folder, sections, act, "hevo"), folders, acts))
    assert [one["status"] for one in done] == [0, 0, 0, 0], done
    assert logs_in(world, secret_value(world.folder / "hevo.json"))
    assert report(world.folder, sections, "check")["status"] == 0


def test_a_rotation_waits_until_replicas_have_replayed(world, cluster, replicas):
    sections = world.sections(servers=[*replicas, cluster.primary], **SINGLE, rotation_replica_wait="30s")
    assert report(world.folder, sections, "apply")["status"] == 0
    wait_until(cluster.caught_up, 20, "replicas have caught up")
    replicas[0].sql("SELECT pg_wal_replay_pause()")
    try:
        running = provision.start(world.folder, "rotate", "hevo")
        said = ""
        while "waiting for replicas" not in said:
            line = running.stderr.readline()
            assert line, said
            said += line
        assert len(values(world)) == 2 and logs_in(world, values(world)[1])
    finally:
        replicas[0].sql("SELECT pg_wal_replay_resume()")
    said += running.communicate(timeout=60)[1]
    assert running.returncode == 0 and "has not replayed" not in said
    value = secret_value(world.folder / "hevo.json")
    assert all(can_log_in(server, "hevo", value["password"]) for server in (*replicas, cluster.primary))


def test_a_promotion_that_loses_the_password_is_mended(world):
    """What a rotation set is gone with the old primary's last changes: the old password is in force again."""
    sections = world.sections(**SINGLE)
    assert report(world.folder, sections, "apply")["status"] == 0
    lost = world.server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'hevo'")[0][0]
    assert report(world.folder, sections, "rotate", "hevo")["status"] == 0
    world.server.sql(f"ALTER ROLE hevo PASSWORD '{lost}'")
    found = report(world.folder, sections, "check")
    assert found["status"] == 1 and kinds(found, "change") == ["role hevo does not have the password of the secret"]
    assert report(world.folder, sections, "apply")["status"] == 0
    assert logs_in(world, secret_value(world.folder / "hevo.json"))
