"""What a core of a process would hold: all that it has in memory, searched while it stands still. And what one does hold.

What is looked for is made by findable(): hundreds of texts are found in one pass, so that the process does not stand still for
so long that this alone has logins last."""
import contextlib
import os
import shutil
import signal
import tempfile

from .process import run

CHUNK = 4 << 20
HEAD = 16                       # An allocator writes over so much of what is freed; what follows tells as much.
MARK = "-wEiR-"                 # In each text, behind that.


def findable(size: int = 12) -> str:
    """A password, with so many random bytes in it beside the head."""
    return f"p-{os.urandom(HEAD // 2).hex()}{MARK}{os.urandom(size).hex()}"


def needles_of(texts) -> list[bytes]:
    assert all(MARK in text[HEAD:] for text in texts), "not made to be found"
    return [text.encode()[HEAD:] for text in texts]


@contextlib.contextmanager
def stopped(process):
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def readable(pid: int):
    """Each mapping's first address, size and name."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            words = line.split(maxsplit=5)
            name = words[5].strip() if len(words) > 5 else "anonymous"
            if words[1].startswith("r") and name not in ("[vvar]", "[vsyscall]"):
                begin, end = (int(part, 16) for part in words[0].split("-"))
                yield begin, end - begin, name


def found_in(piece: bytes, needles: list[bytes]):
    at = piece.find(MARK.encode())
    while at >= 0:
        for needle in needles:
            begin = at - needle.find(MARK.encode())
            if begin >= 0 and piece.startswith(needle, begin):
                yield begin, needle
        at = piece.find(MARK.encode(), at + 1)


def places_of(process, texts) -> list[str]:
    """Where in the memory of this process the end of one of the texts is, with what stands around it."""
    needles, found = needles_of(texts), []
    overlap = max(map(len, needles)) - 1
    with stopped(process), open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
        for begin, size, name in readable(process.pid):
            for offset in range(0, size, CHUNK):
                with contextlib.suppress(OSError):
                    piece = os.pread(memory.fileno(), min(CHUNK + overlap, size - offset), begin + offset)
                    found += [f"{name}+{offset + at:#x}: {piece[max(at - 64, 0):at + 96]!r}" for at, _ in found_in(piece, needles)]
    return found


def places_in_core(process, texts) -> list[str]:
    """The same in a core that gdb writes of the process, which goes on then."""
    needles, found, offset = needles_of(texts), [], 0
    overlap = max(map(len, needles), default=1) - 1
    with tempfile.TemporaryDirectory() as folder:
        run(["gcore", "-o", f"{folder}/core", str(process.pid)], timeout_s=300)
        with open(f"{folder}/core.{process.pid}", "rb") as core:
            while len(piece := core.read(CHUNK)) > overlap:
                found += [f"{offset + at:#x}: {piece[max(at - 64, 0):at + 96]!r}" for at, _ in found_in(piece, needles)]
                offset = core.seek(-overlap, os.SEEK_CUR)
            assert offset > process_size(process.pid) // 2, "the core is no picture of the process"
    return found


def can_write_cores() -> bool:
    return shutil.which("gcore") is not None


def process_size(pid: int) -> int:
    """Of its memory that is there, in bytes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
