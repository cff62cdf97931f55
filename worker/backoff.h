// How long to wait before trying again: doubling, capped, jittered.
#ifndef ETUDE_WORKER_BACKOFF_H_
#define ETUDE_WORKER_BACKOFF_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "lib/base/random.h"

namespace etude {

class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest, std::uint64_t seed)
      : first_(first), longest_(longest), random_(seed, RandomStream::kRetryJitter) {}
  // Between half and the whole of the next wait.
  absl::Duration Next() {
    const absl::Duration whole = std::min(longest_, first_ * (1 << std::min(failures_, 20)));
    ++failures_;
    return whole * (0.5 + 0.5 * random_.Uniform(drawn_++));
  }
  void Reset() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  absl::Duration first_;
  absl::Duration longest_;
  CounterRandom random_;
  int failures_ = 0;
  std::uint64_t drawn_ = 0;
};

}  // namespace etude

#endif  // ETUDE_WORKER_BACKOFF_H_
