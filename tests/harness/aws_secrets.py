"""Secrets Manager's operations on secrets kept in memory: labels, idempotency tokens and errors as the real service has them."""
import base64
import dataclasses
import re
import secrets
import string
import uuid

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
VERSIONS_MAX, LABELS_MAX, DAY_S = 100, 20, 86400
NOT_FOUND = "Secrets Manager can't find the specified secret"


class Fault(Exception):
    """An error that the service's model names: HTTP 400 with `code`."""

    def __init__(self, code: str, text: str):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


def invalid(text: str) -> Fault:
    return Fault("InvalidParameterException", text)


@dataclasses.dataclass
class Version:
    id: str
    created: float
    content: dict = dataclasses.field(default_factory=dict)     # SecretString or SecretBinary; empty: no value yet.
    stages: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Secret:
    name: str
    arn: str
    account: str
    region: str
    created: float
    versions: dict = dataclasses.field(default_factory=dict)
    tags: dict = dataclasses.field(default_factory=dict)
    description: str | None = None
    kms_key: str | None = None
    deleted: float | None = None
    changed: float | None = None
    rotated: float | None = None
    rotation_enabled: bool | None = None
    rotation_lambda: str | None = None
    owning_service: str | None = None
    shared: bool = False                # A resource policy lets other accounts read it.

    def at(self, stage: str) -> Version | None:
        return next((version for version in self.versions.values() if stage in version.stages), None)

    def move(self, stage: str, to: Version | None) -> None:
        """A label is on one version at most. Where AWSCURRENT leaves a version, AWSPREVIOUS goes to it."""
        left = self.at(stage)
        if left is to:
            return
        if left:
            left.stages.remove(stage)
        if to:
            to.stages.append(stage)
        if stage == CURRENT and left:
            self.move(PREVIOUS, left)


def content_of(request: dict) -> dict:
    content = {member: request[member] for member in ("SecretString", "SecretBinary") if request.get(member)}
    if len(content) > 1:
        raise invalid("You can't specify both SecretString and SecretBinary.")
    for value in content.values():
        if len(value.encode()) > 65536:
            raise Fault("ValidationException", "1 validation error detected: the value is longer than 65536 bytes")
    if "SecretBinary" in content:
        try:
            base64.b64decode(content["SecretBinary"], validate=True)
        except ValueError:
            raise Fault("SerializationException", "SecretBinary is not base64") from None
    return content


def token_of(request: dict) -> str:
    token = request.get("ClientRequestToken")
    if not token:
        raise invalid("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
    if not 32 <= len(token) <= 64:
        raise invalid("ClientRequestToken must be 32-64 characters long.")
    return token


class SecretsManager:
    """One method per operation: call(operation, request, account, region) answers, or raises Fault."""

    def __init__(self, clock):
        self.clock, self.secrets = clock, []
        self.version_limit = VERSIONS_MAX

    def call(self, operation: str, request: dict, account: str, region: str) -> dict:
        method = getattr(self, operation, None) if operation[:1].isupper() else None
        if method is None:
            raise Fault("UnknownOperationException", f"no operation {operation}")
        return method(request, account, region)

    # --- Finding ---

    def named(self, wanted: str, account: str, region: str) -> Secret | None:
        """By name in the caller's account and region, or by an ARN, whole or without its six random characters."""
        for secret in self.secrets:
            mine = (secret.account, secret.region) == (account, region)
            if wanted in (secret.arn, secret.arn[:-7]) or (mine and wanted == secret.name):
                return secret
        return None

    def find(self, request: dict, account: str, region: str, *, deleted_too=False, reading=False) -> Secret:
        wanted = request.get("SecretId")
        if not wanted or not isinstance(wanted, str):
            raise Fault("ValidationException", "1 validation error detected: Value null at 'secretId' failed to satisfy "
                        "constraint: Member must not be null")
        secret = self.named(wanted, account, region)
        if secret is None:
            raise Fault("ResourceNotFoundException", NOT_FOUND + ".")
        if secret.account != account and not (secret.shared and reading):
            raise Fault("AccessDeniedException", f"User is not authorized to perform this on resource: {wanted}")
        if secret.deleted and not deleted_too:
            raise Fault("InvalidRequestException",
                        "You can't perform this operation on the secret because it was marked for deletion.")
        return secret

    # --- Reading ---

    def version_for(self, secret: Secret, request: dict) -> Version:
        version_id, stage = request.get("VersionId"), request.get("VersionStage")
        if version_id:
            version = secret.versions.get(version_id)
            if version is None or not version.content:
                raise Fault("ResourceNotFoundException", f"{NOT_FOUND} value for VersionId: {version_id}")
            if stage and stage not in version.stages:
                raise Fault("ResourceNotFoundException",
                            "You provided a VersionStage that is not associated to the provided VersionId.")
            return version
        version = secret.at(stage or CURRENT)
        if version is None or not version.content:
            raise Fault("ResourceNotFoundException", f"{NOT_FOUND} value for staging label: {stage or CURRENT}")
        return version

    def GetSecretValue(self, request, account, region):
        secret = self.find(request, account, region, reading=True)
        version = self.version_for(secret, request)
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": version.id, **version.content,
                "VersionStages": version.stages, "CreatedDate": version.created}

    def BatchGetSecretValue(self, request, account, region):
        ids, filters = request.get("SecretIdList"), request.get("Filters")
        if bool(ids) == bool(filters):
            raise invalid("Either SecretIdList or Filters must be provided, but not both.")
        if ids and (len(ids) > 20 or request.get("MaxResults")):
            raise invalid("SecretIdList takes up to 20 secrets, and no MaxResults.")
        values, errors = [], []
        for wanted in ids or [each.arn for each in self.secrets if self.matches(each, filters, account, region)]:
            try:
                values.append(self.GetSecretValue({"SecretId": wanted}, account, region))
            except Fault as fault:
                errors.append({"SecretId": wanted, "ErrorCode": fault.code, "Message": fault.text})
        return {"SecretValues": values, "Errors": errors}

    def matches(self, secret: Secret, filters: list, account: str, region: str) -> bool:
        texts = {"name": [secret.name], "tag-key": list(secret.tags), "tag-value": list(secret.tags.values()),
                 "description": [secret.description or ""]}
        return (secret.account, secret.region) == (account, region) and not secret.deleted and all(
            any(text.startswith(value) for text in texts.get(each["Key"], []) for value in each["Values"]) for each in filters)

    def DescribeSecret(self, request, account, region):
        secret = self.find(request, account, region, deleted_too=True, reading=True)
        said = {"ARN": secret.arn, "Name": secret.name, "Description": secret.description, "KmsKeyId": secret.kms_key,
                "RotationEnabled": secret.rotation_enabled, "RotationLambdaARN": secret.rotation_lambda,
                "LastRotatedDate": secret.rotated, "LastChangedDate": secret.changed, "CreatedDate": secret.created,
                "DeletedDate": secret.deleted, "OwningService": secret.owning_service,
                "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()] or None,
                "VersionIdsToStages": {each.id: each.stages for each in secret.versions.values() if each.stages} or None}
        return {member: value for member, value in said.items() if value is not None}

    def ListSecretVersionIds(self, request, account, region):
        secret = self.find(request, account, region, deleted_too=True)
        shown = [each for each in secret.versions.values() if each.stages or request.get("IncludeDeprecated")]
        return {"ARN": secret.arn, "Name": secret.name, "Versions": [
            {"VersionId": each.id, "CreatedDate": each.created, **({"VersionStages": each.stages} if each.stages else {})}
            for each in shown]}

    def ListSecrets(self, request, account, region):
        return {"SecretList": [self.DescribeSecret({"SecretId": each.arn}, account, region)
                               for each in self.secrets if self.matches(each, request.get("Filters", []), account, region)]}

    # --- Writing ---

    def CreateSecret(self, request, account, region):
        name, content = request.get("Name") or "", content_of(request)
        if not re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", name):
            raise invalid("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
                          "-/_+=.@!")
        token = token_of(request) if content else request.get("ClientRequestToken")
        secret = self.named(name, account, region)
        if secret and secret.deleted:
            raise Fault("InvalidRequestException", "You can't create this secret because a secret with this name is already "
                        "scheduled for deletion.")
        if secret:
            version = secret.versions.get(token)
            if version is None or version.content != content:
                raise Fault("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
            return {"ARN": secret.arn, "Name": name, "VersionId": token}
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(6))
        secret = Secret(name, f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}", account, region, self.clock(),
                        description=request.get("Description"), kms_key=request.get("KmsKeyId"),
                        tags={each["Key"]: each["Value"] for each in request.get("Tags", [])})
        self.secrets.append(secret)
        if not content:
            return {"ARN": secret.arn, "Name": name}
        self.put(secret, token, content, [CURRENT])
        return {"ARN": secret.arn, "Name": name, "VersionId": token}

    def put(self, secret: Secret, token: str, content: dict, stages: list) -> Version:
        version = secret.versions.get(token)
        if version and version.content:
            if version.content == content:
                return version                  # Said before: nothing changes, labels neither.
            raise Fault("ResourceExistsException", "You can't modify the value of an existing version.")
        if version is None:
            self.make_room(secret)
            version = secret.versions[token] = Version(token, self.clock())
        version.content = content
        if not secret.at(CURRENT) and CURRENT not in stages:
            stages = [CURRENT, *stages]         # A secret's first value is current whatever was asked for.
        for stage in stages:
            secret.move(stage, version)
        secret.changed = self.clock()
        return version

    def make_room(self, secret: Secret) -> None:
        """Versions without a label go when there are too many, but none of the last 24 hours."""
        if self.version_limit is None:
            return
        old = [each.id for each in secret.versions.values() if not each.stages and each.created < self.clock() - DAY_S]
        while len(secret.versions) >= self.version_limit and old:
            del secret.versions[old.pop(0)]
        if len(secret.versions) >= self.version_limit:
            raise Fault("LimitExceededException", "The request failed because it would exceed the quota of versions.")

    def PutSecretValue(self, request, account, region):
        token, content = token_of(request), content_of(request)
        if not content:
            raise invalid("You must provide either SecretString or SecretBinary.")
        stages = request.get("VersionStages")
        if stages is not None and not 1 <= len(stages) <= LABELS_MAX:
            raise Fault("ValidationException", "VersionStages takes 1 to 20 labels")
        secret = self.find(request, account, region)
        version = self.put(secret, token, content, stages or [CURRENT])
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "VersionStages": version.stages}

    def UpdateSecret(self, request, account, region):
        content = content_of(request)
        token = token_of(request) if content else None
        secret = self.find(request, account, region)
        secret.description = request.get("Description", secret.description)
        secret.kms_key = request.get("KmsKeyId", secret.kms_key)
        if not content:
            return {"ARN": secret.arn, "Name": secret.name}
        self.put(secret, token, content, [CURRENT])
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": token}

    def UpdateSecretVersionStage(self, request, account, region):
        stage, to, source = (request.get(member) for member in ("VersionStage", "MoveToVersionId", "RemoveFromVersionId"))
        if not stage:
            raise Fault("ValidationException", "VersionStage is missing")
        secret = self.find(request, account, region)
        for version_id in filter(None, (to, source)):
            if version_id not in secret.versions:
                raise Fault("ResourceNotFoundException", f"{NOT_FOUND} version: {version_id}")
        at = secret.at(stage)
        if source and (at is None or at.id != source):
            raise invalid(f"The parameter RemoveFromVersionId is not valid: staging label {stage} isn't attached to {source}.")
        if to and at and at.id != to and not source:
            raise invalid(f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                          f"version {at.id}, so you must explicitly reference that version in RemoveFromVersionId.")
        if stage == CURRENT and not to:
            raise invalid(f"You can only move staging label {CURRENT} to a different secret version. "
                          "It can't be completely removed.")
        if not to and not source:
            raise invalid("You must specify MoveToVersionId or RemoveFromVersionId.")
        secret.move(stage, secret.versions[to] if to else None)
        secret.changed = self.clock()
        if stage == CURRENT:
            secret.rotated = self.clock()
        return {"ARN": secret.arn, "Name": secret.name}

    def TagResource(self, request, account, region):
        secret = self.find(request, account, region)
        tags = {each["Key"]: each["Value"] for each in request.get("Tags", [])}
        if any(key.startswith("aws:") for key in tags) or len({**secret.tags, **tags}) > 50:
            raise invalid("Tags that begin with aws: are the service's own, and a secret has 50 at most.")
        secret.tags.update(tags)
        return {}

    def UntagResource(self, request, account, region):
        secret = self.find(request, account, region)
        for key in request.get("TagKeys", []):
            secret.tags.pop(key, None)
        return {}

    def DeleteSecret(self, request, account, region):
        days, force = request.get("RecoveryWindowInDays"), request.get("ForceDeleteWithoutRecovery")
        if force and days is not None:
            raise invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
        if days is not None and not 7 <= days <= 30:
            raise invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
        secret = self.find(request, account, region, deleted_too=bool(force))
        if force:
            self.secrets.remove(secret)
        secret.deleted = self.clock() + (0 if force else (days or 30) * DAY_S)
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": secret.deleted}

    def RestoreSecret(self, request, account, region):
        secret = self.find(request, account, region, deleted_too=True)
        secret.deleted = None
        return {"ARN": secret.arn, "Name": secret.name}

    def RotateSecret(self, request, account, region):
        """Nobody rotates here. What makes the real service refuse is told as it tells it."""
        secret = self.find(request, account, region)
        pending = secret.at(PENDING)
        if pending and pending is not secret.at(CURRENT):
            raise Fault("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
        raise Fault("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")

    # --- Passwords ---

    def GetRandomPassword(self, request, account, region):
        length = request.get("PasswordLength", 32)
        classes = {"ExcludeLowercase": string.ascii_lowercase, "ExcludeUppercase": string.ascii_uppercase,
                   "ExcludeNumbers": string.digits, "ExcludePunctuation": string.punctuation}
        kinds = [kept for member, letters in classes.items() if not request.get(member)
                 and (kept := "".join(sorted(set(letters) - set(request.get("ExcludeCharacters", "")))))]
        kinds += [" "] if request.get("IncludeSpace") else []
        each_kind = request.get("RequireEachIncludedType", True)
        if not 1 <= length <= 4096 or not kinds or (each_kind and length < len(kinds)):
            raise invalid("The password length or the excluded characters leave no password.")
        letters = [secrets.choice(kind) for kind in kinds] if each_kind else []
        letters += [secrets.choice("".join(kinds)) for _ in range(length - len(letters))]
        secrets.SystemRandom().shuffle(letters)
        return {"RandomPassword": "".join(letters)}


def new_token() -> str:
    return str(uuid.uuid4())
