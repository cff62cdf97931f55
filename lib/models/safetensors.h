// The safetensors format: named arrays behind a JSON header, no code in files. The reader is at
// least as strict as the reference parser (Python package safetensors 0.8.0) and bounded, because
// checkpoints come from other machines.
#ifndef ETUDE_LIB_MODELS_SAFETENSORS_H_
#define ETUDE_LIB_MODELS_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

inline constexpr std::size_t kMaxSafetensorsHeaderBytes = std::size_t{8} << 20;
inline constexpr std::size_t kMaxSafetensorsArrays = 10'000;
inline constexpr std::size_t kMaxSafetensorsRank = 8;

enum class ElementType {
  kF64,
  kF32,
  kI64,
  kI32,
  kU8
};  // what our checkpoints hold; any other type is refused

struct NamedArray {
  std::string name;  // [A-Za-z0-9_.]{1,256}
  ElementType type = ElementType::kF32;
  std::vector<std::int64_t> shape;   // empty = one scalar
  std::span<const std::byte> bytes;  // little-endian, row-major, contiguous; not owned
};

using SafetensorsMetadata = std::map<std::string, std::string>;

struct Safetensors {
  SafetensorsMetadata metadata;
  std::vector<NamedArray> arrays;  // in file order
  // nullptr if there is none of that name.
  const NamedArray* Find(std::string_view name) const;
};

std::int64_t ElementBytes(ElementType type);

// The bytes of a file, the same for equal input. Arrays are laid out by element size, largest
// first, then by name, as the reference writer does; the header is padded to 8 bytes. The byte
// counts must match the shapes.
std::string EncodeSafetensors(std::vector<NamedArray> arrays, const SafetensorsMetadata& metadata);

// The arrays point into `file`, which must outlive them. kDataLoss, saying what and where:
// truncated or trailing bytes, a hole or overlap, a shape that does not match its bytes, an unknown
// type or key, a duplicate, a name or count out of bounds, or a header that is not UTF-8 JSON.
absl::StatusOr<Safetensors> DecodeSafetensors(std::string_view file);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_SAFETENSORS_H_
