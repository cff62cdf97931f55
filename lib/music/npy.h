// NumPy's .npy files, the form in which token ids and per-document sums are kept: little-endian, C
// order, header versions 1.0 and 2.0. Source: numpy.lib.format. Files may come from strangers:
// every size is checked before use.
#ifndef ETUDE_LIB_MUSIC_NPY_H_
#define ETUDE_LIB_MUSIC_NPY_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace etude {

// Row-major doubles; a vector is a matrix of one column.
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<double> values;  // rows * cols
};

// Token ids from a one-dimensional array of u1, u2, u4, i4 or i8. `where` names the bytes in
// errors. kDataLoss: not such a file, cut short, bytes left over, or an id below 0 or above 65535.
absl::StatusOr<std::vector<std::uint16_t>> ParseTokens(std::string_view bytes,
                                                       const std::string& where);
// The same from a file; kNotFound and other errors of ReadFile beside those above.
absl::StatusOr<std::vector<std::uint16_t>> ReadTokens(const std::string& path);
// The number of tokens, from the header and the file's size alone; errors as ReadTokens.
absl::StatusOr<std::int64_t> ReadTokenCount(const std::string& path);

// Doubles from a one- or two-dimensional array of f8; errors as ParseTokens.
absl::StatusOr<Matrix> ParseMatrix(std::string_view bytes, const std::string& where);
absl::StatusOr<Matrix> ReadMatrix(const std::string& path);

// The bytes of a .npy file that numpy.load reads: uint16 [n], float64 [n], float64 [rows, cols].
std::string TokensToNpy(std::span<const std::uint16_t> tokens);
std::string VectorToNpy(std::span<const double> values);
// `values` holds rows * cols numbers, row by row.
std::string MatrixToNpy(std::span<const double> values, std::int64_t rows, std::int64_t cols);

// Writes TokensToNpy(tokens) atomically; errors of WriteFileAtomically.
absl::Status WriteTokens(const std::string& path, std::span<const std::uint16_t> tokens);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_NPY_H_
