#include "client/kubernetes.h"

#include <fmt/format.h>

#include <regex>

#include "lib/base/status.h"

namespace etude {
namespace {

// A StatefulSet's pods bear the label NAME-coordinator-HASH, whose hash has 10 letters, and a
// label has 63 at most.
constexpr std::size_t kMaxNameBytes = 40;
constexpr std::size_t kMaxLabelBytes = 63;
constexpr std::size_t kMaxSubdomainBytes = 253;
constexpr std::size_t kMaxSecretBytes = 240;  // with "-coordinator" still a name
constexpr std::size_t kMaxImageBytes = 255;
constexpr std::size_t kMaxQuantityBytes = 12;

// RFC 1123; a service's name begins with a letter besides (RFC 1035).
constexpr char kServiceName[] = "[a-z]([-a-z0-9]*[a-z0-9])?";
constexpr char kLabel[] = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr char kSubdomain[] = R"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)";
constexpr char kSubdomainOrNone[] =
    R"(([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?)";
// [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST], as the distribution project's reference grammar has it.
constexpr char kImage[] =
    R"(([a-zA-Z0-9][-.a-zA-Z0-9]*(:[0-9]{1,5})?/)?)"
    R"([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*)"
    R"((:[_a-zA-Z0-9][-._a-zA-Z0-9]{0,127})?(@sha256:[0-9a-f]{64})?)";
// Of what Kubernetes knows the part that nobody misreads: no bare bytes, no 2m for two thousandths.
constexpr char kQuantity[] = "[1-9][0-9]{0,9}(Mi|Gi|Ti|M|G|T)";

constexpr char kQuantityWanted[] = "a whole number and a unit, such as 512Mi or 2Gi";

struct TextRule {
  const char* flag;
  std::string KubernetesOptions::*field;
  std::size_t max_bytes;  // also bounds what the pattern is run on
  const char* pattern;
  const char* wanted;
};
constexpr TextRule kTexts[] = {
    {"--name", &KubernetesOptions::name, kMaxNameBytes, kServiceName,
     "up to 40 of a-z, 0-9 and -, the first a letter, the last no -"},
    {"--namespace", &KubernetesOptions::space, kMaxLabelBytes, kLabel,
     "up to 63 of a-z, 0-9 and -, no - at either end"},
    {"--image", &KubernetesOptions::image, kMaxImageBytes, kImage,
     "an image, such as registry.example/etude:1.0"},
    {"--memory", &KubernetesOptions::memory, kMaxQuantityBytes, kQuantity, kQuantityWanted},
    {"--volume", &KubernetesOptions::volume, kMaxQuantityBytes, kQuantity, kQuantityWanted},
    {"--storage-class", &KubernetesOptions::storage_class, kMaxSubdomainBytes, kSubdomainOrNone,
     "a name of kubectl get storageclass"},
    {"--secret", &KubernetesOptions::secret, kMaxSecretBytes, kSubdomain,
     "up to 240 of a-z, 0-9, - and ., each part between dots neither empty nor with - at an end"}};

struct CountRule {
  const char* flag;
  int KubernetesOptions::*field;
  int min;
  int max;
};
constexpr CountRule kCounts[] = {
    {"--workers", &KubernetesOptions::workers, 0, kMaxKubernetesWorkers},
    {"--cpus", &KubernetesOptions::cpus, 1, kMaxKubernetesCpus},
    {"--gpus", &KubernetesOptions::gpus, 0, kMaxKubernetesGpus}};

// Its messages repeat no text: it may hold anything.
absl::Status Check(const KubernetesOptions& options) {
  for (const TextRule& rule : kTexts) {
    const std::string& text = options.*rule.field;
    if (text.size() > rule.max_bytes || !std::regex_match(text, std::regex(rule.pattern))) {
      return InvalidArgument(fmt::format("{}: expected {}", rule.flag, rule.wanted));
    }
  }
  for (const CountRule& rule : kCounts) {
    const int count = options.*rule.field;
    if (count < rule.min || count > rule.max) {
      return InvalidArgument(
          fmt::format("{} {}: expected {} to {}", rule.flag, count, rule.min, rule.max));
    }
  }
  return absl::OkStatus();
}

// In the texts below every value of an option stands in quotes, for YAML reads a bare 123, true or
// null as something else than a name.

constexpr char kPreparation[] =
    R"(# An etude coordinator and its workers.
# Once, before the first kubectl apply:
#
#   etude cert init {name}-coordinator.{space}.svc {name}-coordinator --out tls
#   etude token new worker --tokens tls/tokens --out tls/worker.token
#   etude token new admin --tokens tls/tokens --out tls/admin.token
#   kubectl create namespace {space}
#   kubectl -n {space} create secret generic {secret}-coordinator \
#     --from-file=tls/ca.pem --from-file=tls/server.pem --from-file=tls/server.key \
#     --from-file=tls/tokens
#   kubectl -n {space} create secret generic {secret}-worker \
#     --from-file=tls/ca.pem --from-file=tls/worker.pem --from-file=tls/worker.key \
#     --from-file=tls/worker.token
#
# tls/ca.key goes nowhere. Secrets are read when a pod starts: after a change of one, type
# kubectl -n {space} rollout restart statefulset/{name}-coordinator deployment/{name}-worker
#
# To call it from your machine, with tls/client.pem, tls/client.key and tls/admin.token:
# kubectl -n {space} port-forward service/{name}-coordinator 7433
# In the cluster, pods of this namespace may call it that bear the label etude.role: client.
)";

constexpr char kService[] = R"(---
# The name in the coordinator's certificate.
apiVersion: v1
kind: Service
metadata:
  name: "{name}-coordinator"
  namespace: "{space}"
  labels: {coordinator}
spec:
  selector: {coordinator}
  ports:
    - {{name: grpc, protocol: TCP, port: 7433, targetPort: grpc}}
)";

// The lines of every pod, at their depth.
constexpr char kPod[] = R"(automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        # Always, the default, would open all files of a claim to the group at every start, and the
        # coordinator refuses a token file that others may read.
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault})";

// The lines of every container, at their depth.
constexpr char kContainer[] = R"(securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]})";

constexpr char kCoordinator[] = R"(---
# Exactly one: it alone opens its database. Its claim outlives it, and holds all results.
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: "{name}-coordinator"
  namespace: "{space}"
  labels: {coordinator}
spec:
  replicas: 1
  serviceName: "{name}-coordinator"
  selector:
    matchLabels: {coordinator}
  template:
    metadata:
      labels: {coordinator}
    spec:
      {pod}
      terminationGracePeriodSeconds: 30
      initContainers:
        # A secret's files may be read by the pod's group; etude refuses keys that others may read.
        - name: keys
          image: "{image}"
          command: [install, -m, "0600", -t, /etc/etude/tls]
          args: [/secret/ca.pem, /secret/server.pem, /secret/server.key, /secret/tokens]
          {container}
          resources:
            requests: {{cpu: 100m, memory: 64Mi}}
            limits: {{cpu: 100m, memory: 64Mi}}
          volumeMounts:
            - {{name: secret, mountPath: /secret, readOnly: true}}
            - {{name: tls, mountPath: /etc/etude/tls}}
      containers:
        - name: coordinator
          image: "{image}"
          command: [etude-coordinator]
          args:
            - --listen=0.0.0.0:7433
            - --state=/var/lib/etude
            - --tls-cert=/etc/etude/tls/server.pem
            - --tls-key=/etc/etude/tls/server.key
            - --tls-ca=/etc/etude/tls/ca.pem
            - --token-file=/etc/etude/tls/tokens
          ports:
            - {{name: grpc, containerPort: 7433}}
          # Five minutes to open a large database.
          startupProbe: {{tcpSocket: {{port: grpc}}, periodSeconds: 2, failureThreshold: 150}}
          readinessProbe: {{tcpSocket: {{port: grpc}}, periodSeconds: 5}}
          livenessProbe: {{tcpSocket: {{port: grpc}}, periodSeconds: 10, failureThreshold: 6}}
          {container}
          resources:
            requests: {{cpu: 500m, memory: 512Mi}}
            limits: {{cpu: "2", memory: 1Gi}}
          volumeMounts:
            - {{name: state, mountPath: /var/lib/etude}}
            - {{name: tls, mountPath: /etc/etude/tls, readOnly: true}}
            - {{name: tmp, mountPath: /tmp}}
      volumes:
        - {{name: secret, secret: {{secretName: "{secret}-coordinator", defaultMode: 0440}}}}
        - {{name: tls, emptyDir: {{medium: Memory, sizeLimit: 8Mi}}}}
        - {{name: tmp, emptyDir: {{sizeLimit: 1Gi}}}}
  volumeClaimTemplates:
    # A disk, not a network file system: SQLite's log needs shared memory.
    - metadata:
        name: state
      spec:
        accessModes: [ReadWriteOnce]{storage_class}
        resources:
          requests: {{storage: "{volume}"}}
)";

constexpr char kWorker[] = R"(---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: "{name}-worker"
  namespace: "{space}"
  labels: {worker}
spec:
  replicas: {workers}
  # None above the number: a new one would wait for what an old one still holds.
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxUnavailable: 25%, maxSurge: 0}}
  selector:
    matchLabels: {worker}
  template:
    metadata:
      labels: {worker}
    spec:
      {pod}
      # SIGTERM gives every job back within 10 s.
      terminationGracePeriodSeconds: 30{toleration}
      initContainers:
        # A secret's files may be read by the pod's group; etude refuses keys that others may read.
        - name: keys
          image: "{image}"
          command: [install, -m, "0600", -t, /etc/etude/tls]
          args: [/secret/ca.pem, /secret/worker.pem, /secret/worker.key, /secret/worker.token]
          {container}
          resources:
            requests: {{cpu: 100m, memory: 64Mi}}
            limits: {{cpu: 100m, memory: 64Mi}}
          volumeMounts:
            - {{name: secret, mountPath: /secret, readOnly: true}}
            - {{name: tls, mountPath: /etc/etude/tls}}
      containers:
        - name: worker
          image: "{image}"
          command: [etude-worker]
          args:
            - --endpoint={name}-coordinator:7433
            - --tls-cert=/etc/etude/tls/worker.pem
            - --tls-key=/etc/etude/tls/worker.key
            - --tls-ca=/etc/etude/tls/ca.pem
            - --token-file=/etc/etude/tls/worker.token
            - --state=/var/lib/etude/worker
            - --slots=1
            - --threads={cpus}
            - --device={device}
          env:
            # Where CUDA keeps the kernels that it compiles.
            - {{name: HOME, value: /tmp}}
          # Live: its loop runs, even while the coordinator is away. Ready: that one knows it.
          # Probes share the CPUs with the training, hence the patience.
          startupProbe:
            exec: {{command: [etude-worker, --probe=live, --state=/var/lib/etude/worker]}}
            periodSeconds: 2
            timeoutSeconds: 10
            failureThreshold: 60
          readinessProbe:
            exec: {{command: [etude-worker, --probe=ready, --state=/var/lib/etude/worker]}}
            periodSeconds: 10
            timeoutSeconds: 10
          livenessProbe:
            exec: {{command: [etude-worker, --probe=live, --state=/var/lib/etude/worker]}}
            periodSeconds: 20
            timeoutSeconds: 10
            failureThreshold: 6
          {container}
          resources:
            requests: {{cpu: {cpus}, memory: "{memory}"{gpus}}}
            limits: {{cpu: {cpus}, memory: "{memory}"{gpus}}}
          volumeMounts:
            - {{name: state, mountPath: /var/lib/etude}}
            - {{name: tls, mountPath: /etc/etude/tls, readOnly: true}}
            - {{name: tmp, mountPath: /tmp}}
      volumes:
        - {{name: secret, secret: {{secretName: "{secret}-worker", defaultMode: 0440}}}}
        - {{name: tls, emptyDir: {{medium: Memory, sizeLimit: 8Mi}}}}
        - {{name: tmp, emptyDir: {{sizeLimit: 1Gi}}}}
        # Corpora, checkpoints and points that the coordinator has not acknowledged yet.
        - {{name: state, emptyDir: {{}}}}
)";

constexpr char kDenyAll[] = R"(---
# What the two policies below do not name is refused.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: "{name}-deny-all"
  namespace: "{space}"
  labels: {all}
spec:
  podSelector:
    matchLabels: {all}
  policyTypes: [Ingress, Egress]
)";

constexpr char kCoordinatorPolicy[] = R"(---
# The coordinator is called and calls nobody. The node's own probes pass every policy.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: "{name}-coordinator"
  namespace: "{space}"
  labels: {coordinator}
spec:
  podSelector:
    matchLabels: {coordinator}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector:
            matchLabels: {worker}
        - podSelector:
            matchLabels: {{etude.role: client}}
      ports:
        - {{protocol: TCP, port: 7433}}
  egress: []
)";

constexpr char kWorkerPolicy[] = R"(---
# Workers call the coordinator, and nobody calls them.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: "{name}-worker"
  namespace: "{space}"
  labels: {worker}
spec:
  podSelector:
    matchLabels: {worker}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    - to:
        - podSelector:
            matchLabels: {coordinator}
      ports:
        - {{protocol: TCP, port: 7433}}
    # The cluster's names: from its pods, or from a node's own cache, which has such an address.
    - to:
        - namespaceSelector: {{}}
        - ipBlock: {{cidr: 169.254.0.0/16}}
      ports:
        - {{protocol: UDP, port: 53}}
        - {{protocol: TCP, port: 53}}
)";

constexpr const char* kForms[] = {kPreparation, kService,           kCoordinator, kWorker,
                                  kDenyAll,     kCoordinatorPolicy, kWorkerPolicy};

constexpr char kToleration[] = R"(
      tolerations:
        - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule})";

// The recommended labels, as a mapping of one line. Without a component: of all our pods.
std::string Labels(const KubernetesOptions& options, const std::string& component) {
  std::string labels = fmt::format(
      R"({{app.kubernetes.io/name: etude, app.kubernetes.io/instance: "{}")", options.name);
  if (!component.empty()) labels += ", app.kubernetes.io/component: " + component;
  return labels + "}";
}

std::string StorageClass(const KubernetesOptions& options) {
  if (options.storage_class.empty()) return "";
  return fmt::format("\n        storageClassName: \"{}\"", options.storage_class);
}

// Every value that a form may name.
std::string Fill(const char* form, const KubernetesOptions& options) {
  const bool cuda = options.gpus > 0;
  return fmt::format(
      fmt::runtime(form), fmt::arg("name", options.name), fmt::arg("space", options.space),
      fmt::arg("image", options.image), fmt::arg("secret", options.secret),
      fmt::arg("workers", options.workers), fmt::arg("cpus", options.cpus),
      fmt::arg("memory", options.memory),
      fmt::arg("gpus", cuda ? fmt::format(", nvidia.com/gpu: {}", options.gpus) : ""),
      fmt::arg("device", cuda ? "cuda" : "cpu"), fmt::arg("toleration", cuda ? kToleration : ""),
      fmt::arg("volume", options.volume), fmt::arg("storage_class", StorageClass(options)),
      fmt::arg("pod", kPod), fmt::arg("container", kContainer),
      fmt::arg("all", Labels(options, "")), fmt::arg("coordinator", Labels(options, "coordinator")),
      fmt::arg("worker", Labels(options, "worker")));
}

}  // namespace

absl::StatusOr<std::string> KubernetesManifests(const KubernetesOptions& options) {
  RETURN_IF_ERROR(Check(options));
  std::string manifests;
  for (const char* form : kForms) manifests += Fill(form, options);
  return manifests;
}

}  // namespace etude
