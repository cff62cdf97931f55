// Unpacks a .tar.gz that nobody vouches for.
#ifndef ETUDE_CLIENT_TAR_GZ_H_
#define ETUDE_CLIENT_TAR_GZ_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace etude {

struct TarLimits {
  std::int64_t entries = 2'000'000;
  std::int64_t file_bytes = std::int64_t{64} << 20;
  std::int64_t total_bytes = std::int64_t{64} << 30;  // of files that are written
};

struct TarReport {
  std::int64_t files = 0;  // written
  std::int64_t bytes = 0;
  std::int64_t skipped = 0;  // not wanted, links, devices, a second file of one name
};

// Writes the plain files whose paths are `wanted` below `dir`, which exists. Links are never made
// and never followed; modes and owners are not kept. A path that would leave `dir` is kDataLoss, as
// is what is not gzip or not tar, or ends too early; beyond a limit or without space it is
// kResourceExhausted. What was written before an error stays.
absl::StatusOr<TarReport> UnpackTarGz(const std::string& archive, const std::string& dir,
                                      const std::function<bool(const std::string&)>& wanted,
                                      const TarLimits& limits = {});

}  // namespace etude

#endif  // ETUDE_CLIENT_TAR_GZ_H_
