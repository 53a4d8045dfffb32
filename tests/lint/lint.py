#!/usr/bin/env python3
"""The rules of the house that a machine can check.

    tests/lint/lint.py                 every tracked file
    tests/lint/lint.py --staged        the files about to be committed, as they are staged
    tests/lint/lint.py FILE ...        these files
    tests/lint/lint.py --self-test     each rule against its own bad and good example

A rule is a row of RULES: name, what it asks, which files it looks at, how it checks one, and two small trees, of which
it must find fault with the first and none with the second. Where a rule is wrong for one place, say so there in a
comment, `lint: RULE, reason` on the line, or `long: reason` for what is long.
"""
import os
import re
import subprocess
import sys
from typing import Callable, NamedTuple

FUNCTION_LINES = 70
HEADER_LINES = 120
FILE_LINES = 800
TEST_NAME_WORDS = 3

# Who stands on whom: a folder includes headers of its own rank's folder or of lower ones, never sideways or up.
RANKS = {
    "base": 0, "config": 1, "auth": 2, "routing": 3, "secrets": 3, "provision": 4, "proxy/scan": 1, "proxy/wire": 4, "proxy/net": 5,
    "proxy/server": 6, "proxy/login": 7, "proxy/pool": 7, "proxy/session": 8, "proxy/control": 9, "proxy/admin": 10,
    "proxy/http": 10,
    "proxy/command": 11,
}

# Each library of others has one home, so that there is one place to look when it changes.
HOMES = [
    (r"event2/(event|event_struct|event_compat|thread|util)\.h", ("base/loop.", "base/loop_internal.h", "base/include/pgweir/loop.h")),
    (r"event2/.*", ("base/loop.", "base/include/pgweir/loop.h", "proxy/control/", "proxy/admin/")),
    (r"openssl/ssl\.h", ("proxy/net/",)),
    (r"libpq-fe\.h|postgres_ext\.h", ("base/pgclient", "base/include/pgweir/pgclient", "bench/")),
    (r"curl/.*", ("secrets/",)),
    (r"ini\.h", ("config/",)),
    (r"jansson\.h", ("secrets/", "provision/", "proxy/command/provision_command")),
    (r"stringprep\.h|idna\.h", ("auth/",)),
]

# Where a neighbour's word is a comparison of secrets, time must not tell how much of it was right.
SECRET_NAME = r"(?:\w*(?:password|passwd|proof|client_key|stored_key|server_key|verifier|secret_text))"

FORBIDDEN = r"strcpy|strcat|sprintf|vsprintf|gets|rand|srand|strtok|alloca"
NUMBERS = r"atoi|atol|atoll|atof"
ALLOCATORS = r"malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf"


def folder_of(path):
    """The library a file belongs to."""
    library, public, _ = path.partition("/include/pgweir/")
    return library if public else os.path.dirname(path)


class Tree:
    """Paths and what is in them; the files of the repository, or an example's."""

    def __init__(self, paths, read):
        self.paths = sorted(paths)
        self.known = set(self.paths)
        self.reader = read
        self.files = {}
        self.header_homes = {}
        self.prefixes = {}
        for path in self.paths:
            folder, found, name = path.partition("/include/pgweir/")
            if found:
                self.header_homes[name] = folder

    def file(self, path):
        if path not in self.files:
            self.files[path] = File(path, self.reader(path))
        return self.files[path]


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self._code = None

    @property
    def code(self):
        """The lines with comments and the contents of literals blanked, so that words in them do not count."""
        if self._code is None:
            pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
            blank = lambda found: re.sub(r"[^\n]", " ", found.group()) if found.group()[0] == "/" else '""'
            self._code = re.sub(pattern, blank, self.text, flags=re.S).split("\n")
        return self._code

    @property
    def folder(self):
        return folder_of(self.path)

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if found:
                yield number, found.group(1)

    def functions(self):
        """(name, is it static, first line, last line); a function's brace stands alone at the margin."""
        for at, line in enumerate(self.code):
            if line.rstrip() != "{" or at == 0:
                continue
            first = at
            while first > 0 and self.code[first - 1].strip() and not self.code[first - 1].startswith(("}", "#")) \
                    and not self.code[first - 1].rstrip().endswith((";", ",,")):
                first -= 1
            head = " ".join(self.code[first:at])
            name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head))
            last = next((end for end in range(at, len(self.code)) if self.code[end].startswith("}")), None)
            if name and last is not None:
                yield name.group(1), head.lstrip().startswith("static"), first + 1, last + 1


def is_c(path):
    return path.endswith((".c", ".h"))


def is_own_code(path):
    """The program's, as opposed to its tests' and its benchmark's."""
    return is_c(path) and not path.startswith(("tests/", "bench/"))


def is_text(path):
    return not path.startswith(("tests/fuzz/corpus/",)) and not re.search(r"\.(png|ico|der|p12|gz|jar|bin)$", path)


def matches(pattern, what, lines=lambda file: file.lines):
    """A check that finds each line with `pattern`; `%s` in `what` is what was found."""
    compiled = re.compile(pattern)

    def check(_, file):
        for number, line in enumerate(lines(file), 1):
            found = compiled.search(line)
            if found:
                yield number, what % found.group(1) if "%s" in what else what
    return check


def code_lines(file):
    return file.code


def check_function_length(_, file):
    for name, _, first, last in file.functions():
        if last - first + 1 <= FUNCTION_LINES or (name == "main" and file.path.startswith("tests/unit/")):
            continue
        above = file.lines[max(0, first - 8):last]
        if not any("long: " in line for line in above):
            yield first, f"{name} has {last - first + 1} lines, more than {FUNCTION_LINES}"


def check_file_length(_, file):
    # The header of the settings is as long as there are settings.
    greatest = HEADER_LINES if file.path.endswith(".h") and not file.path.startswith(("tests/", "config/")) else FILE_LINES
    count = len(file.lines) - 1
    if count > greatest and "long: " not in file.text:
        yield count, f"{count} lines, more than {greatest}"


def check_else_after_return(_, file):
    code = file.code
    for at, line in enumerate(code):
        found = re.match(r"(\t+)(?:\} )?else\b", line)
        if not found or not re.match(re.escape(found.group(1)) + r"\t(return\b.*;|goto\b.*;)\s*$", code[at - 1]):
            continue
        back = at - 1
        while back > 0 and not re.match(re.escape(found.group(1)) + r"(?:\} )?(if|else|switch|for|while)\b", code[back]):
            back -= 1
        if re.match(r"\t+if\b", code[back]):
            yield at + 1, "an `else` after a return: leave it out"


def check_include_direction(tree, file):
    rank = RANKS.get(file.folder)
    if rank is None:
        return
    for number, name in file.includes():
        home = tree.header_homes.get(name.removeprefix("pgweir/")) if name.startswith("pgweir/") else None
        there = RANKS.get(home)
        if there is not None and home != file.folder and there >= rank:
            yield number, f"{file.folder} stands below or beside {home}, and must not include {name}"
        if ".." in name:
            yield number, "an include climbs out of its folder"


def check_homes(_, file):
    for number, name in file.includes():
        for pattern, homes in HOMES:
            if re.fullmatch(pattern, name):
                if not file.path.startswith(homes):
                    yield number, f"{name} is at home in {' and '.join(homes)} only"
                break


def check_allocators(_, file):
    if file.path == "base/mem.c":
        return
    for number, line in enumerate(file.code, 1):
        found = re.search(rf"(?<![\w.>])({ALLOCATORS})\s*\(", line)
        if found and not re.match(r"#|\w.*\bfree\b.*\)$", line):
            yield number, f"{found.group(1)}(): use mem.h"


def check_secret_comparison(_, file):
    for number, line in enumerate(file.code, 1):
        for call in re.finditer(r"\b(memcmp|strcmp|strncmp)\s*\(([^;]*)", line):
            first = [argument.strip() for argument in call.group(2).split(",")[:2]]
            if any(re.fullmatch(rf"[\w.>&*\[\]-]*?{SECRET_NAME}\)*", argument) for argument in first):
                yield number, f"{call.group(1)}() on a secret: use mem_equal_secret()"


def prefixes_of(tree, folder):
    """The first words of the folder's files and of the structs its headers define."""
    if folder not in tree.prefixes:
        words = {os.path.basename(folder)}
        for path in tree.paths:
            if is_c(path) and folder_of(path) == folder:
                words.add(os.path.basename(path)[:-2].split("_")[0])
                if path.endswith(".h"):
                    words.update(re.findall(r"^struct (\w+) \{", tree.file(path).text, re.M))
        tree.prefixes[folder] = words
    return tree.prefixes[folder]


def check_prefix(tree, file):
    prefixes = prefixes_of(tree, file.folder)
    for name, static, first, _ in file.functions():
        if static or name == "main":
            continue
        if not any(re.match(rf"{prefix}s?(_|$)", name) for prefix in prefixes):
            yield first, f"{name} is public, and starts with the name of no file and no struct of its folder"


def check_cmake_sources(tree, file):
    folder = os.path.dirname(file.path)
    for number, line in enumerate(file.lines, 1):
        for name in re.findall(r"(?<![\w${}/.-])([\w/.-]+\.c)\b", line.split("#")[0]):
            path = os.path.normpath(os.path.join(folder, name))
            if path not in tree.known:
                yield number, f"{path} is listed and does not exist"


def check_unlisted_sources(tree, file):
    listing = os.path.dirname(file.path) + "/CMakeLists.txt"
    if listing not in tree.known:
        return
    name = os.path.basename(file.path)
    listed = set(re.split(r"[\s()]+", tree.file(listing).text))
    # Of a test the last words of its name are enough: the first ones may be the loop's that lists it.
    words = name[:-2].split("_") if file.path.startswith("tests/") else []
    if name not in listed and not any("_".join(words[at:]) in listed for at in range(len(words))):
        yield 1, f"is listed in no target of {listing}"


def check_test_names(_, file):
    for number, line in enumerate(file.lines, 1):
        found = re.match(r"static void (\w+)\(void \*\*", line)
        if found and len(found.group(1).split("_")) < TEST_NAME_WORDS:
            yield number, f"{found.group(1)}: a test's name is a claim, of {TEST_NAME_WORDS} words at least"


class Rule(NamedTuple):
    name: str
    asks: str
    applies: Callable
    check: Callable
    bad: dict
    good: dict


def body(count, head="void pool_f(void)"):
    return head + "\n{\n" + "\tx();\n" * count + "}\n"


# The examples are put together from halves where the whole word would be found in this file itself.
RULES = [
    Rule("machine-path", "no path of one machine", is_text,
         matches(r"/wor[k]/|\.\./share[d]|/tmp/w[t]\b|\.librar[y]\b", "names a place that only one machine has"),
         {"a.md": "see /wor" + "k/x"}, {"a.md": "workers/x and /tmp/x"}),
    Rule("unfinished", "no notes to oneself", is_text, matches(r"\b(TO[D]O|FIXM[E]|XX[X])\b", "%s: do it, or open an issue"),
         {"a.c": "/* TO" + "DO: more */"}, {"a.c": 'mkstemp("/tmp/a-XX' + 'XXXX"); error("XX000");'}),
    Rule("trailing-blank", "no blanks at the end of a line", is_text, matches(r"[ \t]+$", "blanks at the end of the line"),
         {"a.md": "a \nb"}, {"a.md": "a\n\nb"}),
    Rule("tabs", "C is indented with tabs", is_c, matches(r"^ +(?![ *])", "indented with blanks"),
         {"a.c": "void a(void)\n{\n    x();\n}"}, {"a.c": "/* a\n * b */\nvoid a(void)\n{\n\tx();\n}"}),
    Rule("function-length", f"functions of at most {FUNCTION_LINES} lines", is_c, check_function_length,
         {"a.c": body(FUNCTION_LINES - 2)},
         {"a.c": body(FUNCTION_LINES - 3), "b.c": "/* long: one row for each type. */\n" + body(100),
          "c.c": "static const int t[] =\n{\n" + "\t1,\n" * 100 + "};\n"}),
    Rule("file-length", f"headers of at most {HEADER_LINES} lines, files of at most {FILE_LINES}", is_c, check_file_length,
         {"base/a.h": "\n" * (HEADER_LINES + 1)},
         {"base/a.h": "\n" * HEADER_LINES, "a.c": "\n" * FILE_LINES, "b.h": "/* long: a table */" + "\n" * 900}),
    Rule("else-after-return", "no `else` after a return", is_c, check_else_after_return,
         {"a.c": "\tif (a)\n\t\treturn 1;\n\telse\n\t\tb();\n"},
         {"a.c": "\tif (a)\n\t\tb();\n\telse if (c)\n\t\treturn 1;\n\telse\n\t\td();\n"
                 "\tif (a)\n\t\treturn 1;\n\tb();\n"}),
    Rule("typedef-struct", "structs are called structs", is_c,
         matches(r"\btypedef\s+(struct|union|enum)\b[^(]*$", "typedef %s", code_lines),
         {"a.h": "typedef struct a a;"}, {"a.h": "typedef enum a a_cb(struct a *a); /* no typedef struct */"}),
    Rule("numbers", "a number that is none is an error", is_own_code,
         matches(rf"(?<![\w.>])({NUMBERS})\s*\(", "%s() takes anything for a number", code_lines),
         {"a.c": "\tport = atoi(text);"}, {"a.c": "\tport = strtoul(text, &end, 10);", "bench/a.c": "\tn = atoi(x);"}),
    Rule("forbidden", "no function that overruns, or is not random", is_c,
         matches(rf"(?<![\w.>])({FORBIDDEN})\s*\(", "%s() is not used here", code_lines),
         {"a.c": "\tstrcpy(a, b);"}, {"a.c": '\tsnprintf(a, 3, "sprintf(x)"); /* strcpy() */ x->rand(); my_rand(b);'}),
    Rule("allocators", "memory comes from mem.h", is_own_code, check_allocators,
         {"a.c": "\tfree(a);"}, {"base/mem.c": "\tfree(a);", "b.c": "\tmem_free(a); x->free(a); wheel_free (b);"}),
    Rule("secret-comparison", "secrets are compared in constant time", is_own_code, check_secret_comparison,
         {"auth/a.c": "\tif (memcmp(a->proof, b, 32) == 0)"},
         {"auth/a.c": '\tif (mem_equal_secret(a->proof, b, 32) && strcmp(name, "password") && !strcmp(secret->name, b))'}),
    Rule("include-direction", "folders stand on each other one way", is_own_code, check_include_direction,
         {"base/a.c": '#include "pgweir/pool.h"', "proxy/pool/include/pgweir/pool.h": ""},
         {"proxy/pool/a.c": '#include "pgweir/buf.h"\n#include "pgweir/pool.h"', "base/include/pgweir/buf.h": "",
          "proxy/pool/include/pgweir/pool.h": ""}),
    Rule("library-home", "each library has one home", is_own_code, check_homes,
         {"proxy/session/a.c": "#include <openssl/ssl.h>"},
         {"proxy/net/a.c": "#include <openssl/ssl.h>", "auth/a.c": "#include <openssl/hmac.h>",
          "base/loop.c": "#include <event2/event.h>"}),
    Rule("symbol-prefix", "what a file exports starts with the name of a file or a struct of its folder",
         lambda path: is_own_code(path) and path.endswith(".c"), check_prefix,
         {"proxy/pool/pool_lend.c": body(1, "int lend(void)")},
         {"proxy/pool/pool_lend.c": body(1, "int pool_lend_out(int a,\n\tint b)") + body(1)
          + body(1, "static int lend(void)") + body(1, "int loans_count(void)"),
          "proxy/pool/include/pgweir/pool.h": "struct loan {\n};"}),
    Rule("slices", "who only looks takes little of a worker's turn",
         lambda path: path.endswith(".c") and path.startswith(("proxy/http/", "proxy/admin/show_", "proxy/admin/stats")),
         matches(r"&worker->(shares|sessions)\b", "all %s in one turn keep clients waiting: use workers_walk()", code_lines),
         {"proxy/http/a.c": "\tLIST_FOREACH(link, next, &worker->shares)"},
         {"proxy/http/a.c": "\tput(worker->sessions, worker->shares_by_key);", "proxy/admin/act.c": "\tf(&worker->shares);"}),
    Rule("cmake-sources", "what CMake lists exists", lambda path: path.endswith("CMakeLists.txt"), check_cmake_sources,
         {"base/CMakeLists.txt": "lib(SOURCES a.c b.c)", "base/a.c": ""},
         {"base/CMakeLists.txt": "lib(SOURCES a.c ${x}/b.c c_${d}.c) # z.c", "base/a.c": ""}),
    Rule("unlisted-source", "what exists is listed", lambda path: path.endswith(".c"), check_unlisted_sources,
         {"base/CMakeLists.txt": "lib(SOURCES aa.c)", "base/a.c": "", "base/aa.c": "",
          "tests/unit/CMakeLists.txt": "foreach(test b)\n  unit_test(a_${test} SOURCES a_${test}.c)", "tests/unit/a_c.c": ""},
         {"base/CMakeLists.txt": "lib(SOURCES a.c\n  b.c)", "base/a.c": "", "base/b.c": "",
          "tests/unit/CMakeLists.txt": "foreach(test b c_d)\n  unit_test(a_${test} SOURCES a_${test}.c)", "tests/unit/a_c_d.c": ""}),
    Rule("test-name", f"a unit test's name has {TEST_NAME_WORDS} words or more", lambda path: path.startswith("tests/unit/"),
         check_test_names,
         {"tests/unit/a.c": "static void test_pool(void **state)"},
         {"tests/unit/a.c": "static void release_wakes_the_oldest(void **state)\nstatic int start(void **state)"}),
]


def lint(tree, paths):
    for path in paths:
        rules = [rule for rule in RULES if rule.applies(path)]
        if not rules:
            continue
        try:
            file = tree.file(path)
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue        # Not text, deleted but not yet staged, or a link to a folder.
        for rule in rules:
            for number, what in rule.check(tree, file):
                line = file.lines[min(number, len(file.lines)) - 1]
                if not re.search(rf"lint: {rule.name}, \w", line):
                    yield f"{path}:{number}: {rule.name}: {what}"


def self_test():
    failed = 0
    for rule in RULES:
        for kind, files in (("bad", rule.bad), ("good", rule.good)):
            tree = Tree(files, files.__getitem__)
            found = [text for text in lint(tree, tree.paths) if f": {rule.name}: " in text]
            if bool(found) != (kind == "bad"):
                failed += 1
                print(f"{rule.name}: its {kind} example gives {found}", file=sys.stderr)
    print(f"{len(RULES)} rules, {failed} wrong")
    return 1 if failed else 0


def git(*arguments):
    return subprocess.run(["git", "-c", "safe.directory=*", *arguments], check=True, capture_output=True, text=True).stdout


def read_file(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return stream.read()


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    try:
        tracked = [path for path in git("ls-files", "-z").split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        print("not a git checkout: nothing to compare with", file=sys.stderr)
        return 77
    tree = Tree(tracked, read_file)
    paths = arguments or tree.paths
    if arguments == ["--staged"]:
        paths = [path for path in git("diff", "--cached", "--name-only", "--diff-filter=ACMR", "-z").split("\0") if path]
        tree.reader = lambda path: git("show", f":{path}")
    faults = list(lint(tree, paths))
    print("\n".join(faults + [f"{len(faults)} faults in {len(paths)} files"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
