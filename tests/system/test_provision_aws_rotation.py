"""Rotations of a secret in Secrets Manager that somebody gets in the way of: a crash, a lost answer, another rotation."""
import pytest

from harness.process import free_port, wait_until
from harness.provision import Traffic, kinds
from harness.provision_aws import NAME, AwsWorld
from harness.web import Web

pytestmark = pytest.mark.ours

SINGLE = {"user": "hevo", "profile": "read-only", "owners": "migrator"}


@pytest.fixture
def world(cluster, tmp_path, aws, monkeypatch):
    made = AwsWorld(cluster.primary, tmp_path, aws, monkeypatch)
    yield made
    made.remove()


def start_proxy(start_pgweir, sections: dict, **more):
    return start_pgweir({**sections, "pgweir": {"pool_mode": "transaction", "query_wait_timeout": "60s", **more},
                         "user pipeline": {"provision": "hevo"}, "database shop": {"cluster": "main", "dbname": "shop"}})


def start_daemon(start_pgweir, sections: dict, mode: str = "apply"):
    return start_proxy(start_pgweir, sections, provision=mode, provision_interval="1s", http_listen=f"127.0.0.1:{free_port()}")


def row(proxy) -> dict:
    return proxy.show("PROVISION")[0]


def metric(proxy, name: str, *labels: str) -> float:
    return Web(int(proxy.sections["pgweir"]["http_listen"].rpartition(":")[2])).metrics()[name][("hevo", *labels)]


def kill_when_done(world, sections: dict, operation: str, act: str, *arguments: str) -> None:
    """The process is gone when the service has done this, and before it has said so."""
    world.service.fault("mute", operation=operation, times=1)
    before = len(world.service.requests(operation))
    running = world.start(sections, act, *arguments)
    wait_until(lambda: any(one["done"] for one in world.service.requests(operation)[before:]), 30, f"{operation} is done", 0.02)
    running.kill()
    running.communicate(timeout=30)
    world.service.clear_faults()


def assert_applied(world, sections: dict, point: str) -> None:
    done = world.do(sections, "apply")
    assert (done["status"], done["state"]) == (0, "clean"), (point, done)
    assert world.logs_in(world.value()), point


def test_apply_and_drop_go_on_where_a_call_to_the_service_was_the_last_one(world, aws):
    """Each call that changes something there: what it has done is found by the next run."""
    sections = world.declare("master", user_prefix="pipe_", profile="read-only", owners="migrator")
    kill_when_done(world, sections, "CreateSecret", "apply")
    assert_applied(world, sections, "CreateSecret")
    roles = world.server.sql("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'pipe\\_%'")
    assert roles == [(world.value()["username"],)]
    kill_when_done(world, sections, "DeleteSecret", "drop", "hevo", "--yes")
    assert world.do(sections, "drop", "hevo", "--yes")["status"] == 0
    kill_when_done(world, sections, "RestoreSecret", "apply")
    assert_applied(world, sections, "RestoreSecret")
    # One that somebody else has made without a value.
    world.service.call("DeleteSecret", SecretId=NAME, ForceDeleteWithoutRecovery=True)
    world.service.call("CreateSecret", Name=NAME, ClientRequestToken="t" * 32)
    kill_when_done(world, sections, "TagResource", "apply")
    kill_when_done(world, sections, "PutSecretValue", "apply")
    assert_applied(world, sections, "PutSecretValue")


def test_a_rotation_goes_on_where_a_call_to_the_service_was_the_last_one(world, start_pgweir):
    sections = world.declare("master", **SINGLE)
    assert world.do(sections, "apply")["status"] == 0
    with Traffic(start_proxy(start_pgweir, sections), {"pipeline": world.value}) as clients:
        for operation in ("PutSecretValue", "UpdateSecretVersionStage", "TagResource"):
            before = world.value()
            kill_when_done(world, sections, operation, "rotate", "hevo")
            clients.go_on_anew()
            assert world.logs_in(world.value()), operation
            done = world.do(sections, "rotate", "hevo")
            assert done["status"] == 0 and done["rotated"], (operation, done)
            assert world.logs_in(world.value()) and world.value()["password"] != before["password"]
        clients.go_on_anew()
    clients.assert_nobody_noticed()
    assert world.do(sections, "check")["status"] == 0


@pytest.mark.parametrize("operation, fault", [("UpdateSecretVersionStage", "cut"), ("PutSecretValue", "cut"), ("TagResource", "deny")])
def test_a_rotation_is_finished_once_the_stage_has_moved(world, aws, operation, fault):
    """An answer that was lost on the way, and a tag that may not be set, are no reason to do all of it again."""
    sections = world.declare(**SINGLE, rotate_every="1h")
    assert world.do(sections, "apply")["status"] == 0
    aws.fault(fault, operation=operation, times=None if fault == "deny" else 1)
    done = world.do(sections, "rotate", "hevo")
    assert (done["status"], done["rotated"]) == (0, True), done
    assert world.logs_in(world.value()) and world.value() == world.value("AWSPENDING")


def test_a_daemon_that_may_not_tag_rotates_once(world, aws, start_pgweir):
    """How old a password is stands in a tag, and in the version itself as well."""
    sections = world.declare(**SINGLE, rotate_every="1h")
    assert world.do(sections, "apply")["status"] == 0
    aws.fault("deny", operation="TagResource")
    world.make_rotation_due()
    proxy = start_daemon(start_pgweir, sections)
    wait_until(lambda: row(proxy)["rotations"] == 1, 30, "the password is rotated")
    rotated, passes = world.value(), len(aws.requests("DescribeSecret"))
    wait_until(lambda: len(aws.requests("DescribeSecret")) >= passes + 4, 30, "it is looked at again")
    assert row(proxy)["rotations"] == 1 and world.value() == rotated


def test_a_secret_that_was_handed_over_is_as_old_as_its_version(world, aws, start_pgweir):
    sections = world.declare(**SINGLE, rotate_every="1h")
    aws.put(NAME, {"username": "hevo", "password": "by hand"})
    aws.call("TagResource", SecretId=NAME, Tags=[{"Key": "pgweir:provision", "Value": "hevo"}])
    world.stored().at("AWSCURRENT").created -= 3601
    proxy = start_daemon(start_pgweir, sections)
    wait_until(lambda: row(proxy)["rotations"] == 1, 30, "the password is rotated")
    assert world.value()["password"] != "by hand" and world.logs_in(world.value())


def test_a_daemon_leaves_a_secret_with_a_rotation_of_its_own_alone(world, aws, start_pgweir):
    """It says so before it is due, and when it is."""
    sections = world.declare(**SINGLE, rotate_every="1h")
    assert world.do(sections, "apply")["status"] == 0
    before = world.value()
    world.stored().rotation_enabled = True
    proxy = start_daemon(start_pgweir, sections)
    wait_until(lambda: row(proxy)["state"] == "drifted", 30, "what cannot be done as declared is told")
    assert "RotationEnabled" in row(proxy)["problem"] and metric(proxy, "pgweir_provision_state", "drifted") == 1
    world.make_rotation_due()
    wait_until(lambda: row(proxy)["failed_rotations"], 30, "it is due, and refused")
    assert row(proxy)["state"] == "failed" and "RotationEnabled" in row(proxy)["problem"]
    assert metric(proxy, "pgweir_provision_state", "failed") == 1
    assert metric(proxy, "pgweir_provision_rotations_total", "failed") > 0 == metric(proxy, "pgweir_provision_rotations_total", "good")
    assert "RotationEnabled" in proxy.log() and "provision failed" in proxy.log()
    assert world.value() == before and world.logs_in(before)


def test_a_rotation_of_others_is_not_disturbed(world, aws, start_pgweir):
    """Its new password is on the server and not current yet: that is no drift, and nothing for us to go on with."""
    sections = world.declare(**SINGLE)
    assert world.do(sections, "apply")["status"] == 0
    world.stored().rotation_enabled = True
    pending = {**world.value(), "password": "from their function"}
    aws.put(NAME, pending, stages=["AWSPENDING"])
    world.server.sql("ALTER ROLE hevo PASSWORD 'from their function'")
    proxy = start_daemon(start_pgweir, sections)
    wait_until(lambda: row(proxy)["state"] == "clean", 30, "it is as declared")
    done = world.do(sections, "apply")
    assert (done["status"], done["changed"]) == (0, 0) and any("RotationEnabled" in what for what in kinds(done, "warning")), done
    assert world.logs_in(pending) and row(proxy)["failed_rotations"] == 0
    aws.promote(NAME)
    assert world.do(sections, "check")["status"] == 0


@pytest.mark.parametrize("operation", ["PutSecretValue", "DescribeSecret", "GetSecretValue"])
def test_a_service_that_refuses_a_rotation_leaves_the_current_version_working(world, aws, operation):
    sections = world.declare(**SINGLE)
    assert world.do(sections, "apply")["status"] == 0
    before = world.value()
    aws.fault("deny", operation=operation)
    failed = world.do(sections, "rotate", "hevo")
    assert failed["status"] == 1 and "AccessDenied" in failed["error"], failed
    assert world.value() == before and world.logs_in(before)
    aws.clear_faults()
    assert world.do(sections, "rotate", "hevo")["status"] == 0 and world.logs_in(world.value())


def test_a_server_that_refuses_a_rotation_leaves_the_current_version_working(world):
    sections = world.declare("master", **SINGLE)
    assert world.do(sections, "apply")["status"] == 0
    before = world.value()
    world.server.sql("ALTER ROLE master NOCREATEROLE")
    failed = world.do(sections, "rotate", "hevo")
    assert failed["status"] == 1 and "goes on when it is run again" in failed["error"] and "permission denied" in failed["error"]
    assert world.value() == before and world.logs_in(before)
    world.server.sql("ALTER ROLE master CREATEROLE")
    assert world.do(sections, "rotate", "hevo")["rotated"] and world.logs_in(world.value())


def test_what_another_has_rotated_meanwhile_is_not_rotated_again(world, aws, start_pgweir):
    """A daemon finds that it is time, and gets to it only after somebody else has done it."""
    admin = {"username": "master", "password": "master-secret"}
    aws.put("admin", admin)
    sections = world.declare("master", **SINGLE, rotate_every="1h")
    assert world.do(sections, "apply")["status"] == 0
    world.make_rotation_due()
    world.server.sql("ALTER ROLE hevo CONNECTION LIMIT 3")
    its_own = {**sections, "cluster main": {**sections["cluster main"], "admin_secret": "admin", "admin_password": None},
               "secret admin": {"provider": "aws-secrets-manager", "id": "admin", "region": "eu-west-1"}}
    with world.server.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(1885828965, 2)")
        proxy = start_proxy(start_pgweir, its_own, provision="apply", provision_interval="1h")
        wait_until(lambda: world.server.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgweir provision'"
                                            " AND wait_event_type = 'Lock'"), 30, "its first pass has something to mend")
        asked = len(aws.requests("GetSecretValue"))
        aws.fault("hang", operation="GetSecretValue", secret="admin")
    wait_until(lambda: [one for one in aws.requests("GetSecretValue")[asked:] if one["secret"] == "admin"], 30, "it is about to rotate")
    assert world.do(sections, "rotate", "hevo")["rotated"]
    rotated = world.value()
    aws.clear_faults()
    wait_until(lambda: row(proxy)["state"] != "waiting", 30, "its pass is over")
    assert (row(proxy)["state"], row(proxy)["rotations"]) == ("clean", 0) and world.value() == rotated
