// The keys of [train], which [transformer], [lstm] and each [[grid]] may override. Only for the
// sources of this room.
#ifndef ETUDE_LIB_SCALING_SPEC_TRAIN_H_
#define ETUDE_LIB_SCALING_SPEC_TRAIN_H_

#include <functional>
#include <vector>

#include "lib/scaling/spec.h"
#include "lib/scaling/spec_reader.h"

namespace etude {

// What one table sets; applied to settings in the order of precedence, lowest first.
using TrainOverrides = std::vector<std::function<void(TrainSettings&)>>;
TrainOverrides ReadTrainOverrides(TableReader& reader, SpecErrors& errors);
void Apply(const TrainOverrides& overrides, TrainSettings& settings);

// The settings of a spec that sets nothing. `at`: where errors about defaults point.
TrainSettings DefaultSettings(Family family, SourcePosition at);

// Checks what single keys cannot show and drops what the schedule does not use, so that equal runs
// have equal configs.
void Settle(TrainSettings& settings, SpecErrors& errors);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_SPEC_TRAIN_H_
