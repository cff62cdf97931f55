#include "tests/bench/bench_bed.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/bench/machine_facts.h"

namespace etude {
namespace {

constexpr char kAnyPort[] = "127.0.0.1:0";
constexpr unsigned kOwnerOnly = 0700;

}  // namespace

absl::StatusOr<std::unique_ptr<BenchBed>> BenchBed::Make(const BenchPlace& place) {
  ASSIGN_OR_RETURN(std::string file_system, FileSystemOf(place.parent));
  if (LivesInMemory(file_system) && !place.may_live_in_memory) {
    return FailedPrecondition(place.parent + " is a " + file_system +
                              ", where nothing is ever durable; name a directory on a disk: "
                              "--state DIR");
  }
  std::string directory = place.parent + "/etude-bench.XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return FromErrno(errno, "make a directory in " + place.parent);
  }
  std::unique_ptr<BenchBed> bed(new BenchBed(place, std::move(directory), std::move(file_system)));
  RETURN_IF_ERROR(bed->StartAfresh());
  return bed;
}

BenchBed::~BenchBed() {
  coordinator_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

absl::Status BenchBed::StartAfresh() {
  coordinator_.reset();
  std::error_code ignored;
  if (!state_dir_.empty()) std::filesystem::remove_all(state_dir_, ignored);
  state_dir_ = directory_ + "/state" + std::to_string(++states_made_);
  RETURN_IF_ERROR(MakeDirectories(state_dir_, kOwnerOnly));
  ASSIGN_OR_RETURN(coordinator_,
                   CoordinatorProcess::Start(place_.coordinator, state_dir_, kAnyPort));
  return absl::OkStatus();
}

absl::Status BenchBed::KillAndRestart() {
  const std::string endpoint = coordinator_->address().endpoint;
  coordinator_->Kill();
  ASSIGN_OR_RETURN(coordinator_,
                   CoordinatorProcess::Start(place_.coordinator, state_dir_, endpoint));
  return absl::OkStatus();
}

}  // namespace etude
