"""The console with the tools that people use on it: the exporter of PgBouncer's metrics, JDBC, pgcli."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.request

import psycopg2
import pytest

from harness.postgres import PASSWORDS
from harness.process import die_with_parent, end, free_port, run, wait_until

pytestmark = pytest.mark.ours


def scrape(target, folder: pathlib.Path) -> dict[str, float]:
    """What Debian's prometheus-pgbouncer-exporter says of it, without the exporter's own process."""
    port = free_port()
    log = (folder / f"exporter-{port}.log").open("w+")
    process = subprocess.Popen(
        ["prometheus-pgbouncer-exporter", "--host", "127.0.0.1", "--port", str(port), "--pgbouncer-host", "127.0.0.1",
         "--pgbouncer-port", str(target.port), "--pgbouncer-user", "stats"],
        stdout=log, stderr=log, env={**os.environ, "PGPASSWORD": PASSWORDS["stats"], "PGSSLMODE": "prefer"},
        preexec_fn=die_with_parent(signal.SIGKILL))

    def answer():
        assert process.poll() is None, log.seek(0) or log.read()
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
        except OSError:
            return ""

    try:
        text = wait_until(answer, 20, "the exporter answers")
        log.seek(0)
        assert "Traceback" not in log.read()
        return {name: float(value) for name, value in re.findall(r"^(pgbouncer_\S+) (\S+)$", text, re.M)}
    finally:
        end(process)
        log.close()


@pytest.mark.skipif(not shutil.which("prometheus-pgbouncer-exporter"), reason="prometheus-pgbouncer-exporter is not installed")
def test_debians_exporter_of_pgbouncers_metrics_works_unchanged(pgweir, tmp_path):
    """It asks for columns of several of PgBouncer's versions at once, and ends when one is missing."""
    client = pgweir.connect2("app", sslmode="require")
    for _ in range(5):
        client.cursor().execute("SELECT 1")
    wait_until(lambda: pgweir.pool("app")["cl_active"] == 1, what="clients of the test before are gone")
    said = scrape(pgweir, tmp_path)
    assert said['pgbouncer_active_clients{database="app",user="app"}'] == 1
    assert said['pgbouncer_requests_total{database="app"}'] >= 5 and said['pgbouncer_sent_bytes_total{database="app"}'] > 0
    assert said['pgbouncer_pool_size{database="other"}'] == 10
    assert said["pgbouncer_databases"] == len([title for title in pgweir.sections if title.startswith("database ")])


@pytest.mark.skipif(not shutil.which("javac"), reason="no Java compiler")
def test_jdbc_reads_the_console(pgweir):
    source = pathlib.Path(__file__).parent / "drivers" / "Console.java"
    url = f"jdbc:postgresql://{pgweir.host}:{pgweir.port}/pgweir?sslmode=require"
    said = run(["java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/postgresql.jar", source, url, "admin",
                PASSWORDS["admin"]]).stdout
    assert re.search(r"^DATABASES \d\d columns [1-9]\d* rows$", said, re.M) and re.search(r"^CONFIG 4 columns", said, re.M)
    assert '42601 ERROR: unknown command "SHOW POOL"' in said and "Did you mean SHOW POOLS?" in said and "valid true" in said


@pytest.mark.skipif(not shutil.which("pgcli"), reason="pgcli is not installed")
def test_pgcli_reads_the_console(pgweir, tmp_path):
    result = run(["pgcli", "--pgclirc", tmp_path / "rc", "--no-password", "-h", pgweir.host, "-p", pgweir.port, "-U", "admin", "-d", "pgweir"],
                 stdin="SHOW DATABASES;\n\\q\n", check=False, timeout_s=60,
                 env={"PGPASSWORD": PASSWORDS["admin"], "HOME": str(tmp_path), "PAGER": "cat", "TERM": "dumb"})
    assert "bench_session" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("said, meant", [
    ("SHOW POOL", "SHOW POOLS"), ("show databses", "SHOW DATABASES"), ("RELAOD", "RELOAD"), ("PUASE app", "PAUSE"),
])
def test_a_misspelt_command_is_guessed(pgweir, said, meant):
    with pytest.raises(psycopg2.Error, match=f"Did you mean {meant}\\?"):
        pgweir.admin(sslmode="require").cursor().execute(said)
