"""Whether a request to the look-alike AWS is signed as AWS wants it (Signature Version 4), judged with botocore's signer."""
import calendar
import dataclasses
import hmac
import secrets
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

TOLERANCE_S = 300
STAMP = "%Y%m%dT%H%M%SZ"


@dataclasses.dataclass
class Key:
    """What somebody signs with. `token` and `expires` (epoch, the service's clock) are those of temporary credentials."""
    access: str
    secret: str
    account: str
    arn: str
    token: str | None = None
    expires: float | None = None

    @classmethod
    def temporary(cls, account: str, arn: str, expires: float) -> "Key":
        return cls("ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), account, arn,
                   "IQoJb3JpZ2lu/" + secrets.token_urlsafe(120) + "+==", expires)


class Refused(Exception):
    """`code` as Secrets Manager names it; STS has another name for some."""

    def __init__(self, code: str, text: str):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Recomputed(SigV4Auth):
    """botocore's signer, for the headers that the sender says to have signed, and no others."""

    def __init__(self, key: Key, service: str, region: str, names: list[str]):
        super().__init__(Credentials(key.access, key.secret, key.token), service, region)
        self.names = names

    def headers_to_sign(self, request):
        chosen = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower() in self.names:
                chosen[name.lower()] = value
        return chosen

    def signature_of(self, request: AWSRequest, stamp: str) -> str:
        request.context["timestamp"] = stamp
        return self.signature(self.string_to_sign(request, self.canonical_request(request)), request)


def _time_of(stamp: str) -> float:
    try:
        return calendar.timegm(time.strptime(stamp, STAMP))
    except ValueError:
        raise Refused("IncompleteSignatureException", f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.") from None


def _check_clock(stamp: str, now: float) -> None:
    sent, here = _time_of(stamp), time.strftime(STAMP, time.gmtime(now))
    limits = {sign: time.strftime(STAMP, time.gmtime(now + sign * TOLERANCE_S)) for sign in (-1, 1)}
    if sent < now - TOLERANCE_S:
        raise Refused("InvalidSignatureException",
                      f"Signature expired: {stamp} is now earlier than {limits[-1]} ({here} - 5 min.)")
    if sent > now + TOLERANCE_S:
        raise Refused("InvalidSignatureException",
                      f"Signature not yet current: {stamp} is still later than {limits[1]} ({here} + 5 min.)")


def _scope(credential: str, service: str, region: str | None, stamp: str) -> tuple[str, str]:
    """The access key and the region of a Credential=…"""
    access, *scope = credential.split("/")
    if len(scope) != 4 or scope[3] != "aws4_request":
        raise Refused("IncompleteSignatureException", f"'{credential}' is no valid credential scope.")
    if scope[0] != stamp[:8]:
        raise Refused("InvalidSignatureException", f"Date in Credential scope does not match YYYYMMDD: {scope[0]} / {stamp}")
    if region and scope[1] != region:
        raise Refused("InvalidSignatureException", f"Credential should be scoped to a valid region. ({scope[1]})")
    if scope[2] != service:
        raise Refused("InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'.")
    return access, scope[1]


def _check_key(keys: dict[str, Key], access: str, token: str | None, now: float) -> Key:
    key = keys.get(access)
    if key is None or (key.token or None) != token:
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    if key.expires is not None and now >= key.expires:
        raise Refused("ExpiredTokenException", "The security token included in the request is expired")
    return key


def _once(headers, name: str) -> str:
    values = headers.get_all(name) or []
    if len(values) != 1:
        raise Refused("IncompleteSignatureException", f"{name} must be there once, not {len(values)} times")
    return values[0]


def check(request, keys: dict[str, Key], service: str, region: str | None, now: float) -> tuple[Key, str]:
    """Who signed `request` (method, path, headers, body), and for which region; Refused if it is not signed well."""
    authorization = request.headers.get("Authorization")
    if not authorization:
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    kind, _, rest = authorization.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if kind != "AWS4-HMAC-SHA256" or not {"Credential", "SignedHeaders", "Signature"} <= set(parts):
        raise Refused("IncompleteSignatureException", f"Authorization header is incomplete: {kind}")
    stamp = _once(request.headers, "X-Amz-Date")
    access, of_region = _scope(parts["Credential"], service, region, stamp)
    key = _check_key(keys, access, request.headers.get("X-Amz-Security-Token"), now)
    names = parts["SignedHeaders"].split(";")
    wanted = {"host"} | {name.lower() for name in request.headers if name.lower().startswith("x-amz-")}
    if names != sorted(set(names)) or not wanted <= set(names):
        raise Refused("InvalidSignatureException", f"SignedHeaders must be sorted and name {sorted(wanted)}, not {names}")
    for name in names:
        _once(request.headers, name)
    seen = AWSRequest(request.method, "http://look-alike" + request.path, data=request.body)
    for name, value in request.headers.items():
        seen.headers[name] = value
    del seen.headers["X-Amz-Content-SHA256"]            # Computed here, whatever the sender says.
    if not hmac.compare_digest(Recomputed(key, service, of_region, names).signature_of(seen, stamp), parts["Signature"]):
        raise Refused("InvalidSignatureException",
                      "The request signature we calculated does not match the signature you provided. "
                      "Check your AWS Secret Access Key and signing method.")
    _check_clock(stamp, now)
    return key, of_region


def check_rds_token(token: str, address: str, user: str, keys: dict[str, Key], now: float) -> Key:
    """Whose RDS login token this is, for `address` ("HOST:PORT") and `user`; Refused if RDS would not take it."""
    before, _, text = token.partition("/?")
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    query = dict(pairs)
    if before != address or query.get("DBUser") != user or query.get("Action") != "connect" or len(query) != len(pairs):
        raise Refused("InvalidParameterException", "the token is not for this host, port and user")
    if query.get("X-Amz-Expires") != "900" or query.get("X-Amz-SignedHeaders") != "host":
        raise Refused("InvalidParameterException", "X-Amz-Expires must be 900, X-Amz-SignedHeaders host")
    stamp = query.get("X-Amz-Date", "")
    access, region = _scope(query.get("X-Amz-Credential", ""), "rds-db", None, stamp)
    key = _check_key(keys, access, query.get("X-Amz-Security-Token"), now)
    signed = [(name, value) for name, value in pairs if name != "X-Amz-Signature"]
    seen = AWSRequest("GET", f"https://{before}/?" + urllib.parse.urlencode(signed, quote_via=urllib.parse.quote, safe="-_.~"))
    seen.headers["host"] = before
    signature = Recomputed(key, "rds-db", region, ["host"]).signature_of(seen, stamp)
    if not hmac.compare_digest(signature, query.get("X-Amz-Signature", "")):
        raise Refused("InvalidSignatureException", "the token's signature is wrong")
    if not -TOLERANCE_S <= now - _time_of(stamp) < 900:
        raise Refused("ExpiredTokenException", "the token is of another time")
    return key
