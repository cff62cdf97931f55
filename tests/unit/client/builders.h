// Small things the client's tests are made of.
#ifndef ETUDE_TESTS_UNIT_CLIENT_BUILDERS_H_
#define ETUDE_TESTS_UNIT_CLIENT_BUILDERS_H_

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "client/command.h"
#include "client/coordinator_client.h"
#include "tests/support/fake_clock.h"

namespace etude {

inline Environment MakeEnvironment(const std::map<std::string, std::string>& variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

// What a call of the program printed.
struct Printed {
  ExitCode code = ExitCode::kOk;
  std::string out;
  std::string err;
};

inline Printed Etude(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& variables = {}) {
  std::ostringstream out;
  std::ostringstream err;
  FakeClock clock;
  const ExitCode code = RunProgram(
      arguments, {out, err, MakeEnvironment(variables), Terminal(), clock, "/nonexistent"});
  return {code, out.str(), err.str()};
}

inline RunProgress MakeRun(RunState state = RunState::kQueued) {
  RunProgress progress;
  progress.run.key = RunKey(std::string(64, 'a'));
  progress.run.config.model = {.family = Family::kTransformer,
                               .layers = 2,
                               .width = 16,
                               .heads = 2,
                               .vocab = 37,
                               .context = 64};
  progress.run.config.corpus = CorpusId(std::string(64, 'c'));
  progress.run.config.steps = 100;
  progress.run.config.unique_tokens = 25600;
  progress.run.config.train_tokens = 25600;
  progress.run.config.lr = 0.005;
  progress.run.state = state;
  progress.train_loss = std::numeric_limits<double>::quiet_NaN();
  progress.val_probe = std::numeric_limits<double>::quiet_NaN();
  if (state == RunState::kSucceeded) {
    progress.run.result.emplace();
    progress.run.result->val_loss = 2.0;
    progress.run.result->best_val_loss = 1.9;
    progress.run.result->device = "cpu";
  }
  return progress;
}

inline SweepView MakeView(SweepState state, int succeeded, int running, int failed) {
  SweepView view;
  view.summary.sweep.id = SweepId(std::string(64, 'b'));
  view.summary.sweep.name = "first";
  view.summary.sweep.state = state;
  view.summary.succeeded = succeeded;
  view.summary.running = running;
  view.summary.failed = failed;
  return view;
}

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_CLIENT_BUILDERS_H_
