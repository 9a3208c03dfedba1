"""The Pulumi CLI that is fetched is compared before anything of it is run."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tools import release

VERSION = "3.259.0"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Pulumi's two places are for this test: below it, `archives` and `list`."""
    monkeypatch.setattr(release, "ARCHIVES", (tmp_path / "archives").as_uri())
    monkeypatch.setattr(release, "CHECKSUMS", (tmp_path / "list").as_uri())
    (tmp_path / "archives").mkdir()
    (tmp_path / "list" / f"v{VERSION}").mkdir(parents=True)
    return tmp_path


def publish(place: Path, folder: str, *, listed: bytes | None = None) -> None:
    """A release whose programs lie in a folder; `listed` is what its list was made of, where that is another file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for program in ("pulumi", "pulumi-language-python"):
            entry = tarfile.TarInfo(f"{folder}/{program}")
            entry.size, entry.mode = len(program), 0o755
            archive.addfile(entry, io.BytesIO(program.encode()))
    name = release.archive_name(VERSION)
    (place / "archives" / name).write_bytes(packed.getvalue())
    digest = hashlib.sha256(listed or packed.getvalue()).hexdigest()
    listing = f"{'0' * 64}  pulumi-v{VERSION}-windows-x64.zip\n{digest}  {name}\n"
    (place / "list" / f"v{VERSION}" / f"pulumi-{VERSION}-checksums.txt").write_text(listing)


@pytest.mark.parametrize("folder", ["pulumi", "pulumi/bin"], ids=["as today", "as before"])
def test_programs_are_installed(published: Path, folder: str) -> None:
    publish(published, folder)
    root = published / ".tools" / "pulumi"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "of an older release").touch()
    release.install(VERSION, root)
    assert sorted(each.name for each in root.glob("bin/*")) == ["pulumi", "pulumi-language-python"]
    assert (root / "bin" / "pulumi").stat().st_mode & 0o111
    assert [each.name for each in root.parent.iterdir()] == ["pulumi"]


def test_another_file_is_not_taken(published: Path) -> None:
    publish(published, "pulumi", listed=b"what Pulumi has published")
    root = published / ".tools" / "pulumi"
    with pytest.raises(release.ReleaseError, match="SHA-256"):
        release.install(VERSION, root)
    assert not root.exists()


def test_an_archive_that_nobody_lists_is_not_taken(published: Path) -> None:
    publish(published, "pulumi")
    listing = next(published.glob("list/*/*"))
    listing.write_text(listing.read_text().splitlines()[0])
    with pytest.raises(release.ReleaseError, match="does not name"):
        release.install(VERSION, published / ".tools" / "pulumi")


def test_no_archive_leaves_its_place(published: Path) -> None:
    publish(published, "..")
    with pytest.raises(tarfile.OutsideDestinationError):
        release.install(VERSION, published / ".tools" / "pulumi")


def test_a_machine_without_a_release_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(release.ReleaseError, match="on riscv64"):
        release.archive_name(VERSION)
