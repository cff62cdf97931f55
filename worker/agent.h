// The worker's core: takes jobs for its slots, has trainers train them, and sees that every point
// and checkpoint reaches the coordinator.
#ifndef ETUDE_WORKER_AGENT_H_
#define ETUDE_WORKER_AGENT_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/scaling/worker.h"
#include "worker/attempt_work.h"
#include "worker/backoff.h"
#include "worker/corpus_cache.h"
#include "worker/event.h"
#include "worker/spawner.h"
#include "worker/transport.h"

namespace etude {

inline constexpr absl::Duration kDrainTimeout = absl::Seconds(10);  // DESIGN.md section 7
// A trainer told to release or cancel is killed after so long; in a drain the rest of the time is
// for the uploads.
inline constexpr absl::Duration kStopTimeout = absl::Seconds(7);
inline constexpr absl::Duration kTrainerStartTimeout = absl::Seconds(120);
inline constexpr absl::Duration kAcquireWait = absl::Seconds(10);
inline constexpr absl::Duration kAcknowledgeTimeout = absl::Seconds(30);
inline constexpr absl::Duration kTailEvery = absl::Milliseconds(100);
inline constexpr absl::Duration kIdleEvery = absl::Milliseconds(500);
// Trainers that end before they are ready, one after the other, before the worker gives up; once
// any has been ready it goes on trying.
inline constexpr int kMaxFailedStarts = 3;

struct AgentOptions {
  std::string state_dir;  // exists
  std::string endpoint;   // for messages
  // For messages, when no coordinator answers there.
  std::string advice = "Start one with: etude up, or name another with --endpoint HOST:PORT";
  // id, host, cpu, software, slots, threads_per_slot, memory_bytes; the trainer says the device.
  Worker worker;
  absl::Duration checkpoint_every = absl::Seconds(30);
  absl::Duration upload_every = absl::Seconds(300);
  absl::Duration connect_timeout = absl::InfiniteDuration();  // for the first registration
  absl::Duration idle_exit = absl::InfiniteDuration();  // without a job for so long, it is done
  std::uint64_t jitter_seed = 1;
};

// Events and time in, effects out through Transport and Spawner; the files of the state directory
// it reads and writes itself. No threads, clocks or sockets. `now` is monotonic. Not thread-safe.
//
// Every point a trainer logs is reported until it is acknowledged, over any number of restarts of
// either side. A job that this machine cannot carry on (no disk space, a damaged file) is given
// back as released, with the reason, and the slot rests for kHoldAfterDiskFailure.
class Agent {
 public:
  // Finds what an earlier process left in the state directory. `transport` and `spawner` must
  // outlive the agent.
  Agent(AgentOptions options, Transport& transport, Spawner& spawner, absl::Time now);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void Handle(const Event& event, absl::Time now);
  // Lets time pass. Call at least after NextWait().
  void Tick(absl::Time now) { Advance(now); }
  absl::Duration NextWait() const;

  // True once the process should end: everything held is released after StopAsked, or the time for
  // that is over, or no job came for idle_exit, or exit_status() is an error.
  bool done() const { return done_; }
  // kUnauthenticated, kPermissionDenied: the token is wrong. kUnavailable: no coordinator within
  // connect_timeout. kInternal: trainers do not start. kFailedPrecondition: versions do not fit.
  const absl::Status& exit_status() const { return exit_status_; }
  // Known to a coordinator that answers.
  bool connected() const { return registered_ && reachable_; }

 private:
  struct Slot {
    int number = 0;
    std::optional<TrainerId> trainer = std::nullopt;
    bool ready = false;    // it said so
    bool busy = false;     // it has a job, and has not said done
    bool stopped = false;  // it was told to exit, or was killed
    std::optional<absl::Time> kill_at = std::nullopt;
    absl::Time spawn_after = absl::InfinitePast();
    Backoff spawn_backoff;
    std::unique_ptr<AttemptWork> work = nullptr;
    CallId acquire = 0;
    absl::Time acquire_after = absl::InfinitePast();
    Backoff acquire_backoff;
  };
  struct SentBatch {
    JobId job;
    int attempt = 0;
    std::int64_t end = 0;  // of the batch, in the attempt's log
  };

  void Advance(absl::Time now);
  bool draining() const { return stop_asked_ || operator_drain_; }
  std::vector<Transport::Held> AllHeld() const;
  std::vector<AttemptWork*> AllWork() const;
  AttemptWork* FindWork(const JobId& job, int attempt) const;
  void Direct(const std::vector<Transport::Directive>& directives);
  void Quit(const absl::Status& status);

  // Registration and heartbeats.
  void AdvanceRegistration(absl::Time now);
  void AdvanceHeartbeat(absl::Time now);
  void On(const RegisterAnswered& event, absl::Time now);
  void On(const HeartbeatAnswered& event, absl::Time now);
  void NoteUnreachable(const absl::Status& status, absl::Time now);
  void NoteReachable();

  // Slots.
  void AdvanceTrainer(Slot& slot, absl::Time now);
  void AdvanceWork(Slot& slot, absl::Time now);
  void AdvanceAcquire(Slot& slot, absl::Time now);
  void SendStops(Slot& slot, absl::Time now);
  void Kill(Slot& slot);
  Slot* SlotOf(TrainerId trainer);
  void On(const AcquireAnswered& event, absl::Time now);
  void On(const TrainerSaid& event, absl::Time now);
  void TrainerReady(Slot& slot, const ReadyMessage& ready);
  void On(const TrainerExited& event, absl::Time now);
  void NoteFailedStart(Slot& slot, const std::string& why);

  // The stream of points.
  void AdvanceReport(absl::Time now);
  void DropStream(absl::Time now);
  void On(const ReportAcknowledged& event, absl::Time now);
  void On(const ReportClosed& event, absl::Time now);

  // Draining.
  void On(const StopAsked& event, absl::Time now);
  void StartDraining(const std::string& reason);
  void AdvanceStop(absl::Time now);
  void AdvanceIdle(absl::Time now);
  bool idle(absl::Time now) const { return now - busy_at_ >= options_.idle_exit; }

  // Answers to calls of an attempt or of the corpora.
  template <typename Answer>
  void Pass(const Answer& event, absl::Time now);
  void On(const CheckpointCommitted& event, absl::Time now) { Pass(event, now); }
  void On(const FinishAnswered& event, absl::Time now) { Pass(event, now); }
  void On(const LogShipped& event, absl::Time now) { Pass(event, now); }
  void On(const Uploaded& event, absl::Time now) { Pass(event, now); }
  void On(const Downloaded& event, absl::Time now) { Pass(event, now); }

  AgentOptions options_;
  Transport& transport_;
  Spawner& spawner_;
  CallId next_call_ = 1;
  CorpusCache corpora_;
  AttemptContext context_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<AttemptWork>> recovered_;
  bool ever_ready_ = false;
  int failed_starts_ = 0;  // in a row, of all slots

  bool registered_ = false;
  bool ever_registered_ = false;
  CallId register_call_ = 0;
  absl::Time register_at_ = absl::InfinitePast();
  Backoff register_backoff_;
  std::optional<absl::Time> first_call_at_;  // to register; the trainers start before
  bool register_failed_ = false;
  absl::Duration heartbeat_every_ = absl::Seconds(2);
  absl::Duration idle_heartbeat_every_ = absl::Seconds(2);
  CallId heartbeat_call_ = 0;
  absl::Time beaten_at_ = absl::InfinitePast();
  bool reachable_ = true;
  absl::Time next_complaint_ = absl::InfinitePast();

  CallId stream_ = 0;
  absl::Time stream_at_ = absl::InfinitePast();
  Backoff stream_backoff_;
  std::uint64_t next_sequence_ = 1;
  std::deque<SentBatch> sent_;
  std::uint64_t acknowledged_ = 0;  // sequence
  absl::Time progress_at_ = absl::InfinitePast();

  absl::Time busy_at_;  // when it last had work, or was not known to a coordinator yet
  bool stop_asked_ = false;
  bool operator_drain_ = false;
  absl::Time stop_deadline_ = absl::InfiniteFuture();
  bool done_ = false;
  absl::Status exit_status_;
};

}  // namespace etude

#endif  // ETUDE_WORKER_AGENT_H_
