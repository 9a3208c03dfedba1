"""A real Kubernetes on this machine, for the live tests: a cluster of one node, built from source.

    python -m tools.kube            build the programs into .tools/kube/bin, once
    python -m tools.kube start      a new cluster; its kubeconfig is .tools/kube/run/kubeconfig
    python -m tools.kube status     whether it runs
    python -m tools.kube stop       end it, and remove all that it made

Starting and stopping need root. Exit 1, with what to do, when something is missing or does not start.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from tools.kube import cluster, programs
from tools.kube.programs import KubeError

VERBS: Mapping[str, Callable[[], None]] = {
    "build": programs.build_all,
    "start": cluster.start,
    "status": cluster.status,
    "stop": cluster.stop,
}


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says."""
    verb = VERBS.get(arguments[0] if arguments else "build")
    if verb is None or len(arguments) > 1:
        programs.say(f"usage: python -m tools.kube [{' | '.join(VERBS)}]")
        return 2
    try:
        verb()
    except KubeError as error:
        programs.say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
