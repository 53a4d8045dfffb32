"""Provisioning inside pgweir: drift is told and mended, one instance at a time; clients of provisioned users."""
import subprocess
import threading
import time

import psycopg
import pytest

from harness import provision
from harness.postgres import bin_folder
from harness.process import die_with_parent, free_port, wait_until
from harness.provision import can_log_in, kinds, make_rotation_due, report, secret_value, World
from harness.web import Web

pytestmark = pytest.mark.ours

PIPELINE = {"user_prefix": "pipe_", "profile": "read-only", "owners": "migrator, late owner"}


@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster.primary, tmp_path)
    yield made
    made.remove()


@pytest.fixture
def start_pgweir(world, start_pgweir):
    """Whose proxies end before what they mend is taken away."""
    return start_pgweir


def sections(world, mode: str, **provision) -> dict:
    made = world.sections("master", **{**PIPELINE, **provision})
    made["pgweir"].update(provision=mode, provision_interval="1s", pool_mode="transaction")
    made["database shop"] = {"cluster": "main", "dbname": "shop"}
    made["user pipeline"] = {"provision": "hevo"}
    return made


def started(start_pgweir, world, mode: str, **provision):
    made = sections(world, mode, **provision)
    made["pgweir"].pop("listen_addr")
    made["pgweir"]["http_listen"] = f"127.0.0.1:{free_port()}"
    return start_pgweir(made)


def metrics(proxy) -> dict[str, dict]:
    return Web(int(proxy.sections["pgweir"]["http_listen"].rpartition(":")[2])).metrics()


def row(proxy) -> dict:
    return next(iter(proxy.show("PROVISION")), {})


def is_clean(proxy) -> bool:
    return row(proxy)["state"] == "clean"


def connect(proxy, user: str, password: str, **more):
    return psycopg.connect(host=proxy.host, port=proxy.port, dbname="shop", user=user, password=password, autocommit=True, **more)


def test_drift_is_told_and_left_alone(start_pgweir, world):
    proxy = started(start_pgweir, world, "check")
    wait_until(lambda: row(proxy)["state"] == "drifted", 30, "the missing user is noticed")
    for name in ("pipeline", "pipe_12345678"):
        with pytest.raises(psycopg.OperationalError, match="not.*available|cannot be read|no value"):
            connect(proxy, name, "whatever")
    assert "does not exist" in row(proxy)["problem"] and "provision has drifted" in proxy.log()
    assert metrics(proxy)["pgweir_provision_state"]["hevo", "drifted"] == 1
    assert metrics(proxy)["pgweir_provision_differences"]["hevo"] > 0
    assert world.server.sql("SELECT 1 FROM pg_roles WHERE rolname LIKE 'pipe\\_%'") == []
    began = time.monotonic()
    assert report(world.folder, sections(world, "off"), "apply")["status"] == 0
    wait_until(lambda: is_clean(proxy), 30, "it is as declared")
    now = metrics(proxy)
    assert now["pgweir_provision_state"]["hevo", "clean"] == 1
    # Another process has done it, and the look that found it done came behind that.
    counts = [now[f"pgweir_provision_{name}"]["hevo"] for name in ("differences", "extras", "changes_total")]
    assert counts == [0, 0, 0] and 0 <= now["pgweir_provision_look_age_seconds"]["hevo"] < time.monotonic() - began
    world.server.sql(f"GRANT INSERT ON orders TO {secret_value(world.folder / 'hevo.json')['username']}", "shop")
    wait_until(lambda: metrics(proxy)["pgweir_provision_extras"] == {"hevo": 1}, 30, "it may do one thing more than is declared")


def test_two_instances_make_one_user_and_mend_it(start_pgweir, world):
    proxies = [started(start_pgweir, world, "apply") for _ in range(2)]
    for proxy in proxies:
        wait_until(lambda: is_clean(proxy), 30, "it is as declared")
    roles = world.server.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pipe\\_%'")
    assert roles == [(secret_value(world.folder / "hevo.json")["username"],)]
    world.server.sql(f"REVOKE SELECT ON orders FROM {roles[0][0]}; ALTER ROLE {roles[0][0]} PASSWORD 'by hand'", "shop")
    wait_until(lambda: not kinds(report(world.folder, sections(world, "off"), "check"), "change"), 30, "the drift is mended")
    wait_until(lambda: sum(row(proxy)["changed"] for proxy in proxies) >= 2, 30, "it is counted")
    wait_until(lambda: all(metrics(proxy)["pgweir_provision_changes_total"] == {"hevo": row(proxy)["changed"]} for proxy in proxies), 30,
               "metrics count the same")
    take_turns(world, proxies)
    assert secret_value(world.folder / "hevo.json")["password"] not in "".join(proxy.log() for proxy in proxies)


def take_turns(world, proxies) -> None:
    """While another is at work the instances say so, and a command waits."""
    with world.server.connect() as another:
        another.execute("SELECT pg_advisory_lock(1885828965, 1)")
        for proxy in proxies:
            wait_until(lambda: row(proxy)["state"] == "busy", 30, "another one is at work, and that is told")
        assert "another pgweir is at work" in row(proxies[0])["problem"]
        waiting = provision.start(world.folder, "rotate", "hevo")
        wait_until(lambda: world.server.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgweir provision'"), 30,
                   "the command is there")
        assert waiting.poll() is None
    assert waiting.wait(60) == 0, waiting.communicate()
    for proxy in proxies:
        wait_until(lambda: is_clean(proxy), 30, "it is as declared")
    value = secret_value(world.folder / "hevo.json")
    assert can_log_in(world.server, value["username"], value["password"])


def test_clients_call_the_user_by_its_alias_or_by_its_role(start_pgweir, world):
    proxy = started(start_pgweir, world, "apply", replication=1)
    wait_until(lambda: is_clean(proxy), 30, "it is as declared")
    value = secret_value(world.folder / "hevo.json")
    wait_until(lambda: proxy.show("SECRETS")[0]["username"] == value["username"], 30, "the secret has been read")
    for name in ("pipeline", value["username"]):
        with connect(proxy, name, value["password"]) as connection:
            assert connection.execute("SELECT current_user::text, count(*) FROM orders GROUP BY 1").fetchone() == \
                (value["username"], 1)
    assert {row["user"] for row in proxy.show("POOLS") if row["database"] == "shop"} == {"pipeline"}
    for name, password in (("pipeline", "wrong"), (value["username"], "wrong"), ("pipe_nobody", value["password"])):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(proxy, name, password)


@pytest.mark.parametrize("strategy", ["single", "alternating"])
def test_clients_notice_nothing_of_a_rotation_that_is_due(start_pgweir, world, strategy):
    proxy = started(start_pgweir, world, "apply", rotate_every="1h", strategy=strategy)
    wait_until(lambda: is_clean(proxy), 30, "it is as declared")
    path = world.folder / "hevo.json"
    before = secret_value(path)
    wait_until(lambda: proxy.show("SECRETS")[0]["username"] == before["username"], 30, "the secret has been read")
    ended, failures, done = threading.Event(), [], []

    def come_and_go():
        try:
            while not ended.is_set():
                with connect(proxy, "pipeline", before["password"]) as connection:
                    connection.execute("SELECT * FROM orders")
                    done.append(1)
        except psycopg.Error as failure:
            failures.append(failure)

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        make_rotation_due(world)
        wait_until(lambda: row(proxy)["rotations"] == 1 or failures, 30, "the password is rotated")
        count = len(done)
        wait_until(lambda: len(done) > count + 20 or failures, 30, "clients go on")
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
    assert not failures
    after = secret_value(path)
    assert after["password"] != before["password"]
    assert (after["username"] == before["username"] + "_clone") == (strategy == "alternating")
    with connect(proxy, before["username"], after["password"]) as connection:
        connection.execute("SELECT * FROM orders")


def test_a_rotation_that_fails_is_counted_and_goes_on_later(start_pgweir, world):
    began = time.monotonic()
    proxy = started(start_pgweir, world, "apply", rotate_every="1h")
    wait_until(lambda: is_clean(proxy), 30, "it is as declared")
    world.server.sql("ALTER ROLE master NOCREATEROLE")
    make_rotation_due(world)
    wait_until(lambda: row(proxy)["failed_rotations"] > 0, 30, "the rotation fails")
    # Made since the beginning, in a second that had begun, and aged by as much.
    assert 3601 < metrics(proxy)["pgweir_provision_password_age_seconds"]["hevo"] < 3601 + time.monotonic() - began + 2
    assert metrics(proxy)["pgweir_provision_rotations_total"]["hevo", "failed"] > 0 \
        == metrics(proxy)["pgweir_provision_rotations_total"]["hevo", "good"]
    world.server.sql("ALTER ROLE master CREATEROLE")
    wait_until(lambda: row(proxy)["rotations"] == 1 and is_clean(proxy), 30, "it is done after all")


def test_a_plain_secret_cannot_say_who_the_user_is(world):
    made = sections(world, "off", secret_format="plain")
    path = world.folder / "plain.ini"
    from harness.pgweir import binary, ini
    path.write_text(ini(made))
    done = subprocess.run([binary(), "check", "-c", path], capture_output=True, text=True, preexec_fn=die_with_parent(9))
    assert done.returncode == 1 and "does not say who [user pipeline] is" in done.stderr


def test_the_probe_user_is_made_by_pgweir_itself(start_pgweir, world):
    """The cluster cannot be watched before its probe user is there, and is soon after."""
    path = world.folder / "probe.json"
    made = {"pgweir": {"provision": "apply", "provision_interval": "1s"},
            "cluster main": {**world.sections("postgres")["cluster main"], "probe_user": "watcher", "probe_secret": "probe",
                             "probe_interval": "100ms"},
            "secret probe": {"provider": "file", "path": path},
            "provision probe": {"cluster": "main", "database": "postgres", "user": "watcher", "secret": "probe",
                                "profile": "monitoring"},
            "database shop": {"cluster": "main"}}
    proxy = start_pgweir(made)
    wait_until(lambda: row(proxy).get("state") == "clean", 30, "the probe user is there")
    wait_until(lambda: proxy.show("CLUSTERS")[0]["state"] == "served", 30, "the cluster is watched")
    assert world.server.sql("SELECT pg_has_role('watcher', 'pg_monitor', 'USAGE')") == [(True,)]
