#include <cstdint>

#include "lib/base/status.h"
#include "lib/music/npy.h"
#include "tests/fuzz/fuzz_target.h"

namespace etude {
namespace {

void Run(std::string_view bytes) {
  if (const auto tokens = ParseTokens(bytes, "fuzz"); tokens.ok()) {
    const auto again = ParseTokens(TokensToNpy(*tokens), "fuzz");
    ENSURE(again.ok() && *again == *tokens);
  }
  if (const auto matrix = ParseMatrix(bytes, "fuzz"); matrix.ok()) {
    ENSURE(matrix->rows * matrix->cols == std::ssize(matrix->values));
    const auto again = ParseMatrix(MatrixToNpy(matrix->values, matrix->rows, matrix->cols), "fuzz");
    ENSURE(again.ok() && again->rows == matrix->rows && again->cols == matrix->cols);
  }
}

std::string V1(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  return bytes + header + data;
}

std::vector<std::string> Seeds() {
  const std::vector<std::uint16_t> tokens = {0, 1, 77, 65535};
  const std::vector<double> values = {1.5, -2, 0, 1e300, 5, 6};
  std::vector<std::string> seeds = {TokensToNpy(tokens), TokensToNpy({}), VectorToNpy(values),
                                    MatrixToNpy(values, 2, 3)};
  for (const char* type : {"|u1", "<u4", "<i4", "<i8", "<f4", ">u2"}) {
    seeds.push_back(
        V1("{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (1,), }\n",
           std::string("\1\0\0\0\0\0\0\0", 8)));
  }
  seeds.push_back(V1("{'shape': (99999999999999999999,), 'descr': '<u2'}\n", ""));
  return seeds;
}

}  // namespace

const FuzzTarget kNpyTarget = {.name = "npy", .run = Run, .seeds = Seeds};

}  // namespace etude
