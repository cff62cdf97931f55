#include "tests/sim/world.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/sim/faults.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

// After this everything is mended; and after that, so much is left for all to end.
constexpr absl::Duration kShortestTrouble = absl::Seconds(30);
constexpr absl::Duration kLongestTrouble = absl::Seconds(80);
constexpr absl::Duration kLongestRest = absl::Minutes(20);
// What was under way when all was mended has come by then.
constexpr absl::Duration kLateness = absl::Seconds(10);
constexpr absl::Duration kLook = absl::Seconds(1);

// As the defaults, but shorter, so that a world sees leases end.
SchedulerOptions Lenience() {
  SchedulerOptions options;
  options.heartbeat = absl::Seconds(1);
  options.lease = absl::Seconds(4);
  options.grace = absl::Seconds(8);
  options.local_resume_hold = absl::Seconds(4);
  options.retry_elsewhere_hold = absl::Seconds(8);
  options.quarantine = absl::Seconds(30);
  options.quarantine_after = 2;
  options.max_known_workers = 4;
  return options;
}

// A directory of its own, which goes with it.
class WorldDirectory {
 public:
  explicit WorldDirectory(std::uint64_t seed) {
    std::error_code error;
    const bool memory = fs::is_directory("/dev/shm", error) && access("/dev/shm", W_OK) == 0;
    const fs::path base = memory ? fs::path("/dev/shm") : fs::temp_directory_path();
    path_ = (base / fmt::format("etude_sim.{}.{}", getpid(), seed)).string();
    fs::remove_all(path_);
    ENSURE(MakeDirectories(path_).ok());
  }
  ~WorldDirectory() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  WorldDirectory(const WorldDirectory&) = delete;
  WorldDirectory& operator=(const WorldDirectory&) = delete;
  std::string Make(const std::string& name) const {
    ENSURE(MakeDirectories(path_ + "/" + name).ok());
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

class World {
 public:
  explicit World(const WorldOptions& options)
      : seed_(options.seed),
        dice_(seed_, DiceOf::kWorld),
        worker_count_(dice_.Between(2, 4)),
        directory_(seed_),
        trace_(timeline_, options.prints),
        oracle_(trace_, Lenience().lease + Lenience().grace),
        store_(directory_.Make("store"), timeline_, trace_, Dice(seed_, DiceOf::kStore), oracle_,
               options.bug),
        coordinator_clock_(timeline_),
        coordinator_(Lenience(), timeline_, coordinator_clock_, store_, oracle_, trace_,
                     Dice(seed_, DiceOf::kCoordinator), options.bug),
        network_(timeline_, trace_, Dice(seed_, DiceOf::kNetwork), worker_count_ + 1),
        wire_{.timeline = timeline_,
              .network = network_,
              .coordinator = coordinator_,
              .blobs = blobs_,
              .trace = trace_,
              .options = Lenience(),
              .bug = options.bug},
        client_(worker_count_, wire_, oracle_, Dice(seed_, DiceOf::kClient)),
        faults_(wire_, coordinator_clock_, store_, client_, workers_,
                Dice(seed_, DiceOf::kFaults)) {}

  WorldEnd Run() {
    Start();
    const absl::Duration trouble = dice_.Between(kShortestTrouble, kLongestTrouble);
    faults_.Plan(trouble);
    timeline_.After(trouble, [this] {
      faults_.Mend();
      Look();
    });
    timeline_.After(trouble + kLateness, [this] { client_.Conclude(); });
    while (!ended_ && !oracle_.violated()) ENSURE(timeline_.Step());
    return End();
  }

 private:
  void Start() {
    coordinator_.Start();
    for (int number = 0; number < worker_count_; ++number) {
      const WorkerNature nature{
          .slots = dice_.Between(1, 2),
          .pace = {.between = dice_.Between(absl::Milliseconds(200), absl::Milliseconds(900)),
                   .steps = dice_.Between(1, 3)},
          .checkpoint_every = dice_.Between(absl::Seconds(1), absl::Seconds(5)),
          .upload_every = dice_.Between(absl::Seconds(2), absl::Seconds(12)),
          .tick_after = static_cast<double>(dice_.Between(2, 6))};
      workers_.push_back(std::make_unique<SimWorker>(
          number, directory_.Make(fmt::format("worker-{}", number)), nature, wire_, oracle_,
          Dice(seed_, DiceOf::kWorker, static_cast<std::uint32_t>(number))));
      timeline_.After(dice_.Between(absl::ZeroDuration(), absl::Seconds(2)),
                      [worker = workers_.back().get()] { worker->Start(); });
    }
    client_.Start();
  }

  // Again and again until all is at rest, or should be.
  void Look() {
    const auto& sweeps = oracle_.facts().sweeps;
    const bool active = std::any_of(sweeps.begin(), sweeps.end(), [](const auto& sweep) {
      return sweep.second.state == SweepState::kActive;
    });
    const bool holds = std::any_of(workers_.begin(), workers_.end(),
                                   [](const auto& worker) { return !worker->idle(); });
    ended_ = client_.done() && !active && !holds && !coordinator_.busy();
    if (ended_) {
      oracle_.AtRest();
      return oracle_.Audit(store_.Reader());
    }
    if (timeline_.elapsed() < kLongestTrouble + kLongestRest) {
      return timeline_.After(kLook, [this] { Look(); });
    }
    oracle_.Violate(fmt::format("nothing comes to rest:{}{}{}{}",
                                client_.done() ? "" : " the client waits;",
                                active ? " a sweep is active;" : "",
                                holds ? " a worker holds an attempt;" : "", coordinator_.Waits()));
  }

  WorldEnd End() const {
    WorldEnd end{.violation = oracle_.violation(),
                 .trace_hash = trace_.hash(),
                 .last_lines = trace_.Tail(),
                 .elapsed = timeline_.elapsed(),
                 .faults = trace_.faults()};
    const StoredFacts& facts = oracle_.facts();
    end.tally.predicted = static_cast<int>(facts.predicted.size());
    end.tally.attempts = static_cast<int>(facts.attempts.size());
    for (const auto& [run, fact] : facts.runs) {
      end.tally.succeeded += fact.state == RunState::kSucceeded ? 1 : 0;
    }
    for (const auto& [key, attempt] : facts.attempts) {
      end.tally.resumed += attempt.start_step > 0 ? 1 : 0;
      end.tally.superseded += attempt.outcome == JobOutcome::kSuperseded ? 1 : 0;
      end.tally.crashed += attempt.outcome == JobOutcome::kCrashed ? 1 : 0;
    }
    return end;
  }

  const std::uint64_t seed_;
  Dice dice_;
  const int worker_count_;
  const WorldDirectory directory_;
  Timeline timeline_;
  Trace trace_;
  Oracle oracle_;
  JournaledStore store_;
  SimClock coordinator_clock_;
  SimCoordinator coordinator_;
  SimNetwork network_;
  Blobs blobs_;
  const Wire wire_;
  SimClient client_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  Faults faults_;
  bool ended_ = false;
};

}  // namespace

WorldEnd Simulate(const WorldOptions& options) { return World(options).Run(); }

}  // namespace etude
