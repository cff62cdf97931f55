// What a person may ask of sweeps, runs and workers that are there.
#ifndef ETUDE_CLIENT_CONTROLS_H_
#define ETUDE_CLIENT_CONTROLS_H_

#include "client/command.h"

namespace etude {

// pause, resume, stop, retry, turn
void AddSweepControls(CommandTree& tree, CLI::App& sweep);
// cancel, retry, explain
void AddRunControls(CommandTree& tree, CLI::App& run);
// show, drain, undrain
void AddWorkerControls(CommandTree& tree, CLI::App& worker);

}  // namespace etude

#endif  // ETUDE_CLIENT_CONTROLS_H_
