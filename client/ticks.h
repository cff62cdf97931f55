// Where an axis has labelled ticks, and what they say.
#ifndef ETUDE_CLIENT_TICKS_H_
#define ETUDE_CLIENT_TICKS_H_

#include <string>
#include <vector>

namespace etude {

enum class Scale { kLinear, kLog };

// The values at which an axis from `low` to `high` has labelled ticks, ascending: 1, 2 and 5 times
// powers of ten, about `wanted`. A logarithmic axis has powers of ten, more digits where it spans
// few of them, and evenly spaced ticks when high is below 4 low. None unless low is below high (and
// above 0 on a logarithmic axis).
std::vector<double> TickValues(double low, double high, Scale scale, int wanted);

// "300k", "2.7M", "1e13", "0.05": at most four digits.
std::string TickText(double value);

// The ticks' texts; evenly spaced ones and those of one decade carry equally many decimals: "1.8",
// "2.0".
std::vector<std::string> TickTexts(const std::vector<double>& ticks);

}  // namespace etude

#endif  // ETUDE_CLIENT_TICKS_H_
