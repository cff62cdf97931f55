// etude sweep extend
#ifndef ETUDE_CLIENT_SWEEP_EXTEND_H_
#define ETUDE_CLIENT_SWEEP_EXTEND_H_

#include <string>

#include "client/command.h"

namespace etude {

void AddSweepExtend(CommandTree& tree, CLI::App& noun);

// "first" -> "first-2", "first-2" -> "first-3".
std::string NextSweepName(const std::string& name);

}  // namespace etude

#endif  // ETUDE_CLIENT_SWEEP_EXTEND_H_
