// What a person sees while a command waits: one line on stderr, redrawn on a terminal, repeated
// every ten seconds elsewhere.
#ifndef ETUDE_CLIENT_PROGRESS_H_
#define ETUDE_CLIENT_PROGRESS_H_

#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "client/output.h"
#include "lib/base/clock.h"

namespace etude {

inline constexpr absl::Duration kRedrawEvery = absl::Milliseconds(100);
inline constexpr absl::Duration kLogLineEvery = absl::Seconds(10);

// Not thread-safe.
class Progress {
 public:
  Progress(std::ostream& err, const Terminal& terminal, Clock& clock)
      : err_(err), terminal_(terminal), clock_(clock) {}
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Where things stand now; may be left out when the last one was shown a moment ago.
  void Update(const std::string& line);
  // A line that stays, above the moving one.
  void Say(const std::string& line);
  // Takes the moving line away.
  void Clear();

 private:
  std::ostream& err_;
  const Terminal terminal_;
  Clock& clock_;
  absl::Time shown_at_ = absl::InfinitePast();
  std::string shown_;  // the moving line, while it stands on the terminal
};

}  // namespace etude

#endif  // ETUDE_CLIENT_PROGRESS_H_
