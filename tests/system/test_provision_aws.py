"""Provisioned users whose secret is in Secrets Manager, against a look-alike that checks signatures."""
import json
import os
import signal
import subprocess

import pytest

from harness import provision
from harness.process import wait_until
from harness.provision import REFERENCE, World, can_log_in, kinds, report

aws_look_alike = pytest.importorskip("harness.aws", reason="the look-alike of AWS is missing")
pytestmark = pytest.mark.ours

NAME = "/postgres/product-eng-velocity-mark-2/hevo/readonly/password"

@pytest.fixture
def service():
    with aws_look_alike.Aws() as made:
        yield made


@pytest.fixture
def world(cluster, tmp_path, service):
    made = World(cluster.primary, tmp_path)
    made.environment = {**os.environ, **service.environment()}
    made.secret = {"provider": "aws-secrets-manager", "id": NAME, "region": "eu-west-1"}
    yield made
    made.remove()


def do(world, sections, act, *arguments) -> dict:
    return report(world.folder, sections, act, *arguments, environment=world.environment)


def read(world, stage: str = "AWSCURRENT") -> dict:
    """By AWS's own client."""
    done = subprocess.run(["/usr/bin/aws", "--endpoint-url", world.environment["AWS_ENDPOINT_URL"], "secretsmanager",
                           "get-secret-value", "--secret-id", NAME, "--version-stage", stage, "--query", "SecretString",
                           "--output", "text"], env=world.environment, capture_output=True, text=True,
                          check=True)
    return json.loads(done.stdout)


def value(service, stage: str = "AWSCURRENT") -> dict:
    return json.loads(service.call("GetSecretValue", SecretId=NAME, VersionStage=stage)["SecretString"])


def logs_in(world, found: dict) -> bool:
    return can_log_in(world.server, found["username"], found["password"])


@pytest.mark.parametrize("admin", ["postgres", "master"])
def test_the_reference_case_with_a_secret_in_secrets_manager(world, service, start_pgweir, monkeypatch, admin):
    for name, text in service.environment().items():
        monkeypatch.setenv(name, text)
    assert do(world, world.sections(admin, secret=world.secret, **REFERENCE), "plan")["status"] == 0
    assert service.requests("CreateSecret") == []
    provision.reference_case(world, admin, start_pgweir, world.folder, world.secret, lambda: read(world))
    tags = {tag["Key"]: tag["Value"] for tag in service.call("DescribeSecret", SecretId=NAME)["Tags"]}
    assert (tags["pgweir:provision"], tags["pgweir:role"]) == ("hevo", value(service)["username"])


def test_a_secret_without_a_value_is_adopted_and_one_of_others_is_not(world, service):
    sections = world.sections(secret=world.secret, user="hevo", profile="read-only", owners="migrator")
    service.call("CreateSecret", Name=NAME, ClientRequestToken="t" * 32)
    assert provision.run(world.folder, sections, "apply", "--crash-at", "after-tag", environment=world.environment).returncode == -9
    assert do(world, sections, "apply")["status"] == 0 and logs_in(world, value(service))
    service.call("TagResource", SecretId=NAME, Tags=[{"Key": "pgweir:provision", "Value": "another"}])
    refused = do(world, sections, "apply")
    assert refused["status"] == 1 and "belongs to [provision another]" in refused["error"]
    service.call("UntagResource", SecretId=NAME, TagKeys=["pgweir:provision"])
    refused = do(world, sections, "apply")
    assert refused["status"] == 1 and "does not touch it" in refused["error"]


def test_a_rotation_moves_the_stages_and_goes_on_after_a_crash(world, service):
    sections = world.sections(secret=world.secret, user="hevo", profile="read-only", owners="migrator", strategy="alternating")
    assert do(world, sections, "apply")["status"] == 0
    first = value(service)
    for point in ("after-pending", "after-set"):
        killed = provision.run(world.folder, sections, "rotate", "hevo", "--crash-at", point, environment=world.environment)
        assert killed.returncode == -9
        assert logs_in(world, value(service)), point
        done = do(world, sections, "rotate", "hevo")
        assert done["status"] == 0 and done["rotated"], done
        assert logs_in(world, value(service)) and logs_in(world, value(service, "AWSPREVIOUS"))
    assert value(service)["password"] != first["password"]
    assert do(world, sections, "check")["status"] == 0


def test_a_secret_with_a_rotation_of_its_own_is_not_rotated(world, service):
    sections = world.sections(secret=world.secret, user="hevo", profile="read-only", owners="migrator")
    assert do(world, sections, "apply")["status"] == 0
    before = value(service)
    secret = service.secrets_manager.find({"SecretId": NAME}, aws_look_alike.ACCOUNT, aws_look_alike.REGION)
    for attribute, given, reason in (("rotation_enabled", True, "RotationEnabled"), ("owning_service", "rds", 'the service "rds"')):
        setattr(secret, attribute, given)
        refused = do(world, sections, "rotate", "hevo")
        assert refused["status"] == 1 and reason in refused["error"], refused
    assert value(service) == before and logs_in(world, before)


def test_a_service_that_hangs_delays_neither_the_console_nor_the_end(world, service, start_pgweir, monkeypatch):
    """The call of a pass that is under way is given up."""
    for name, text in service.environment().items():
        monkeypatch.setenv(name, text)
    sections = world.sections(secret=world.secret, user="hevo", profile="read-only", owners="migrator")
    service.fault("hang")
    proxy = start_pgweir({**sections, "pgweir": {"provision": "apply", "provision_interval": "1s"}, "database shop": {"cluster": "main"}})
    wait_until(lambda: service.requests("DescribeSecret"), 30, "a pass asks for the secret")
    assert proxy.show("PROVISION")[0]["state"] == "waiting"
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(14) == 0  # Three tries of five seconds would be more than that.


@pytest.mark.parametrize("strategy", ["single", "alternating"])
def test_an_outage_in_the_middle_of_a_rotation_leaves_the_current_version_working(world, service, strategy):
    sections = world.sections(secret=world.secret, user="hevo", profile="read-only", owners="migrator", strategy=strategy)
    assert do(world, sections, "apply")["status"] == 0
    service.fault("deny", operation="UpdateSecretVersionStage")
    failed = do(world, sections, "rotate", "hevo")
    assert failed["status"] == 1 and "goes on when it is run again" in failed["error"] and logs_in(world, value(service))
    service.clear_faults()
    assert do(world, sections, "rotate", "hevo")["status"] == 0 and logs_in(world, value(service))


def test_a_dropped_user_comes_back_with_its_secret_restored(world, service):
    sections = world.sections(secret=world.secret, **REFERENCE)
    role = do(world, sections, "apply")["role"]
    assert do(world, sections, "drop", "hevo", "--yes")["status"] == 0
    assert "DeletedDate" in service.call("DescribeSecret", SecretId=NAME)
    back = do(world, sections, "apply")
    assert (back["status"], back["role"]) == (0, role) and logs_in(world, value(service))


def test_a_hostile_prefix_survives_the_tags_of_the_secret(world, service):
    sections = world.sections(secret=world.secret, user_prefix="o'hara \"ü\\", profile="read-only", owners="migrator")
    role = do(world, sections, "apply")["role"]
    assert role.startswith("o'hara \"ü\\")
    again = do(world, sections, "apply")
    assert (again["status"], again["role"], again["changed"], kinds(again, "change")) == (0, role, 0, [])
