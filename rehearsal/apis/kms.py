"""The Key Management Service's own API, as far as the engine asks it about the secrets in a stack's state.

The engine makes a key for the stack's secrets, and has KMS encrypt it, to keep it in the stack's file. Here it comes
back as it was: whoever can read a rehearsal can as well ask this.
"""

from typing import Any

from rehearsal.apis.endpoint import Endpoint, JsonHandler

SECRETS_PROVIDER = "awskms:///alias/rehearsal?region=us-east-1"
"""For `pulumi stack init --secrets-provider`. From a passphrase each run of the CLI would derive the key anew, in a
million rounds: more than half of what its shorter commands take."""


def serve() -> Endpoint:
    """Answer until closed."""
    return Endpoint(_Handler)


class _Handler(JsonHandler):
    def on_Encrypt(self, asked: Any) -> Any:  # noqa: N802
        return {"CiphertextBlob": asked["Plaintext"], "KeyId": asked["KeyId"]}

    def on_Decrypt(self, asked: Any) -> Any:  # noqa: N802
        return {"Plaintext": asked["CiphertextBlob"]}
