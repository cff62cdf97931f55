#include "worker/health.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kConnected[] = "connected";
constexpr char kAlone[] = "alone";

}  // namespace

// Not synced: after a crash of the machine there is no worker either.
void Health::Note(bool connected, absl::Time now) {
  if (connected == connected_ && now - written_at_ < kHealthEvery) return;
  connected_ = connected;
  written_at_ = now;
  const std::string draft = path_ + ".new";
  std::ofstream(draft) << absl::ToUnixMillis(now) << " " << (connected ? kConnected : kAlone)
                       << "\n";
  std::error_code ignored;
  std::filesystem::rename(draft, path_, ignored);
}

absl::Status Probe(const std::string& state_dir, bool must_be_connected, absl::Time now) {
  std::ifstream file(state_dir + "/health");
  std::int64_t at_ms = 0;
  std::string link;
  if (!(file >> at_ms >> link)) return Unavailable("no worker has run in " + state_dir);
  const absl::Duration age = now - absl::FromUnixMillis(at_ms);
  // One from before the machine started lies in the future.
  if (age > kHealthLasts || age < -kHealthEvery) {
    return Unavailable(fmt::format("the worker of {} gave no sign of life for {:.0f} s", state_dir,
                                   absl::ToDoubleSeconds(kHealthLasts)));
  }
  if (must_be_connected && link != kConnected) {
    return Unavailable("the worker of " + state_dir +
                       " is not known to a coordinator that answers");
  }
  return absl::OkStatus();
}

}  // namespace etude
