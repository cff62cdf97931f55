// A spec and more of it: the runs that are there stay, so a coordinator that has them trains only
// what is new, and longer ones from where the shorter ones began to cool down.
#ifndef ETUDE_LIB_SCALING_SPEC_EXTEND_H_
#define ETUDE_LIB_SCALING_SPEC_EXTEND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

// What is left empty stays as the spec's grids have it.
struct SpecExtension {
  std::string name;                           // of the new sweep
  std::vector<std::string> transformer = {};  // shapes
  std::vector<std::string> lstm = {};
  std::vector<std::string> tokens = {};  // as in a spec: "2.7M"
  std::vector<std::int64_t> seeds = {};
};

// `toml` under the new name, with a further [[grid]] for each of its own that the extension
// changes: with new shapes, one for the first grid of their family. Comments stay.
// kInvalidArgument: nothing is asked for, `toml` is no spec, or it has no grid of a family.
absl::StatusOr<std::string> ExtendSpec(const std::string& toml, const SpecExtension& extension);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_SPEC_EXTEND_H_
