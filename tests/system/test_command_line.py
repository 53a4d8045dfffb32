"""The command line: its help, its complaints, and what shells are told of it, all from one table."""
import itertools
import os
import pathlib
import pty
import re
import select
import shutil
import signal

import pytest

from harness.pgweir import binary
from harness.process import run

pytestmark = pytest.mark.ours


def commands() -> list[list[str]]:
    """The words of each command that --help lists."""
    usages = [line.split()[1:] for line in run([binary(), "--help"]).stdout.splitlines() if line.startswith("  pgweir ")]
    found = [list(itertools.takewhile(re.compile("[a-z][a-z-]*").fullmatch, usage)) for usage in usages]
    return [words for words in found if words]


def test_every_command_has_help_of_its_own():
    assert ["check"] in commands() and ["secret", "test"] in commands()
    for words in commands():
        said = run([binary(), *words, "--help"]).stdout
        assert said.startswith("Usage: pgweir " + " ".join(words)) and len(said.splitlines()) > 2


@pytest.mark.parametrize("arguments, complaint", [
    (["secret"], "secret what? show, test"),
    (["secret", "dance", "-c", "x"], "secret what? show, test"),
    (["check"], "give a FILE with -c"),
    (["check", "-c"], "-c wants a FILE"),
    (["check", "-c", "a", "b"], "too many arguments: b"),
    (["check", "-c", "a", "--force"], "--force does not go with this command"),
    (["secret", "show", "-c", "x"], "give it a NAME"),
    (["check", "a"], "too many arguments: a; a FILE goes with -c\n"),
    (["frobnicate"], "unknown command frobnicate\n"),
    (["chekc"], "unknown command chekc; did you mean check?"),
    (["/etc/passwd"], "unknown command /etc/passwd; a FILE goes with -c: pgweir -c /etc/passwd"),
    (["--frobnicate"], "unknown option --frobnicate"),
    (["completion", "tcsh"], "completion for which shell?"),
])
def test_wrong_usage_is_named_and_ends_with_2(arguments, complaint):
    result = run([binary(), *arguments], check=False)
    assert result.returncode == 2 and complaint in result.stderr and result.stdout == ""


def offered(*words: str) -> set[str]:
    """What bash offers behind the words; the last one is being typed."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pgweir; printf "%s\\n" "${COMPREPLY[@]}"')
    code = run([binary(), "completion", "bash"]).stdout
    return set(run(["bash", "-c", script, "bash", "/dev/stdin", "pgweir", *words], stdin=code).stdout.split())


def test_bash_offers_what_fits():
    assert {"check", "secret", "describe", "completion", "-c"} <= offered("")
    assert offered("secret", "") == {"show", "test", "--help"}
    assert offered("completion", "z") == {"zsh"}
    assert "--config" in offered("check", "--c")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_of_every_command(shell):
    said = run([binary(), "completion", shell]).stdout
    for words in commands():
        assert words[-1] in said


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_offers_what_fits(tmp_path):
    path = tmp_path / "pgweir.fish"
    path.write_text(run([binary(), "completion", "fish"]).stdout)

    def offers(line: str) -> dict[str, str]:
        """Word: what it says of it."""
        said = run(["fish", "--no-config", "-c", f"source {path}; and complete -C '{line}'"], env={"HOME": str(tmp_path)})
        assert said.stderr == ""
        return dict(each.split("\t") if "\t" in each else (each, "") for each in said.stdout.splitlines())

    assert {"check", "secret", "describe", "completion"} <= set(offers("pgweir "))
    assert set(offers("pgweir secret ")) == {"show", "test"} and set(offers("pgweir completion z")) == {"zsh"}
    assert "validate" in offers("pgweir che")["check"] and "--config" in offers("pgweir check --c")
    assert "pgweir.fish" in "".join(offers(f"pgweir check -c {tmp_path}/pgw"))


def typed_into_zsh(folder: pathlib.Path, *lines: str) -> list[str]:
    """What a zsh that finds the file among its functions shows when one types each of the lines and a tab."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "HOME": str(folder), "COLUMNS": "200", "PS1": "> "})
    try:
        os.write(terminal, f"cd {folder}; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; LISTMAX=0; echo RE''ADY\n".encode())
        read_until(terminal, "READY.*> ")
        shown = []
        for line in lines:
            os.write(terminal, f"{line}\t\x15echo DO''NE\n".encode())
            shown.append(read_until(terminal, "DONE.*> "))
        return shown
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal: int, pattern: str) -> str:
    seen = b""
    while not re.search(pattern.encode(), seen, re.S):
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, seen
        seen += os.read(terminal, 65536)
    return seen.decode()


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_offers_what_fits(tmp_path):
    (tmp_path / "_pgweir").write_text(run([binary(), "completion", "zsh"]).stdout)
    (tmp_path / "some.ini").write_text("")
    first, second, file, word = typed_into_zsh(tmp_path, "pgweir ", "pgweir secret ", "pgweir check -c so", "pgweir completion z")
    assert "check" in first and "provision" in first and "some.ini" not in first
    assert "show" in second and "test" in second and "provision" not in second
    assert "some.ini" in file and "zsh" in word.replace("zsh:", "")
