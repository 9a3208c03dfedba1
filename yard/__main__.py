"""The command `yard`."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click
from click.shell_completion import CompletionItem

from yard import interrupts
from yard.groups import Group

SECTIONS = {
    "On this machine": {
        "init": "Make a project for your app: four files, and the program at a version.",
        "import": "Take services over from Compose, Copilot or Score, and say what became of each field.",
        "up": "Build the services of stack local, run them on this machine's Docker, and call them.",
        "down": "Remove all that `yard up` made.",
    },
    "Before anything is made": {
        "compare": "Price a stack with every registry and every orchestrator, side by side; offline.",
        "rehearse": "Run a stack through the real Pulumi engine over a pretend cloud: up, switch, back, destroy.",
        "doctor": "Check whether this machine and account have what a stack needs, and say how to fix it.",
        "diff": "Say what a change does to the stacks, from one git revision to another, without an account.",
        "prices": "List the prices that estimates are made from, and read AWS's price lists anew.",
    },
    "A version, and where it runs": {
        "deploy": "Deploy services of a stack: build, push, bring it up, wait until healthy, call.",
        "releases": "List what ran on a stack when, from which commit, by whom.",
        "rollback": "Take services of a stack back to what ran before.",
        "switch": "Move a stack to another orchestrator in small steps, each proved healthy first.",
    },
    "Every day": {
        "status": "Show the state of a stack's services: replicas, images, traffic, costs, what failed last.",
        "logs": "Show what a stack's services write, whatever runs them.",
        "open": "Print a service's URL, and open it in the browser.",
        "run": "Run a command once, in a task like those of a service.",
        "exec": "Run a command inside a replica of a service, where there is a way in.",
    },
    "For a team": {
        "ci": "Have GitHub Actions check pull requests and deploy what is pushed.",
        "state": "Keep the state of stacks where a team can reach it: make a bucket and a key, move a state.",
        "upgrade": "Bring the program to another version, once a rehearsal shows that no stack loses anything.",
    },
    "Besides": {
        "pulumi": "Run the Pulumi CLI in this project, for stack local with its state and passphrase.",
        "completion": "Print what a shell needs to complete `yard`: bash, zsh or fish.",
        "help": "Explain a command, or list them.",
        "version": "Print the version.",
    },
}
"""What each command is for, by when it is wanted."""
COMMANDS = {name: text for commands in SECTIONS.values() for name, text in commands.items()}


class Lazy(Group):
    """Imports a command only when it is called: `yard --help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def purposes(self, ctx: click.Context) -> dict[str, str]:
        return COMMANDS

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Their names with what they are for; click's own would import each."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # PEP 8: `import` cannot be a name in Python, and yard.state is another module's.
        name = f"{cmd_name}_" if iskeyword(cmd_name) or cmd_name == "state" else cmd_name
        try:
            command: click.Command = getattr(import_module(f"yard.{name}"), name)
        except click.ClickException:
            if ctx.resilient_parsing:  # a shell that completes outside of any project
                return None
            raise
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _explained(ctx):  # the options of `yard` itself
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        # A command that has more to say of an interrupt says it itself.
        with interrupts.explained(lambda: ""), interrupts.heard(), _explained(ctx):
            return super().invoke(ctx)


@contextmanager
def _explained(context: click.Context) -> Iterator[None]:
    """Every error in one style, as broad as the terminal."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:  # it is the help
        raise
    except click.ClickException as error:
        click.echo(_shown(error, context), err=True)
        context.exit(error.exit_code)


def _shown(error: click.ClickException, context: click.Context) -> str:
    from rich.console import Console  # only what goes wrong waits for it

    from yard import misuse, terminal

    text = misuse.told(error, context) if isinstance(error, click.UsageError) else error.format_message()
    return terminal.wrapped(f"Error: {text}", terminal.width(Console(stderr=True)))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="switchyard")
def main() -> None:
    """Run your services in containers on ECS, EKS, Docker Swarm or any Kubernetes, and move them between these.

    `yard help up` explains a command, here `up`. For all that is not in this list there is plain `pulumi`.
    """


if __name__ == "__main__":
    main()
