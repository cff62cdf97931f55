// etude fleet render: for engines that are told by a file.
#ifndef ETUDE_CLIENT_FLEET_RENDER_H_
#define ETUDE_CLIENT_FLEET_RENDER_H_

#include "client/command.h"

namespace etude {

// Adds the command below `fleet`.
void AddFleetRender(CommandTree& tree, CLI::App& fleet);

}  // namespace etude

#endif  // ETUDE_CLIENT_FLEET_RENDER_H_
