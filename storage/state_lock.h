// Keeps two coordinators out of one state directory.
#ifndef ETUDE_STORAGE_STATE_LOCK_H_
#define ETUDE_STORAGE_STATE_LOCK_H_

#include <string>

#include "absl/status/statusor.h"

namespace etude {

// Held from Take until it goes; the kernel releases it when the process dies. The file
// DIRECTORY/lock stays and holds the owner's process id.
class StateLock {
 public:
  // kFailedPrecondition: another process (or another owner in this one) has it; the message names
  // its process id.
  static absl::StatusOr<StateLock> Take(const std::string& directory);
  StateLock(StateLock&& other) noexcept;
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_STATE_LOCK_H_
