"""What people read: manual pages against the tables that they are made of."""
import re
import shutil
import subprocess

import pytest

from harness.pgweir import binary
from harness.process import run
from test_command_line import commands

pytestmark = pytest.mark.ours
PAGES = ["pgweir.1", "pgweir.ini.5", "pgweir-console.7"]


def page(name: str) -> str:
    """As roff, with what is escaped only for roff's sake undone."""
    return re.sub(r"\\f.|\\&", "", run([binary(), "describe", "man", name]).stdout).replace("\\-", "-")


def test_the_page_of_the_program_has_every_command_and_option():
    text = page("pgweir.1")
    for words in commands():
        assert f"\npgweir {' '.join(words)}" in text
    for option in re.findall(r"--([a-z-]+)", run([binary(), "--help"]).stdout):
        assert f"--{option}" in text or option in ("help", "version")
    assert "crash-at" not in text


def test_the_page_of_the_file_has_every_key_of_every_section():
    reference, text = run([binary(), "describe", "settings"]).stdout, page("pgweir.ini.5")
    keys = re.findall(r"^### (\S+)$", reference, re.M)
    assert len(keys) > 150 and re.findall(r"^\.B (\S+)$", text, re.M) == keys
    assert re.findall(r"^\.SH \[(\w+)", text, re.M) == re.findall(r"^## \[(\w+)", reference, re.M)


def test_the_page_of_the_console_has_every_command_and_column(pgweir):
    text = page("pgweir-console.7")
    notice = pgweir.admin(sslmode="require")
    notice.cursor().execute("SHOW HELP")
    for line in "".join(notice.notices).split("DETAIL:")[1].strip().splitlines():
        assert f"\n{line.strip()}\n" in text
    cursor = pgweir.admin(sslmode="require").cursor()
    cursor.execute("SHOW POOLS")
    assert "Columns: " + ", ".join(column.name for column in cursor.description) + "." in text


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_sound_roff(name):
    source = run([binary(), "describe", "man", name]).stdout
    said = subprocess.run(["mandoc", "-Tlint", "-W", "warning"], input=source, capture_output=True, text=True).stdout
    assert [line for line in said.splitlines() if "missing date" not in line] == []
