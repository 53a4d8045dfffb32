"""Where AWS credentials come from, in the look-alike: STS, the instance's metadata service (IMDSv2), a container's endpoint."""
import dataclasses
import itertools
import json
import re
import secrets
import time
from xml.sax.saxutils import escape

from .aws_signature import Key

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
# What STS calls the refusals of a signature, and its HTTP status for them.
STS_CODES = {"UnrecognizedClientException": "InvalidClientTokenId", "ExpiredTokenException": "ExpiredToken",
             "InvalidSignatureException": "SignatureDoesNotMatch", "IncompleteSignatureException": "IncompleteSignature",
             "MissingAuthenticationTokenException": "MissingAuthenticationToken"}


class StsFault(Exception):
    def __init__(self, code: str, text: str, status: int = 400):
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status = code, text, status


@dataclasses.dataclass
class Role:
    arn: str
    external_id: str | None = None
    web_identity_token: str | None = None       # The one JWT that is taken; without it no web identity may assume the role.
    trusted: str | None = None                  # The one account that may assume it; None: any.


def time_text(at: float, fraction: bool = False) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return whole + (".473035Z" if fraction else "Z")


class Identity:
    """Keys, roles, and who hands out temporary keys. `issue()` is behind every one of them."""

    def __init__(self, clock):
        self.clock, self.keys, self.roles, self.answers = clock, {}, {}, itertools.count()
        self.lifetime_s = None                  # Of everything issued, whatever was asked for.
        self.instance_role = "pgweir-instance"  # None: the instance has none.
        self.instance_account = "123456789012"
        self.instance_region = "eu-west-1"
        self.metadata_tokens, self.metadata_v1 = {}, False
        self.metadata_token_status = 200        # 403: as where IMDSv2 is turned off.
        self.container_token = None             # What Authorization must say.

    def add_key(self, access: str, secret: str, account: str) -> Key:
        key = self.keys[access] = Key(access, secret, account, f"arn:aws:iam::{account}:user/{access.lower()}")
        return key

    def issue(self, account: str, arn: str, wanted_s: float) -> Key:
        lifetime_s = wanted_s if self.lifetime_s is None else self.lifetime_s
        key = Key.temporary(account, arn, self.clock() + lifetime_s)
        self.keys[key.access] = key
        return key

    def expire(self) -> None:
        """Every temporary key ends now."""
        for key in self.keys.values():
            if key.expires is not None:
                key.expires = min(key.expires, self.clock())

    # --- STS ---

    def sts(self, form: dict, signer) -> str:
        """The XML that answers `form`. signer() says whose key signed, or raises."""
        action = form.get("Action", "")
        if form.get("Version") != "2011-06-15":
            raise StsFault("InvalidAction", f"Could not find operation {action} for version {form.get('Version')}")
        if action == "AssumeRoleWithWebIdentity":
            return self.answer(action, self.with_web_identity(form))
        key = signer()
        if action == "AssumeRole":
            return self.answer(action, self.assume(form, key))
        if action == "GetCallerIdentity":
            return self.answer(action, f"<Arn>{key.arn}</Arn><UserId>{key.access}</UserId><Account>{key.account}</Account>")
        raise StsFault("InvalidAction", f"Could not find operation {action} for version 2011-06-15")

    def answer(self, action: str, result: str) -> str:
        return (f'<{action}Response xmlns="{STS_NAMESPACE}"><{action}Result>{result}</{action}Result>'
                f"<ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata></{action}Response>")

    def parameters(self, form: dict, key: Key | None) -> tuple[str, str, float]:
        """The role's ARN, the session's name and its length, if they are what STS takes."""
        arn, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
        duration = form.get("DurationSeconds", "3600")
        if not re.fullmatch(r"arn:aws:iam::\d{12}:role/.+", arn):
            raise StsFault("ValidationError", f"{arn} is invalid")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", session):
            raise StsFault("ValidationError", "Value at 'roleSessionName' failed to satisfy constraint")
        if not duration.isdigit() or not 900 <= int(duration) <= 43200:
            raise StsFault("ValidationError", "Value at 'durationSeconds' failed to satisfy constraint")
        if key and key.token and int(duration) > 3600:
            raise StsFault("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                           "assumed by role chaining")
        return arn, session, int(duration)

    def assume(self, form: dict, key: Key) -> str:
        arn, session, duration_s = self.parameters(form, key)
        role = self.roles.get(arn)
        refused = (not role or role.external_id != form.get("ExternalId") or role.trusted not in (None, key.account)
                   or role.web_identity_token)
        if refused:
            raise StsFault("AccessDenied", f"User: {key.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}", 403)
        return self.credentials(arn, session, duration_s)

    def with_web_identity(self, form: dict) -> str:
        arn, session, duration_s = self.parameters(form, None)
        role, token = self.roles.get(arn), form.get("WebIdentityToken", "")
        if not 4 <= len(token) <= 20000:
            raise StsFault("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
        if not role or role.web_identity_token is None:
            raise StsFault("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        if role.web_identity_token != token:
            raise StsFault("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
        return self.credentials(arn, session, duration_s)

    def credentials(self, role_arn: str, session: str, duration_s: float) -> str:
        account, name = role_arn.split(":")[4], role_arn.split("role/", 1)[1]
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
        key, turn = self.issue(account, arn, duration_s), next(self.answers)
        parts = [f"<AccessKeyId>{key.access}</AccessKeyId>", f"<SecretAccessKey>{escape(key.secret)}</SecretAccessKey>",
                 f"<SessionToken>{escape(key.token)}</SessionToken>",
                 f"<Expiration>{time_text(key.expires, turn % 2 == 1)}</Expiration>"]
        turned = parts[turn % 4:] + parts[:turn % 4]            # The order of the members is not fixed.
        said = ["<Credentials>", *turned, "</Credentials>"]
        user = ["<AssumedRoleUser>", f"<AssumedRoleId>AROA:{session}</AssumedRoleId>", f"<Arn>{arn}</Arn>", "</AssumedRoleUser>"]
        return "".join(said + user if turn % 2 else user + said)

    # --- The instance's metadata ---

    def metadata(self, method: str, path: str, headers) -> tuple[int, str]:
        if path == "/latest/api/token":
            return self.metadata_token(method, headers)
        token = headers.get("X-aws-ec2-metadata-token")
        if method != "GET" or (token is None and not self.metadata_v1):
            return 401, "Unauthorized"
        if token is not None and self.metadata_tokens.get(token, 0) <= self.clock():
            return 401, "Unauthorized"
        folder = "/latest/meta-data/iam/security-credentials/"
        texts = {"/latest/meta-data/placement/region": self.instance_region,
                 "/latest/meta-data/placement/availability-zone": self.instance_region + "a"}
        if self.instance_role:
            texts[folder] = texts[folder[:-1]] = self.instance_role
        if self.instance_role and path == folder + self.instance_role:
            return 200, self.metadata_credentials()
        return (200, texts[path]) if path in texts else (404, "Not Found")

    def metadata_token(self, method: str, headers) -> tuple[int, str]:
        ttl = headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.metadata_token_status != 200:
            return self.metadata_token_status, "Forbidden"
        if method != "PUT":
            return 405, "Method Not Allowed"
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600 or headers.get("X-Forwarded-For"):
            return 400, "Bad Request"
        token = secrets.token_urlsafe(40)
        self.metadata_tokens[token] = self.clock() + int(ttl)
        return 200, token

    def metadata_credentials(self) -> str:
        arn = f"arn:aws:sts::{self.instance_account}:assumed-role/{self.instance_role}/i-0123456789abcdef0"
        key = self.issue(self.instance_account, arn, 6 * 3600)
        return json.dumps({"Code": "Success", "LastUpdated": time_text(self.clock()), "Type": "AWS-HMAC",
                           "AccessKeyId": key.access, "SecretAccessKey": key.secret, "Token": key.token,
                           "Expiration": time_text(key.expires)}, indent=2)

    # --- A container's endpoint ---

    def container(self, method: str, headers) -> tuple[int, str]:
        if method != "GET" or headers.get_all("Authorization", []) != ([self.container_token] if self.container_token else []):
            return 401, json.dumps({"code": "AccessDenied", "message": "Authorization is missing or wrong"})
        key = self.issue("123456789012", "arn:aws:sts::123456789012:assumed-role/pgweir-task/task", 6 * 3600)
        return 200, json.dumps({"RoleArn": "arn:aws:iam::123456789012:role/pgweir-task", "AccessKeyId": key.access,
                                "SecretAccessKey": key.secret, "Token": key.token, "Expiration": time_text(key.expires)})
