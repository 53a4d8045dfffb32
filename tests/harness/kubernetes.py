"""Objects of Kubernetes against its API: the types that the npm packages kubernetes-models and @kubernetes-models/… have made of
Kubernetes' own schemas. What is told: members that do not exist, that are missing, or that have another type. """
import functools
import pathlib
import re

from .process import ROOT

MODULES = ROOT / "build" / "npm" / "kubernetes" / "node_modules"
TOKEN = re.compile(r'"[^"]*"|[\w$]+|[{}<>\[\]()?:;|]')
GROUPS = {"external-secrets.io": "@kubernetes-models/external-secrets"}
SCALARS = {"string": (str,), "number": (int, float), "boolean": (bool,), "any": (object,), "unknown": (object,)}


class Source:
    """A .d.ts file: which names it imports from where, and its types as (kind, …) tuples."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        self.imports = {name.strip(): place for names, place in re.findall(r'import \{(.*?)\} from "(.*?)"', text) for name in names.split(",")}
        self.types = {name: self.parse(body) for name, body in
                      re.findall(r"^export interface (\w+)(?: extends \w+)? (\{.*?^\})", text, re.M | re.S)}
        self.types.update({name: self.parse(body) for name, body in re.findall(r"^export type (\w+) = (.*?);$", text, re.M)})
        self.types.update({alias: ("name", name) for name, alias in re.findall(r"(\w+) as (\w+)", text)})

    def parse(self, text: str):
        self.tokens = TOKEN.findall(text)
        return self.union()

    def take(self, *wanted: str) -> str:
        token = self.tokens.pop(0)
        assert not wanted or token in wanted, (self.path, token, self.tokens[:5])
        return token

    def union(self):
        kinds = [self.one()]
        while self.tokens and self.tokens[0] == "|":
            self.take()
            kinds.append(self.one())
        return kinds[0] if len(kinds) == 1 else ("union", kinds)

    def one(self):
        token = self.take()
        if token == "(":
            kind = self.union()
            self.take(")")
        elif token == "{":
            kind = self.members()
        elif token == "Array":
            self.take("<")
            kind = ("array", self.union())
            self.take(">")
        else:
            kind = ("is", token[1:-1]) if token.startswith('"') else ("name", token)
        while self.tokens and self.tokens[0] == "[":
            self.take(), self.take("]")
            kind = ("array", kind)
        return kind

    def members(self):
        """("object", {name: (needed, type)}), or ("map", type) where any name will do."""
        found, others = {}, None
        while self.tokens[0] != "}":
            name = self.take()
            if name == "[":
                while self.take() != "]":
                    pass
                self.take(":")
                others = self.union()
            else:
                needed = self.take("?", ":") == ":"
                if not needed:
                    self.take(":")
                found[name.strip('"')] = (needed, self.union())
            self.take(";")
        self.take("}")
        return ("map", others) if others and not found else ("object", found)

    def lookup(self, name: str):
        """(source, type) of a name."""
        if name in self.types:
            return self, self.types[name]
        place = self.imports[name].removesuffix(".js")
        path = (MODULES / f"{place}.d.ts" if place.startswith("@") else self.path.parent / f"{place}.d.ts").resolve()
        return source(path).lookup(name)


@functools.cache
def source(path: pathlib.Path) -> Source:
    return Source(path)


def faults_of(here: Source, kind, value, where: str) -> list[str]:
    if kind[0] == "name" and kind[1] in SCALARS:
        good = isinstance(value, SCALARS[kind[1]]) and (kind[1] != "number" or not isinstance(value, bool))
        return [] if good else [f"{where} is no {kind[1]}: {value!r}"]
    if kind[0] == "name":
        there, named = here.lookup(kind[1])
        return faults_of(there, named, value, where)
    if kind[0] == "is":
        return [] if value == kind[1] else [f"{where} is not {kind[1]!r}: {value!r}"]
    if kind[0] == "union":
        tried = [faults_of(here, each, value, where) for each in kind[1]]
        return min(tried, key=len)
    if kind[0] == "array":
        if not isinstance(value, list):
            return [f"{where} is no list: {value!r}"]
        return [fault for i, each in enumerate(value) for fault in faults_of(here, kind[1], each, f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where} has no members: {value!r}"]
    if kind[0] == "map":
        return [fault for name, each in value.items() for fault in faults_of(here, kind[1], each, f"{where}.{name}")]
    faults = [f"{where} has no member {name}" for name in value if name not in kind[1]]
    faults += [f"{where} needs {name}" for name, (needed, _) in kind[1].items() if needed and name not in value]
    return faults + [fault for name, each in value.items() if name in kind[1] for fault in faults_of(here, kind[1][name][1], each, f"{where}.{name}")]


def faults(thing: dict) -> list[str]:
    """What is wrong with an object, by its apiVersion and kind."""
    group, _, version = thing["apiVersion"].rpartition("/")
    path = MODULES / GROUPS.get(group, "kubernetes-models") / group / version / f"{thing['kind']}.d.ts"
    if not path.exists():
        return [f"there is no {thing['kind']} in {thing['apiVersion']}"]
    return faults_of(source(path), ("name", f"I{thing['kind']}"), thing, thing["kind"])
