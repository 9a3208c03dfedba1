"""Set up the policy pack: the environment that it runs in, which is its own, for pulumi-policy wants an older protobuf
than the program has.

    python -m tools.pack
"""

from pathlib import Path

from tools import build

PACK = Path(__file__).resolve().parents[1] / "policy"

if __name__ == "__main__":
    build.environment("pack", PACK / ".venv", PACK / "requirements.txt")
