#include "client/progress.h"

#include "client/display_text.h"

namespace etude {

void Progress::Update(const std::string& line) {
  const absl::Time now = clock_.MonotonicNow();
  if (now - shown_at_ < (terminal_.stderr_is_tty ? kRedrawEvery : kLogLineEvery)) return;
  shown_at_ = now;
  if (terminal_.stderr_is_tty) {
    shown_ = Shortened(Printable(line), terminal_.columns - 1);
    err_ << "\r" << shown_ << "\x1b[K" << std::flush;
  } else {
    err_ << Printable(line) << "\n" << std::flush;
  }
}

void Progress::Say(const std::string& line) {
  Clear();
  err_ << Printable(line) << "\n" << std::flush;
}

void Progress::Clear() {
  if (shown_.empty()) return;
  err_ << "\r\x1b[K" << std::flush;
  shown_.clear();
  shown_at_ = absl::InfinitePast();
}

}  // namespace etude
