// What a number was measured on: a benchmark without its machine says nothing.
#ifndef ETUDE_TESTS_BENCH_MACHINE_FACTS_H_
#define ETUDE_TESTS_BENCH_MACHINE_FACTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace etude {

struct MachineFacts {
  std::string cpu;
  int cores = 0;
  double memory_gib = 0;
  std::string kernel;
  double load_1m = 0;  // before the benchmark began: what else ran here
};
MachineFacts DescribeThisMachine();

// "ext4", "tmpfs", or the number of a kind that has no name here.
absl::StatusOr<std::string> FileSystemOf(const std::string& directory);
bool LivesInMemory(const std::string& file_system);

// How long the disk of a directory takes to make 4 KiB durable. fsync after an append is what a
// new file costs; fdatasync over bytes that are there is what a write-ahead log costs once it has
// wrapped around.
class DiskProbe {
 public:
  explicit DiskProbe(const std::string& directory) : path_(directory + "/disk-probe") {}

  absl::Status Measure();  // adds to what was measured before
  const std::vector<double>& fsync_ms() const { return fsync_ms_; }
  const std::vector<double>& fdatasync_ms() const { return fdatasync_ms_; }

 private:
  const std::string path_;
  std::vector<double> fsync_ms_;
  std::vector<double> fdatasync_ms_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_MACHINE_FACTS_H_
