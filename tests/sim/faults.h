// Everything that goes wrong in a world, drawn from its seed, and how it is mended.
#ifndef ETUDE_TESTS_SIM_FAULTS_H_
#define ETUDE_TESTS_SIM_FAULTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/dice.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_worker.h"

namespace etude {

// A seed has only some kinds of faults, so that none hides what another would show.
// Not thread-safe. What it is given must outlive it.
class Faults {
 public:
  Faults(const Wire& wire, SimClock& coordinator_clock, JournaledStore& store, SimClient& client,
         std::vector<std::unique_ptr<SimWorker>>& workers, const Dice& dice);

  // Plans all faults to begin before `until`.
  void Plan(absl::Duration until);
  // From now on nothing goes wrong.
  void Mend();

 private:
  using Action = std::function<void()>;
  // Plans up to `most` faults of one kind at their times.
  void Some(int most, const std::function<void()>& begin);
  void After(absl::Duration delay, const Action& action);
  absl::Duration Length(absl::Duration shortest, absl::Duration longest);
  SimWorker& AnyWorker();

  void SpoilWeather();
  void SpoilTrainers();
  void CutLink();
  void CutLink(int link, Way way, absl::Duration length);
  void StallStreams();
  void CrashCoordinator();
  void CrashNow();
  void PauseCoordinator();
  void CrashWorker();
  void LoseWorker();
  void CrashTrainer();
  void SpoilLog();
  void PauseWorker();
  void StopWorker();
  void JumpWall();
  void SlowCommits();
  void FillDisk();
  void SpoilDisk();

  const Wire wire_;
  SimClock& coordinator_clock_;
  JournaledStore& store_;
  SimClient& client_;
  std::vector<std::unique_ptr<SimWorker>>& workers_;
  Dice dice_;
  absl::Duration until_;
  bool mended_ = false;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_FAULTS_H_
