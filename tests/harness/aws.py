"""A look-alike of the parts of AWS that pgweir uses, on loopback, for tests.

It speaks Secrets Manager (JSON 1.1), STS (XML), the instance metadata service (IMDSv2) and the container credential endpoint
on one port, checks every signature and session token with botocore, lets credentials expire, fails on command, and keeps a
log of all requests. It shares nothing with pgweir's own code. In a test, with the fixture `aws`:

    aws.put("prod/app", {"username": "app", "password": "…"})       a new current value (made if need be); returns its version id
    aws.put("prod/app", {…}, stages=["AWSPENDING"])                 a version that only AWSPENDING names, as in a rotation's middle
    aws.promote("prod/app")                                         … and AWSCURRENT goes to it, AWSPREVIOUS to the former one
    aws.call("DescribeSecret", SecretId="prod/app")                 any operation, as the service answers it, without HTTP
    aws.environment()                                               variables that lead an AWS client here, with a static key
    aws.fault("throttle", operation="GetSecretValue", times=3)      see FAULTS; without `times` until aws.clear_faults()
    aws.clock_offset_s = -3600                                      the service's clock
    aws.identity.add_key(…), .roles[arn] = Role(…), .lifetime_s, .expire(), .container_token, .metadata_v1      see aws_identity.py
    aws.secrets_manager.find({"SecretId": …}, ACCOUNT, REGION)      the secret itself: rotation_enabled, owning_service, shared …
    aws.requests("GetSecretValue")                                  what has been asked, as dicts
    aws.check_rds_token(token, "db.example:5432", "app")            raises unless RDS would take that token as a password

As a command, for a service that others use:

    cd tests && /usr/bin/python3 -m harness.aws --port 0 [--cert FILE --key FILE]

prints `export NAME=value` lines for a shell (the endpoint and a key), then serves until it is killed. `POST /_control` there
takes {"call": NAME, "with": {arguments}} for put, promote, fault, clear_faults, requests, expire, set (attributes of the
look-alike: {"clock_offset_s": …}; with "identity." in front of the name those of Identity), add_role and add_key:

    curl -d '{"call": "fault", "with": {"kind": "hang", "operation": "GetSecretValue"}}' http://127.0.0.1:PORT/_control
"""
import argparse
import contextlib
import email.utils
import http.server
import json
import os
import secrets
import socket
import ssl
import struct
import threading
import time
import urllib.parse

from . import aws_signature
from .aws_identity import STS_CODES, Identity, Role, StsFault
from .aws_secrets import CURRENT, PENDING, Fault, SecretsManager, new_token
from .process import free_port

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEY, SECRET = "AKIDLOOKALIKE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYLOOKALIKE"
JSON_TYPE = "application/x-amz-json-1.1"
NONSENSE = b"\x00\xff<html>{\"SecretString\": 17, \"__type\": [}"
STALL_S = 60

# kind: what happens to a request that a fault is for.
FAULTS = {
    "throttle": "400 ThrottlingException",
    "500": "500 InternalServiceError",
    "503": "503 with a body that is not JSON",
    "deny": "400 AccessDeniedException",
    "expired": "400 ExpiredTokenException",
    "hang": "no answer; the connection stays open",
    "mute": "the same, but what was asked for is done: `done` in the log says when",
    "reset": "the connection is reset before an answer",
    "cut": "the connection ends in the middle of the answer",
    "nonsense": "200 with bytes that mean nothing",
    "empty": "200 with an empty body",
    "html": "200 with a page as captive portals send it",
    "slow": "the answer comes `seconds` later",
    "drip": "the answer comes byte by byte over `seconds`",
}


class Aws:
    def __init__(self, port: int = 0, cert=None, key=None):
        self.whose = (ACCOUNT, REGION)
        self.clock_offset_s, self.region = 0.0, None    # `region`: the only one that signatures may name.
        self.lock, self.log, self.faults = threading.RLock(), [], []
        self.stopped = threading.Event()
        self.identity, self.secrets_manager = Identity(self.clock), SecretsManager(self.clock)
        self.identity.add_key(KEY, SECRET, ACCOUNT)
        self.server = Server(("127.0.0.1", port or free_port()), type("Bound", (Handler,), {"aws": self}))
        self.host, self.port = "127.0.0.1", self.server.server_address[1]
        self.url = f"http{'s' if cert else ''}://{self.host}:{self.port}"
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def clock(self) -> float:
        return time.time() + self.clock_offset_s

    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_METADATA_SERVICE_TIMEOUT": "30"}     # Of a machine that is busy with other tests.

    # --- Secrets, without HTTP ---

    def call(self, operation: str, **request) -> dict:
        with self.lock:
            return self.secrets_manager.call(operation, request, ACCOUNT, REGION)

    def put(self, name: str, value, stages: list | None = None, token: str | None = None) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        with self.lock:
            if not self.secrets_manager.named(name, ACCOUNT, REGION):
                return self.call("CreateSecret", Name=name, SecretString=text, ClientRequestToken=token or new_token())["VersionId"]
            stages_said = {"VersionStages": stages} if stages else {}
            return self.call("PutSecretValue", SecretId=name, SecretString=text, ClientRequestToken=token or new_token(),
                             **stages_said)["VersionId"]

    def promote(self, name: str) -> None:
        """The end of a rotation: what AWSPENDING names becomes AWSCURRENT too."""
        with self.lock:
            stages = self.call("DescribeSecret", SecretId=name)["VersionIdsToStages"]
            at = {stage: version for version, labels in stages.items() for stage in labels}
            self.call("UpdateSecretVersionStage", SecretId=name, VersionStage=CURRENT, MoveToVersionId=at[PENDING],
                      RemoveFromVersionId=at[CURRENT])

    def check_rds_token(self, token: str, address: str, user: str):
        with self.lock:
            return aws_signature.check_rds_token(token, address, user, self.identity.keys, self.clock())

    # --- Faults and the log ---

    def fault(self, kind: str, operation: str | None = None, stage: str | None = None, secret: str | None = None,
              times: int | None = None, seconds: float = 1) -> None:
        """For requests that fit all that is said. `operation` is also AssumeRole …, "metadata" and "container"."""
        if kind not in FAULTS:
            raise ValueError(f"no fault {kind}: {', '.join(FAULTS)}")
        with self.lock:
            self.faults.append({"kind": kind, "operation": operation, "stage": stage, "secret": secret, "left": times,
                                "seconds": seconds})

    def clear_faults(self) -> None:
        with self.lock:
            self.faults.clear()

    def fault_for(self, entry: dict) -> dict | None:
        for fault in self.faults:
            if fault["left"] == 0 or any(fault[name] not in (None, entry[name]) for name in ("operation", "stage", "secret")):
                continue
            if fault["left"] is not None:
                fault["left"] -= 1
            return fault
        return None

    def requests(self, operation: str | None = None) -> list[dict]:
        with self.lock:
            return [dict(entry) for entry in self.log if operation in (None, entry["operation"])]

    # --- From outside of the process ---

    def set(self, **values) -> None:
        for name, value in values.items():
            whose, _, attribute = name.rpartition(".")
            target = {"": self, "identity": self.identity, "secrets_manager": self.secrets_manager}[whose]
            if not hasattr(target, attribute):
                raise ValueError(f"no attribute {name}")
            setattr(target, attribute, value)

    def add_role(self, arn: str, **more) -> None:
        self.identity.roles[arn] = Role(arn, **more)

    def add_key(self, access: str, secret: str, account: str = ACCOUNT) -> None:
        self.identity.add_key(access, secret, account)

    def expire(self) -> None:
        self.identity.expire()

    def control(self, command: dict):
        if command.get("call") not in ("put", "promote", "fault", "clear_faults", "requests", "expire", "set", "add_role",
                                       "add_key"):
            raise ValueError(f"no call {command.get('call')}")
        with self.lock:
            return getattr(self, command["call"])(**command.get("with", {}))


class Reply:
    def __init__(self, status: int, body: bytes | str, kind: str = "text/plain", error: str | None = None):
        self.status, self.body, self.kind, self.error = status, body.encode() if isinstance(body, str) else body, kind, error


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128            # Of five, the sixth that comes at once would be heard a second later.


class Handler(http.server.BaseHTTPRequestHandler):
    aws: Aws
    protocol_version = "HTTP/1.1"
    method = property(lambda self: self.command)

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(OSError):
            super().handle()

    def do_any(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.route = urllib.parse.urlsplit(self.path).path
        if self.route == "/_control":
            return self.send(self.controlled())
        entry, form = self.entry()
        with self.aws.lock:
            self.aws.log.append(entry)
            fault = self.aws.fault_for(entry)
        entry["fault"] = fault and fault["kind"]
        reply = self.failed(fault, entry, form) if fault else self.answered(entry, form)
        if reply is None:
            self.close_connection = True
            return None
        entry.update(status=reply.status, error=reply.error)
        return self.send(reply, fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_any

    def controlled(self) -> Reply:
        try:
            return Reply(200, json.dumps(self.aws.control(json.loads(self.body))), JSON_TYPE)
        except (ValueError, TypeError, KeyError, Fault) as failure:
            return Reply(400, repr(failure) + "\n")

    # --- What is asked ---

    def entry(self) -> tuple[dict, dict]:
        """How the log has this request, which is without a secret's value; and the form that it is, if it is one."""
        target = self.headers.get("X-Amz-Target", "")
        said = {"at": self.aws.clock(), "service": None, "operation": None, "secret": None, "stage": None, "version": None,
                "access_key": None, "connection": self.client_address[1], "status": None, "error": None, "done": False,
                "user_agent": self.headers.get("User-Agent")}
        if target:
            with contextlib.suppress(ValueError, AttributeError):
                request = json.loads(self.body)
                said.update(secret=request.get("SecretId") or request.get("Name"), stage=request.get("VersionStage"),
                            version=request.get("VersionId"))
            return {**said, "service": "secretsmanager", "operation": target.partition(".")[2]}, {}
        if self.route.startswith("/latest/"):
            return {**said, "service": "metadata", "operation": "metadata", "secret": self.route}, {}
        if self.method == "GET" and not self.headers.get("Content-Type"):
            return {**said, "service": "container", "operation": "container"}, {}
        form = dict(urllib.parse.parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))
        return {**said, "service": "sts", "operation": form.get("Action"), "secret": form.get("RoleArn")}, form

    # --- Answers ---

    def answered(self, entry: dict, form: dict) -> Reply:
        with self.aws.lock:
            if entry["service"] == "secretsmanager":
                return self.secretsmanager(entry)
            if entry["service"] == "sts":
                return self.sts(entry, form)
            if entry["service"] == "metadata":
                return Reply(*self.aws.identity.metadata(self.method, self.route, self.headers))
            return Reply(*self.aws.identity.container(self.method, self.headers), "application/json")

    def signer(self, service: str, entry: dict):
        key, region = aws_signature.check(self, self.aws.identity.keys, service, self.aws.region, self.aws.clock())
        entry["access_key"] = key.access
        return key, region

    def secretsmanager(self, entry: dict) -> Reply:
        try:
            key, region = self.signer("secretsmanager", entry)
            if self.method != "POST" or self.route != "/" or self.headers.get("Content-Type") != JSON_TYPE:
                raise Fault("SerializationException", f"POST / with Content-Type {JSON_TYPE}, please")
            request = json.loads(self.body)
            if not isinstance(request, dict):
                raise ValueError("not an object")
            answer = self.aws.secrets_manager.call(entry["operation"], request, key.account, region)
            return Reply(200, json.dumps(answer), JSON_TYPE)
        except aws_signature.Refused as refused:
            return self.json_error(refused.code, refused.text, member="message")
        except Fault as fault:
            return self.json_error(fault.code, fault.text)
        except ValueError as failure:
            return self.json_error("SerializationException", str(failure))

    def json_error(self, code: str, text: str, status: int = 400, member: str = "Message") -> Reply:
        return Reply(status, json.dumps({"__type": code, member: text}), JSON_TYPE, code)

    def sts(self, entry: dict, form: dict) -> Reply:
        try:
            return Reply(200, self.aws.identity.sts(form, lambda: self.signer("sts", entry)[0]), "text/xml")
        except aws_signature.Refused as refused:
            return self.xml_error(STS_CODES.get(refused.code, refused.code), refused.text, 403)
        except StsFault as fault:
            return self.xml_error(fault.code, fault.text, fault.status)

    def xml_error(self, code: str, text: str, status: int) -> Reply:
        body = (f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>'
                f"<Message>{text}</Message></Error><RequestId>{secrets.token_hex(16)}</RequestId></ErrorResponse>")
        return Reply(status, body, "text/xml", code)

    # --- Faults ---

    def error(self, entry: dict, code: str, text: str, status: int) -> Reply:
        return self.xml_error(code, text, status) if entry["service"] == "sts" else self.json_error(code, text, status, "message")

    def failed(self, fault: dict, entry: dict, form: dict) -> Reply | None:
        kind = fault["kind"]
        errors = {"throttle": ("ThrottlingException", "Rate exceeded", 400), "500": ("InternalServiceError", "Try again", 500),
                  "deny": ("AccessDeniedException", "User is not authorized to perform this, because no policy allows it", 400),
                  "expired": ("ExpiredTokenException", "The security token included in the request is expired", 400)}
        bodies = {"503": (503, b"upstream connect error"), "nonsense": (200, NONSENSE), "empty": (200, b""),
                  "html": (200, b"<!DOCTYPE html><title>Log in to this network</title>")}
        if kind in errors:
            return self.error(entry, *errors[kind])
        if kind in bodies:
            return Reply(*bodies[kind])
        if kind in ("hang", "mute"):
            entry["done"] = kind == "mute" and self.answered(entry, form) is not None
            self.aws.stopped.wait(STALL_S)
            return None
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())          # Here, since the server would shut it down in an orderly way.
            return None
        if kind == "slow":
            self.aws.stopped.wait(fault["seconds"])
        return self.answered(entry, form)

    def send(self, reply: Reply, fault: dict | None = None) -> None:
        kind = fault and fault["kind"]
        self.send_response_only(reply.status)
        self.send_header("Date", email.utils.formatdate(self.aws.clock(), usegmt=True))
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("x-amzn-RequestId", secrets.token_hex(16))
        if reply.error == "ThrottlingException":
            self.send_header("x-amz-retry-after", "50")
        self.end_headers()
        if kind == "cut":
            self.wfile.write(reply.body[:len(reply.body) // 2])
            self.close_connection = True
        elif kind == "drip":
            for at in range(len(reply.body)):
                self.wfile.write(reply.body[at:at + 1])
                self.aws.stopped.wait(fault["seconds"] / len(reply.body))
        else:
            self.wfile.write(reply.body)


def main() -> None:
    parser = argparse.ArgumentParser(description="A look-alike of the parts of AWS that pgweir uses.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    wanted = parser.parse_args()
    with Aws(wanted.port, wanted.cert, wanted.key) as aws:
        for name, value in aws.environment().items():
            print(f"export {name}={value}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            aws.thread.join()


if __name__ == "__main__":
    main()
