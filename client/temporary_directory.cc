#include "client/temporary_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>

#include "lib/base/status.h"

namespace etude {

absl::StatusOr<std::unique_ptr<TemporaryDirectory>> TemporaryDirectory::Make(
    const Environment& environment) {
  std::string path = environment("TMPDIR").value_or("/tmp") + "/etude-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return FromErrno(errno, "make a directory like " + path);
  return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(std::move(path)));
}

TemporaryDirectory::~TemporaryDirectory() {
  if (keep_) return;
  std::error_code ignored;  // what cannot be removed stays in the system's temporary directory
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace etude
