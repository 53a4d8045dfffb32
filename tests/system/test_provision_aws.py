"""Provisioned users whose secret is in Secrets Manager, against a look-alike that checks signatures."""
import signal

import pytest

from harness.process import wait_until
from harness.provision import REFERENCE, kinds
from harness.provision_aws import NAME, AwsWorld, reference_case_in_aws

pytestmark = pytest.mark.ours


@pytest.fixture
def world(cluster, tmp_path, aws, monkeypatch):
    made = AwsWorld(cluster.primary, tmp_path, aws, monkeypatch)
    yield made
    made.remove()


@pytest.mark.parametrize("admin", ["postgres", "master"])
def test_the_reference_case_with_a_secret_in_secrets_manager(world, start_pgweir, admin):
    """On the packaged server; test_server_versions.py has the same on the others."""
    reference_case_in_aws(world, admin, start_pgweir)


def test_a_secret_without_a_value_is_adopted_and_one_of_others_is_not(world, aws):
    sections = world.declare(user="hevo", profile="read-only", owners="migrator")
    aws.call("CreateSecret", Name=NAME, ClientRequestToken="t" * 32)
    assert world.run(sections, "apply", "--crash-at", "after-tag").returncode == -9
    assert world.do(sections, "apply")["status"] == 0 and world.logs_in(world.value())
    aws.call("TagResource", SecretId=NAME, Tags=[{"Key": "pgweir:provision", "Value": "another"}])
    refused = world.do(sections, "apply")
    assert refused["status"] == 1 and "belongs to [provision another]" in refused["error"]
    aws.call("UntagResource", SecretId=NAME, TagKeys=["pgweir:provision"])
    refused = world.do(sections, "apply")
    assert refused["status"] == 1 and "does not touch it" in refused["error"]


def test_a_rotation_moves_the_stages_and_goes_on_after_a_crash(world, aws):
    sections = world.declare(user="hevo", profile="read-only", owners="migrator", strategy="alternating")
    assert world.do(sections, "apply")["status"] == 0
    first = world.value()
    for point in ("after-pending", "after-set"):
        killed = world.run(sections, "rotate", "hevo", "--crash-at", point)
        assert killed.returncode == -9
        assert world.logs_in(world.value()), point
        done = world.do(sections, "rotate", "hevo")
        assert done["status"] == 0 and done["rotated"], done
        assert world.logs_in(world.value()) and world.logs_in(world.value("AWSPREVIOUS"))
    assert world.value()["password"] != first["password"]
    assert world.do(sections, "check")["status"] == 0


def test_a_secret_with_a_rotation_of_its_own_is_not_rotated(world, aws):
    sections = world.declare(user="hevo", profile="read-only", owners="migrator")
    assert world.do(sections, "apply")["status"] == 0
    before = world.value()
    for attribute, given, reason in (("rotation_enabled", True, "RotationEnabled"), ("owning_service", "rds", 'the service "rds"')):
        setattr(world.stored(), attribute, given)
        refused = world.do(sections, "rotate", "hevo")
        assert refused["status"] == 1 and reason in refused["error"], refused
    assert world.value() == before and world.logs_in(before)
    # A name that only the service itself can give.
    aws.put("managed", {**before, "username": "hevo2"})
    aws.call("TagResource", SecretId="managed", Tags=[{"Key": "pgweir:provision", "Value": "hevo"}])
    aws.secrets_manager.named("managed", *aws.whose).name = "rds!db-4711"
    world.secret = {**world.secret, "id": "rds!db-4711"}
    refused = world.do(world.declare(user="hevo2", profile="read-only", owners="migrator"), "rotate", "hevo")
    assert refused["status"] == 1 and "RDS, which manages it" in refused["error"], refused


def test_a_service_that_hangs_delays_neither_the_console_nor_the_end(world, aws, start_pgweir):
    """The call of a pass that is under way is given up."""
    sections = world.declare(user="hevo", profile="read-only", owners="migrator")
    aws.fault("hang")
    proxy = start_pgweir({**sections, "pgweir": {"provision": "apply", "provision_interval": "1s"}, "database shop": {"cluster": "main"}})
    wait_until(lambda: aws.requests("DescribeSecret"), 30, "a pass asks for the secret")
    assert proxy.show("PROVISION")[0]["state"] == "waiting"
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(60) == 0
    assert len(aws.requests("DescribeSecret")) < 3      # As many tries, of five seconds each, as come to nothing else.


@pytest.mark.parametrize("strategy", ["single", "alternating"])
def test_an_outage_in_the_middle_of_a_rotation_leaves_the_current_version_working(world, aws, strategy):
    sections = world.declare(user="hevo", profile="read-only", owners="migrator", strategy=strategy)
    assert world.do(sections, "apply")["status"] == 0
    aws.fault("deny", operation="UpdateSecretVersionStage")
    failed = world.do(sections, "rotate", "hevo")
    assert failed["status"] == 1 and "goes on when it is run again" in failed["error"] and world.logs_in(world.value())
    aws.clear_faults()
    assert world.do(sections, "rotate", "hevo")["status"] == 0 and world.logs_in(world.value())


def test_a_dropped_user_comes_back_with_its_secret_restored(world, aws):
    sections = world.declare(**REFERENCE)
    role = world.do(sections, "apply")["role"]
    assert world.do(sections, "drop", "hevo", "--yes")["status"] == 0
    assert "DeletedDate" in aws.call("DescribeSecret", SecretId=NAME)
    back = world.do(sections, "apply")
    assert (back["status"], back["role"]) == (0, role) and world.logs_in(world.value())


def test_a_hostile_prefix_survives_the_tags_of_the_secret(world, aws):
    sections = world.declare(user_prefix="o'hara \"ü\\", profile="read-only", owners="migrator")
    role = world.do(sections, "apply")["role"]
    assert role.startswith("o'hara \"ü\\")
    again = world.do(sections, "apply")
    assert (again["status"], again["role"], again["changed"], kinds(again, "change")) == (0, role, 0, [])
