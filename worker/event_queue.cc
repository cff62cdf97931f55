#include "worker/event_queue.h"

#include <utility>

namespace etude {

void EventQueue::Push(Event event) {
  MutexLock lock(mutex_);
  while (!closed_ && events_.size() >= kMaxQueuedEvents) not_full_.Wait(mutex_);
  if (closed_) return;
  events_.push_back(std::move(event));
  not_empty_.Signal();
}

std::optional<Event> EventQueue::Pop(absl::Duration wait) {
  MutexLock lock(mutex_);
  if (events_.empty() && wait > absl::ZeroDuration()) not_empty_.WaitFor(mutex_, wait);
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  not_full_.Signal();
  return event;
}

void EventQueue::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  not_full_.SignalAll();
}

}  // namespace etude
