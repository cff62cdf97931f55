// A sign of life on the worker's disk, for those who watch processes: Kubernetes' probes.
#ifndef ETUDE_WORKER_HEALTH_H_
#define ETUDE_WORKER_HEALTH_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace etude {

inline constexpr absl::Duration kHealthEvery = absl::Seconds(5);
inline constexpr absl::Duration kHealthLasts = absl::Seconds(60);

// Writes the file `state_dir`/health, which exists. A disk that refuses it shows as no sign of
// life. Not thread-safe.
class Health {
 public:
  explicit Health(const std::string& state_dir) : path_(state_dir + "/health") {}
  // Call in every round; writes at most every kHealthEvery, and at each change. `now` is the
  // system's monotonic time.
  void Note(bool connected, absl::Time now);

 private:
  std::string path_;
  bool connected_ = false;
  absl::Time written_at_ = absl::InfinitePast();
};

// Ok when the worker of `state_dir` noted itself within kHealthLasts before `now`, connected if
// `must_be_connected`. kUnavailable says what is missing.
absl::Status Probe(const std::string& state_dir, bool must_be_connected, absl::Time now);

}  // namespace etude

#endif  // ETUDE_WORKER_HEALTH_H_
