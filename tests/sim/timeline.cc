#include "tests/sim/timeline.h"

#include <algorithm>
#include <utility>

namespace etude {

bool Timeline::Later(const Entry& a, const Entry& b) {
  return a.at != b.at ? a.at > b.at : a.number > b.number;
}

void Timeline::After(absl::Duration delay, Action action) {
  entries_.push_back(
      {elapsed_ + std::max(delay, absl::ZeroDuration()), added_++, std::move(action)});
  std::push_heap(entries_.begin(), entries_.end(), Later);
}

bool Timeline::Step() {
  if (entries_.empty()) return false;
  std::pop_heap(entries_.begin(), entries_.end(), Later);
  const Entry entry = std::move(entries_.back());
  entries_.pop_back();
  elapsed_ = entry.at;
  ++steps_;
  entry.action();
  return true;
}

}  // namespace etude
