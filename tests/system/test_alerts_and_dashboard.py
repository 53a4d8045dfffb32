"""deploy/prometheus and deploy/grafana against what pgweir says of itself: names at any time, values where Prometheus is."""
import contextlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import psycopg
import pytest

from harness.clusters import PROBE
from harness.pgweir import binary
from harness.process import ROOT, die_with_parent, end, free_port, run, wait_until
from harness.provision import World, make_rotation_due

pytestmark = pytest.mark.ours
RULES = ROOT / "deploy" / "prometheus" / "pgweir.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "pgweir.json"


def panels() -> list[dict]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """(panel, query) with the dashboard's variables filled in."""
    return [(panel["title"], target["expr"].replace("$instance", ".*").replace("$database", ".*").replace("$__rate_interval", "10s"))
            for panel in panels() for target in panel["targets"]]


def test_every_metric_of_rules_and_dashboard_exists():
    reference = run([binary(), "describe", "metrics"]).stdout
    known = set(re.findall(r"^### (\S+)$", reference, re.M))
    text = "\n".join([RULES.read_text(), *(query for _, query in queries())])
    wanted = set(re.findall(r"\bpgweir_\w+", text))
    assert len(wanted) > 20 and not {name for name in wanted if re.sub("_(bucket|sum|count)$", "", name) not in known}


def test_panels_do_not_lie_on_one_another():
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (package prometheus) is not installed")
def test_promtool_accepts_the_rules():
    assert "SUCCESS" in run(["promtool", "check", "rules", RULES]).stdout


# alert: (series, values that make it fire, values just short of that, after so many minutes). Values are promtool's, one a minute.
ALERTS = {
    "PgweirDown": ({'up{job="pgweir"}': "0x9"}, {'up{job="pgweir"}': "1x9"}, 2),
    "PgweirClientConnectionsNearLimit": (
        {"pgweir_client_connections": "81x9", "pgweir_client_connections_limit": "100x9"},
        {"pgweir_client_connections": "80x9", "pgweir_client_connections_limit": "100x9"}, 6),
    # Two instances together.
    "PgweirServerConnectionsHigh": (
        {f'pgweir_host_connections{{cluster="main",host="db",instance="{i}"}}': "401x9" for i in "ab"},
        {f'pgweir_host_connections{{cluster="main",host="db",instance="{i}"}}': "400x9" for i in "ab"}, 6),
    "PgweirServerConnectionsNearLimit": (
        {'pgweir_host_connections{host="db"}': "95x9", 'pgweir_host_connections_limit{host="db"}': "100x9"},
        # Of what has no limit nothing is near it.
        {'pgweir_host_connections{host="db"}': "94x9", 'pgweir_host_connections_limit{host="db"}': "100x9",
         'pgweir_host_connections{host="more"}': "500x9", 'pgweir_host_connections_limit{host="more"}': "0x9"}, 6),
    "PgweirReplicaLag": ({'pgweir_host_lag_seconds{host="db"}': "61x9"}, {'pgweir_host_lag_seconds{host="db"}': "60x9"}, 3),
    "PgweirNoPrimary": (
        {'pgweir_cluster_state{cluster="main",state="without primary"}': "0 1x9", 'pgweir_cluster_state{cluster="main",state="served"}': "1 0x9"},
        {'pgweir_cluster_state{cluster="main",state="undecided"}': "0x9", 'pgweir_cluster_state{cluster="main",state="served"}': "1x9"}, 3),
    "PgweirSecretFails": ({'pgweir_secret_good{secret="s"}': "0x20"}, {'pgweir_secret_good{secret="s"}': "0x8 1 0x8"}, 12),
    "PgweirServerLoginsFail": (
        {'pgweir_server_login_failures_total{database="d"}': "0+1x20"}, {'pgweir_server_login_failures_total{database="d"}': "0 1 1x20"}, 12),
    "PgweirProvisionDrifted": (
        {'pgweir_provision_state{provision="p",state="drifted"}': "1x20"},
        {'pgweir_provision_state{provision="p",state="drifted"}': "1x10 0 1x10", 'pgweir_provision_state{provision="p",state="clean"}': "1x20"}, 16),
    "PgweirProvisionFails": (
        {'pgweir_provision_state{provision="p",state="failed"}': "1x20"}, {'pgweir_provision_state{provision="p",state="busy"}': "1x20"}, 16),
    "PgweirRotationFails": (
        {'pgweir_provision_rotations_total{provision="p",result="failed"}': "0 0 1 1x5"},
        {'pgweir_provision_rotations_total{provision="p",result="failed"}': "1x9", 'pgweir_provision_rotations_total{provision="p",result="good"}': "0 0 1 1x5"}, 3),
    "PgweirPinsRise": (
        {'pgweir_pinned_sessions{reason="advisory_lock"}': "0+1x60"},
        # Many and no more of them; few; as it is meant.
        {'pgweir_pinned_sessions{reason="advisory_lock"}': "50x60", 'pgweir_pinned_sessions{reason="listen"}': "0 1+0x60",
         'pgweir_pinned_sessions{reason="session_mode"}': "0+1x60"}, 50),
    "PgweirClientsWait": (
        {'pgweir_pool_clients_waiting{database="d"}': "3x9", 'pgweir_pool_longest_wait_seconds{database="d"}': "2x9"},
        {'pgweir_pool_clients_waiting{database="d"}': "3x9", 'pgweir_pool_longest_wait_seconds{database="d"}': "1x9"}, 3),
    "PgweirQueriesTimeOutWaiting": (
        {'pgweir_wait_timeouts_total{database="d"}': "0+1x9"}, {'pgweir_wait_timeouts_total{database="d"}': "7x9"}, 5),
}


def alert_test(name: str, series: dict, minutes: int, fires: bool) -> dict:
    """In promtool's words."""
    return {"interval": "1m", "input_series": [{"series": each, "values": values} for each, values in series.items()],
            "promql_expr_test": [{"expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})', "eval_time": f"{minutes}m",
                                  "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}]}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (package prometheus) is not installed")
def test_each_alert_fires_and_does_not_fire(tmp_path):
    assert re.findall(r"- alert: (\w+)", RULES.read_text()) == list(ALERTS)
    tests = [alert_test(name, series, minutes, fires) for name, (loud, quiet, minutes) in ALERTS.items()
             for series, fires in ((loud, True), (quiet, False))]
    path = tmp_path / "tests.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    said = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


@contextlib.contextmanager
def prometheus(folder, target: str):
    """One that scrapes and thinks every second, and finds a second long enough for any alert."""
    port = free_port()
    (folder / "rules.yml").write_text(re.sub(r"for: \d+m", "for: 1s", RULES.read_text()))
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{folder}/rules.yml]\n"
        f"scrape_configs: [{{job_name: pgweir, static_configs: [{{targets: ['{target}']}}]}}]\n")
    log = (folder / "prometheus.log").open("w")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
        stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "2"}, preexec_fn=die_with_parent(signal.SIGKILL))

    def ask(what: str, **arguments):
        address = f"http://127.0.0.1:{port}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            return json.load(urllib.request.urlopen(address, timeout=60))["data"]
        except urllib.error.HTTPError as refused:
            if refused.code == 503:         # It still reads what it had.
                return None
            raise AssertionError(refused.read().decode()) from None
        except OSError:
            return None

    try:
        wait_until(lambda: ask("query", query="1"), 30, "Prometheus answers")
        yield ask
    finally:
        end(process)
        log.close()


@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster.primary, tmp_path)
    yield made
    made.remove()


def watched(world, servers, port: int) -> dict:
    """A proxy with something behind each panel: replicas, a small pool, secrets, users that it looks after."""
    made = world.sections("master", servers, user="hevo", profile="read-only", schemas="public", rotate_every="1h")
    made["pgweir"] = {"http_listen": f"127.0.0.1:{port}", "pool_mode": "transaction", "query_wait_timeout": "3s", "provision": "apply",
                      "provision_interval": "1s"}
    made["cluster main"].update(PROBE)
    made["secret stock"] = {"provider": "file", "path": world.folder / "stock.json"}
    made["provision stock"] = {"cluster": "main", "database": "shop", "schemas": "stock", "secret": "stock", "user": "stock", "profile": "read-only"}
    for name in ("changing", "vanishing"):
        made[f"secret {name}"] = {"provider": "file", "path": world.folder / name}
        (world.folder / name).write_text("a password")
        (world.folder / name).chmod(0o600)
    made["database app"] = {"cluster": "main", "dbname": "app", "routing": "auto", "pool_size": 2}
    made["database stale"] = {"host": world.server.host, "port": world.server.port, "dbname": "app", "user": "app", "password": "no longer good"}
    return made


def make_trouble(world, proxy) -> None:
    """One of each kind that alerts are about, which lasts."""
    world.server.sql("CREATE TABLE stock.ledger (id int)", "shop")             # Of a superuser: not ours to grant.
    world.server.sql("ALTER ROLE master NOCREATEROLE")
    make_rotation_due(world)
    world.server.sql("GRANT INSERT ON stock.items TO stock", "shop")
    (world.folder / "changing").write_text("another password")
    (world.folder / "vanishing").unlink()
    for _ in range(2):
        proxy.raw("app").ask("SELECT pg_advisory_lock_shared(4713)")


@contextlib.contextmanager
def unlucky_clients(proxy):
    """Some whose pool is taken, and some whose server refuses pgweir's login."""
    ended = threading.Event()

    def come(database: str):
        while not ended.is_set():
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(proxy.conninfo(database, "app", sslmode="prefer")) as client:
                client.execute("SELECT txid_current()")
            ended.wait(0.05)

    threads = [threading.Thread(target=come, args=(database,)) for database in ("app", "stale")]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def has_data(answer: dict | None) -> bool:
    """None: Prometheus was too busy to answer."""
    values = [float(sample["value"][1]) for sample in answer["result"]] if answer else []
    return any(math.isfinite(value) and value != 0 for value in values)


TROUBLE = {"PgweirSecretFails", "PgweirServerLoginsFail", "PgweirProvisionDrifted", "PgweirProvisionFails", "PgweirRotationFails",
           "PgweirQueriesTimeOutWaiting"}


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_every_panel_has_data_and_alerts_fire_once_there_is_trouble(cluster, replicas, world, start_pgweir, tmp_path):
    port = free_port()
    proxy = start_pgweir(watched(world, [cluster.primary, *replicas], port))
    wait_until(lambda: {row["state"] for row in proxy.show("PROVISION")} == {"clean"}, 30, "users are as declared")
    lacking, fired = set(queries()), set()
    with prometheus(tmp_path, f"127.0.0.1:{port}") as ask:
        def look(*panels: str) -> bool:
            """Some work, and what is shown of it: whether there is nothing left to see of these panels."""
            with contextlib.suppress(psycopg.OperationalError):        # Of one that has to go to the primary, while that is taken.
                proxy.connect("app", sslmode="prefer").execute("SELECT 1")
            lacking.difference_update([each for each in lacking if has_data(ask("query", query=each[1]))])
            alerts = (ask("alerts") or {"alerts": []})["alerts"]
            fired.update(alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing")
            return not [title for title, _ in lacking if not panels or title in panels]

        wait_until(lambda: look("Queries by database", "State of hosts", "Age of secrets"), 30, "Prometheus has seen it", step_s=0.3)
        assert not fired
        make_trouble(world, proxy)
        with unlucky_clients(proxy), contextlib.suppress(AssertionError):
            wait_until(lambda: look() and TROUBLE <= fired, 40, "all is there", step_s=0.3)
    assert (lacking, TROUBLE - fired) == (set(), set())
