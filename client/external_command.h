// A program of the system's, run to its end: fixed arguments, no shell.
#ifndef ETUDE_CLIENT_EXTERNAL_COMMAND_H_
#define ETUDE_CLIENT_EXTERNAL_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

// Of stdout and of stderr; what is more is an error.
inline constexpr std::int64_t kMaxExternalOutputBytes = std::int64_t{64} << 20;

struct ExternalCommand {
  std::vector<std::string> arguments;  // the first is looked up in PATH
  std::string input = "";              // its stdin
  absl::Duration limit = absl::Minutes(1);
  bool hears_terminal = true;  // the terminal's Ctrl-C reaches it
  bool shares_stderr = false;  // what it writes there, the user sees; none of it is in the result
};

struct ExternalResult {
  int status = 0;  // as a shell gives it: 128 + signal if it was killed
  std::string out;
  std::string err;
};

// Waits for the program itself, not for what it leaves running. Signals come to it as the system's
// defaults. kNotFound: no such program.
// kDeadlineExceeded: it was killed after `limit`. kResourceExhausted: it printed too much.
absl::StatusOr<ExternalResult> RunExternal(const ExternalCommand& command);

// The last line of a text that is not blank, as a table may show it; empty if there is none.
std::string LastLineOf(const std::string& text);

}  // namespace etude

#endif  // ETUDE_CLIENT_EXTERNAL_COMMAND_H_
