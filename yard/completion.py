"""`yard completion`: what a shell needs to complete `yard`."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete yard: commands, options, stacks, services, orchestrators and registries.

    \b
    bash:  yard completion bash > ~/.local/share/bash-completion/completions/yard
    zsh:   yard completion zsh > a folder of $fpath, as _yard
    fish:  yard completion fish > ~/.config/fish/completions/yard.fish
    """
    found = get_completion_class(shell)
    assert found  # click knows all of SHELLS
    click.echo(found(context.find_root().command, {}, "yard", "_YARD_COMPLETE").source())
