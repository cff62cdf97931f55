// What a benchmark prints.
#ifndef ETUDE_TESTS_BENCH_BENCH_REPORT_H_
#define ETUDE_TESTS_BENCH_BENCH_REPORT_H_

#include <string>

#include "tests/bench/bench.h"
#include "tests/bench/machine_facts.h"

namespace etude {

struct BenchReport {
  const Bench* bench = nullptr;
  Scale scale = Scale::kSmall;
  MachineFacts machine;
  std::string file_system;
  double fsync_p50_ms = 0;  // measured in the bench's directory, before and after
  double fsync_p99_ms = 0;
  double fdatasync_p50_ms = 0;
  double fdatasync_p99_ms = 0;
  std::string software;  // "0.1.0, SQLite 3.40.1"
  Outcome outcome;
};

// format_version "1.0"; "results" are the medians of "all", key by key.
std::string ReportJson(const BenchReport& report);
// For people: median, least and greatest of each number, and what it ought to be.
std::string ReportTable(const BenchReport& report);

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_BENCH_REPORT_H_
