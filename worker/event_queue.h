// The way from the threads of transport and spawner to the one that runs the agent.
#ifndef ETUDE_WORKER_EVENT_QUEUE_H_
#define ETUDE_WORKER_EVENT_QUEUE_H_

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "worker/event.h"

namespace etude {

inline constexpr std::size_t kMaxQueuedEvents = 4096;

// Thread-safe.
class EventQueue {
 public:
  // Waits while the queue is full; drops the event once it is closed.
  void Push(Event event);
  // The oldest event; nullopt if none comes within `wait`.
  std::optional<Event> Pop(absl::Duration wait);
  // Lets every waiting Push go.
  void Close();

 private:
  Mutex mutex_;
  CondVar not_empty_;
  CondVar not_full_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace etude

#endif  // ETUDE_WORKER_EVENT_QUEUE_H_
