"""Commands for a POSIX shell: people copy them, and `push` is piped into one. Nowhere else is a word of them quoted."""

import shlex


class Shell(str):
    """Text that the shell itself is to read, such as `$(git rev-parse HEAD)`, or a person, such as `<value>`."""


def quoted(word: str) -> str:
    """A word as the shell takes it for itself, whatever is in it."""
    return word if isinstance(word, Shell) else shlex.quote(word)


def command(*words: str) -> str:
    """A command that gives its program exactly these words."""
    return " ".join(map(quoted, words))
