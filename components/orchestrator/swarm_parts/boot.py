"""What an instance runs at its first start, to become a node of the swarm."""

import shlex
from typing import Literal

TAG = "switchyard-swarm"
"""Tag of the managers' instances; its value is the stack's name."""
PORTS = (("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789))
"""Between nodes: joining and raft, gossip, and the overlay networks (Docker docs, "Manage swarm nodes")."""
UNSET = "none"
"""What a parameter holds until a manager has written its token."""
POOL = "198.18.0.0/16"
"""Where the overlay networks' addresses are from. Docker's own pool, 10.0.0.0/8, has the VPC's in it; this one is
kept for benchmarks and routed nowhere (RFC 2544)."""
RENEW = "6h"
"""How often logins for ECR are renewed; they end after 12 hours."""

COMMON = r"""
set -euo pipefail
dnf install --assumeyes docker
systemctl enable --now docker

metadata() {
  local token
  token=$(curl --fail --silent --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
    http://169.254.169.254/latest/api/token)
  curl --fail --silent --header "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}
parameter() {
  aws ssm get-parameter --region "$region" --name "$prefix/$1" --with-decryption --query Parameter.Value --output text
}
# Join by any manager but this instance itself; with a token that no manager has written yet, or with none up, fail.
join() {
  local token address
  token=$(parameter "$1-token") || return 1
  [[ $token != none ]] || return 1
  for address in $(parameter managers | tr , ' '); do
    [[ $address != "$own" ]] || continue
    docker swarm join --token "$token" --advertise-addr "$own" "$address:2377" && return
  done
  return 1
}
own=$(metadata local-ipv4)
"""

WORKER = r"""
until join worker; do sleep 5; done
"""

MANAGER = r"""
keep() {
  aws ssm put-parameter --region "$region" --name "$prefix/$1-token" --type SecureString --overwrite \
    --value "$(docker swarm join-token --quiet "$1")" >/dev/null
}
# Only the first manager makes a swarm: when there never was one, or when it was the only manager of one.
is_alone() {
  [[ $first == yes ]] || return 1
  [[ $(parameter manager-token) == none || $(parameter managers) == "$own" ]]
}
if is_alone; then
  docker swarm init --advertise-addr "$own" --default-addr-pool "$pool" --default-addr-pool-mask-length 24
  keep worker
  keep manager
else
  until join manager; do sleep 5; done
fi

# Swarm hands nodes the login that a service was made with, and ECR's end after 12 hours. A running copy is not touched.
cat >/usr/local/sbin/renew-logins <<'END'
#!/bin/bash
set -euo pipefail
[[ $(docker node inspect self --format '{{.ManagerStatus.Leader}}') == true ]] || exit 0
DOCKER_CONFIG=$(mktemp --directory --tmpdir=/run)
export DOCKER_CONFIG
trap 'rm -rf "$DOCKER_CONFIG"' EXIT
for service in $(docker service ls --quiet); do
  image=$(docker service inspect "$service" --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}')
  registry=${image%%/*}
  [[ $registry == *.dkr.ecr.*.amazonaws.com ]] || continue
  aws ecr get-login-password --region "$(cut -d. -f4 <<<"$registry")" |
    docker login --username AWS --password-stdin "$registry"
  docker service update --with-registry-auth --detach "$service"
done
END
chmod 755 /usr/local/sbin/renew-logins
cat >/etc/systemd/system/renew-logins.service <<'END'
[Unit]
Description=Renew the logins that Swarm services pull with
After=docker.service
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/renew-logins
END
cat >/etc/systemd/system/renew-logins.timer <<END
[Unit]
Description=Renew the logins that Swarm services pull with
[Timer]
OnBootSec=5min
OnUnitActiveSec=$renew
[Install]
WantedBy=timers.target
END
systemctl daemon-reload
systemctl enable --now renew-logins.timer
"""


def user_data(role: Literal["first", "manager", "worker"], region: str, prefix: str) -> str:
    """The script of a node. `prefix` is the path of the swarm's parameters."""
    first = "yes" if role == "first" else "no"
    known = {"region": region, "prefix": prefix, "first": first, "pool": POOL, "renew": RENEW}
    lines = [f"{name}={shlex.quote(value)}" for name, value in known.items()]
    return "\n".join(["#!/bin/bash", *lines, COMMON + (WORKER if role == "worker" else MANAGER)])
