"""Certificates that openssl makes."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """A CA of our own, in a folder."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> "Authority":
        """Make one."""
        folder.mkdir(parents=True)
        signed = ["-x509", "-subj", "/CN=A CA of our own", "-keyout", "root.key", "-out", "root.pem"]
        _openssl(folder, "req", *KEY, *signed)
        return cls(folder)

    @property
    def root(self) -> Path:
        """What callers trust."""
        return self.folder / "root.pem"

    def certificate(self, *names: str, days: int = 1) -> tuple[str, str]:
        """One for these names, and its key."""
        by = ["-CA", "root.pem", "-CAkey", "root.key", "-days", str(days), "-keyout", "own.key", "-out", "own.pem"]
        alternatives = f"subjectAltName={','.join(f'DNS:{each}' for each in names)}"
        _openssl(self.folder, "req", *KEY, "-x509", "-subj", f"/CN={names[0]}", "-addext", alternatives, *by)
        return (self.folder / "own.pem").read_text(), (self.folder / "own.key").read_text()


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
