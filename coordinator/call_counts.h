// How many calls of each method ended with each code.
#ifndef ETUDE_COORDINATOR_CALL_COUNTS_H_
#define ETUDE_COORDINATOR_CALL_COUNTS_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "coordinator/metrics.h"

namespace etude {

// Thread-safe, and never waits.
class CallCounts {
 public:
  static constexpr std::size_t kCodes = 17;  // gRPC's, 0 to 16
  using ByCode = std::array<Counter, kCodes>;

  CallCounts();
  // Where a method's calls count, "/etude.v1.WorkerService/Register"; those that are not in the
  // table of calls share one place.
  ByCode& Of(std::string_view method);

  // etude_rpcs_total, without the zeros.
  void AddTo(MetricsText& text) const;

 private:
  std::vector<ByCode> counts_;  // as CallRules(), and one for all others
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CALL_COUNTS_H_
