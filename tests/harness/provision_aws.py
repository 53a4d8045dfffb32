"""Provisioning with its secret in the look-alike of AWS."""
import json
import os
import subprocess

from .process import die_with_parent
from .pgweir import binary, ini
from .provision import REFERENCE, World, can_log_in, reference_case, report, run

# Where the reference case keeps its password.
NAME = "/postgres/product-eng-velocity-mark-2/hevo/readonly/password"
SECRET = {"provider": "aws-secrets-manager", "id": NAME, "region": "eu-west-1"}


class AwsWorld(World):
    """A world whose users have their secret in `service`. The environment of the test leads there as well."""

    def __init__(self, server, folder, service, monkeypatch):
        super().__init__(server, folder)
        self.service, self.secret = service, SECRET
        for name, text in service.environment().items():
            monkeypatch.setenv(name, text)

    def declare(self, admin: str = "postgres", **provision) -> dict:
        return self.sections(admin, secret=self.secret, **provision)

    def do(self, sections: dict, act: str, *arguments: str) -> dict:
        return report(self.folder, sections, act, *arguments)

    def run(self, sections: dict, act: str, *arguments: str):
        return run(self.folder, sections, act, *arguments)

    def start(self, sections: dict, act: str, *arguments: str) -> subprocess.Popen:
        path = self.folder / "started.ini"
        path.write_text(ini(sections))
        path.chmod(0o600)
        return subprocess.Popen([binary(), "provision", act, "-c", path, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent(9))

    def value(self, stage: str = "AWSCURRENT") -> dict:
        return json.loads(self.service.call("GetSecretValue", SecretId=NAME, VersionStage=stage)["SecretString"])

    def described(self) -> dict:
        return self.service.call("DescribeSecret", SecretId=NAME)

    def tags(self) -> dict:
        return {tag["Key"]: tag["Value"] for tag in self.described()["Tags"]}

    def stages(self) -> set[str]:
        return {stage for stages in self.described().get("VersionIdsToStages", {}).values() for stage in stages}

    def stored(self):
        """The secret itself, as the look-alike keeps it."""
        return self.service.secrets_manager.named(NAME, *self.service.whose)

    def logs_in(self, found: dict) -> bool:
        return can_log_in(self.server, found["username"], found["password"])

    def make_rotation_due(self) -> None:
        """With rotate_every = 1h: the password is older than that."""
        for version in self.stored().versions.values():
            version.created -= 3601
        since = int(self.tags()["pgweir:since"]) - 3601
        self.service.call("TagResource", SecretId=NAME, Tags=[{"Key": "pgweir:since", "Value": str(since)}])


def read_by_aws_client(stage: str = "AWSCURRENT") -> dict:
    """What AWS's own client says."""
    done = subprocess.run(["/usr/bin/aws", "--endpoint-url", os.environ["AWS_ENDPOINT_URL"], "secretsmanager", "get-secret-value",
                           "--secret-id", NAME, "--version-stage", stage, "--query", "SecretString", "--output", "text"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def reference_case_in_aws(world: AwsWorld, admin: str, start_pgweir) -> None:
    """The reference case, whose password AWS's own client reads."""
    planned = world.do(world.declare(admin, **REFERENCE), "plan")
    assert (planned["status"], planned["state"], world.service.requests("CreateSecret")) == (0, "drifted", [])
    reference_case(world, admin, start_pgweir, world.folder, world.secret, read_by_aws_client)
    tags = world.tags()
    assert (tags["pgweir:provision"], tags["pgweir:role"]) == ("hevo", world.value()["username"])
    assert world.stages() == {"AWSCURRENT"}
