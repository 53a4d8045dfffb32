"""A failover that loses what a rotation has set: the daemon finds it and sets it again, and no client's login fails."""
import signal

import psycopg
import pytest

from harness import provision
from harness.clusters import PROBE, host
from harness.postgres import Cluster
from harness.process import wait_until
from harness.provision import Traffic, World, can_log_in, kinds, report, reports, secret_value

pytestmark = pytest.mark.ours

# What a failed query may say: that the server was lost at work, and nothing else.
LOST = {"40001", "08007"}

# name: the strategy, and where its rotation is when the primary is lost; None: finished.
ROTATIONS = {"single": ("single", None), "turns": ("alternating", None), "half": ("single", "after-set")}


@pytest.fixture
def own(tmp_path):
    made = Cluster()
    try:
        made.start()
        made.start_replicas(1)
        yield made
    finally:
        made.stop()


def sections(world, own) -> dict:
    made = world.sections(servers=[own.primary, *own.replicas])
    del made["secret hevo"], made["provision hevo"]
    made["cluster main"].update(PROBE)
    for name, (strategy, _) in ROTATIONS.items():
        made[f"secret {name}"] = {"provider": "file", "path": world.folder / f"{name}.json"}
        made[f"provision {name}"] = {"cluster": "main", "database": "shop", "secret": name, "user": f"p_{name}", "owners": "migrator",
                                     "profile": "read-only", "strategy": strategy, "rotation_replica_wait": "0s"}
        made[f"user {name}"] = {"provision": name}
    return made


def daemon_sections(made: dict) -> dict:
    daemon = {**made, "pgweir": {"provision": "apply", "provision_interval": "1s", "pool_mode": "transaction",
                                 "query_wait_timeout": "60s", "server_login_retry": "1s"}}
    return {**daemon, "database shop": {"cluster": "main", "dbname": "shop"}}


def cut_off(replica) -> None:
    """It gets nothing of what the primary writes from now on, and has had all of what came before."""
    replica.sql("ALTER SYSTEM SET primary_conninfo = ''")
    replica.sql("SELECT pg_reload_conf()")
    wait_until(lambda: not replica.sql("SELECT 1 FROM pg_stat_wal_receiver"), 20, "it streams no more")


def all_are_clean(proxy) -> bool:
    return all(row["state"] == "clean" for row in proxy.show("PROVISION"))


def reload(proxy, mode: str) -> None:
    """Until it is in force. From then on the console tells only what was found since; what was under way has ended then."""
    before = proxy.log().count("configuration reloaded")
    proxy.sections["pgweir"]["provision"] = mode
    proxy.reload()
    wait_until(lambda: proxy.log().count("configuration reloaded") > before, 10, "it is reloaded")


def rotate(world, made: dict) -> None:
    """Each as far as it is to get. The process that leaves one half done is gone before the daemon may go on with it."""
    for name, (_, point) in ROTATIONS.items():
        if point:
            assert provision.run(world.folder, made, "rotate", name, "--crash-at", point).returncode == -9
        else:
            done = report(world.folder, made, "rotate", name)
            assert done["status"] == 0 and "has not replayed" in done["progress"], done


def value(world, name: str) -> dict:
    return secret_value(world.folder / f"{name}.json")


def test_a_promotion_that_loses_a_rotation_is_mended_and_no_login_fails(start_pgweir, own, tmp_path):
    """An asynchronous replica that is behind becomes the primary: passwords, and a clone with all its grants, are gone."""
    world, new = World(own.primary, tmp_path), own.replicas[0]
    made = sections(world, own)
    assert {one["state"] for one in reports(world.folder, made, "apply").values()} == {"clean"}
    wait_until(own.caught_up, 20, "the replica has all of it")
    before = {name: value(world, name) for name in ROTATIONS}
    proxy = start_pgweir(daemon_sections({**made, "pgweir": {}}))
    wait_until(lambda: all_are_clean(proxy), 30, "all is as declared")
    with Traffic(proxy, {name: lambda name=name: value(world, name) for name in ROTATIONS}) as clients:
        cut_off(new)
        reload(proxy, "check")          # Whoever goes on with a half done rotation, it is not now.
        wait_until(lambda: all_are_clean(proxy), 30, "its last pass that mends is over")
        rotate(world, made)
        clients.go_on()
        clients.assert_nobody_noticed()
        own.primary.stop(signal.SIGKILL)
        new.sql("SELECT pg_promote()")
        assert new.sql("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'p\\_%clone'") == []
        lost = value(world, "single")
        assert lost["password"] != before["single"]["password"] and not can_log_in(new, "p_single", lost["password"])
        clients.go_on()
        found = report(world.folder, made, "check", "turns")
        assert found["status"] == 1 and any("p_turns_clone does not exist" in what for what in kinds(found, "change")), found
        reload(proxy, "apply")
        wait_until(lambda: all_are_clean(proxy), 40, "the daemon has mended it", 0.2)
        clients.go_on()
    assert clients.failed_logins == [] and {state for _, state, _ in clients.failed_queries} <= LOST, clients.failed_queries
    for name, (strategy, _) in ROTATIONS.items():
        now = value(world, name)
        assert now["password"] != before[name]["password"]
        assert now["username"] == f"p_{name}{'_clone' if strategy == 'alternating' else ''}"
        with psycopg.connect(host=new.host, port=new.port, dbname="shop", user=now["username"], password=now["password"]) as direct:
            direct.execute("SELECT what FROM orders")
    assert {one["state"] for one in reports(world.folder, made, "check").values()} == {"clean"}
    leave_only_the_old_one(own, proxy)


def leave_only_the_old_one(own, proxy) -> None:
    """It says that it is the primary, and only who has seen the new one knows better: nothing is done to it."""
    old, new = own.primary, own.replicas[0]
    old.start()
    new.stop(signal.SIGKILL)
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 30, "the old primary is back")
    old.sql("ALTER ROLE p_single CONNECTION LIMIT 7")
    wait_until(lambda: all("no primary is known" in (row["problem"] or "") for row in proxy.show("PROVISION")), 30, "that is told")
    assert {row["state"] for row in proxy.show("PROVISION")} == {"failed"}
    assert old.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'p_single'") == [(7,)]
