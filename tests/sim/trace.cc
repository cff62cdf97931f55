#include "tests/sim/trace.h"

#include <fmt/format.h>

#include <cstdio>

namespace etude {

void Trace::Add(const void* bytes, std::size_t count) {
  const auto* begin = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < count; ++i) hash_ = (hash_ ^ begin[i]) * 0x100000001b3;
}

void Trace::Note(const std::string& line) {
  const std::int64_t micros = absl::ToInt64Microseconds(timeline_.elapsed());
  Add(&micros, sizeof(micros));
  Add(line.data(), line.size());
  last_.push_back(fmt::format("{:10.3f} {}", static_cast<double>(micros) / 1e6, line));
  if (last_.size() > kKeptLines) last_.pop_front();
  if (prints_) fmt::print(stderr, "{}\n", last_.back());
}

std::string Trace::Tail() const {
  std::string text;
  for (const std::string& line : last_) text += line + "\n";
  return text;
}

}  // namespace etude
