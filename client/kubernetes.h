// Kubernetes manifests of a coordinator and its workers.
#ifndef ETUDE_CLIENT_KUBERNETES_H_
#define ETUDE_CLIENT_KUBERNETES_H_

#include <string>

#include "absl/status/statusor.h"

namespace etude {

inline constexpr int kMaxKubernetesWorkers = 1000;
inline constexpr int kMaxKubernetesCpus = 1024;  // what etude-worker takes as --threads
inline constexpr int kMaxKubernetesGpus = 64;

struct KubernetesOptions {
  std::string name = "etude";   // all objects' names begin so; at most 40 bytes
  std::string space = "etude";  // the namespace
  std::string image;            // holds our programs and install(1) of coreutils
  int workers = 1;
  int cpus = 1;                      // of each worker, and its job's threads
  std::string memory = "2Gi";        // of each worker
  int gpus = 0;                      // of each worker
  std::string volume = "10Gi";       // what the coordinator claims for its state
  std::string storage_class;         // of that claim; empty: the cluster's default
  std::string secret = "etude-tls";  // the secrets are this and "-coordinator" or "-worker"
};

// One YAML text for `kubectl apply -f`: service, coordinator, workers and who may call whom. Its
// first lines say which namespace and secrets must be there before. Equal options give equal
// bytes. kInvalidArgument: names the flag whose value Kubernetes would not take, and what it
// would; no text that could be more than one value of the YAML gets through.
absl::StatusOr<std::string> KubernetesManifests(const KubernetesOptions& options);

}  // namespace etude

#endif  // ETUDE_CLIENT_KUBERNETES_H_
