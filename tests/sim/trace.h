// What happened, as text: a hash of all of it, and the last lines for people.
#ifndef ETUDE_TESTS_SIM_TRACE_H_
#define ETUDE_TESTS_SIM_TRACE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "tests/sim/timeline.h"

namespace etude {

// Not thread-safe.
class Trace {
 public:
  // `prints`: every line goes to stderr too.
  Trace(const Timeline& timeline, bool prints) : timeline_(timeline), prints_(prints) {}

  // `line` must not depend on anything but the seed: no path, no process id.
  void Note(const std::string& line);
  // A fault of this kind has struck.
  void Count(const std::string& fault) { ++faults_[fault]; }
  const std::map<std::string, int>& faults() const { return faults_; }
  // 64-bit FNV-1a over all lines and their times.
  std::uint64_t hash() const { return hash_; }
  std::string Tail() const;

 private:
  static constexpr std::size_t kKeptLines = 80;
  void Add(const void* bytes, std::size_t count);

  const Timeline& timeline_;
  const bool prints_;
  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::deque<std::string> last_;
  std::map<std::string, int> faults_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_TRACE_H_
