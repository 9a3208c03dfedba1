"""Names that are made of what users type, within the limits of where they are used."""

import hashlib
import re


def label(name: str, limit: int = 40) -> str:
    """`name` as a DNS label. One that has to be cut or changed keeps apart from others by a hash at its end."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if plain == name and len(plain) <= limit:
        return plain
    mark = hashlib.sha256(name.encode()).hexdigest()[:7]
    return f"{plain[: limit - 8].rstrip('-')}-{mark}".lstrip("-")
