"""The logs of what runs on AWS: the stack's one log group in CloudWatch."""

from components.shell import command


def follow(stack: str, streams: str) -> str:
    """The command that shows the streams whose names begin so."""
    return command("aws", "logs", "tail", f"/{stack}", "--log-stream-name-prefix", streams, "--follow")
