"""The PostgreSQL protocol by hand: a client that says exactly what a test tells it to, and a scripted server.

Message builders are plain functions that return bytes, so that a test can join, cut and misspell them. """
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading

from .process import listen

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2
CANCEL_REQUEST, SSL_REQUEST, GSSENC_REQUEST = 80877102, 80877103, 80877104


@dataclasses.dataclass
class Message:
    type: str
    body: bytes

    def fields(self) -> dict[str, str]:
        """Of an ErrorResponse or NoticeResponse."""
        parts = (part for part in self.body.split(b"\0") if part)
        return {chr(part[0]): part[1:].decode("utf-8", "replace") for part in parts}

    def values(self) -> list[bytes | None]:
        """Of a DataRow."""
        count, at, row = struct.unpack_from("!H", self.body)[0], 2, []
        for _ in range(count):
            size = struct.unpack_from("!i", self.body, at)[0]
            at += 4
            row.append(None if size < 0 else self.body[at:at + size])
            at += max(size, 0)
        return row

    def text(self) -> str:
        """Of a message that is one string, such as CommandComplete."""
        return self.body.rstrip(b"\0").decode("utf-8", "replace")


class Closed(Exception):
    """The other side closed the connection."""


# --- Making messages ---

def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def cstring(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def startup(parameters: dict[str, str], version: int = PROTOCOL_3_0) -> bytes:
    body = struct.pack("!i", version) + b"".join(cstring(k) + cstring(v) for k, v in parameters.items()) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def ssl_request() -> bytes:
    return struct.pack("!ii", 8, SSL_REQUEST)


def gssenc_request() -> bytes:
    return struct.pack("!ii", 8, GSSENC_REQUEST)


def cancel_request(pid: int, key: bytes) -> bytes:
    return struct.pack("!iii", 12 + len(key), CANCEL_REQUEST, pid) + key


def query(sql: str) -> bytes:
    return message("Q", cstring(sql))


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    return message("P", cstring(name) + cstring(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(*values, name: str = "", portal: str = "", result_formats: tuple[int, ...] = ()) -> bytes:
    body = cstring(portal) + cstring(name) + struct.pack("!HH", 0, len(values))
    for value in values:
        data = None if value is None else str(value).encode()
        body += struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data
    return message("B", body + struct.pack(f"!H{len(result_formats)}H", len(result_formats), *result_formats))


def describe_statement(name: str = "") -> bytes:
    return message("D", b"S" + cstring(name))


def describe_portal(name: str = "") -> bytes:
    return message("D", b"P" + cstring(name))


def execute(portal: str = "", limit: int = 0) -> bytes:
    return message("E", cstring(portal) + struct.pack("!i", limit))


def close_statement(name: str = "") -> bytes:
    return message("C", b"S" + cstring(name))


def close_portal(name: str = "") -> bytes:
    return message("C", b"P" + cstring(name))


def sync() -> bytes:
    return message("S")


def flush() -> bytes:
    return message("H")


def terminate() -> bytes:
    return message("X")


def copy_data(data: bytes) -> bytes:
    return message("d", data)


def copy_done() -> bytes:
    return message("c")


def copy_fail(why: str) -> bytes:
    return message("f", cstring(why))


def function_call(oid: int, *arguments: bytes) -> bytes:
    """Binary arguments, binary result."""
    body = struct.pack("!IHHH", oid, 1, 1, len(arguments))
    body += b"".join(struct.pack("!i", len(each)) + each for each in arguments)
    return message("F", body + struct.pack("!H", 1))


def extended(sql: str, *values, name: str = "") -> bytes:
    """Parse, Bind, Describe, Execute, Sync."""
    return parse(sql, name) + bind(*values, name=name) + describe_portal() + execute() + sync()


# What a server says.

def authentication(code: int, rest: bytes = b"") -> bytes:
    return message("R", struct.pack("!i", code) + rest)


def parameter_status(name: str, value: str) -> bytes:
    return message("S", cstring(name) + cstring(value))


def backend_key(pid: int, key: bytes) -> bytes:
    return message("K", struct.pack("!i", pid) + key)


def ready(status: str = "I") -> bytes:
    return message("Z", status.encode())


def row_description(*names: str) -> bytes:
    return message("T", struct.pack("!H", len(names)) + b"".join(
        cstring(name) + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0) for name in names))


def data_row(*values: str | bytes | None) -> bytes:
    body = struct.pack("!H", len(values))
    for value in values:
        data = value.encode() if isinstance(value, str) else value
        body += struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data
    return message("D", body)


def command_complete(tag: str) -> bytes:
    return message("C", cstring(tag))


def error_response(sqlstate: str, text: str, severity: str = "ERROR") -> bytes:
    return message("E", b"S" + cstring(severity) + b"V" + cstring(severity) + b"C" + cstring(sqlstate) + b"M" + cstring(text) + b"\0")


# --- Moving messages ---

class Stream:
    """A socket that yields whole messages."""

    def __init__(self, sock: socket.socket, timeout_s: float = 60):
        sock.settimeout(timeout_s)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.received = bytearray()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_bytewise(self, data: bytes) -> None:
        """One byte per send(), undelayed: the reader meets every place a message can be cut at."""
        for at in range(len(data)):
            self.sock.sendall(data[at:at + 1])

    def receive_at_least(self, size: int) -> None:
        while len(self.received) < size:
            try:
                piece = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError):
                piece = b""
            if not piece:
                raise Closed(f"closed by the other side after {bytes(self.received)!r}")
            self.received += piece

    def receive_exactly(self, size: int) -> bytes:
        self.receive_at_least(size)
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    def receive(self) -> Message:
        """What there is of a message that was cut short stays in `received`."""
        self.receive_at_least(5)
        whole = self.receive_exactly(1 + struct.unpack_from("!i", self.received, 1)[0])
        return Message(chr(whole[0]), whole[5:])

    def half_close(self) -> None:
        """FIN: nothing more will be sent. The other side may have gone already."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


class Client(Stream):
    """A frontend. Nothing is sent but what a test asks for."""

    def __init__(self, host: str, port: int, *, timeout_s: float = 60, before: bytes = b""):
        if host.startswith("/"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(f"{host}/.s.PGSQL.{port}")
        else:
            sock = socket.create_connection((host, port), timeout=timeout_s)
        super().__init__(sock, timeout_s)
        if before:
            self.send(before)
        self.pid, self.key, self.parameters, self.status = 0, b"", {}, ""
        self.negotiated: Message | None = None

    def request_tls(self, context: ssl.SSLContext | None = None) -> bytes:
        """SSLRequest, and the handshake if the answer is S. Returns the answer."""
        self.send(ssl_request())
        answer = self.receive_exactly(1)
        if answer == b"S":
            self.start_tls(context)
        return answer

    def start_tls(self, context: ssl.SSLContext | None = None) -> None:
        self.sock = (context or insecure_context()).wrap_socket(self.sock, server_hostname="localhost")

    def login(self, user: str, database: str, password: str | None = None, version: int = PROTOCOL_3_0, **parameters) -> list[Message]:
        """Startup and authentication up to ReadyForQuery; an ErrorResponse raises ServerError."""
        self.send(startup({"user": user, "database": database, **parameters}, version))
        return self.authenticate(user, password)

    def authenticate(self, user: str, password: str | None) -> list[Message]:
        scram = None
        seen = []
        while True:
            got = self.receive()
            seen.append(got)
            if got.type == "E":
                raise ServerError(got)
            if got.type == "R":
                code = struct.unpack_from("!i", got.body)[0]
                if code == 3:
                    self.send(message("p", cstring(password)))
                elif code == 5:
                    inner = hashlib.md5(f"{password}{user}".encode()).hexdigest()
                    self.send(message("p", b"md5" + cstring(hashlib.md5(inner.encode() + got.body[4:8]).hexdigest())))
                elif code == 10:
                    scram = Scram(password)
                    first = scram.first()
                    self.send(message("p", cstring("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
                elif code == 11:
                    self.send(message("p", scram.final(got.body[4:])))
                elif code == 12:
                    scram.check(got.body[4:])
            elif got.type == "v":
                self.negotiated = got
            elif got.type == "K":
                self.pid, self.key = struct.unpack_from("!i", got.body)[0], got.body[4:]
            elif got.type == "S":
                name, value = got.body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif got.type == "Z":
                self.status = got.body.decode()
                return seen

    def read_until(self, kinds: str, count: int = 1) -> list[Message]:
        """All messages up to the `count`th whose type is in `kinds`."""
        seen = []
        while count:
            got = self.receive()
            seen.append(got)
            if got.type == "Z":
                self.status = got.body.decode()
            if got.type in kinds:
                count -= 1
        return seen

    def read_until_ready(self, count: int = 1) -> list[Message]:
        return self.read_until("Z", count)

    def read_to_end(self) -> list[Message]:
        """All messages until the other side closes."""
        seen = []
        try:
            while True:
                seen.append(self.receive())
        except Closed:
            return seen

    def ask(self, data: bytes | str) -> list[Message]:
        """Sends (a string goes as a simple query) and reads up to ReadyForQuery."""
        self.send(query(data) if isinstance(data, str) else data)
        return self.read_until_ready()

    def ask_all(self, data: bytes) -> list[Message]:
        """Sends several, and reads up to the ReadyForQuery of the last."""
        self.send(data)
        return self.read_until_ready(readies(data))

    def value(self, sql: str) -> str | None:
        """The one value of a simple query; an error raises ServerError."""
        replies = self.ask(sql)
        for reply in replies:
            if reply.type == "E":
                raise ServerError(reply)
        row = next((reply for reply in replies if reply.type == "D"), None)
        value = row.values()[0] if row else None
        return None if value is None else value.decode()


class ServerError(Exception):
    """An ErrorResponse, as `fields` and `sqlstate`."""

    def __init__(self, error: Message):
        self.fields = error.fields()
        self.sqlstate = self.fields.get("C")
        super().__init__(f"{self.fields.get('S')} {self.sqlstate}: {self.fields.get('M')}")


def types(messages: list[Message]) -> str:
    return "".join(each.type for each in messages)


def readies(data: bytes) -> int:
    """How often these messages make a server say ReadyForQuery: for each Query, FunctionCall and Sync."""
    count = at = 0
    while at < len(data):
        count += data[at:at + 1] in b"QFS"
        at += 1 + int.from_bytes(data[at + 1:at + 5], "big")
    return count


def good(messages: list[Message]) -> bool:
    return "E" not in types(messages)


def error_of(messages: list[Message]) -> dict[str, str]:
    """The fields of the only error among the messages."""
    errors = [each.fields() for each in messages if each.type == "E"]
    assert len(errors) == 1, f"{len(errors)} errors in {types(messages)}: {errors}"
    return errors[0]


def rows_of(messages: list[Message]) -> list[list[str | None]]:
    return [[None if value is None else value.decode() for value in each.values()] for each in messages if each.type == "D"]


def insecure_context(alpn: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


class Scram:
    """The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, 7677)."""

    def __init__(self, password: str):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n=,r={self.nonce}"

    def first(self) -> bytes:
        return f"n,,{self.bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        attributes = dict(part.split("=", 1) for part in server_first.decode().split(","))
        assert attributes["r"].startswith(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(attributes["s"]), int(attributes["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={attributes['r']}"
        signed = f"{self.bare},{server_first.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        assert base64.b64decode(server_final.decode().split("v=", 1)[1]) == self.expected, "the server does not know the password"


# --- A scripted server ---

DEFAULT_PARAMETERS = {
    "server_version": "15.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres", "TimeZone": "UTC", "integer_datetimes": "on", "standard_conforming_strings": "on",
    "is_superuser": "off", "session_authorization": "app", "application_name": "", "in_hot_standby": "off",
    "default_transaction_read_only": "off",
}


class Backend(Stream):
    """One connection of a FakeServer, seen from the server."""

    def __init__(self, sock: socket.socket, server: "FakeServer", pid: int):
        super().__init__(sock, timeout_s=60)
        self.server, self.pid, self.key = server, pid, os.urandom(4)
        self.startup: dict[str, str] = {}
        self.transaction = "I"
        self.sql = ""                       # Of the last Query, Parse or Bind.
        self.statements: dict[bytes, str] = {}
        self.failed = False                 # Skipping to Sync.

    def send(self, data: bytes) -> None:
        if self.server.bytewise:
            self.send_bytewise(data)
        else:
            super().send(data)

    def accept_startup(self) -> bool:
        """False when it was a cancel request."""
        while True:
            size, code = struct.unpack("!ii", self.receive_exactly(8))
            rest = self.receive_exactly(size - 8)
            if code == CANCEL_REQUEST:
                self.server.cancels.append((struct.unpack_from("!i", rest)[0], rest[4:]))
                self.server.cancel_may_end.wait(60)
                return False
            if code in (SSL_REQUEST, GSSENC_REQUEST):
                tls = self.server.tls if code == SSL_REQUEST else None
                Stream.send(self, b"S" if tls else b"N")
                if tls:
                    self.sock = tls.wrap_socket(self.sock, server_side=True)
                continue
            words = [word.decode() for word in rest.split(b"\0")]
            self.startup = dict(zip(words[0::2], words[1::2]))
            return True

    def welcome(self) -> None:
        self.send(authentication(0) + b"".join(parameter_status(k, v) for k, v in self.server.parameters.items())
                  + backend_key(self.pid, self.key) + ready())

    def track(self, sql: str) -> str:
        """Follows BEGIN and COMMIT; returns the command tag."""
        word = (sql.split() or [""])[0].upper().rstrip(";")
        if word in ("BEGIN", "START"):
            self.transaction = "T"
        elif word in ("COMMIT", "ROLLBACK", "END", "ABORT"):
            self.transaction = "I"
        return word

    def answer(self, got: Message) -> None:
        """What a FakeServer does without a script: it echoes the SQL as one row, and follows transactions."""
        reply = b""
        if got.type == "Q":
            for sql in filter(None, (part.strip() for part in got.text().split(";"))):
                reply += self.result_of(sql, describe=True)
            reply = (reply or message("I")) + ready(self.transaction)
        elif got.type == "P":
            name, sql = got.body.split(b"\0")[:2]
            self.sql = self.statements[name] = sql.decode()
            reply = message("1")
        elif got.type == "B":
            self.sql = self.statements.get(got.body.split(b"\0")[1], self.sql)
            reply = message("2")
        elif got.type == "D":
            reply = (message("t", struct.pack("!H", 0)) if got.body[:1] == b"S" else b"") + row_description("echo")
        elif got.type == "E":
            reply = self.result_of(self.sql, describe=False)
        elif got.type == "C":
            reply = message("3")
        elif got.type == "S":
            reply = ready(self.transaction)
        if reply:
            self.send(reply)

    def statement_of(self, got: Message) -> str:
        """The text that a Bind is about."""
        return self.statements.get(got.body.split(b"\0")[1], "")

    def result_of(self, sql: str, describe: bool) -> bytes:
        word = self.track(sql)
        if word not in ("SELECT", "SHOW", "TABLE", "VALUES", "WITH"):
            return command_complete(word)
        return (row_description("echo") if describe else b"") + data_row(sql) + command_complete("SELECT 1")


class FakeServer:
    """Listens on loopback; each connection runs in a thread of its own.

    `on_message(backend, message)` returns True when it has dealt with the message; else the backend's own answer is
    given. `on_startup(backend)` likewise replaces the welcome. `bytewise` sends everything one byte at a time; `tls` is an
    ssl.SSLContext."""

    def __init__(self, on_message=None, on_startup=None, bytewise: bool = False, parameters: dict[str, str] | None = None,
                 tls=None):
        self.on_message, self.on_startup, self.bytewise, self.tls = on_message, on_startup, bytewise, tls
        self.parameters = {**DEFAULT_PARAMETERS, **(parameters or {})}
        self.backends: list[Backend] = []
        self.seen: list[Message] = []           # Of all connections, in order.
        self.cancels: list[tuple[int, bytes]] = []
        self.cancel_may_end = threading.Event()
        self.cancel_may_end.set()
        self.listener = listen()
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        pid = 1000
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            pid += 1
            threading.Thread(target=self._serve, args=(Backend(sock, self, pid),), daemon=True).start()

    def _serve(self, backend: Backend) -> None:
        try:
            if not backend.accept_startup():
                return
            self.backends.append(backend)
            if not (self.on_startup and self.on_startup(backend)):
                backend.welcome()
            while True:
                got = backend.receive()
                self.seen.append(got)
                if got.type == "X":
                    return
                if not (self.on_message and self.on_message(backend, got)):
                    backend.answer(got)
        except (Closed, OSError):
            pass
        finally:
            backend.close()

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for backend in self.backends:
            try:
                backend.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
