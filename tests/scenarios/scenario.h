// A small language for the scheduler: a line an event, and behind "->" what it must answer.
//
//   submit SWEEP [max_failed=N] [max_hours=H] RUN:STEPS[:SHAPE] ... [held_out=RUN:STEPS ...]
//                                                            -> created, 0 shared
//   cancel SWEEP    pause SWEEP    resume SWEEP    stop SWEEP    turn SWEEP PRIORITY [WEIGHT]
//   retry SWEEP [failed]               -> N runs
//   delete SWEEP                       -> N runs
//   cancel_run RUN    retry_run RUN    drain WORKER    undrain WORKER
//   explain RUN                        -> SWEEP WHAT, ..., WORKER WHAT, ...
//   awaiting                           -> the sweeps that await a forecast, or none
//   freeze SWEEP RUN ... [unpredicted=RUN ...]
//   predictions SWEEP                  -> RUN blind, RUN seen, ...
//   register WORKER [slots=N] [device=NAME] [JOB#ATTEMPT[/LOCAL_STEP] ...] -> JOB#ATTEMPT keep, ...
//   heartbeat WORKER [draining] [JOB#ATTEMPT[/LOCAL_STEP] ...] -> JOB#ATTEMPT keep, ...
//   acquire WORKER SLOT      -> JOB#ATTEMPT from 0 | ... from 50 local 1 | ... from 50 uploaded |
//                               none: WHY
//   points JOB#ATTEMPT FIRST..LAST [rate=TOKENS_PER_S]     -> superseded
//   checkpoint WORKER JOB#ATTEMPT STEP [branch]
//   finish WORKER JOB#ATTEMPT OUTCOME [local=STEP] [rate=TOKENS_PER_S]
//   advance SECONDS                    time passes, a second at a time
//   restart                            a new scheduler from what was stored
//   run RUN -> STATE: WHY    sweep SWEEP -> STATE: WHY    worker WORKER -> STATE
//   curve RUN -> FIRST..LAST steps of its newest job that have a training point, without a gap
//   path RUN  -> JOB FROM..TO, ...; points to STEP, from 1 on without a gap
//
// Runs of one name but for what follows a "~" share a trunk; their acquire also answers
// "branches [STEPS]". They begin to cool down after 4/5 of their steps.
//
//   lose JOB#ATTEMPT/STEP              the checkpoint's bytes turn out to be damaged
//   backup    restore ATTEMPTS_ABOVE   keep what is stored; a new scheduler from that
//
// JOB is a RUN, or RUN.N for the Nth job after its first. Without "->" the answer must be "ok"; an
// expectation that ends in "*" is a prefix; errors are "error CODE". A "#" that begins a line is a
// comment. Every answer's changes are committed to a store that checks the fences itself.
#ifndef ETUDE_TESTS_SCENARIOS_SCENARIO_H_
#define ETUDE_TESTS_SCENARIOS_SCENARIO_H_

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/scheduler.h"
#include "tests/scenarios/memory_results_store.h"

namespace etude {

class Scenario {
 public:
  Scenario();
  // Runs one line; empty if the answer was as expected, else what is wrong.
  std::string Check(const std::string& line);

 private:
  using Words = std::istringstream;
  std::string Answer(const std::string& command);
  std::string Submit(Words& words);
  std::string Register(Words& words);
  std::string Heartbeat(Words& words);
  std::string Turn(Words& words);
  std::string Retry(const std::string& sweep, Words& words);
  std::string ControlRun(const std::string& verb, const std::string& run);
  std::string Explain(const std::string& run);
  std::string Acquire(Words& words);
  std::string Points(Words& words);
  std::string Checkpointed(Words& words);
  std::string Finish(Words& words);
  std::string Advance(Words& words);
  std::string Restart();
  std::string Backup();
  std::string Restore(Words& words);
  std::string RunState(const std::string& run);
  std::string SweepState(const std::string& sweep);
  std::string WorkerStateOf(const std::string& worker);
  std::string CurveOf(const std::string& run);
  std::string PathOf(const std::string& run);
  std::string Awaiting() const;
  std::string Freeze(Words& words);
  std::string PredictionsOf(const std::string& sweep) const;

  RunConfig ConfigOf(const std::string& text);
  JobId JobOf(const std::string& name) const;
  std::string NameOf(const JobId& job) const;
  HeldAttempt ParseAttempt(const std::string& text) const;
  std::vector<HeldAttempt> ParseHeld(Words& words) const;
  std::string Text(const std::vector<Directive>& directives) const;

  Moment now_;
  MemoryResultsStore store_;
  std::unique_ptr<Scheduler> scheduler_;
  Scheduler::Changes changes_;
  std::map<std::string, RunConfig> runs_;
  std::map<std::string, int> slots_;
  std::map<std::pair<std::string, int>, std::string> holders_;  // of job and attempt
};

}  // namespace etude

#endif  // ETUDE_TESTS_SCENARIOS_SCENARIO_H_
