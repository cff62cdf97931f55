"""Holds Kubernetes manifests to Kubernetes' own schema, to each other and to the restricted pod security standard.

usage: check_manifests.py FILE [VERSION], for example 1.30 (default: the newest that kubernetes-validate knows)
"""

import sys

import kubernetes_validate
import yaml

CLIENT = {"etude.role": "client"}  # pods that are not in the file
WORKLOADS = ("Deployment", "StatefulSet")


class Loader(yaml.SafeLoader):
    """PyYAML takes a key that stands twice and keeps the last; Kubernetes refuses it."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        need(len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: a key stands twice in {keys}")
        return super().construct_mapping(node, deep)


def need(condition, message):
    if not condition:
        sys.exit(message)


def name_of(document):
    return f"{document['kind']} {document['metadata']['name']}"


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def containers_of(pod):
    return pod.get("initContainers", []) + pod["containers"]


def check_schema(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        where = ".".join(str(step) for step in getattr(error, "path", []))
        sys.exit(f"{name_of(document)}: {where}: {error.message}")


def check_volumes(name, workload):
    pod = workload["template"]["spec"]
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in workload.get("volumeClaimTemplates", [])}
    mounted = set()
    for container in containers_of(pod):
        mounts = container.get("volumeMounts", [])
        paths = [mount["mountPath"] for mount in mounts]
        need(len(paths) == len(set(paths)), f"{name}: {container['name']} mounts two volumes at one path")
        mounted |= {mount["name"] for mount in mounts}
    need(mounted <= volumes, f"{name}: no such volume: {sorted(mounted - volumes)}")
    need(volumes <= mounted, f"{name}: no container mounts {sorted(volumes - mounted)}")


def ports_of(pod):
    """By name and by number."""
    ports = [port for container in pod["containers"] for port in container.get("ports", [])]
    return {port["containerPort"] for port in ports} | {port["name"] for port in ports if "name" in port}


def check_probes(name, pod):
    for container in pod["containers"]:
        probes = [value for key, value in container.items() if key.endswith("Probe")]
        need(len(probes) == 3, f"{name}: {container['name']} lacks one of three probes")
        for probe in probes:
            action = probe.get("tcpSocket") or probe.get("httpGet") or probe.get("grpc")
            need(action is None or action["port"] in ports_of(pod), f"{name}: a probe of no port of the pod: {action}")
            need(action or probe.get("exec", {}).get("command"), f"{name}: a probe that does nothing")


def check_restricted(name, pod):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards, and a root file system that is read-only."""
    context = pod["securityContext"]
    need(context.get("runAsNonRoot") is True and context.get("runAsUser", 0) > 0, f"{name}: may run as root")
    need(context.get("seccompProfile") == {"type": "RuntimeDefault"}, f"{name}: no seccomp profile")
    need(pod.get("automountServiceAccountToken") is False, f"{name}: gets a token of the cluster")
    need(not any(key in pod for key in ("hostNetwork", "hostPID", "hostIPC")), f"{name}: shares the host's namespaces")
    for container in containers_of(pod):
        context = container["securityContext"]
        where = f"{name}: {container['name']}"
        need(context.get("allowPrivilegeEscalation") is False, f"{where}: may gain privileges")
        need(context.get("readOnlyRootFilesystem") is True, f"{where}: may write to its root file system")
        need(context.get("capabilities") == {"drop": ["ALL"]}, f"{where}: keeps capabilities")
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        need({"cpu", "memory"} <= limits.keys() & requests.keys(), f"{where}: no limit of cpu or memory")


def check_service(service, pods):
    name, spec = name_of(service), service["spec"]
    chosen = [pod for pod in pods if matches(spec["selector"], pod["metadata"]["labels"])]
    need(len(chosen) == 1, f"{name}: selects the pods of {len(chosen)} workloads")
    for port in spec["ports"]:
        need(port.get("targetPort", port["port"]) in ports_of(chosen[0]["spec"]), f"{name}: a port that no pod has")


def check_policy(policy, pods):
    name, spec = name_of(policy), policy["spec"]
    rules = spec.get("ingress", []) + spec.get("egress", [])
    peers = [peer for rule in rules for peer in rule.get("from", []) + rule.get("to", [])]
    selectors = [spec["podSelector"]] + [peer["podSelector"] for peer in peers if "podSelector" in peer]
    for labels in (selector["matchLabels"] for selector in selectors):
        found = labels == CLIENT or any(matches(labels, pod["metadata"]["labels"]) for pod in pods)
        need(found, f"{name}: {labels} are no pod's labels")
    need(all(rule.get("ports") for rule in rules), f"{name}: opens all ports")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        documents = list(yaml.load_all(file, Loader))
    need(documents, "no documents")
    version = sys.argv[2] if len(sys.argv) > 2 else kubernetes_validate.latest_version()
    for document in documents:
        check_schema(document, version)
    names = [name_of(document) for document in documents]
    need(len(names) == len(set(names)), f"an object stands twice in {names}")
    need(len({document["metadata"]["namespace"] for document in documents}) == 1, "more than one namespace")

    workloads = [document for document in documents if document["kind"] in WORKLOADS]
    pods = [workload["spec"]["template"] for workload in workloads]
    services = {document["metadata"]["name"] for document in documents if document["kind"] == "Service"}
    for workload in workloads:
        name, spec = name_of(workload), workload["spec"]
        template = spec["template"]
        need(matches(spec["selector"]["matchLabels"], template["metadata"]["labels"]), f"{name}: selects not its pods")
        need(spec.get("serviceName") in services | {None}, f"{name}: no such service: {spec.get('serviceName')}")
        check_volumes(name, spec)
        check_probes(name, template["spec"])
        check_restricted(name, template["spec"])
    for document in documents:
        if document["kind"] == "Service":
            check_service(document, pods)
        if document["kind"] == "NetworkPolicy":
            check_policy(document, pods)
    print(f"{len(documents)} documents are as Kubernetes {version} wants them")


if __name__ == "__main__":
    main()
