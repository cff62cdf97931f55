// SHA-256 for identities (OpenSSL), CRC-32C for torn or damaged records.
#ifndef ETUDE_LIB_BASE_HASH_H_
#define ETUDE_LIB_BASE_HASH_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace etude {

// Incremental SHA-256. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void Update(std::string_view bytes);
  std::string HexDigest();  // 64 lower-case hex digits; call once, last

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(std::string_view bytes);
// Streams the file; errors as in FromErrno.
absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path);
// True for exactly 64 lower-case hex digits.
bool IsSha256Hex(std::string_view text);

// CRC-32C (Castagnoli), as in iSCSI (RFC 3720). Crc32c(b, Crc32c(a)) is the checksum of a followed
// by b.
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace etude

#endif  // ETUDE_LIB_BASE_HASH_H_
