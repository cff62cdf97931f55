// The Lakh MIDI Dataset v0.1 (Raffel 2016, colinraffel.com/projects/lmd), a gigabyte and more.
#ifndef ETUDE_CLIENT_LAKH_FETCH_H_
#define ETUDE_CLIENT_LAKH_FETCH_H_

#include <cstdint>
#include <string>

#include "client/fetched_tree.h"

namespace etude {

struct LakhArchive {
  std::string source;  // "lakh-matched"
  std::string url;
  std::int64_t bytes = 0;
  std::string md5;
  std::string sha256;
};

struct LakhOptions {
  std::string url = "";   // another place to fetch the same archive from
  std::string from = "";  // the archive, fetched already; it stays
};

// nullptr: no Lakh source.
const LakhArchive* FindLakhArchive(const std::string& source);

// Fetches the archive with curl to DIR.tar.gz.part, going on where an earlier call was cut off,
// checks its size, MD5 and SHA-256, and unpacks its .mid files. kInvalidArgument: a URL that is not
// HTTP, or both options. kNotFound: no curl, or no such file. kUnavailable: cut off; the part
// stays, call again. kDataLoss: not the archive that was expected; what was fetched is removed.
absl::StatusOr<FetchReport> FetchLakh(const LakhArchive& archive, const LakhOptions& options,
                                      const FetchRequest& request);

}  // namespace etude

#endif  // ETUDE_CLIENT_LAKH_FETCH_H_
