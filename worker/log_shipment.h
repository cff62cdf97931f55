// Lets people look on while an attempt trains: sends the coordinator what its trainer writes into
// trainer.log. Nothing waits for it, and what does not get through is left out; at the end of the
// attempt the whole file is uploaded.
#ifndef ETUDE_WORKER_LOG_SHIPMENT_H_
#define ETUDE_WORKER_LOG_SHIPMENT_H_

#include <cstdint>

#include "absl/time/time.h"
#include "worker/attempt_dir.h"
#include "worker/backoff.h"
#include "worker/event.h"

namespace etude {

inline constexpr absl::Duration kShipLogEvery = absl::Seconds(2);
inline constexpr std::int64_t kMaxShippedBytes = 64 << 10;  // each time
// A log that has grown by more since the last time goes on near its end.
inline constexpr std::int64_t kMaxUnshippedBytes = 1 << 20;

// Not thread-safe. `transport` and `next_call` must outlive it.
class LogShipment {
 public:
  LogShipment(AttemptDir dir, WorkerId worker, Transport& transport, CallId& next_call,
              std::uint64_t seed);

  // Sends what is new; one call at a time.
  void Advance(absl::Time now);
  // True if the event was an answer to one of its calls.
  bool Handle(const Event& event, absl::Time now);

 private:
  AttemptDir dir_;
  WorkerId worker_;
  Transport& transport_;
  CallId& next_call_;
  CallId call_ = 0;
  std::int64_t offset_ = 0;
  absl::Time next_at_ = absl::InfinitePast();
  Backoff backoff_;
  bool refused_ = false;  // for good
};

}  // namespace etude

#endif  // ETUDE_WORKER_LOG_SHIPMENT_H_
