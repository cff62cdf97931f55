// What `etude corpus fetch` leaves: a tree of files, and SOURCE.json with where they came from. The
// directory appears whole or not at all.
#ifndef ETUDE_CLIENT_FETCHED_TREE_H_
#define ETUDE_CLIENT_FETCHED_TREE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

struct FetchReport {
  bool already_complete = false;  // the directory held exactly this source; nothing was fetched
  std::int64_t files = 0;         // of music
  std::int64_t bytes = 0;
  std::vector<std::string> licence_notes = {};
};

struct FetchRequest {
  std::string source;
  std::filesystem::path dir;
  std::function<void(const std::string&)> say;  // gets lines for the user

  std::string RetryCommand() const;
};

struct FetchedFile {
  std::string path;  // within the tree
  std::string sha256;
  std::int64_t bytes = 0;
};

struct FetchedTree {
  std::vector<std::pair<std::string, std::string>> origin;  // keys of SOURCE.json and their values
  std::vector<std::string> licence_notes = {};
  std::vector<FetchedFile> files = {};
  // Where files are too many to be listed one by one.
  std::int64_t unlisted_files = 0;
  std::int64_t unlisted_bytes = 0;
};

// A directory beside `path` that is removed with everything in it when it goes.
class ScratchDirectory {
 public:
  // Makes the parents of `path` too.
  static absl::StatusOr<ScratchDirectory> Beside(const std::filesystem::path& path);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// SHA-256 of "SHA256  PATH\n" of all files, which it sorts by path.
std::string DigestOf(std::vector<FetchedFile>& files);

// What lies in the request's directory; nullopt if nothing does. A digest that is not empty must be
// that of the files. kAlreadyExists: something else. kDataLoss: files are not as SOURCE.json says.
absl::StatusOr<std::optional<FetchReport>> CheckFetched(const FetchRequest& request,
                                                        const std::string& digest);

// Adds SOURCE.json to `result`, whose files `tree` describes, and moves it to the request's place.
absl::StatusOr<FetchReport> PublishFetched(const FetchRequest& request, FetchedTree tree,
                                           const std::filesystem::path& result);

}  // namespace etude

#endif  // ETUDE_CLIENT_FETCHED_TREE_H_
