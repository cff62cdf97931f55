// A directory that goes with its owner.
#ifndef ETUDE_CLIENT_TEMPORARY_DIRECTORY_H_
#define ETUDE_CLIENT_TEMPORARY_DIRECTORY_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "client/environment.h"

namespace etude {

class TemporaryDirectory {
 public:
  // Under $TMPDIR, else /tmp; only the user may enter it.
  static absl::StatusOr<std::unique_ptr<TemporaryDirectory>> Make(const Environment& environment);
  // Removes it and all in it, unless Keep was called.
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  void Keep() { keep_ = true; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
  bool keep_ = false;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_TEMPORARY_DIRECTORY_H_
