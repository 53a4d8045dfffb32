"""Provider rds-iam: logins with tokens, against a scripted TLS server that checks them with botocore."""
import datetime
import ssl
import urllib.parse

import psycopg
import pytest

from harness import raw
from harness.aws import ACCOUNT
from harness.aws_identity import Role
from harness.aws_signature import Refused
from harness.pgweir import binary
from harness.process import run, wait_until

pytestmark = pytest.mark.ours

# What RDS knows the server by; the configuration has an address.
NAME = "db1.cluster-abc.eu-west-1.rds.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"


class Rds:
    """Takes tokens for one name alone, over TLS alone, as the user that they were made for."""

    def __init__(self, aws, certificates):
        self.aws, self.tokens, self.refusals, self.mood, self.name = aws, [], [], None, NAME
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server_cert, certificates.server_key)
        self.server = raw.FakeServer(on_startup=self.log_in, tls=context)

    def log_in(self, backend) -> bool:
        backend.send(raw.authentication(3))
        token = backend.receive().body.rstrip(b"\0").decode()
        self.tokens.append(token)
        try:
            assert isinstance(backend.sock, ssl.SSLSocket), "a token in clear text"
            if self.mood == "once" and len(set(self.tokens)) == 1:
                raise Refused("ExpiredTokenException", "the first token is not liked here")
            self.aws.check_rds_token(token, f"{self.name}:5432", backend.startup["user"])
        except (Refused, AssertionError) as refusal:
            self.refusals.append(str(refusal))
            backend.send(raw.error_response("28P01", 'PAM authentication failed for user "app"', "FATAL"))
            backend.close()
            raise raw.Closed from refusal
        return False


@pytest.fixture
def rds(aws, cluster, monkeypatch):
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION")            # The name of the host tells it.
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    running = Rds(aws, cluster.certificates)
    with running.server:
        yield running


def sections(rds, cluster, **secret) -> dict:
    return {"database app": {"host": "localhost", "port": rds.server.port, "user": "app", "secret": "iam", "pool_size": 4,
                             "server_tls_ca_file": cluster.certificates.ca},
            "secret iam": {"provider": "rds-iam", "iam_host": f"localhost={NAME}:5432", **secret}}


def ask(proxy) -> str:
    return proxy.raw("app", "app").value("SELECT 1")


def test_logins_have_tokens_that_rds_takes(rds, aws, cluster, start_pgweir):
    """One token serves several logins; TLS is verified without being asked for."""
    proxy = start_pgweir(sections(rds, cluster))
    connections = [proxy.raw("app", "app") for _ in range(3)]
    for connection in connections:
        connection.ask("BEGIN")
    assert len(rds.tokens) == 3 and len(set(rds.tokens)) == 1 and not rds.refusals
    shown = str(proxy.show("SECRETS")) + proxy.log()
    assert rds.tokens[0] not in shown and "X-Amz-Signature" not in shown


def test_tokens_of_temporary_credentials_carry_the_session(rds, aws, cluster, start_pgweir):
    aws.identity.roles[ROLE] = Role(ROLE)
    proxy = start_pgweir(sections(rds, cluster, role_arn=ROLE))
    assert ask(proxy) == "SELECT 1"
    assert "X-Amz-Security-Token" in rds.tokens[0] and not rds.refusals


def test_a_refused_token_is_made_anew_once(rds, aws, cluster, start_pgweir):
    """By other credentials, for instance: it is another second, or the same token would come out."""
    rds.mood = "once"
    proxy = start_pgweir(sections(rds, cluster))
    wait_until(lambda: works(proxy), 20, "the second token is taken")
    assert len(set(rds.tokens)) >= 2


def test_the_machines_region_counts_for_a_host_whose_name_has_none(rds, aws, cluster, start_pgweir, monkeypatch):
    rds.name = "db.internal"
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    wanted = sections(rds, cluster, iam_host="localhost=db.internal:5432")
    proxy = start_pgweir(wanted)
    assert ask(proxy) == "SELECT 1" and not rds.refusals
    assert len(aws.requests("metadata")) == 2


def works(proxy) -> bool:
    try:
        return ask(proxy) == "SELECT 1"
    except (psycopg.Error, raw.ServerError, raw.Closed):
        return False


def test_without_credentials_clients_hear_why(rds, cluster, start_pgweir, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    proxy = start_pgweir(sections(rds, cluster))
    with pytest.raises(raw.ServerError, match="no AWS credentials"):
        ask(proxy)
    assert not rds.tokens


def test_probes_and_auth_query_have_tokens_too(rds, aws, cluster, start_pgweir):
    """Their logins are libpq's, which would not take a token that is not there."""
    wanted = sections(rds, cluster)
    wanted["cluster main"] = {"hosts": f"localhost:{rds.server.port}", "probe_user": "probe", "probe_secret": "iam",
                              "server_tls_ca_file": cluster.certificates.ca}
    wanted["pgweir"] = {"auth_user": "asks"}
    wanted["user asks"] = {"secret": "iam"}
    wanted["database app"] = {"cluster": "main"}
    proxy = start_pgweir(wanted)
    wait_until(lambda: users_of(rds) >= {"probe"}, 20, "the probe has logged in")
    with pytest.raises(raw.ServerError):
        proxy.raw("app", "nobody", password="x")
    assert users_of(rds) == {"probe", "asks"} and not rds.refusals


def test_the_doctor_logs_in_with_tokens(rds, cluster, tmp_path):
    """As probe, as admin and to the database: each has one of its own."""
    path = tmp_path / "pgweir.ini"
    path.write_text(f"""
[pgweir]
listen_addr = 127.0.0.1
[cluster main]
hosts = localhost:{rds.server.port}
probe_user = probe
probe_secret = iam
admin_user = master
admin_secret = iam
server_tls_ca_file = {cluster.certificates.ca}
[database app]
cluster = main
user = app
secret = iam
[secret iam]
provider = rds-iam
iam_host = {NAME}:5432
""")
    said = run([binary(), "doctor", "-c", path], check=False).stdout
    assert users_of(rds) == {"probe", "master", "app"} and len(set(rds.tokens)) == 3 and not rds.refusals, said
    assert "admin_user master: logs in at localhost" in said and "database app as app: logs in at localhost" in said
    assert not [token for token in rds.tokens if token in said]
    rds.name = "another"
    said = run([binary(), "doctor", "-c", path], check=False).stdout
    assert "admin_user master: at localhost" in said and "PAM authentication failed" in said


def users_of(rds) -> set:
    return {backend.startup["user"] for backend in rds.server.backends}


def clock_of(token: str) -> datetime.datetime:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit("https://" + token).query)
    return datetime.datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ")


# The command, by another clock.
AWS_AT = """
import datetime, sys, types
import awscli.clidriver             # Brings a botocore of its own, under a name or two.
class Then(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return datetime.datetime.fromisoformat(sys.argv[1])
for name, module in list(sys.modules.items()):
    if name.endswith("botocore.auth"):
        module.datetime = types.SimpleNamespace(datetime=Then)
then, sys.argv = Then.utcnow(), sys.argv[1:]
Then.utcnow = classmethod(lambda cls: then)
sys.exit(awscli.clidriver.main())
"""


def test_tokens_are_those_of_the_aws_command(rds, aws, cluster, start_pgweir):
    """The same text for the same inputs and clock."""
    proxy = start_pgweir(sections(rds, cluster))
    assert ask(proxy) == "SELECT 1"
    said = run(["/usr/bin/python3", "-c", AWS_AT, clock_of(rds.tokens[0]).isoformat(), "rds", "generate-db-auth-token", "--hostname",
                NAME, "--port", "5432", "--username", "app", "--region", "eu-west-1"])
    assert said.stdout.strip() == rds.tokens[0]
