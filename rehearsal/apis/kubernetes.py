"""The APIs of Amazon EKS and of its clusters, as far as the daily verbs ask them: where a cluster is, how a Deployment
and its pods do, and Jobs. Nothing runs: pods follow from the Deployments there are, and who has the cloud says how a
command ends."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rehearsal.apis.elb import Ask
from rehearsal.apis.endpoint import Endpoint, Handler
from rehearsal.aws import health, types
from rehearsal.state import CloudResource, CloudState
from rehearsal.tasks import Job

Object = dict[str, Any]
ADDON = "aws:eks/addon:Addon"
SPACE = r"/clusters/(?P<cluster>[^/]+)/api/v1/namespaces/(?P<space>[^/]+)"
GROUPS = r"/clusters/(?P<cluster>[^/]+)/apis/(?:apps|batch)/v1/namespaces/(?P<space>[^/]+)"
GATE = "target-health.eks.amazonaws.com/{}"
LOOK = 0.05


class ApiError(Exception):
    """What the API server refuses: its status, Kubernetes' word for why, and a message."""


def serve(cloud: CloudState, targets: Ask) -> Endpoint:
    """Answer until closed."""
    return Endpoint(_Handler, state=cloud, ask=staticmethod(targets))


class _Handler(Handler):
    state: CloudState
    ask: Ask

    def do_GET(self) -> None:  # noqa: N802
        self._by(
            {
                r"/clusters/(?P<cluster>[^/]+)": self._describe,
                rf"{GROUPS}/deployments/(?P<name>[^/]+)": self._deployment,
                rf"{SPACE}/pods": self._pods,
                rf"{SPACE}/pods/(?P<name>[^/]+)": self._pod,
                rf"{SPACE}/pods/(?P<name>[^/]+)/log": self._log,
                rf"{SPACE}/events": self._events,
            }
        )

    def do_DELETE(self) -> None:  # noqa: N802
        self._by({rf"{GROUPS}/jobs/(?P<name>[^/]+)": self._remove})

    def respond(self, body: str) -> None:
        def create(**at: str) -> Object:
            return self._create(json.loads(body), **at)

        self._by({rf"{GROUPS}/jobs": create})

    def _by(self, routes: dict[str, Callable[..., Object | None]]) -> None:
        """Answer by the route that the request's path matches; None: it has answered by itself."""
        path = urlsplit(self.path).path
        found = [(how, match) for route, how in routes.items() if (match := re.fullmatch(route, path))]
        try:
            if not found:
                raise ApiError(404, "NotFound", f"the rehearsal has no answer to {path}")
            (how, match) = found[0]
            answer = how(**match.groupdict())
        except ApiError as refused:
            status, reason, message = refused.args
            # EKS and Kubernetes each look for their own part.
            told = {"kind": "Status", "reason": reason, "message": message, "code": f"Resource{reason}Exception"}
            self.answer(status, "application/json", json.dumps(told))
            return
        if answer is not None:
            self.answer(200, "application/json", json.dumps(answer))

    def _asked(self, key: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(key, [""])[0]

    def _cluster(self, name: str) -> CloudResource:
        with self.state.lock:
            found = self.state.find(types.EKS_CLUSTER, name)
        if found is None:
            raise ApiError(404, "NotFound", f"No cluster found for name: {name}.")
        return found

    def _describe(self, cluster: str) -> Object:
        """Its address is one of this server; the path says which cluster is meant."""
        found, host = self._cluster(cluster), self.headers.get("Host")
        told = {"name": cluster, "arn": found.get("arn"), "endpoint": f"http://{host}/clusters/{cluster}"}
        return {"cluster": {**told, "status": found.get("status"), "certificateAuthority": {"data": ""}}}

    def _deployment(self, cluster: str, space: str, name: str) -> Object:
        for each in self._deployments(cluster, space):
            if each.get("metadata.name") == name:
                return dict(each.plain)
        raise ApiError(404, "NotFound", f'deployments.apps "{name}" not found')

    def _deployments(self, cluster: str, space: str) -> list[CloudResource]:
        address = self._cluster(cluster).get("endpoint")
        with self.state.lock:
            inside = self.state.where(health.DEPLOYMENT, "metadata.namespace", space)
        return [each for each in inside if each.cluster == address]

    def _pods(self, cluster: str, space: str) -> Object:
        wanted = dict(each.split("=") for each in self._asked("labelSelector").split(",") if each)
        every = self._all(cluster, space)
        return {"items": [each for each in every if wanted.items() <= each["metadata"]["labels"].items()]}

    def _all(self, cluster: str, space: str) -> list[Object]:
        address = self._cluster(cluster).get("endpoint")
        once = [
            job for key, job in self.state.tasks.jobs.items() if key.startswith(f"{space}/") and job.cluster == address
        ]
        replicas = [pod for each in self._deployments(cluster, space) for pod in self._replicas(each)]
        return replicas + [_going_on(job) for job in once]

    def _replicas(self, deployment: CloudResource) -> list[Object]:
        template, found = deployment.plain["spec"]["template"], []
        targets = self._targets(deployment)
        for index in range(deployment.get("spec.replicas", 1)):
            tag = self.state.stable(f"{deployment.id} {json.dumps(template, sort_keys=True)} {index}", 10)
            pod = _pod(f"{deployment.get('metadata.name')}-{tag}", template)
            target = targets[index] if index < len(targets) else None
            ready = deployment.ready and (target is None or target.state == "healthy")
            pod["status"] |= {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
            if target:
                gate = GATE.format(deployment.get("metadata.name"))
                pod["spec"] = {**pod["spec"], "readinessGates": [{"conditionType": gate}]}
                said = {"type": gate, "status": str(target.state == "healthy"), "message": target.why}
                pod["status"]["conditions"].append(said)
            pod["status"]["containerStatuses"] = _statuses(pod, {"running": {}}, ready)
            found.append(pod)
        return found

    def _targets(self, deployment: CloudResource) -> list[health.Target]:
        """What the load balancer makes of its pods, where a binding registers them: their gate is its word."""
        name, space = deployment.get("metadata.name"), deployment.get("metadata.namespace")
        with self.state.lock:
            bindings = [
                each
                for kind in health.BINDINGS
                for each in self.state.where(kind, "spec.serviceRef.name", name)
                if (each.cluster, each.get("metadata.namespace")) == (deployment.cluster, space)
            ]
        return [target for each in bindings for target in self.ask(each.get("spec.targetGroupARN")) or []]

    def _pod(self, cluster: str, space: str, name: str) -> Object:
        for each in self._all(cluster, space):
            if each["metadata"]["name"] == name:
                return each
        raise ApiError(404, "NotFound", f'pods "{name}" not found')

    def _log(self, cluster: str, space: str, name: str) -> None:
        """Of a Job's pod alone: what replicas write is in the log group. One that runs until it is stopped is read
        until then."""
        key = f"{space}/{name.rpartition('-')[0]}"
        job = self.state.tasks.jobs.get(key)
        if job is None:
            raise ApiError(404, "NotFound", f'pods "{name}" not found in {cluster}')
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        self.send_response(200)
        self.end_headers()
        for index, line in enumerate(job.ending.lines):
            self.wfile.write(f"{now}{index:03d}Z {line}\n".encode())
        self.wfile.flush()
        while job.ending.code is None and self.state.tasks.jobs.get(key) is job:
            time.sleep(LOOK)

    def _events(self, cluster: str, space: str) -> Object:
        """None: there are no pods that anything could be said of, beyond their conditions."""
        return {"items": [], "metadata": {"namespace": space, "cluster": cluster}}

    def _create(self, body: Object, cluster: str, space: str) -> Object:
        template, name = body["spec"]["template"], body["metadata"]["name"]
        if template["spec"].get("restartPolicy") not in ("Never", "OnFailure"):
            raise ApiError(422, "Invalid", f'Job.batch "{name}" is invalid: spec.template.spec.restartPolicy')
        pod = _pod(f"{name}-{self.state.stable(name, 5)}", template)
        container = template["spec"]["containers"][0]
        ending = self.state.tasks.ends(container.get("args", ()))
        self.state.tasks.jobs[f"{space}/{name}"] = Job(self._cluster(cluster).get("endpoint"), pod, ending)
        with self.state.lock:
            for group in shipped_to(self.state, cluster):
                self.state.tasks.write(group, f"{container['name']}.eks.{pod['metadata']['name']}", ending.lines)
        return body

    def _remove(self, cluster: str, space: str, name: str) -> Object:
        if self.state.tasks.jobs.pop(f"{space}/{name}", None) is None:
            raise ApiError(404, "NotFound", f'jobs.batch "{name}" not found in {cluster}')
        return {"kind": "Status", "status": "Success"}


def shipped_to(state: CloudState, cluster: str) -> list[str]:
    """The log group that Fluent Bit writes to, by the configuration that the cluster's add-on has."""
    found = [each.get("configurationValues", "") for each in state.where(ADDON, "clusterName", cluster)]
    return [group for text in found for group in re.findall(r"log_group_name (\S+?)\\n", text)]


def _pod(name: str, template: Object) -> Object:
    metadata = {**template["metadata"], "name": name, "uid": name}
    return {"metadata": metadata, "spec": template["spec"], "status": {}}


def _statuses(pod: Object, state: Object, ready: bool) -> list[Object]:
    id_ = f"containerd://{pod['metadata']['name']}"
    return [
        {"name": each["name"], "image": each["image"], "state": state, "ready": ready, "containerID": id_}
        for each in pod["spec"]["containers"]
    ]


def _going_on(job: Job) -> Object:
    """One look further."""
    job.looks += 1
    ended: Object = {
        "terminated": {"exitCode": job.ending.code, "reason": "Completed" if job.ending.code == 0 else "Error"}
    }
    states: list[Object] = [{"waiting": {"reason": "ContainerCreating"}}, {"running": {}}]
    state = states[min(job.looks - 1, 1)] if job.looks < 3 or job.ending.code is None else ended
    status = {"phase": "Running", "conditions": [], "containerStatuses": _statuses(job.pod, state, False)}
    return {**job.pod, "status": status}
