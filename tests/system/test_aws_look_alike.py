"""The look-alike AWS that other tests stand on, held to AWS's own clients: the command line and botocore."""
import http.client
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

pytest.importorskip("botocore")
import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from harness.aws import KEY, REGION, SECRET, Role
from harness.aws_secrets import Fault, new_token
from harness.aws_signature import Refused
from harness.process import wait_until

pytestmark = pytest.mark.ours

def client(aws, service="secretsmanager", key=KEY, secret=SECRET, token=None, timeout_s=60):
    """That tries once."""
    session = botocore.session.Session()
    config = Config(retries={"total_max_attempts": 1}, read_timeout=timeout_s)
    return session.create_client(service, REGION, endpoint_url=aws.url, config=config, aws_access_key_id=key,
                                 aws_secret_access_key=secret, aws_session_token=token)


def code_of(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def stages_of(asked, name: str) -> dict:
    return asked.describe_secret(SecretId=name)["VersionIdsToStages"]


@pytest.mark.skipif(not shutil.which("aws", path="/usr/bin"), reason="needs Debian's awscli")
def test_the_aws_command_rotates_a_secret(aws):
    def run(*arguments: str) -> dict:
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", aws.url, "--output", "json", "secretsmanager", *arguments],
                              env={**os.environ, **aws.environment()}, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = run("create-secret", "--name", "prod/app", "--secret-string", "one")["VersionId"]
    pending = run("put-secret-value", "--secret-id", "prod/app", "--secret-string", "two", "--version-stages", "AWSPENDING")
    run("update-secret-version-stage", "--secret-id", "prod/app", "--version-stage", "AWSCURRENT", "--move-to-version-id",
        pending["VersionId"], "--remove-from-version-id", first)
    assert run("get-secret-value", "--secret-id", "prod/app")["SecretString"] == "two"
    assert run("get-secret-value", "--secret-id", "prod/app", "--version-stage", "AWSPREVIOUS")["VersionId"] == first
    assert [entry["status"] for entry in aws.requests()] == [200] * 5


def test_labels_move_as_the_real_service_moves_them(aws):
    asked = client(aws)
    made = asked.create_secret(Name="s", ClientRequestToken="1" * 32, SecretString="one")
    asked.put_secret_value(SecretId=made["ARN"], ClientRequestToken="2" * 32, SecretString="two")
    assert stages_of(asked, "s") == {"1" * 32: ["AWSPREVIOUS"], "2" * 32: ["AWSCURRENT"]}
    asked.put_secret_value(SecretId="s", ClientRequestToken="3" * 32, SecretString="three", VersionStages=["AWSPENDING"])
    assert asked.get_secret_value(SecretId=made["ARN"][:-7], VersionStage="AWSPENDING")["SecretString"] == "three"
    move = {"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": "3" * 32}
    assert code_of(asked.update_secret_version_stage, **move) == "InvalidParameterException"
    assert code_of(asked.update_secret_version_stage, **move, RemoveFromVersionId="1" * 32) == "InvalidParameterException"
    asked.update_secret_version_stage(**move, RemoveFromVersionId="2" * 32)
    assert stages_of(asked, "s") == {"2" * 32: ["AWSPREVIOUS"], "3" * 32: ["AWSPENDING", "AWSCURRENT"]}
    versions = asked.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]
    assert [version["VersionId"] for version in versions] == ["1" * 32, "2" * 32, "3" * 32]
    answer = asked.batch_get_secret_value(SecretIdList=["s", "nobody"]) if hasattr(asked, "batch_get_secret_value") else None
    assert not answer or answer["Errors"][0]["ErrorCode"] == "ResourceNotFoundException"


def test_what_has_been_said_once_may_be_said_again(aws):
    """The idempotency of a ClientRequestToken: the same is no change, another value an error."""
    asked = client(aws)
    value = {"ClientRequestToken": new_token(), "SecretString": "one"}
    assert asked.create_secret(Name="s", **value)["VersionId"] == asked.create_secret(Name="s", **value)["VersionId"]
    asked.put_secret_value(SecretId="s", ClientRequestToken=new_token(), SecretString="two")
    asked.put_secret_value(SecretId="s", **value)
    assert asked.get_secret_value(SecretId="s")["SecretString"] == "two"
    other = {**value, "SecretString": "another"}
    assert code_of(asked.put_secret_value, SecretId="s", **other) == "ResourceExistsException"
    assert code_of(asked.create_secret, Name="s", **other) == "ResourceExistsException"


def test_errors_have_the_codes_of_the_real_service(aws):
    asked = client(aws)
    assert code_of(asked.get_secret_value, SecretId="s") == "ResourceNotFoundException"
    asked.create_secret(Name="s", Tags=[{"Key": "role", "Value": "app"}])
    assert code_of(asked.get_secret_value, SecretId="s") == "ResourceNotFoundException"       # It has no value yet.
    assert code_of(asked.rotate_secret, SecretId="s") == "InvalidRequestException"
    asked.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    assert code_of(asked.get_secret_value, SecretId="s") == "InvalidRequestException"
    assert code_of(asked.create_secret, Name="s") == "InvalidRequestException"
    asked.restore_secret(SecretId="s")
    asked.untag_resource(SecretId="s", TagKeys=["role"])
    assert "Tags" not in asked.describe_secret(SecretId="s")
    assert len(asked.get_random_password(PasswordLength=40, ExcludePunctuation=True)["RandomPassword"]) == 40
    with pytest.raises(Fault):
        aws.call("PutSecretValue", SecretId="s", SecretString="without a token")


def test_a_wrong_signature_is_refused(aws):
    assert code_of(client(aws, secret="wrong").get_secret_value, SecretId="s") == "InvalidSignatureException"
    assert code_of(client(aws, key="AKIDNOBODY").get_secret_value, SecretId="s") == "UnrecognizedClientException"
    assert code_of(client(aws, token="made up").get_secret_value, SecretId="s") == "UnrecognizedClientException"
    assert code_of(client(aws, "sts", secret="wrong").get_caller_identity) == "SignatureDoesNotMatch"
    aws.clock_offset_s = 3600
    assert code_of(client(aws).get_secret_value, SecretId="s") == "InvalidSignatureException"
    aws.clock_offset_s = 0
    aws.region = "us-east-1"
    assert code_of(client(aws).get_secret_value, SecretId="s") == "InvalidSignatureException"
    connection = http.client.HTTPConnection(aws.host, aws.port)
    connection.request("POST", "/", b"{}", {"X-Amz-Target": "secretsmanager.GetSecretValue"})
    assert json.load(connection.getresponse())["__type"] == "MissingAuthenticationTokenException"
    connection.close()


def test_a_changed_body_or_header_is_refused(aws):
    aws.put("s", "one")
    asked, sent = client(aws), []

    def change(request, **_):
        sent.append(request)
        request.body = request.body.replace(b'"s"', b'"t"')

    asked.meta.events.register("before-send.secretsmanager.GetSecretValue", change)
    assert code_of(asked.get_secret_value, SecretId="s") == "InvalidSignatureException"
    assert sent


def test_roles_are_assumed_as_their_policies_say(aws):
    arn = "arn:aws:iam::999988887777:role/reader"
    aws.identity.roles[arn] = Role(arn, external_id="ext-1")
    asked = client(aws, "sts")
    wanted = {"RoleArn": arn, "RoleSessionName": "pgweir"}
    assert code_of(asked.assume_role, **wanted) == "AccessDenied"
    for _ in range(3):                  # The members come in another order each time.
        given = asked.assume_role(**wanted, ExternalId="ext-1", DurationSeconds=900)["Credentials"]
        assumed = client(aws, "sts", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        assert assumed.get_caller_identity()["Account"] == "999988887777"
    made = aws.put("s", "one")
    reads = client(aws, key=given["AccessKeyId"], secret=given["SecretAccessKey"], token=given["SessionToken"])
    assert code_of(reads.get_secret_value, SecretId="s") == "ResourceNotFoundException"     # A name is one of the own account.
    secret = aws.secrets_manager.secrets[0]
    assert code_of(reads.get_secret_value, SecretId=secret.arn) == "AccessDeniedException"
    secret.shared = True
    assert reads.get_secret_value(SecretId=secret.arn)["VersionId"] == made
    aws.identity.expire()
    assert code_of(reads.get_secret_value, SecretId=secret.arn) == "ExpiredTokenException"
    aws.identity.roles[arn].web_identity_token = "a.web.token"
    given = asked.assume_role_with_web_identity(**wanted, WebIdentityToken="a.web.token")["Credentials"]
    assert given["SessionToken"] in [key.token for key in aws.identity.keys.values()]
    assert code_of(asked.assume_role_with_web_identity, **wanted, WebIdentityToken="another") == "ExpiredTokenException"


def test_instances_and_containers_get_credentials(aws):
    """As botocore itself asks for them."""
    def ask(method, path, **headers):
        request = urllib.request.Request(aws.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    folder = "/latest/meta-data/iam/security-credentials/"
    with pytest.raises(urllib.error.HTTPError):
        ask("GET", folder)
    token = ask("PUT", "/latest/api/token", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    given = json.loads(ask("GET", folder + ask("GET", folder, **{"X-aws-ec2-metadata-token": token}),
                           **{"X-aws-ec2-metadata-token": token}))
    identity = client(aws, "sts", given["AccessKeyId"], given["SecretAccessKey"], given["Token"]).get_caller_identity()
    assert "pgweir-instance" in identity["Arn"]
    aws.identity.container_token = "of the task"
    with pytest.raises(urllib.error.HTTPError):
        ask("GET", "/v1/credentials")
    assert json.loads(ask("GET", "/v1/credentials", Authorization="of the task"))["AccessKeyId"] in aws.identity.keys


def outcome(call, **arguments):
    """The value that a call brings, the code of its error, or the kind of failure below that."""
    try:
        return call(**arguments).get("SecretString")
    except ClientError as failure:
        return failure.response["Error"]["Code"]
    except (BotoCoreError, ValueError) as failure:
        return type(failure)


@pytest.mark.parametrize("kind, seen", [
    ("throttle", "ThrottlingException"), ("500", "InternalServiceError"), ("503", "503"), ("deny", "AccessDeniedException"),
    ("expired", "ExpiredTokenException"), ("hang", ReadTimeoutError), ("slow", ReadTimeoutError),
    ("reset", ConnectionClosedError), ("drip", "two"), ("cut", None), ("nonsense", None), ("html", None), ("empty", None)])
def test_faults_come_on_command_and_go(aws, kind, seen):
    aws.put("s", "one")
    aws.put("s", "two", stages=["AWSPENDING"])
    asked = client(aws)
    aws.fault(kind, operation="GetSecretValue", stage="AWSPENDING", times=1, seconds=30 if kind == "slow" else 0.5)
    assert outcome(asked.get_secret_value, SecretId="s") == "one"        # Asks for no stage, and is spared.
    impatient = client(aws, timeout_s=0.3)
    got = outcome((impatient if seen is ReadTimeoutError else asked).get_secret_value, SecretId="s", VersionStage="AWSPENDING")
    wait_until(lambda: len(aws.requests("GetSecretValue")) == 2, what="what nobody waits for any more has come")
    assert got == seen or (seen is None and got not in ("one", "two"))
    assert outcome(asked.get_secret_value, SecretId="s", VersionStage="AWSPENDING") == "two"
    assert [entry["fault"] for entry in aws.requests("GetSecretValue")] == [None, kind, None]


def test_an_rds_token_is_for_one_host_and_user(aws):
    def token(secret=SECRET, expires=900):
        request = AWSRequest("GET", "https://db.example:5432/?Action=connect&DBUser=app%2Bx")
        SigV4QueryAuth(Credentials(KEY, secret), "rds-db", REGION, expires).add_auth(request)
        return request.url.removeprefix("https://")

    aws.check_rds_token(token(), "db.example:5432", "app+x")
    for wrong in ({"secret": "wrong"}, {"expires": 901}):
        with pytest.raises(Refused):
            aws.check_rds_token(token(**wrong), "db.example:5432", "app+x")
    with pytest.raises(Refused):
        aws.check_rds_token(token(), "db.example:5432", "other")
    aws.clock_offset_s = 901
    with pytest.raises(Refused):
        aws.check_rds_token(token(), "db.example:5432", "app+x")
