#include "worker/log_shipment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace etude {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(60);

struct LogText {
  std::int64_t offset = 0;
  std::string text;
};

// What `path` has from `offset` on, or from near its end. Empty if that is nothing, or not to be
// had.
LogText ReadNew(const std::string& path, std::int64_t offset) {
  LogText found{offset, ""};
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return found;
  struct stat facts {};
  if (fstat(descriptor, &facts) == 0 && facts.st_size > offset) {
    const auto size = static_cast<std::int64_t>(facts.st_size);
    if (size - offset > kMaxUnshippedBytes) found.offset = size - kMaxShippedBytes;
    found.text.resize(static_cast<std::size_t>(std::min(size - found.offset, kMaxShippedBytes)));
    const ssize_t count =
        pread(descriptor, found.text.data(), found.text.size(), static_cast<off_t>(found.offset));
    found.text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  close(descriptor);
  return found;
}

// The attempt is over, or this coordinator takes no logs. One that does not know the worker will.
bool IsFinal(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsUnimplemented(status) ||
         absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status);
}

}  // namespace

LogShipment::LogShipment(AttemptDir dir, WorkerId worker, Transport& transport, CallId& next_call,
                         std::uint64_t seed)
    : dir_(std::move(dir)),
      worker_(std::move(worker)),
      transport_(transport),
      next_call_(next_call),
      backoff_(kShipLogEvery, kLongestWait, seed) {}

void LogShipment::Advance(absl::Time now) {
  if (refused_ || call_ != 0 || now < next_at_) return;
  next_at_ = now + kShipLogEvery;
  LogText found = ReadNew(dir_.Path(kTrainerLogFile), offset_);
  if (found.text.empty()) return;
  call_ = next_call_++;
  transport_.ShipLog(call_, worker_, {dir_.job, dir_.number, found.offset, std::move(found.text)});
}

bool LogShipment::Handle(const Event& event, absl::Time now) {
  const auto* shipped = std::get_if<LogShipped>(&event);
  if (shipped == nullptr || call_ == 0 || shipped->call != call_) return false;
  call_ = 0;
  if (shipped->next_offset.ok()) {
    offset_ = *shipped->next_offset;
    backoff_.Reset();
  } else {
    next_at_ = now + backoff_.Next();
    refused_ = IsFinal(shipped->next_offset.status());
  }
  return true;
}

}  // namespace etude
