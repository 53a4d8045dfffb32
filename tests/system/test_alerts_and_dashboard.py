"""deploy/prometheus and deploy/grafana against what pgweir says of itself: names at any time, values where Prometheus is."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness.pgweir import binary
from harness.process import ROOT, die_with_parent, end, free_port, run, wait_until

pytestmark = pytest.mark.ours
RULES = ROOT / "deploy" / "prometheus" / "pgweir.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "pgweir.json"
# What has no data while all is well, or without what it is about.
QUIET = {"Age of secrets", "Secrets that can be read", "Lag of replicas", "Logins that servers refused", "State of hosts"}


def panels() -> list[dict]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """(panel, query) with the dashboard's variables filled in."""
    return [(panel["title"], target["expr"].replace("$instance", ".*").replace("$database", ".*").replace("$__rate_interval", "10s"))
            for panel in panels() for target in panel["targets"]]


def test_every_metric_of_rules_and_dashboard_exists():
    reference = run([binary(), "describe", "metrics"]).stdout
    known = set(re.findall(r"^### (\S+)$", reference, re.M))
    text = "\n".join([*re.findall(r"expr: (.*)", RULES.read_text()), *(query for _, query in queries())])
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


@contextlib.contextmanager
def prometheus(folder, target: str):
    port = free_port()
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{RULES}]\n"
        f"scrape_configs: [{{job_name: pgweir, static_configs: [{{targets: ['{target}']}}]}}]\n")
    log = (folder / "prometheus.log").open("w")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
        stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "2"}, preexec_fn=die_with_parent(signal.SIGKILL))

    def ask(what: str, **arguments):
        address = f"http://127.0.0.1:{port}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            return json.load(urllib.request.urlopen(address, timeout=10))["data"]
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


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_every_panel_has_data_and_no_alert_fires_while_all_is_well(cluster, start_pgweir, tmp_path):
    port = free_port()
    proxy = start_pgweir({"pgweir": {"http_listen": f"127.0.0.1:{port}"},
                          "database app": {"host": cluster.primary.host, "port": cluster.primary.port, "dbname": "app"}})
    with prometheus(tmp_path, f"127.0.0.1:{port}") as ask:
        client = proxy.connect("app", sslmode="disable")

        def complete():
            client.execute("SELECT 1")
            proxy.connect("app", sslmode="disable").close()
            empty[:] = [(title, query) for title, query in queries() if not ask("query", query=query)["result"] and title not in QUIET]
            return not empty

        empty = []
        with contextlib.suppress(AssertionError):
            wait_until(complete, 30, "every panel has data", step_s=0.5)
        assert not empty
        assert [alert["labels"]["alertname"] for alert in ask("alerts")["alerts"] if alert["state"] == "firing"] == []
