// Takes what workers ship of their trainers' logs and writes it where people look, on a thread of
// its own: neither the core nor gRPC waits for the disk.
#ifndef ETUDE_COORDINATOR_LOG_INTAKE_H_
#define ETUDE_COORDINATOR_LOG_INTAKE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/scaling/ids.h"
#include "storage/attempt_logs.h"

namespace etude {

// Texts that wait to be written; another is refused with kResourceExhausted. 16 MiB at most.
inline constexpr std::size_t kMaxWaitingLogTexts = 256;

// Thread-safe; calls return at once.
class LogIntake {
 public:
  struct Text {
    JobId job;
    int attempt = 0;
    std::int64_t offset = 0;
    std::string text;
  };
  // Gets what AttemptLogs::Append says, on the thread; or an error, at once.
  using Done = std::function<void(const absl::StatusOr<std::int64_t>& next_offset)>;

  // `logs` must outlive it.
  explicit LogIntake(AttemptLogs& logs);
  // Answers what waits with kUnavailable.
  ~LogIntake();

  void Take(Text text, const Done& done);
  // Removes the log, once what waits before is written.
  void Forget(const JobId& job, int attempt);

 private:
  struct Item {
    Text text;
    Done done;  // empty: the log is to be removed
  };
  void Run();

  AttemptLogs& logs_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Item> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // last, so that it is joined first
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_LOG_INTAKE_H_
