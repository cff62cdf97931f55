#include "tests/sim/journaled_store.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "storage/sqlite_results_store.h"
#include "tests/sim/planted_store.h"

namespace etude {
namespace {

// Of the commits that a bad disk fails.
constexpr double kFailsAfterApplying = 0.3;
constexpr double kFailedIsFound = 0.5;  // after a crash
constexpr double kAppliedIsKept = 0.5;

}  // namespace

JournaledStore::JournaledStore(std::string directory, const Timeline& timeline, Trace& trace,
                               const Dice& dice, Oracle& oracle, PlantedBug bug)
    : directory_(std::move(directory)),
      timeline_(timeline),
      trace_(trace),
      dice_(dice),
      oracle_(oracle),
      bug_(bug) {
  Rebuild();
}

void JournaledStore::Open() {
  const std::string directory = fmt::format("{}/{}", directory_, files_);
  ENSURE(MakeDirectories(directory).ok());
  auto store = SqliteResultsStore::Open(directory + "/etude.db");
  ENSURE(store.ok());
  store_ = std::make_unique<PlantedStore>(*std::move(store), bug_);
}

Database& JournaledStore::Reader() {
  if (reader_ == nullptr) {
    const std::string path = fmt::format("{}/{}/etude.db", directory_, files_);
    auto database = Database::Open(path, Database::Access::kReadOnly);
    ENSURE(database.ok());
    reader_ = *std::move(database);
  }
  return *reader_;
}

void JournaledStore::Rebuild() {
  ++files_;
  Open();
  for (const CommittedBatch& batch : journal_) ENSURE(store_->Commit(batch.changes).ok());
}

absl::Status JournaledStore::Apply(std::span<const Change> changes) {
  const absl::Status status = store_->Commit(changes);
  if (!status.ok()) {
    oracle_.Refused(status);
    return status;
  }
  failed_.reset();
  applied_ = CommittedBatch{{changes.begin(), changes.end()}, timeline_.elapsed()};
  return status;
}

absl::Status JournaledStore::Commit(std::span<const Change> changes) {
  if (changes.empty()) return absl::OkStatus();
  trace_.Note(fmt::format("store: commit {} changes", changes.size()));
  if (trouble_.full) {
    trace_.Note("store: the disk is full");
    trace_.Count("full disk");
    return ResourceExhausted("planned: the disk is full");
  }
  if (trouble_.fail_commit == 0 || !dice_.Chance(trouble_.fail_commit)) return Apply(changes);
  if (dice_.Chance(kFailsAfterApplying)) {
    trace_.Note("store: took it, and says it failed");
    trace_.Count("commit that failed too late");
    RETURN_IF_ERROR(Apply(changes));
    MakeDurable();
  } else {
    trace_.Note("store: failed");
    trace_.Count("failed commit");
    failed_ = CommittedBatch{{changes.begin(), changes.end()}, timeline_.elapsed()};
  }
  return Unavailable("planned: the disk failed");
}

absl::StatusOr<StoredState> JournaledStore::Load() {
  if (trouble_.fail_load > 0 && dice_.Chance(trouble_.fail_load)) {
    trace_.Note("store: cannot be read");
    trace_.Count("failed load");
    return Unavailable("planned: the disk cannot be read");
  }
  return store_->Load();
}

void JournaledStore::Sync() {
  if (applied_) MakeDurable();
}

void JournaledStore::MakeDurable() {
  journal_.push_back(*std::exchange(applied_, std::nullopt));
  oracle_.Durable(journal_.back());
}

void JournaledStore::Tear() {
  std::vector<Change>& changes = applied_->changes;
  changes.resize((changes.size() + 1) / 2);
  MakeDurable();
  Rebuild();
}

void JournaledStore::Crash() {
  reader_.reset();
  store_.reset();
  if (applied_ && bug_ == PlantedBug::kTearsBatches) {
    Tear();
  } else if (applied_ && !dice_.Chance(kAppliedIsKept)) {
    trace_.Note("store: the batch in flight is lost");
    trace_.Count("storage cut back");
    applied_.reset();
    Rebuild();
  } else {
    Sync();
    bug_ == PlantedBug::kNone ? Open() : Rebuild();  // a planted store has a memory of its own
  }
  if (failed_ && dice_.Chance(kFailedIsFound)) {
    trace_.Note("store: the batch that failed is there after all");
    trace_.Count("failed batch found");
    const CommittedBatch found = *std::exchange(failed_, std::nullopt);
    if (Apply(found.changes).ok()) MakeDurable();
  }
  failed_.reset();
}

}  // namespace etude
