"""Files that `yard` writes."""

from pathlib import Path


def write(path: Path, content: str) -> None:
    """Replace a file at once: whoever reads meanwhile has the old one or the new one, and a killed run leaves one."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_text(content, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
