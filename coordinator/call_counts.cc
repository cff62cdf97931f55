#include "coordinator/call_counts.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "coordinator/authentication.h"

namespace etude {

CallCounts::CallCounts() : counts_(CallRules().size() + 1) {}

CallCounts::ByCode& CallCounts::Of(std::string_view method) {
  const auto rules = CallRules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const CallRule& known) { return known.method == method; });
  return counts_[static_cast<std::size_t>(rule - rules.begin())];
}

void CallCounts::AddTo(MetricsText& text) const {
  text.BeginCounter("etude_rpcs_total", "Calls that ended, by method and gRPC code.");
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::string_view method = i < CallRules().size() ? CallRules()[i].method : "other";
    for (std::size_t code = 0; code < kCodes; ++code) {
      const std::uint64_t calls = counts_[i][code].value();
      if (calls == 0) continue;
      const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
      text.Add(static_cast<double>(calls),
               {{"method", method.substr(method.rfind('/') + 1)}, {"code", name}});
    }
  }
}

}  // namespace etude
