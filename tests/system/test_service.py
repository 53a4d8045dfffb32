"""pgweir as a service: what it tells systemd, sockets that systemd has opened, and the units in deploy/."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import kubernetes
from harness.pgweir import Pgweir, binary
from harness.process import ROOT, die_with_parent, end, free_port, run, wait_until

pytestmark = pytest.mark.ours
UNITS = ROOT / "deploy" / "systemd"


class Notified(Pgweir):
    """With a NOTIFY_SOCKET that the test reads."""

    def __init__(self, sections, folder, **environment):
        super().__init__(sections)
        self.said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.said.bind(str(folder / "notify"))
        self.said.settimeout(60)
        self.more = {"NOTIFY_SOCKET": str(folder / "notify"), **environment}

    def environment(self):
        return {**super().environment(), **self.more}

    def hears(self, word: str) -> str:
        """The next message with the word; those before it do not matter."""
        while word not in (message := self.said.recv(4096).decode()).split("\n"):
            pass
        return message

    def hears_next(self) -> str:
        """The next message that is not the watchdog's."""
        while "WATCHDOG=1" in (message := self.said.recv(4096).decode()):
            pass
        return message


@pytest.fixture
def notified(cluster, tmp_path):
    place = {"host": cluster.primary.host, "port": cluster.primary.port}
    # Ten messages that nobody has read are all that the kernel keeps: seldom enough, so that none of the others is lost.
    proxy = Notified({"database app": place}, tmp_path, WATCHDOG_USEC="10000000")
    yield proxy
    proxy.discard()
    proxy.said.close()


def test_systemd_hears_of_readiness_reloads_and_the_end(notified):
    notified.start()
    assert "READY=1" in notified.hears_next()
    notified.process.send_signal(signal.SIGHUP)
    assert re.search(r"RELOADING=1\nMONOTONIC_USEC=\d+", notified.hears_next())
    assert "READY=1" in notified.hears_next()
    notified.ini_path.write_text("[pgweir]\nnonsense = 1\n")
    notified.process.send_signal(signal.SIGHUP)
    assert "RELOADING=1" in notified.hears_next()
    assert "READY=1" in notified.hears_next()           # It serves on, with what it had.
    notified.process.send_signal(signal.SIGTERM)
    assert "STOPPING=1" in notified.hears_next()


def test_the_watchdog_is_answered(notified):
    notified.more["WATCHDOG_USEC"] = "100000"
    notified.start()
    for _ in range(3):
        notified.hears("WATCHDOG=1")


def test_a_watchdog_of_another_process_is_not_answered(cluster, tmp_path):
    proxy = Notified({"database app": {"host": "127.0.0.1"}}, tmp_path, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    proxy.start()
    try:
        assert "READY=1" in proxy.said.recv(4096).decode()
        proxy.process.send_signal(signal.SIGTERM)
        assert "STOPPING=1" in proxy.said.recv(4096).decode()
    finally:
        proxy.discard()
        proxy.said.close()


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not installed")
def test_sockets_that_systemd_opened_are_used(cluster, start_pgweir, tmp_path):
    """The file names a port that is taken: with sockets from outside nobody tries to open it."""
    other = start_pgweir()
    port = free_port()
    proxy = Pgweir({"pgweir": {"listen_port": other.port}, "database app": {"host": cluster.primary.host, "port": cluster.primary.port}})
    proxy.write()
    path = tmp_path / ".s.PGSQL.5432"
    with proxy.log_path.open("ab") as log:
        process = subprocess.Popen(
            ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", f"--listen={path}", *map(str, proxy.command())],
            stdout=log, stderr=log, cwd=proxy.folder, env=proxy.environment(), preexec_fn=die_with_parent(signal.SIGKILL))
    try:
        wait_until(path.exists, 10, "systemd-socket-activate listens")
        proxy.port = port
        assert proxy.raw("app").value("SELECT 'through'") == "through"
        proxy.host, proxy.port = str(tmp_path), 5432
        with proxy.connect("app", sslmode="disable") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert "listening on sockets that were passed" in proxy.log() and path.exists()
    finally:
        proxy.close_all()
        end(process)
        proxy.check_log()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_units_are_valid_and_let_little_through(tmp_path):
    for name in ("pgweir.service", "pgweir.socket"):
        text = (UNITS / name).read_text().replace("/usr/bin/pgweir", str(binary()))
        (tmp_path / name).write_text(text.replace("Documentation=man:pgweir(1) man:pgweir.ini(5)\n", ""))
    result = run(["systemd-analyze", "verify", tmp_path / "pgweir.service", tmp_path / "pgweir.socket"], check=False,
                 env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert result.returncode == 0 and str(tmp_path) not in result.stderr, result.stderr
    said = run(["systemd-analyze", "security", "--offline=yes", tmp_path / "pgweir.service"], check=False).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure and float(exposure.group(1)) < 2.5, said[-500:]


def test_the_unit_calls_only_what_a_small_debian_has():
    """kill(1) is in procps, which is no essential package."""
    unit = (UNITS / "pgweir.service").read_text()
    assert set(re.findall(r"^Exec\w+=(\S+)", unit, re.M)) == {"/usr/bin/pgweir", "/bin/sh"}


def test_a_restart_leaves_the_socket_of_systemd_in_place():
    """It lies in the folder that is the service's own, and that systemd would remove when the service stops."""
    unit, sockets = ((UNITS / name).read_text() for name in ("pgweir.service", "pgweir.socket"))
    assert "RuntimeDirectory=pgweir\n" in unit and "ListenStream=/run/pgweir/" in sockets
    assert "RuntimeDirectoryPreserve=yes\n" in unit
    assert "/run/pgweir" in re.search(r"= purge .*?\nfi", (ROOT / "deploy" / "debian" / "postrm").read_text(), re.S).group()


KUBERNETES = ROOT / "deploy" / "kubernetes"


def documents() -> dict:
    """Each object of the Kubernetes examples by kind."""
    yaml = pytest.importorskip("yaml")
    return {found["kind"]: found for path in KUBERNETES.glob("*.yaml") for found in yaml.safe_load_all(path.read_text())}


def test_the_kubernetes_examples_fit_one_another_and_the_configuration(tmp_path):
    found = documents()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    text = (KUBERNETES / "pgweir.ini").read_text()
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}
    for path in re.findall(r"(?:_file|path) = (/\S+)", text):
        assert any(path.startswith(mount) for mount in mounts), f"{path} is not mounted"
    assert int(re.search(r"drain_timeout = (\d+)s", text).group(1)) < pod["terminationGracePeriodSeconds"]
    assert f"fleet_size = {found['Deployment']['spec']['replicas']}\n" in text
    for port in container["ports"]:
        assert re.search(rf"(?:listen_port = |:){port['containerPort']}\b", text)
    for kind in ("Service", "PodDisruptionBudget"):
        selector = found[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    # The mounts are not there: what is said of a file that cannot be read is no fault of the file.
    (tmp_path / "pgweir.ini").write_text(text)
    said = run([binary(), "check", "-c", tmp_path / "pgweir.ini"], check=False)
    faults = [line for line in said.stderr.splitlines() if "warning: " not in line and "No such file" not in line]
    assert not faults and ("fleet_size = 3" in said.stdout or "No such file" in said.stderr)


@pytest.mark.skipif(not kubernetes.MODULES.exists(), reason="the npm packages of Kubernetes' types are not there")
def test_the_kubernetes_examples_fit_the_schemas_of_kubernetes():
    yaml = pytest.importorskip("yaml")
    things = [found for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml" for found in yaml.safe_load_all(path.read_text())]
    assert {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "ExternalSecret", "Job"} <= {thing["kind"] for thing in things}
    for thing in things:
        assert kubernetes.faults(thing) == []
    # And the look finds what is wrong.
    deployment = next(thing for thing in things if thing["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinesProbe"] = container.pop("readinessProbe")
    deployment["spec"]["replicas"] = "three"
    del container["livenessProbe"]["httpGet"]["port"]
    place = "Deployment.spec.template.spec.containers[0]"
    assert set(kubernetes.faults(deployment)) == {f"{place} has no member readinesProbe", f"{place}.livenessProbe.httpGet needs port",
                                                  "Deployment.spec.replicas is no number: 'three'"}


def test_the_kustomization_names_files_that_are_there():
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert set(found) == {"apiVersion", "kind", "resources", "configMapGenerator"}
    named = [*found["resources"], *(name for each in found["configMapGenerator"] for name in each["files"])]
    assert {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml", "migration-job.yaml"} == set(named)
