"""Pictures of the status page, at the width of a desk and of a phone, light and dark: while all is well, while the primary is
gone, and after a promotion and a rotation of a password. For docs/status-page.png, and for whoever changes the page.
Usage: pictures.py FOLDER"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.browser import browsing
from harness.clusters import PROBE, address, follow
from harness.pgweir import Pgweir
from harness.plugin import tls_settings
from harness.postgres import PASSWORDS, Cluster, bin_folder
from harness.process import die_with_parent, end, free_port, wait_until
from harness.provision import World, make_rotation_due
from harness.web import Web

SIZES = {"desktop": 1280, "phone": 390}


def sections(cluster, world, port: int) -> dict:
    servers = [cluster.primary, *cluster.replicas]
    made = world.sections("master", servers, user_prefix="pipe_", profile="read-only", owners="migrator", rotate_every="1h",
                          strategy="alternating")
    made["pgweir"] = {"http_listen": f"127.0.0.1:{port}", "pool_mode": "transaction", "provision": "apply", "provision_interval": "1s",
                      "threads": 2, "max_client_conn": 1000, "query_wait_timeout": "20s", **tls_settings(cluster)}
    made["cluster main"].update(PROBE, server_tls_sslmode="verify-full", server_tls_ca_file=cluster.certificates.ca)
    made["secret app"] = {"provider": "file", "path": world.folder / "app"}
    (world.folder / "app").write_text(PASSWORDS["app"])
    (world.folder / "app").chmod(0o600)
    made["database shop"] = {"cluster": "main", "dbname": "app", "user": "app", "secret": "app", "pool_size": 12}
    made["database bench"] = {"cluster": "main", "routing": "auto", "pool_size": 8}
    made["database reports"] = {"cluster": "main", "dbname": "bench", "routing": "prefer-replica", "pool_size": 4}
    made["database legacy"] = {"cluster": "main", "dbname": "app", "pool_mode": "session", "pool_size": 6}
    return made


def workload(proxy: Pgweir, folder: pathlib.Path) -> list[subprocess.Popen]:
    (folder / "small.sql").write_text("SELECT 1;\n\\sleep 5 ms\n")
    (folder / "held.sql").write_text("SELECT pg_advisory_lock(:client_id + 100);\n\\sleep 2 s\nSELECT pg_advisory_unlock(:client_id + 100);\n")

    def start(database: str, clients: int, *arguments) -> subprocess.Popen:
        where = f"host=127.0.0.1 port={proxy.port} dbname={database} user=app password={PASSWORDS['app']} sslmode=prefer"
        return subprocess.Popen([bin_folder() / "pgbench", "-n", "-c", str(clients), "-T", "300", *arguments, where], cwd=folder,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent(signal.SIGKILL))

    return [start("bench", 20, "-R", "150", "-S", "-M", "prepared"), start("bench", 6, "-R", "30", "-N"), start("shop", 24, "-f", "small.sql"),
            start("shop", 3, "-f", "held.sql"), start("reports", 3, "-R", "20", "-S"), start("legacy", 4, "-R", "10", "-f", "small.sql")]


def take(browser, folder: pathlib.Path, moment: str) -> None:
    for size, width in SIZES.items():
        for scheme in ("light", "dark"):
            browser.show_at(width, 1000, scheme)
            time.sleep(0.3)
            browser.picture(folder / f"{moment}-{size}-{scheme}.png")


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cluster, port, scratch = Cluster(), free_port(), pathlib.Path(tempfile.mkdtemp(prefix="pgweir-pictures-"))
    scratch.chmod(0o755)
    started = []
    try:
        cluster.start()
        subprocess.run([bin_folder() / "pgbench", "-i", "-q", "-h", cluster.primary.host, "-p", str(cluster.primary.port), "-U", "app", "bench"],
                       env={**os.environ, "PGPASSWORD": PASSWORDS["app"]}, stderr=subprocess.DEVNULL, check=True)
        cluster.start_replicas(2)
        world = World(cluster.primary, scratch)
        proxy = Pgweir(sections(cluster, world, port))
        proxy.start()
        started = workload(proxy, scratch)
        with browsing(scratch) as browser:
            web = Web(port)
            browser.show_at(1280)
            browser.open(f"http://127.0.0.1:{port}/", "document.title === 'pgweir' && !!document.querySelector('.host')")
            wait_until(lambda: {row["state"] for row in web.json()["provisions"]} == {"clean"}, 30, "users are as declared")
            time.sleep(float(os.environ.get("WARM_S", "110")))
            take(browser, folder, "well")
            old, new = cluster.primary, cluster.replicas[0]
            old.stop(signal.SIGQUIT)
            time.sleep(4)
            take(browser, folder, "gone")
            new.sql("SELECT pg_promote()")
            follow(cluster.replicas[1], new)
            (scratch / "app").write_text("the next password")
            new.sql("ALTER ROLE app PASSWORD 'the next password'")
            make_rotation_due(world)
            wait_until(lambda: web.json()["clusters"][0]["state"] == "served", 40, "there is a primary again")
            time.sleep(6)
            take(browser, folder, "rotated")
            print(address(new), *browser.complaints)
    finally:
        for each in started:
            end(each)
        if "proxy" in locals():
            proxy.discard()
        cluster.stop()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
