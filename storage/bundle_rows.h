// A bundle as text: one JSON object a line, each of which says in "row" what it is. Doubles are
// written so that they read back to the same bits.
#ifndef ETUDE_STORAGE_BUNDLE_ROWS_H_
#define ETUDE_STORAGE_BUNDLE_ROWS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/bundle.h"

namespace etude {

inline constexpr std::int64_t kMaxBundleRowsBytes = std::int64_t{1} << 30;
inline constexpr std::size_t kMaxBundleRowBytes = std::size_t{64} << 20;  // of one line
inline constexpr std::size_t kMaxPointsPerRow = 4096;

// `software` made it.
std::string BundleToRows(const Bundle& bundle, const std::string& software);

// kInvalidArgument: of a later version. kDataLoss names the line: it is not such a text, or what it
// says does not pass CheckBundle.
absl::StatusOr<Bundle> BundleFromRows(std::string_view rows);

}  // namespace etude

#endif  // ETUDE_STORAGE_BUNDLE_ROWS_H_
