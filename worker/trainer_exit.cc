#include "worker/trainer_exit.h"

#include <csignal>
#include <cstring>

namespace etude {
namespace {

constexpr int kAny = -1;

struct ExitRow {
  int signal;
  int out_of_memory;  // 0, 1 or kAny
  JobOutcome outcome;
  const char* reason;
};

// The first row that fits counts.
constexpr ExitRow kExits[] = {
    {SIGKILL, 1, JobOutcome::kOutOfMemory,
     "the kernel killed the trainer: out of memory; lower the batch, or use fewer slots"},
    {SIGKILL, 0, JobOutcome::kKilled, "the trainer was killed (SIGKILL)"},
    {SIGTERM, kAny, JobOutcome::kKilled, "the trainer was killed (SIGTERM)"},
    {SIGINT, kAny, JobOutcome::kKilled, "the trainer was interrupted (SIGINT)"},
    {SIGHUP, kAny, JobOutcome::kKilled, "the trainer was hung up (SIGHUP)"},
    {kAny, kAny, JobOutcome::kCrashed, nullptr},
};

bool Fits(int row, int value) { return row == kAny || row == value; }

std::string CrashReason(const TrainerExit& exit) {
  if (exit.signal == 0) {
    return "the trainer exited with code " + std::to_string(exit.code);
  }
  return "the trainer crashed: " + std::string(strsignal(exit.signal)) + " (signal " +
         std::to_string(exit.signal) + ")";
}

}  // namespace

ExitMeaning MeaningOf(const TrainerExit& exit) {
  for (const ExitRow& row : kExits) {
    if (!Fits(row.signal, exit.signal) || !Fits(row.out_of_memory, exit.out_of_memory ? 1 : 0)) {
      continue;
    }
    return {row.outcome, row.reason == nullptr ? CrashReason(exit) : row.reason};
  }
  return {JobOutcome::kCrashed, CrashReason(exit)};
}

}  // namespace etude
