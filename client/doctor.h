// What `etude doctor` makes of what it found.
#ifndef ETUDE_CLIENT_DOCTOR_H_
#define ETUDE_CLIENT_DOCTOR_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/coordinator_client.h"
#include "client/failure.h"
#include "client/output.h"

namespace etude {

inline constexpr std::int64_t kLowDiskBytes = std::int64_t{1} << 30;
inline constexpr absl::Duration kMaxClockSkew = absl::Seconds(60);

enum class Health { kOk, kWarn, kFail };

struct Finding {
  std::string check;
  Health health = Health::kOk;
  std::string found;
  std::string fix;                      // the command to type; set unless ok
  ExitCode code = ExitCode::kInternal;  // when it fails
};

// Of a coordinator that answered: version, protocol, store, disk, clock.
std::vector<Finding> ExamineCoordinator(const CoordinatorInfo& info, absl::Time now);
Finding ExamineWorkers(const std::vector<WorkerView>& workers);

Report DoctorReport(const std::vector<Finding>& findings);
// kOk, or the code of the first failure.
ExitCode ExitCodeOf(const std::vector<Finding>& findings);

}  // namespace etude

#endif  // ETUDE_CLIENT_DOCTOR_H_
