"""The command line: its help, its complaints, and what shells are told of it, all from one table."""
import itertools
import re
import subprocess

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
    (["frobnicate"], "unknown command frobnicate"),
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
    if subprocess.run(["which", shell], capture_output=True).returncode == 0:
        run([shell, "-n", "/dev/stdin"] if shell == "zsh" else [shell, "--no-execute"], stdin=said)
