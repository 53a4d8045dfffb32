"""Provider aws-secrets-manager against a look-alike of AWS that checks every signature: values and their stages, all links of
the credential chain, a service that throttles, hangs and answers nonsense, a clock that is wrong."""
import base64
import contextlib
import json
import os
import subprocess
import time

import psycopg
import pytest

from harness.aws import ACCOUNT, KEY, REGION, SECRET
from harness.aws_identity import Role
from harness.aws_secrets import PENDING, Version
from harness.pgweir import binary
from harness.process import wait_until
from harness.rotation import Load, console, secret_row, temporary_role, write

pytestmark = pytest.mark.ours

OLD, NEW = "old-%pass/word 1", "new-%pass/word 2"
ID = "prod/rotated"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"


@pytest.fixture
def environment(aws, monkeypatch, tmp_path):
    """Only what a test says leads to AWS, and to the look-alike at that."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def role(cluster):
    with temporary_role(cluster.primary, "rotated", OLD) as name:
        yield name


def value(password: str, **more) -> dict:
    return {"engine": "postgres", "username": "rotated", "password": password, "port": 5432, **more}


def sections(**secret) -> dict:
    return {"pgweir": {"pool_mode": "transaction", "log_level": "debug"}, "database app": {"pool_size": 4},
            "user rotated": {"secret": "rotated"},
            "secret rotated": {"provider": "aws-secrets-manager", "id": ID, "refresh_interval": "2s", **secret}}


def connect(proxy, password: str, **more):
    return psycopg.connect(host=proxy.host, port=proxy.port, dbname="app", user="rotated", password=password, autocommit=True,
                           **more)


def logs_in(proxy, password: str) -> bool:
    try:
        connect(proxy, password).close()
        return True
    except psycopg.OperationalError:
        return False


# --- Commands: each link of the chain ---

def show(tmp_path, **secret) -> str:
    path = tmp_path / "pgweir.ini"
    path.write_text("[secret s]\nprovider = aws-secrets-manager\n"
                    + "".join(f"{key} = {text}\n" for key, text in {"id": ID, **secret}.items()))
    path.chmod(0o600)
    done = subprocess.run([str(binary()), "secret", "show", "-c", str(path), "s"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert OLD not in done.stdout + done.stderr
    return done.stdout if done.returncode == 0 else f"failed: {done.stdout}"


def without_keys(environment) -> None:
    """No link of the chain is there any more."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)


def from_environment(aws, environment, tmp_path) -> dict:
    return {}


def from_profile(aws, environment, tmp_path) -> dict:
    """Chosen for the secret: it wins over the environment, whose key is of no use here."""
    environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    write(tmp_path / ".aws" / "credentials", f"# ours\n[reader]\naws_access_key_id = {KEY}\naws_secret_access_key={SECRET}\n")
    return {"profile": "reader"}


def from_chain_of_profiles(aws, environment, tmp_path) -> dict:
    without_keys(environment)
    aws.identity.roles[ROLE] = Role(ROLE, external_id="from outside")
    write(tmp_path / ".aws" / "credentials", f"[base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    write(tmp_path / ".aws" / "config", f"[profile top]\nrole_arn = {ROLE}\nexternal_id = from outside\nsource_profile = base\n"
          f"s3 =\n  addressing_style = path\n[profile base]\nregion = {REGION}\n")
    environment.setenv("AWS_PROFILE", "top")
    return {}


def from_process(aws, environment, tmp_path) -> dict:
    without_keys(environment)
    printed = json.dumps({"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET})
    command = write(tmp_path / "keys and more.sh", f"#!/bin/sh\n[ \"$1\" = 'a b' ] && echo '{printed}'\n")
    command.chmod(0o700)
    write(tmp_path / ".aws" / "config", f"[default]\ncredential_process = \"{command}\" 'a b'\n")
    return {}


def from_web_identity(aws, environment, tmp_path) -> dict:
    without_keys(environment)
    aws.identity.roles[ROLE] = Role(ROLE, web_identity_token="a.jwt.token")
    environment.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(write(tmp_path / "token", "a.jwt.token\n")))
    environment.setenv("AWS_ROLE_ARN", ROLE)
    return {}


def from_container(aws, environment, tmp_path) -> dict:
    without_keys(environment)
    aws.identity.container_token = "of the pod"
    environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws.url + "/container")
    environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(write(tmp_path / "token", "of the pod")))
    return {}


def from_metadata(aws, environment, tmp_path) -> dict:
    without_keys(environment)
    environment.delenv("AWS_EC2_METADATA_DISABLED")
    return {}


def from_assumed_role(aws, environment, tmp_path) -> dict:
    aws.identity.roles[ROLE] = Role(ROLE, external_id="ext-1")
    return {"role_arn": ROLE, "external_id": "ext-1"}


LINKS = [from_environment, from_profile, from_chain_of_profiles, from_process, from_web_identity, from_container, from_metadata,
         from_assumed_role]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.__name__)
def test_each_link_of_the_chain_proves_who_we_are(aws, environment, tmp_path, link):
    aws.put(ID, value(OLD))
    shown = show(tmp_path, **link(aws, environment, tmp_path))
    assert "username  rotated" in shown, shown


def test_a_wrong_external_id_is_named_and_nothing_is_shown(aws, environment, tmp_path):
    aws.put(ID, value(OLD))
    aws.identity.roles[ROLE] = Role(ROLE, external_id="ext-1")
    shown = show(tmp_path, role_arn=ROLE, external_id="ext-2")
    assert "AssumeRole: AccessDenied" in shown


@pytest.mark.parametrize("endpoint, said", [
    ("http://secrets.example", "plain http"), ("secrets.example", "no https:// address"), ("http://127.0.0.1@example", "plain http"),
])
def test_an_endpoint_that_would_give_secrets_away_is_refused(environment, tmp_path, endpoint, said):
    assert said in show(tmp_path, endpoint=endpoint)


def test_what_passes_is_tried_again_and_a_wrong_clock_is_put_right(aws, environment, tmp_path):
    aws.put(ID, value(OLD))
    for kind in ("throttle", "500", "503", "reset", "cut", "nonsense", "expired"):
        aws.fault(kind, times=1)
        assert "username  rotated" in show(tmp_path), kind
    aws.clock_offset_s = -3600
    assert "username  rotated" in show(tmp_path)


@pytest.mark.parametrize("text, shown", [
    ("just a password", ""),
    ("postgresql://someone:p%40ss@db.example:5433/shop", "dbname    shop"),
    (json.dumps({"url": "postgresql+psycopg://someone:p@db.example/shop"}), "host      db.example"),
    (json.dumps({"username": "someone", "password": "p"}), "username  someone"),
    ("{\"username\": ", "failed"),
])
def test_every_shape_is_taken(aws, environment, tmp_path, text, shown):
    aws.put(ID, text)
    assert shown in show(tmp_path)
    assert show(tmp_path).startswith("failed") == (shown == "failed")


def test_a_binary_value_is_taken_as_its_bytes(aws, environment, tmp_path):
    text = json.dumps(value(OLD)).encode()
    aws.call("CreateSecret", Name=ID, SecretBinary=base64.b64encode(text).decode(), ClientRequestToken="t" * 32)
    assert "username  rotated" in show(tmp_path)


# --- The daemon ---

@pytest.mark.parametrize("trouble", [None, "deny", "hang", "throttle"])
def test_a_rotation_of_a_single_user_fails_nobody(aws, environment, role, start_pgweir, cluster, trouble):
    """Between the change of the password and AWSCURRENT no value that AWS calls current logs in. In trouble the service
    is of no help in that time; then the connections that are open carry it."""
    aws.put(ID, value(OLD))
    proxy = start_pgweir(sections())
    with Load(proxy, "rotated", OLD) as traffic:
        aws.put(ID, value(NEW), stages=["AWSPENDING"])
        if trouble:
            aws.fault(trouble, stage="AWSPENDING" if trouble == "deny" else None)
        cluster.primary.sql(f"ALTER ROLE rotated PASSWORD '{NEW}'")
        if trouble is None:
            console(proxy, "RECONNECT")
        traffic.more(10)
        aws.clear_faults()
        aws.promote(ID)
        wait_until(lambda: secret_row(proxy)["version"] == 2, 30, "the new value is in force")
        traffic.more()
    assert logs_in(proxy, NEW)
    assert OLD not in proxy.log() and NEW not in proxy.log()


def test_one_request_per_interval_whatever_uses_the_secret(aws, environment, role, start_pgweir):
    aws.put(ID, value(OLD))
    proxy = start_pgweir({**sections(refresh_interval="1h"), "database other": {"host": "127.0.0.1", "port": 1},
                          "database third": {"host": "127.0.0.1", "port": 1}})
    # Who comes while it is being read has it read once more.
    wait_until(lambda: secret_row(proxy)["version"] == 1, 10, "the value is there")
    for _ in range(5):
        assert logs_in(proxy, OLD)
    proxy.reload()
    wait_until(lambda: "configuration reloaded" in proxy.log(), 10, "the reload is done")
    assert (len(aws.requests("DescribeSecret")), len(aws.requests("GetSecretValue"))) == (1, 1)
    console(proxy, "REFRESH SECRET rotated")
    assert (len(aws.requests("DescribeSecret")), len(aws.requests("GetSecretValue"))) == (2, 1)


def test_an_interval_has_one_request_whatever_uses_the_secret(aws, environment, role, start_pgweir):
    """Four workers, six databases, clients that come and go; an interval is shortened by a tenth at most."""
    aws.put(ID, value(OLD))
    wanted = sections(refresh_interval="1s")
    wanted["pgweir"]["threads"] = 4
    began = time.monotonic()
    proxy = start_pgweir({**wanted, **{f"database app{number}": {"dbname": "app"} for number in range(5)}})
    wait_until(lambda: secret_row(proxy)["version"] == 1, 10, "the value is there")
    with contextlib.ExitStack() as stack:
        for dbname in ("app", *(f"app{number}" for number in range(5))):
            stack.enter_context(Load(proxy, "rotated", OLD, stay=1, come=1, dbname=dbname))
        wait_until(lambda: len(aws.requests("DescribeSecret")) >= 4, 30, "several intervals have passed")
    # Who comes while it is being read for the first time has it read once more.
    assert len(aws.requests("DescribeSecret")) <= 2 + (time.monotonic() - began) / 0.9
    assert len(aws.requests("GetSecretValue")) == 1 and not secret_row(proxy)["problem"]


def test_show_secrets_tells_all_but_the_value(aws, environment, role, start_pgweir):
    aws.put(ID, value(OLD))
    proxy = start_pgweir(sections(refresh_interval="1h"))
    with connect(proxy, OLD) as connection:
        connection.execute("SELECT 1")
        aws.put(ID, value(NEW), stages=["AWSPENDING"])
        console(proxy, "REFRESH SECRET rotated")
        row = secret_row(proxy)
    stages = aws.call("DescribeSecret", SecretId=ID)["VersionIdsToStages"]
    expected = {"provider": "aws-secrets-manager", "stage": "current", "version": 1, "username": "rotated", "pending": "yes",
                "client_logins": "rotated: 1 with version 1", "servers": 1, "trials": 1, "refused": 0, "hosts_refusing": 0}
    assert {name: row[name] for name in expected} == expected
    assert stages[row["version_id"]] == ["AWSCURRENT"] and not row["problem"]
    # While there is a version to come it is read every quarter of a minute.
    assert row["age"] >= 0 and row["fetched"] >= 0 and 0 <= row["next_refresh"] <= 15
    assert OLD not in str(row) and NEW not in str(row)


def test_the_start_waits_for_no_service_and_clients_wait_for_the_value(aws, environment, role, start_pgweir):
    aws.put(ID, value(OLD))
    aws.fault("slow", seconds=2, times=1)
    proxy = start_pgweir(sections())
    assert logs_in(proxy, OLD)


def test_a_dead_secret_leaves_the_others_alone_and_the_last_value_serves(aws, environment, role, start_pgweir):
    aws.put(ID, value(OLD))
    aws.put("prod/dead", value("x"))
    aws.fault("deny", secret="prod/dead")
    proxy = start_pgweir({**sections(refresh_interval="1s"), "user dead": {"secret": "dead"},
                          "secret dead": {"provider": "aws-secrets-manager", "id": "prod/dead"}})
    assert logs_in(proxy, OLD)
    wait_until(lambda: "AccessDenied" in (secret_row(proxy, "dead")["problem"] or ""), 10, "the problem is shown")
    aws.call("DeleteSecret", SecretId=ID)
    wait_until(lambda: secret_row(proxy)["problem"], 10, "the deletion is noticed")
    assert logs_in(proxy, OLD)
    assert secret_row(proxy)["version"] == 1


def test_a_rotation_that_has_no_value_yet_is_no_problem(aws, environment, role, start_pgweir):
    """RotateSecret labels a version before the function gives it a value, and a rotation that fails leaves it so."""
    aws.put(ID, value(OLD))
    secret = aws.secrets_manager.find({"SecretId": ID}, ACCOUNT, REGION)
    secret.versions["p" * 32] = Version("p" * 32, time.time(), stages=[PENDING])
    proxy = start_pgweir(sections(refresh_interval="1s"))
    assert logs_in(proxy, OLD)
    seen = len(aws.requests("DescribeSecret"))
    wait_until(lambda: len(aws.requests("DescribeSecret")) > seen + 2, 20, "it is read again")
    assert len(aws.requests("GetSecretValue")) > 1, aws.requests()
    assert not secret_row(proxy)["problem"] and secret_row(proxy)["version"] == 1
    assert logs_in(proxy, OLD)


def test_a_dead_cluster_leaves_the_others_alone(aws, environment, role, start_pgweir):
    """One that is watched with a secret of its own, whose hosts do not answer."""
    aws.put(ID, value(OLD))
    aws.put("prod/dead", value("x"))
    proxy = start_pgweir({**sections(), "cluster dead": {"hosts": "127.0.0.1:1, 127.0.0.1:2", "probe_user": "watcher", "probe_interval": "250ms"},
                          "user watcher": {"secret": "dead"}, "database dead": {"cluster": "dead", "query_wait_timeout": "2s"},
                          "secret dead": {"provider": "aws-secrets-manager", "id": "prod/dead"}})
    with Load(proxy, "rotated", OLD) as traffic:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(proxy.conninfo("dead", "rotated", password=OLD, sslmode="prefer"))
        wait_until(lambda: all(row["state"] == "down" for row in proxy.show("HOSTS") if row["cluster"] == "dead"), 20, "the hosts are down")
        traffic.more()
    assert logs_in(proxy, OLD)


def test_credentials_that_expire_are_renewed_before(aws, environment, role, start_pgweir):
    """Those of a role in another account than our own key's, while clients come and go."""
    aws.put(ID, value(OLD))
    aws.add_key("AKIAELSEWHERE", "of another account", "210987654321")
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAELSEWHERE")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "of another account")
    aws.identity.roles[ROLE] = Role(ROLE, external_id="from outside", trusted="210987654321")
    aws.identity.lifetime_s = 10         # Nothing is begun in the last quarter of it.
    proxy = start_pgweir(sections(role_arn=ROLE, external_id="from outside", refresh_interval="1s",
                                  id=f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{ID}"))
    with Load(proxy, "rotated", OLD):
        wait_until(lambda: len(aws.requests("AssumeRole")) >= 2, 30, "the role is assumed again")
    assert secret_row(proxy)["problem"] is None
    assert not refused(aws, "DescribeSecret")


def refused(aws, operation: str | None = None) -> list:
    """One that is under way has no status yet."""
    return [entry for entry in aws.requests(operation) if entry["status"] not in (200, None)]


def profiles_of_every_kind(aws, environment, tmp_path) -> dict:
    """What hands out credentials that expire: for each a profile, and how often it was asked."""
    without_keys(environment)
    environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws.url + "/container")
    runs = write(tmp_path / "runs", "")
    aws.add_key("AKIAPROCESS", "of the process", ACCOUNT)
    command = write(tmp_path / "keys.sh", f"""#!/bin/sh
echo run >> {runs}
printf '{{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "of the process", "Expiration": "%s"}}' \
	"$(date -u -d '10 seconds' +%Y-%m-%dT%H:%M:%SZ)"
""")
    command.chmod(0o700)
    token = write(tmp_path / "token", "a.jwt.token")
    aws.identity.roles[ROLE] = Role(ROLE)
    aws.identity.roles[f"{ROLE}-web"] = Role(f"{ROLE}-web", web_identity_token="a.jwt.token")
    write(tmp_path / ".aws" / "config", f"[profile web]\nrole_arn = {ROLE}-web\nweb_identity_token_file = {token}\n"
          f"[profile container]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n"
          f"[profile process]\ncredential_process = {command}\n")
    return {"web": lambda: len(aws.requests("AssumeRoleWithWebIdentity")),
            "container": lambda: len(aws.requests("container")),
            "process": lambda: runs.read_text().count("run")}


def test_credentials_of_every_kind_are_renewed_before_they_expire(aws, environment, role, start_pgweir, tmp_path):
    """Each secret is read with a profile of its own; whatever is handed out ends in ten seconds."""
    aws.put(ID, value(OLD))
    asked = profiles_of_every_kind(aws, environment, tmp_path)
    aws.identity.lifetime_s = 10
    proxy = start_pgweir({**sections(profile="web"), **{
        f"secret {kind}": {"provider": "aws-secrets-manager", "id": ID, "refresh_interval": "1s", "profile": kind} for kind in asked}})
    wait_until(lambda: all(times() >= 2 for times in asked.values()), 30, "all have been asked again")
    assert not [row for row in proxy.show("SECRETS") if row["problem"]]
    assert not refused(aws)


def test_credentials_of_ec2_that_aws_takes_no_more_are_renewed_at_once(aws, environment, role, start_pgweir, tmp_path):
    """Those that are near their end are used all the same: EC2 itself renews late, and AWS goes on taking them for a while."""
    def handed_out() -> int:
        return len([each for each in aws.requests("metadata") if each["secret"].endswith("pgweir-instance")])

    aws.put(ID, value(OLD))
    without_keys(environment)
    environment.delenv("AWS_EC2_METADATA_DISABLED")
    aws.identity.lifetime_s = 30
    proxy = start_pgweir(sections(refresh_interval="1h"))
    wait_until(lambda: secret_row(proxy)["version"] == 1, 10, "the value is there")
    assert handed_out() == 1
    aws.identity.expire()
    console(proxy, "REFRESH SECRET rotated")
    assert handed_out() == 2 and not secret_row(proxy)["problem"]


def test_a_client_that_has_read_the_secret_before_us_is_let_in(aws, environment, role, start_pgweir, cluster):
    """The next reading is an hour away. Whoever guesses passwords does not make us ask AWS each time."""
    aws.put(ID, value(OLD))
    proxy = start_pgweir(sections(refresh_interval="1h"))
    assert logs_in(proxy, OLD)
    cluster.primary.sql(f"ALTER ROLE rotated PASSWORD '{NEW}'")
    aws.put(ID, value(NEW))
    time.sleep(1)                       # For so long after a reading there is no other.
    assert logs_in(proxy, NEW)
    before = len(aws.requests())
    started = time.monotonic()
    for _ in range(4):
        assert not logs_in(proxy, "a guess")
    assert len(aws.requests()) - before <= 2 + int(time.monotonic() - started)


def test_the_connection_to_the_service_is_verified(cluster, environment, tmp_path):
    """Its certificate is of an authority that nobody here knows, until AWS_CA_BUNDLE says otherwise."""
    from harness.aws import Aws
    with Aws(cert=cluster.certificates.server_cert, key=cluster.certificates.server_key) as secure:
        secure.put(ID, value(OLD))
        assert "certificate" in show(tmp_path, endpoint=secure.url)
        environment.setenv("AWS_CA_BUNDLE", str(cluster.certificates.ca))
        assert "username  rotated" in show(tmp_path, endpoint=secure.url)


def test_a_proxy_is_used_for_the_service_and_not_for_metadata(aws, environment, tmp_path):
    aws.put(ID, value(OLD))
    environment.setenv("http_proxy", "http://127.0.0.1:1")
    assert "127.0.0.1 port 1" in show(tmp_path)
    without_keys(environment)
    environment.delenv("AWS_EC2_METADATA_DISABLED")
    assert "DescribeSecret" in show(tmp_path) and aws.requests("metadata")


@pytest.mark.parametrize("version", [2, 1])
def test_the_machines_region_counts_where_nothing_else_says_one(aws, environment, tmp_path, version):
    """Signatures name it: with another one the look-alike refuses them. STS is asked there, too."""
    aws.put(ID, value(OLD))
    aws.identity.roles[ROLE] = Role(ROLE, external_id="ext-1")
    environment.delenv("AWS_REGION")
    environment.delenv("AWS_DEFAULT_REGION")
    assert "no region: set it in the [secret], or AWS_REGION" in show(tmp_path)
    environment.delenv("AWS_EC2_METADATA_DISABLED")
    if version == 1:
        aws.identity.metadata_v1, aws.identity.metadata_token_status = True, 403
    assert "username  rotated" in show(tmp_path, role_arn=ROLE, external_id="ext-1")
    paths = [request["secret"] for request in aws.requests("metadata")]
    assert paths == ["/latest/api/token", "/latest/meta-data/placement/region"]


def test_the_doctor_logs_in_with_what_the_service_says(aws, environment, cluster, role, tmp_path):
    aws.put(ID, value(OLD))
    path = tmp_path / "pgweir.ini"
    path.write_text(f"[pgweir]\nlisten_addr = 127.0.0.1\n[cluster main]\nhosts = {cluster.primary.host}:{cluster.primary.port}\n"
                    "probe_user = rotated\nprobe_secret = s\nadmin_user = rotated\nadmin_secret = s\n[database app]\ncluster = main\n"
                    f"[user rotated]\nsecret = s\n[secret s]\nprovider = aws-secrets-manager\nid = {ID}\n")

    def diagnose() -> str:
        return subprocess.run([binary(), "doctor", "-c", path], capture_output=True, text=True, timeout=60, check=False).stdout

    said = diagnose()
    assert "rotated is no member of pg_monitor" in said
    assert "admin_user rotated: logs in at" in said and "database app as rotated: logs in at" in said
    cluster.primary.sql(f"ALTER ROLE rotated PASSWORD '{NEW}'")
    said = diagnose()
    assert "logs in at" not in said and said.count("password authentication failed") >= 3, said


def test_what_was_current_long_ago_lets_no_client_in(aws, environment, role, start_pgweir):
    """AWSPREVIOUS stays for months; a start of pgweir is no rotation."""
    aws.clock_offset_s = -200
    aws.put(ID, value(NEW))
    aws.put(ID, value(OLD))
    aws.clock_offset_s = 0
    proxy = start_pgweir(sections(rotation_grace="100s"))
    assert logs_in(proxy, OLD)
    assert not logs_in(proxy, NEW)
    assert secret_row(proxy)["previous"] == "servers"
