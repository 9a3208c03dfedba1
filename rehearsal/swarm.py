"""A swarm on the rehearsal's instances: what its managers' engines answer to the commands that SSM brings them.

No engine was asked and nothing runs: replicas are there as soon as a service is. It follows Docker's Engine API 1.44 as
far as components/orchestrator uses it, and says no where an engine or Swarm would.
"""

import base64
import gzip
import json
import re
from collections.abc import Callable
from http.client import responses
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from components.orchestrator.swarm_parts.boot import TAG
from components.orchestrator.swarm_parts.ssm import Question, Request
from rehearsal import swarm_proxy
from rehearsal.apis import ssm
from rehearsal.aws import types
from rehearsal.aws.instances import has_quorum, living
from rehearsal.aws.keys import may_decrypt
from rehearsal.aws.registries import from_ecr, may_pull, pullable
from rehearsal.state import CloudResource, CloudState, Refused, Swarm, published

Json = Any
NO_LEADER = (
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online."
    " Make sure more than half of the managers are online."
)


SHORT = 12
"""Characters of a container's id in the name of its log stream (Docker, "Customize log driver output")."""


class EngineRefusal(Exception):
    """The engine refuses; the arguments are the status and its message."""


def members(state: CloudState, tag: str, stack: str) -> list[str]:
    """The instances that bear a tag, as far as they have started."""
    return [each.id for each in state.every(types.INSTANCE) if each.ready and each.get("tags", {}).get(tag) == stack]


def swarm_of(state: CloudState, stack: str) -> Swarm:
    """The swarm of a stack. An instance that has started is a member; where nobody is left it makes another swarm."""
    found = state.swarms.get(stack)
    if found is None or not living(state, found):
        found = state.swarms[stack] = Swarm(state.hex(f"swarm {stack}", 25))
    known = {*found.members.values(), *found.left}
    for instance in members(state, TAG, stack):
        if instance not in known and (not found.members or has_quorum(state, found)):
            found.members[f"node-of-{instance}"] = instance
    return found


def run(state: CloudState, instance: str, script: str) -> ssm.CommandResult:
    """What a manager's instance makes of a command."""
    with state.lock:
        resource = state.find(types.INSTANCE, instance)
        if resource is None:
            return ssm.CommandResult(1, "", f"{instance} does not exist")
        try:
            if question := Question.read(script):
                return swarm_proxy.answer(state, resource, question, swarm_of(state, resource.get("tags", {})[TAG]))
            status, answer = _Manager(state, resource, Request.read(script)).answer()
        except Refused as refusal:
            return ssm.CommandResult(254, "", str(refusal))
    head = f"HTTP/1.1 {status} {responses[status]}\r\nContent-Type: application/json\r\n\r\n"
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    text = base64.b64encode(gzip.compress(head.encode() + body)).decode()
    return ssm.CommandResult(0, f"{len(text)} /run/answer\n{text}")


class _Manager:
    """One request on one manager."""

    def __init__(self, state: CloudState, instance: CloudResource, request: Request) -> None:
        self.state = state
        self.instance = instance
        self.request = request
        self.swarm = swarm_of(state, instance.get("tags", {})[TAG])
        split = urlsplit(request.path)
        self.path = unquote(re.sub(r"^/v[\d.]+", "", split.path))
        self.query = dict(parse_qsl(split.query))

    def answer(self) -> tuple[int, Json]:
        """Status and body."""
        for method, pattern, act in ROUTES:
            if method == self.request.method and (found := re.fullmatch(pattern, self.path)):
                try:
                    if act not in (_Manager.version, _Manager.info) and not has_quorum(self.state, self.swarm):
                        raise EngineRefusal(500, NO_LEADER)
                    return 200, act(self, *found.groups())
                except EngineRefusal as refusal:
                    status, message = refusal.args
                    return status, {"message": message}
        return 404, {"message": f"the rehearsal's engine has no {self.request.method} {self.path}"}

    def version(self) -> Json:
        return {"Version": "rehearsal", "ApiVersion": "1.44", "MinAPIVersion": "1.24"}

    def info(self) -> Json:
        member = self.instance.id in self.swarm.members.values()
        return {
            "ID": self.instance.id,
            "Name": "a pretend engine of the rehearsal",
            "Swarm": {
                "LocalNodeState": "active" if member else "inactive",
                "ControlAvailable": member,
                "Cluster": {"ID": self.swarm.id},
            },
        }

    # --- networks and secrets

    def new_network(self) -> Json:
        return {"Id": self._new(self.swarm.networks, self.request.body())}

    def network(self, identity: str) -> Json:
        return self._of("network", self.swarm.networks, identity)

    def remove_network(self, identity: str) -> Json:
        self._unused("network", identity, lambda spec: spec["TaskTemplate"].get("Networks", []), "Target")
        self.swarm.networks.pop(self.network(identity)["ID"])

    def new_secret(self) -> Json:
        value = self._value(self.request.value)
        asked = self.request.body(value)
        return {"ID": self._new(self.swarm.secrets, {"Spec": {**asked, "Data": None}})}

    def secret(self, identity: str) -> Json:
        return self._of("secret", self.swarm.secrets, identity)

    def remove_secret(self, identity: str) -> Json:
        self._unused("secret", identity, lambda spec: _container(spec).get("Secrets", []), "SecretID")
        self.swarm.secrets.pop(self.secret(identity)["ID"])

    # --- services

    def new_service(self) -> Json:
        spec = self.request.body()
        self._may_run(spec, "")
        return {"ID": self._new(self.swarm.services, {"Spec": spec, "Version": {"Index": 1}})}

    def service(self, identity: str) -> Json:
        return self._of("service", self.swarm.services, identity)

    def change_service(self, identity: str) -> Json:
        found, spec = self.service(identity), self.request.body()
        if int(self.query["version"]) != found["Version"]["Index"]:
            raise EngineRefusal(500, "rpc error: code = Unknown desc = update out of sequence")
        self._may_run(spec, found["ID"])
        found["Spec"] = spec
        found["Version"]["Index"] += 1
        found["UpdateStatus"] = {"State": "completed"}
        return {"Warnings": None}

    def remove_service(self, identity: str) -> Json:
        self.swarm.services.pop(self.service(identity)["ID"])

    def tasks(self) -> Json:
        (wanted,) = json.loads(self.query["filters"])["service"]
        found = self.service(wanted)
        spec = found["Spec"]
        if spec["TaskTemplate"].get("RestartPolicy") == {"Condition": "none"}:
            return [self._once(found)]
        return [_task(found, slot, {"State": "running"}) for slot in range(spec["Mode"]["Replicated"]["Replicas"])]

    def _once(self, job: Json) -> Json:
        """The task of a job, one look further: it runs and has written what it writes, then it ends."""
        looks = job["Looks"] = job.get("Looks", 0) + 1
        ending = self.state.tasks.ends(_container(job["Spec"]).get("Args", []))
        if looks == 1:
            driver = job["Spec"]["TaskTemplate"]["LogDriver"]["Options"]
            stream = driver["tag"].replace("{{.ID}}", job["ID"][:SHORT])
            self.state.tasks.write(driver["awslogs-group"], stream, ending.lines)
        if looks == 1 or ending.code is None:
            return _task(job, 0, {"State": "running"})
        return _task(job, 0, {"State": "failed" if ending.code else "complete"}, ending.code)

    def image(self, image: str) -> Json:
        self._may_pull(image)
        return {"Platforms": []}

    def containers(self) -> Json:
        return []

    def container(self, identity: str) -> Json:
        return {"Id": self.service(identity)["ID"]}

    # --- volumes

    def files(self, identity: str) -> Json:
        (volume,) = _container(self.service(identity)["Spec"])["Mounts"]
        files = self.swarm.volumes.setdefault(volume["Source"], {})
        if self.request.method == "PUT":
            swarm_proxy.unpack(files, self.request.raw())
            return None
        if (name := self.query["path"].rpartition("/")[2]) in files:
            return swarm_proxy.pack(name, files[name])
        raise EngineRefusal(404, f"Could not find the file {self.query['path']} in container {identity}")

    def remove_volume(self, name: str) -> Json:
        self._unused("volume", name, lambda spec: _container(spec).get("Mounts", []), "Source")
        if self.swarm.volumes.pop(name, None) is None:
            raise EngineRefusal(404, f"get {name}: no such volume")

    # --- nodes

    def nodes(self) -> Json:
        return [self.node(each) for each in self.swarm.members]

    def node(self, identity: str) -> Json:
        if identity not in self.swarm.members:
            raise EngineRefusal(404, f"node {identity} not found")
        instance = self.state.find(types.INSTANCE, self.swarm.members[identity])
        return {
            "ID": identity,
            "Version": {"Index": 1},
            "Spec": {"Role": "manager", "Availability": "active"},
            "Status": {"State": "ready" if instance else "down"},
            "ManagerStatus": {
                "Addr": f"{instance.get('privateIp') if instance else ''}:2377",
                "Reachability": "reachable" if instance else "unreachable",
            },
        }

    def change_node(self, identity: str) -> Json:
        """Demote a manager."""
        self.node(identity)
        if self.request.body()["Role"] != "worker":
            raise EngineRefusal(400, "the rehearsal's managers can only be demoted")
        if len(self.swarm.members) == 1:
            raise EngineRefusal(412, "attempting to demote the last manager of the swarm")
        self.swarm.left.add(self.swarm.members.pop(identity))

    def remove_node(self, identity: str) -> Json:
        if identity in self.swarm.members:
            raise EngineRefusal(412, f"node {identity} is a cluster manager and is a member of the raft cluster")

    # --- what they have in common

    def _new(self, kind: dict[str, Json], resource: Json) -> str:
        identity = self.state.hex(f"swarm {self.swarm.id}", 25)
        kind[identity] = {**resource, "ID": identity, "Id": identity}
        return identity

    def _of(self, what: str, kind: dict[str, Json], identity: str) -> Json:
        for each in kind.values():
            if identity in (each["ID"], each.get("Spec", {}).get("Name")):
                return each
        raise EngineRefusal(404, f"{what} {identity} not found")

    def _unused(self, what: str, identity: str, users: Callable[[Json], list[Json]], key: str) -> None:
        for each in self.swarm.services.values():
            if any(user.get(key) == identity for user in users(each["Spec"])):
                raise EngineRefusal(400, f"{what} {identity} is in use by service {each['Spec']['Name']}")

    def _may_run(self, spec: Json, own: str) -> None:
        for identity, other in self.swarm.services.items():
            if identity == own:
                continue
            if other["Spec"]["Name"] == spec["Name"]:
                raise EngineRefusal(
                    409, "rpc error: code = AlreadyExists desc = name conflicts with an existing object"
                )
            for port in set(published(other["Spec"])) & set(published(spec)):
                raise EngineRefusal(
                    400, f"port '{port}' is already in use by service '{other['Spec']['Name']}' ({identity})"
                )
        for each in spec["TaskTemplate"].get("Networks", []):
            self.network(each["Target"])
        for each in _container(spec).get("Secrets", []):
            self.secret(each["SecretID"])
        self._may_pull(_container(spec)["Image"])

    def _may_pull(self, image: str) -> None:
        pullable(self.state, self.instance, image)
        if from_ecr(image):
            if not self.request.login.startswith("ecr:"):
                raise EngineRefusal(403, "denied: no basic auth credentials")
            if not may_pull(self.state, self._role(), image):
                raise EngineRefusal(403, f"denied: the role of {self.instance.name} may not pull {image}")
        elif self.request.login:
            self._value(self.request.login)

    def _role(self) -> str:
        profile = self.state.find(types.INSTANCE_PROFILE, self.instance.get("iamInstanceProfile", ""))
        return str(profile.get("role")) if profile else ""

    def _value(self, reference: str) -> str:
        """The value of a secret, if it is there and the instance may read it."""
        secret, _, version = reference.partition(":::")
        found = self.state.where(types.SECRET_VERSION, "secretId", secret)
        value = next((each.get("secretString") for each in found if each.get("versionId") == version), None)
        if value is None:
            raise Refused("ResourceNotFoundException", f"no version {version} of {secret}", "Secrets Manager")
        if not (self._may_read(secret) and may_decrypt(self.state, self._role(), secret)):
            raise Refused("AccessDeniedException", f"{self.instance.name} may not read {secret}", "IAM")
        return str(value)

    def _may_read(self, secret: str) -> bool:
        """By a policy of the role, or of the secret itself."""
        role = self.state.find(types.ROLE, self._role())
        of_role = self.state.where(types.ROLE_POLICY, "role", self._role())
        of_secret = self.state.where(types.SECRET_POLICY, "secretArn", secret)
        return any(secret in each.get("policy", "") for each in of_role) or any(
            role.get("arn") in each.get("policy", "") for each in of_secret if role
        )


def _task(service: Json, slot: int, status: Json, code: int = 0) -> Json:
    container = {"ContainerID": service["ID"], "ExitCode": code}
    return {
        "ID": f"{service['ID']}-{slot}",
        "CreatedAt": "2026-01-01T00:00:00Z",
        "Spec": service["Spec"]["TaskTemplate"],
        "Status": {**status, "Timestamp": "2026-01-01T00:00:00Z", "ContainerStatus": container},
        "DesiredState": "running",
    }


def _container(spec: Json) -> Json:
    return spec["TaskTemplate"]["ContainerSpec"]


Act = Callable[..., Json]
ROUTES: list[tuple[str, str, Act]] = [
    ("GET", "/version", _Manager.version),
    ("GET", "/info", _Manager.info),
    ("POST", "/networks/create", _Manager.new_network),
    ("GET", "/networks/([^/]+)", _Manager.network),
    ("DELETE", "/networks/([^/]+)", _Manager.remove_network),
    ("POST", "/secrets/create", _Manager.new_secret),
    ("GET", "/secrets/([^/]+)", _Manager.secret),
    ("DELETE", "/secrets/([^/]+)", _Manager.remove_secret),
    ("POST", "/services/create", _Manager.new_service),
    ("GET", "/services/([^/]+)", _Manager.service),
    ("POST", "/services/([^/]+)/update", _Manager.change_service),
    ("DELETE", "/services/([^/]+)", _Manager.remove_service),
    ("GET", "/tasks", _Manager.tasks),
    ("GET", "/distribution/(.+)/json", _Manager.image),
    ("GET", "/containers/json", _Manager.containers),
    ("GET", "/containers/([^/]+)/json", _Manager.container),
    ("GET", "/containers/([^/]+)/archive", _Manager.files),
    ("PUT", "/containers/([^/]+)/archive", _Manager.files),
    ("DELETE", "/volumes/([^/]+)", _Manager.remove_volume),
    ("GET", "/nodes", _Manager.nodes),
    ("GET", "/nodes/([^/]+)", _Manager.node),
    ("POST", "/nodes/([^/]+)/update", _Manager.change_node),
    ("DELETE", "/nodes/([^/]+)", _Manager.remove_node),
]
