"""Keys of KMS that someone else made: which there are, which are enabled, and what is under them."""

from collections.abc import Iterator

from policy.control import values
from rehearsal.aws import types
from rehearsal.aws.account import allows
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.resource_type import Check, refuses
from rehearsal.state import CloudResource, CloudState, Refused
from rehearsal.wire import Properties

SOURCE = "KMS developer guide, key states"


@data_source("aws:kms/getKey:getKey")
def get_key(ask: Question) -> Properties:
    """A key whose ARN stands in the stack's config is taken to be there."""
    arn = str(ask.args["keyId"])
    if arn not in ask.state.existing or _region(arn) != ask.region:
        raise Refused("NotFoundException", f"Key '{arn}' does not exist", "KMS API, DescribeKey")
    enabled = arn not in ask.state.disabled_keys
    state = "Enabled" if enabled else "Disabled"
    about = {"id": arn, "arn": arn, "enabled": enabled, "keyState": state}
    return about | {"keyUsage": "ENCRYPT_DECRYPT", "keySpec": "SYMMETRIC_DEFAULT"}


def _region(arn: str) -> str:
    return arn.split(":")[3]


def under(path: str) -> Check:
    """A check that the key which a resource names, if it does, can be used there."""

    @refuses("KMSInvalidStateException", SOURCE)
    def unusable(state: CloudState, resource: CloudResource) -> Iterator[str]:
        arn = resource.get(path)
        if arn and (arn not in state.existing or arn in state.disabled_keys or _region(arn) != resource.get("region")):
            yield f"{resource.name}: the key {arn} does not exist here, or is not enabled"

    return unusable


ENCRYPTION = "encryptionConfig"


@refuses("InvalidParameterException", 'EKS user guide, "Encrypt Kubernetes secrets with KMS on existing clusters"')
def other_key(state: CloudState, cluster: CloudResource) -> Iterator[str]:
    """A cluster takes a key once, and keeps it."""
    before = state.owned(cluster.type, cluster.urn, cluster.id)
    kept = before.get(f"{ENCRYPTION}.provider.keyArn") if before else None
    if kept and cluster.get(f"{ENCRYPTION}.provider.keyArn") != kept:
        yield f"{cluster.name} is under the key {kept}, and stays so"


def may_decrypt(state: CloudState, role: str, reference: str) -> bool:
    """Whether a role may have a secret decrypted. Under AWS's own key everybody may who may read it."""
    secret = state.find(types.SECRET, reference.partition(":::")[0])
    key = secret.get("kmsKeyId") if secret else None
    found = state.find(types.ROLE, role)
    return not key or found is None or (allows(state, found, "kms:Decrypt") and allows(state, found, key))


def secrets_of(definition: Properties) -> Iterator[str]:
    """What a container of a task takes from Secrets Manager."""
    yield from values(definition, "secrets.valueFrom")
    yield from values(definition, "repositoryCredentials.credentialsParameter")
