#include "coordinator/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace etude {
namespace {

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  constexpr double kWholeBelow = 1e15;  // beyond it a double's whole numbers have gaps
  if (value == std::trunc(value) && std::abs(value) < kWholeBelow) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", value);
}

// Help escapes backslashes and line ends; a label's value its quotes, too.
std::string Escaped(std::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || (c == '"' && quotes)) escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void Histogram::Observe(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[static_cast<std::size_t>(bound - bounds_.begin())].fetch_add(1,
                                                                       std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::Cumulative() const {
  std::vector<std::uint64_t> cumulative;
  std::uint64_t below = 0;
  for (const std::atomic<std::uint64_t>& count : counts_) {
    below += count.load(std::memory_order_relaxed);
    cumulative.push_back(below);
  }
  return cumulative;
}

void MetricsText::Begin(std::string_view name, std::string_view kind, std::string_view help) {
  family_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(help, false), name, kind);
}

void MetricsText::BeginCounter(std::string_view name, std::string_view help) {
  Begin(name, "counter", help);
}

void MetricsText::BeginGauge(std::string_view name, std::string_view help) {
  Begin(name, "gauge", help);
}

void MetricsText::Add(double value, const Labels& labels) { AddLine("", value, labels); }

void MetricsText::AddLine(std::string_view suffix, double value, const Labels& labels) {
  text_ += family_;
  text_ += suffix;
  const char* before = "{";
  for (const auto& [name, label] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, name, Escaped(label, true));
    before = ",";
  }
  text_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", NumberText(value));
}

void MetricsText::AddHistogram(std::string_view name, std::string_view help,
                               const Histogram& histogram) {
  Begin(name, "histogram", help);
  const std::vector<std::uint64_t> cumulative = histogram.Cumulative();
  for (std::size_t i = 0; i < cumulative.size(); ++i) {
    const bool last = i == histogram.bounds().size();
    const std::string bound = last ? "+Inf" : NumberText(histogram.bounds()[i]);
    AddLine("_bucket", static_cast<double>(cumulative[i]), {{"le", bound}});
  }
  AddLine("_sum", histogram.sum(), {});
  AddLine("_count", static_cast<double>(cumulative.back()), {});
}

}  // namespace etude
