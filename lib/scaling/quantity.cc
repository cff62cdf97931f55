#include "lib/scaling/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace etude {
namespace {

struct Suffix {
  char letter;
  double factor;
};
constexpr Suffix kSuffixes[] = {{'T', 1e12}, {'B', 1e9}, {'M', 1e6}, {'k', 1e3}};

constexpr double kLargestExact = 1e15;

bool IsUnit(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
}

bool IsWhole(double value) { return value == std::floor(value); }

}  // namespace

std::optional<Quantity> ParseQuantity(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  Quantity quantity;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), quantity.value);
  if (error != std::errc() || !std::isfinite(quantity.value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  for (const Suffix& suffix : kSuffixes) {
    if (!text.empty() && text.front() == suffix.letter) {
      quantity.value *= suffix.factor;
      text.remove_prefix(1);
      break;
    }
  }
  if (text.empty()) return quantity;
  if (text.front() != ' ') return std::nullopt;
  text.remove_prefix(1);
  if (text.empty() || !IsUnit(text)) return std::nullopt;
  quantity.unit = std::string(text);
  return quantity;
}

std::string QuantityText(double value) {
  if (!IsWhole(value) || std::abs(value) > kLargestExact) return fmt::format("{:.6g}", value);
  for (const Suffix& suffix : kSuffixes) {
    // At most two decimals: 2.7M, but 12345 stays as it is.
    const double hundredths = value * 100 / suffix.factor;
    if (std::abs(value) >= suffix.factor && IsWhole(hundredths)) {
      return fmt::format("{}{}", value / suffix.factor, suffix.letter);
    }
  }
  return fmt::format("{:.0f}", value);
}

}  // namespace etude
