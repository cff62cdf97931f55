// etude run logs
#ifndef ETUDE_CLIENT_RUN_LOGS_H_
#define ETUDE_CLIENT_RUN_LOGS_H_

#include "client/command.h"

namespace etude {

void AddRunLogs(CommandTree& tree, CLI::App& run);

}  // namespace etude

#endif  // ETUDE_CLIENT_RUN_LOGS_H_
