#include "client/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iterator>

namespace etude {
namespace {

std::vector<double> LinearTicks(double low, double high, int wanted) {
  const double rough = (high - low) / std::max(wanted, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  constexpr double kMore = 1.3;  // ticks than wanted, before they are too many
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power * kMore >= rough) {
      step = digit * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9);
  for (int k = 0; (first + k) * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(first + k == 0 ? 0 : (first + k) * step);
  }
  return ticks;
}

std::vector<double> LogTicks(double low, double high, const std::vector<double>& digits,
                             int every) {
  std::vector<double> ticks;
  const int last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
  for (int power = static_cast<int>(std::floor(std::log10(low))); power <= last; ++power) {
    if (power % every != 0) continue;
    for (const double digit : digits) {
      const double value = digit * std::pow(10, power);
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push_back(value);
    }
  }
  return ticks;
}

bool EvenlySpaced(const std::vector<double>& ticks) {
  if (ticks.size() < 3) return false;
  const double step = ticks[1] - ticks[0];
  return std::abs(ticks.back() - ticks[ticks.size() - 2] - step) < 1e-6 * step;
}
bool InOneDecade(const std::vector<double>& ticks) {
  return !ticks.empty() && ticks.front() > 0 && ticks.back() < 10 * ticks.front();
}

int DecimalsOf(const std::string& text) {
  const std::size_t point = text.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
}

}  // namespace

std::vector<double> TickValues(double low, double high, Scale scale, int wanted) {
  constexpr double kLeastSpan = 1e-12;  // relative; closer values have no round ones between them
  const bool spans = high - low > kLeastSpan * std::max(std::abs(low), std::abs(high));
  if (!spans || !std::isfinite(high - low)) return {};
  if (scale == Scale::kLinear) return LinearTicks(low, high, wanted);
  if (low <= 0) return {};
  constexpr double kEvenUpTo = 4;  // evenly spaced ticks of a wider axis crowd at its upper end
  if (high < kEvenUpTo * low) return LinearTicks(low, high, wanted);
  const double decades = std::log10(high / low);
  if (decades > wanted) {
    return LogTicks(low, high, {1}, static_cast<int>(std::ceil(decades / std::max(wanted, 1))));
  }
  std::vector<double> ticks;
  for (const std::vector<double>& digits :
       {std::vector<double>{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 6, 8}}) {
    ticks = LogTicks(low, high, digits, 1);
    if (ticks.size() >= 3) break;
  }
  return ticks;
}

std::string TickText(double value) {
  constexpr double kRounding = 1 - 5e-5;  // what four digits round up to the next unit
  const double size = std::abs(value) / kRounding;
  if (!std::isfinite(size)) return fmt::format("{}", value);
  if (size >= 1e12 || (size > 0 && size < 1e-3)) {
    const int exponent = static_cast<int>(std::floor(std::log10(size)));
    return fmt::format("{:.4g}e{}", value / std::pow(10, exponent), exponent);
  }
  for (const auto& [unit, letter] : {std::pair(1e9, "B"), {1e6, "M"}, {1e3, "k"}}) {
    if (size >= unit) return fmt::format("{:.4g}{}", value / unit, letter);
  }
  return fmt::format("{:.4g}", value);
}

std::vector<std::string> TickTexts(const std::vector<double>& ticks) {
  std::vector<std::string> texts;
  int decimals = 0;
  bool plain = EvenlySpaced(ticks) || InOneDecade(ticks);
  for (const double tick : ticks) {
    texts.push_back(TickText(tick));
    decimals = std::max(decimals, DecimalsOf(texts.back()));
    plain = plain && texts.back().find_first_not_of("-.0123456789") == std::string::npos;
  }
  if (!plain) return texts;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    texts[i] = fmt::format("{:.{}f}", ticks[i], decimals);
  }
  return texts;
}

}  // namespace etude
