// Ctrl-C and its like, taken as events instead of an end.
#ifndef ETUDE_CLIENT_SIGNALS_H_
#define ETUDE_CLIENT_SIGNALS_H_

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace etude {

// While it lives, SIGINT, SIGTERM and SIGHUP are counted instead of ending the process. Make it
// before any other thread starts (a channel starts some): threads inherit the mask it sets. At most
// one at a time. Thread-safe.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int count() const { return count_.load(); }
  // Returns early, with true, once `count` signals have come.
  bool WaitFor(absl::Duration limit, int count = 1);
  // `react` runs on the waiting thread at each signal, and at once if one has come already; an
  // empty one ends that, and no call is running after it returns.
  void OnSignal(std::function<void()> react);

 private:
  void Listen(const std::stop_token& stop);

  std::atomic<int> count_ = 0;
  absl::Mutex mutex_;
  std::function<void()> react_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_SIGNALS_H_
