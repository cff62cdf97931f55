#include "lib/scaling/job.h"

#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<JobState, 5> kJobStates = {{JobState::kQueued, "queued"},
                                               {JobState::kLeased, "leased"},
                                               {JobState::kSucceeded, "succeeded"},
                                               {JobState::kFailed, "failed"},
                                               {JobState::kCancelled, "cancelled"}};
constexpr NameTable<FailureClass, 4> kFailureClasses = {
    {FailureClass::kNone, "none"},
    {FailureClass::kInfrastructure, "infrastructure"},
    {FailureClass::kDeterministic, "deterministic"},
    {FailureClass::kUnknown, "unknown"}};
constexpr NameTable<JobOutcome, 9> kOutcomes = {
    {JobOutcome::kSucceeded, "succeeded"},       {JobOutcome::kDiverged, "diverged"},
    {JobOutcome::kOutOfMemory, "out_of_memory"}, {JobOutcome::kBadInput, "bad_input"},
    {JobOutcome::kCrashed, "crashed"},           {JobOutcome::kKilled, "killed"},
    {JobOutcome::kReleased, "released"},         {JobOutcome::kSuperseded, "superseded"},
    {JobOutcome::kCancelled, "cancelled"}};
constexpr NameTable<CheckpointKind, 4> kCheckpointKinds = {{CheckpointKind::kResume, "resume"},
                                                           {CheckpointKind::kLast, "last"},
                                                           {CheckpointKind::kBest, "best"},
                                                           {CheckpointKind::kBranch, "branch"}};

}  // namespace

std::string_view JobStateName(JobState state) { return NameIn(kJobStates, state); }
std::optional<JobState> JobStateFromName(std::string_view name) {
  return ValueIn(kJobStates, name);
}
bool IsTerminal(JobState state) { return state != JobState::kQueued && state != JobState::kLeased; }

std::string_view FailureClassName(FailureClass failure) { return NameIn(kFailureClasses, failure); }
std::optional<FailureClass> FailureClassFromName(std::string_view name) {
  return ValueIn(kFailureClasses, name);
}

std::string_view JobOutcomeName(JobOutcome outcome) { return NameIn(kOutcomes, outcome); }
std::optional<JobOutcome> JobOutcomeFromName(std::string_view name) {
  return ValueIn(kOutcomes, name);
}

FailureClass ClassOf(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::kSucceeded:
    case JobOutcome::kCancelled:
      return FailureClass::kNone;
    case JobOutcome::kKilled:
    case JobOutcome::kReleased:
    case JobOutcome::kSuperseded:
      return FailureClass::kInfrastructure;
    case JobOutcome::kDiverged:
    case JobOutcome::kOutOfMemory:
    case JobOutcome::kBadInput:
      return FailureClass::kDeterministic;
    case JobOutcome::kCrashed:
      return FailureClass::kUnknown;
  }
  return FailureClass::kUnknown;
}

std::string_view CheckpointKindName(CheckpointKind kind) { return NameIn(kCheckpointKinds, kind); }
std::optional<CheckpointKind> CheckpointKindFromName(std::string_view name) {
  return ValueIn(kCheckpointKinds, name);
}

}  // namespace etude
