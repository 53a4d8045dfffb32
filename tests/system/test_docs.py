"""docs/: what is said to be typed works. A block marked ```sh run is run, page by page, top to bottom, in a folder of its own;
one marked ```sh needs-… says what it would take. Links lead somewhere."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

from harness.pgweir import binary
from harness.postgres import PASSWORDS
from harness.process import ROOT, die_with_parent, end, free_port
from test_first_steps import url

pytestmark = pytest.mark.ours
DOCS = ROOT / "docs"
FENCE = re.compile(r"^ *```(\w*) ?([\w-]*)\n(.*?)^ *```$", re.M | re.S)
PAGES = ["README", *sorted(path.stem for path in DOCS.glob("*.md"))]


def source(page: str) -> str:
    return (ROOT / "README.md" if page == "README" else DOCS / f"{page}.md").read_text()


def blocks(page: str) -> list[tuple[str, str]]:
    """(mark, text) of each block of shell."""
    return [(mark, text) for language, mark, text in FENCE.findall(source(page)) if language == "sh"]


RUN = [page for page in PAGES if any(mark == "run" for mark, _ in blocks(page))]


# What the README promises; on a machine with much to do it takes a moment.
READ_BY_A_REPLICA = """
for i in $(seq 100); do
    psql "host=localhost port=6432 dbname=app sslmode=require" -c 'SELECT count(*) FROM pg_class' > /dev/null
    psql "host=localhost port=6432 dbname=pgweir sslmode=require" -c 'SHOW ROUTES' | grep -E 'app +\\| replica +\\| read' && exit 0
    sleep 0.1
done
exit 1"""


def script(page: str, port: int) -> str:
    """The page's blocks. The port of the documents is another one here, and what is started in the background is waited for."""
    parts = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    for mark, text in blocks(page):
        if mark != "run":
            continue
        parts.append(re.sub(r"\b6432\b", str(port), text))
        parts.append(f"if [ -e pgweir.ini ]; then sed -i 's/^listen_port = 6432$/listen_port = {port}\\ndrain_timeout = 0/' pgweir.ini; fi")
        if "&\n" in text:
            parts.append(f"for i in $(seq 1200); do (: < /dev/tcp/127.0.0.1/{port}) 2>/dev/null && break; sleep 0.05; done")
    if page == "README":
        parts.append(READ_BY_A_REPLICA.replace("6432", str(port)))
    return "\n".join(parts)


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_says_works(cluster, replicas, tmp_path, page):
    if page == "from-pgbouncer" and not os.access("/etc/pgbouncer/pgbouncer.ini", os.R_OK):
        pytest.skip("/etc/pgbouncer/pgbouncer.ini is not there, or not for us")
    (tmp_path / "pgweir").symlink_to(binary())
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PGUSER": "app", "PGPASSWORD": PASSWORDS["app"],
                   "DATABASE_URL": url(cluster.primary), "PAGER": "cat"}
    if page == "README":                # Of servers that replicate.
        environment.update(DATABASE_URL=url(cluster.primary, *replicas, user="postgres"), PGUSER="postgres", PGPASSWORD=PASSWORDS["postgres"])
    folder = tmp_path / "here"
    folder.mkdir()
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(["bash", "-c", script(page, free_port())], cwd=folder, env=environment, stdout=log, stderr=log,
                                   preexec_fn=die_with_parent(signal.SIGKILL))
        try:
            status = process.wait(200)
        finally:
            end(process)
        log.seek(0)
        assert status == 0, log.read()[-3000:]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_or_says_what_it_needs(page):
    for mark, text in blocks(page):
        assert mark == "run" or mark.startswith("needs-"), text


def test_blocks_of_configuration_are_valid(tmp_path):
    """Keys and sections only: paths, hosts and secrets are somebody else's."""
    for page in PAGES:
        for language, _, text in FENCE.findall(source(page)):
            if language != "ini":
                continue
            path = tmp_path / f"{page}.ini"
            text = re.sub(r"^  ", "", text, flags=re.M)
            path.write_text(text if "[pgweir]" in text else f"[pgweir]\n{text}")
            said = subprocess.run([binary(), "check", "-c", path], capture_output=True, text=True,
                                  env={**os.environ, "PGWEIR_PROBE_PASSWORD": "x"}).stderr
            assert not re.search(r"has no key|there is no section|must be|neither a", said), f"{page}: {said}"


def test_links_between_pages_lead_somewhere():
    pages = [*DOCS.glob("*.md"), ROOT / "README.md"]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text()):
            there = page.parent / pathlib.Path(target)
            assert there.exists(), f"{page.name}: {target}"


def test_links_between_pages_lead_somewhere_in_the_package_too():
    """What is installed beside the pages is what the package's patterns say."""
    rule = re.search(r"install\(DIRECTORY \S+/docs/ (.*?)\)", (ROOT / "cmake" / "PgweirPackage.cmake").read_text(), re.S).group(1)
    assert "EXCLUDE" not in rule
    shipped = {path for pattern in re.findall(r'PATTERN "(\S+)"', rule) for path in DOCS.rglob(pattern)}
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).resolve() in shipped, f"{page.name}: {target}"
