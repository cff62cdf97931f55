#include "lib/music/npy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <concepts>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

static_assert(std::endian::native == std::endian::little,
              "arrays are copied as they lie in memory");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kMaxHeaderBytes = 1 << 16;
constexpr int kMaxDimensions = 2;

struct Header {
  std::string dtype;  // "<u2"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t data_offset = 0;
};

absl::Status Damaged(const std::string& where, const std::string& what) {
  return DataLoss(fmt::format(
      "{}: {}; make the file again with numpy.save, or the corpus with: etude corpus build SRC DST",
      where, what));
}

// Reads the Python literal {'descr': '<u2', 'fortran_order': False, 'shape': (3,), } and no other
// expression.
class HeaderScanner {
 public:
  explicit HeaderScanner(std::string_view text) : text_(text) {}

  bool Scan(Header& header) {
    bool has_dtype = false, has_order = false, has_shape = false;
    if (!Take('{')) return false;
    while (!Take('}')) {
      std::string key;
      if (!TakeString(key) || !Take(':')) return false;
      if (key == "descr" && !has_dtype) {
        has_dtype = TakeString(header.dtype);
        if (!has_dtype) return false;
      } else if (key == "fortran_order" && !has_order) {
        has_order = TakeBool(header.fortran_order);
        if (!has_order) return false;
      } else if (key == "shape" && !has_shape) {
        has_shape = TakeShape(header.shape);
        if (!has_shape) return false;
      } else {
        return false;
      }
      if (!Take(',') && Peek() != '}') return false;
    }
    SkipBlanks();
    return text_.empty() && has_dtype && has_order && has_shape;
  }

 private:
  void SkipBlanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  char Peek() {
    SkipBlanks();
    return text_.empty() ? '\0' : text_[0];
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool TakeString(std::string& value) {
    if (!Take('\'')) return false;
    const std::size_t end = text_.find('\'');
    if (end == std::string_view::npos) return false;
    value = std::string(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return true;
  }
  bool TakeBool(bool& value) {
    value = Peek() == 'T';
    const std::string_view word = value ? "True" : "False";
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  bool TakeNumber(std::int64_t& value) {
    if (Peek() < '0' || Peek() > '9') return false;
    value = 0;
    while (!text_.empty() && text_[0] >= '0' && text_[0] <= '9') {
      if (value > (std::numeric_limits<std::int64_t>::max() - 9) / 10) return false;
      value = value * 10 + (text_[0] - '0');
      text_.remove_prefix(1);
    }
    return true;
  }
  bool TakeShape(std::vector<std::int64_t>& shape) {
    if (!Take('(')) return false;
    while (!Take(')')) {
      std::int64_t size = 0;
      if (shape.size() == kMaxDimensions || !TakeNumber(size)) return false;
      shape.push_back(size);
      if (!Take(',') && Peek() != ')') return false;
    }
    return true;
  }

  std::string_view text_;
};

// `bytes` holds at least the header; the data may follow or not.
absl::StatusOr<Header> ParseHeader(std::string_view bytes, const std::string& where) {
  if (bytes.size() < 10 || !bytes.starts_with(kMagic)) {
    return Damaged(where, "not a .npy file: it does not start with \\x93NUMPY");
  }
  const int major = static_cast<unsigned char>(bytes[6]);
  const int minor = static_cast<unsigned char>(bytes[7]);
  if ((major != 1 && major != 2) || minor != 0) {
    return Damaged(where, fmt::format("header version {}.{}; 1.0 and 2.0 are read", major, minor));
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const std::size_t start = 8 + length_bytes;
  if (bytes.size() < start) return Damaged(where, "cut short within its header");
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, length_bytes);
  if (length > kMaxHeaderBytes || bytes.size() - start < length) {
    return Damaged(where, fmt::format("cut short: a header of {} bytes is announced, {} follow",
                                      length, bytes.size() - start));
  }
  Header header;
  header.data_offset = start + length;
  if (!HeaderScanner(bytes.substr(start, length)).Scan(header)) {
    return Damaged(where,
                   "its header is not a dictionary of descr, fortran_order and shape (one "
                   "or two dimensions)");
  }
  return header;
}

std::optional<std::size_t> BytesOfToken(const std::string& dtype) {
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 6> kTypes = {
      {{"|u1", 1}, {"<u1", 1}, {"<u2", 2}, {"<u4", 4}, {"<i4", 4}, {"<i8", 8}}};
  for (const auto& [name, size] : kTypes) {
    if (dtype == name) return size;
  }
  return std::nullopt;
}

// Number of elements if exactly so many of `element_bytes` fill `data_bytes`.
absl::StatusOr<std::int64_t> CheckSize(const Header& header, std::size_t element_bytes,
                                       std::uint64_t data_bytes, const std::string& where) {
  std::uint64_t count = 1;
  for (const std::int64_t size : header.shape) {
    const auto factor = static_cast<std::uint64_t>(size);
    if (factor != 0 && count > data_bytes / factor) {
      return Damaged(where, fmt::format("truncated: its shape needs more than the {} bytes of data "
                                        "it has",
                                        data_bytes));
    }
    count *= factor;
  }
  if (count > data_bytes / element_bytes) {
    return Damaged(where, fmt::format("truncated: {} elements of {} bytes are announced, {} bytes "
                                      "of data follow",
                                      count, element_bytes, data_bytes));
  }
  if (count * element_bytes != data_bytes) {
    return Damaged(where, fmt::format("{} bytes are left over after {} elements of {} bytes",
                                      data_bytes - count * element_bytes, count, element_bytes));
  }
  return static_cast<std::int64_t>(count);
}

absl::StatusOr<std::size_t> CheckTokenHeader(const Header& header, const std::string& where) {
  const std::optional<std::size_t> element_bytes = BytesOfToken(header.dtype);
  if (!element_bytes) {
    return Damaged(where, fmt::format("dtype '{}'; token ids are u1, u2, u4, i4 or i8, "
                                      "little-endian",
                                      header.dtype.substr(0, 32)));
  }
  if (header.shape.size() != 1) {
    return Damaged(
        where, fmt::format("{} dimensions; token ids are one-dimensional", header.shape.size()));
  }
  return *element_bytes;
}

template <std::integral Element>
absl::StatusOr<std::vector<std::uint16_t>> Narrow(std::string_view data, const std::string& where) {
  std::vector<std::uint16_t> tokens(data.size() / sizeof(Element));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Element id;
    std::memcpy(&id, data.data() + i * sizeof(Element), sizeof(Element));
    if (!std::in_range<std::uint16_t>(id)) {
      return Damaged(where, fmt::format("id {} at position {} is outside 0..65535",
                                        static_cast<std::int64_t>(id), i));
    }
    tokens[i] = static_cast<std::uint16_t>(id);
  }
  return tokens;
}

std::string Preamble(std::string_view dtype, const std::string& shape) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", dtype, shape);
  // The data start at a multiple of 64 bytes and the header ends in a newline, as numpy writes it.
  const std::size_t unpadded = kMagic.size() + 4 + header.size() + 1;
  header.append((64 - unpadded % 64) % 64, ' ');
  header.push_back('\n');
  std::string bytes(kMagic);
  bytes.append({'\x01', '\x00', static_cast<char>(header.size() & 0xFF),
                static_cast<char>(header.size() >> 8)});
  return bytes + header;
}

template <typename Element>
std::string Npy(std::string_view dtype, const std::string& shape, std::span<const Element> values) {
  std::string bytes = Preamble(dtype, shape);
  const std::size_t start = bytes.size();
  bytes.resize(start + values.size_bytes());
  if (!values.empty()) std::memcpy(bytes.data() + start, values.data(), values.size_bytes());
  return bytes;
}

absl::StatusOr<std::string> ReadPrefix(const std::string& path, std::size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FromErrno(errno, "open " + path);
  std::string bytes(max_bytes, '\0');
  std::size_t filled = 0;
  ssize_t count = 1;
  while (filled < max_bytes && count > 0) {
    count = read(fd, bytes.data() + filled, max_bytes - filled);
    if (count < 0 && errno == EINTR)
      count = 1;
    else if (count > 0)
      filled += static_cast<std::size_t>(count);
  }
  const int error = errno;
  close(fd);
  if (count < 0) return FromErrno(error, "read " + path);
  bytes.resize(filled);
  return bytes;
}

}  // namespace

absl::StatusOr<std::vector<std::uint16_t>> ParseTokens(std::string_view bytes,
                                                       const std::string& where) {
  ASSIGN_OR_RETURN(const Header header, ParseHeader(bytes, where));
  ASSIGN_OR_RETURN(const std::size_t element_bytes, CheckTokenHeader(header, where));
  const std::string_view data = bytes.substr(header.data_offset);
  RETURN_IF_ERROR(CheckSize(header, element_bytes, data.size(), where).status());
  if (header.dtype == "<u2") return Narrow<std::uint16_t>(data, where);
  if (header.dtype == "<u4") return Narrow<std::uint32_t>(data, where);
  if (header.dtype == "<i4") return Narrow<std::int32_t>(data, where);
  if (header.dtype == "<i8") return Narrow<std::int64_t>(data, where);
  return Narrow<std::uint8_t>(data, where);
}

absl::StatusOr<std::vector<std::uint16_t>> ReadTokens(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return ParseTokens(bytes, path);
}

absl::StatusOr<std::int64_t> ReadTokenCount(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string prefix, ReadPrefix(path, kMaxHeaderBytes + 12));
  ASSIGN_OR_RETURN(const Header header, ParseHeader(prefix, path));
  ASSIGN_OR_RETURN(const std::size_t element_bytes, CheckTokenHeader(header, path));
  std::error_code error;
  const std::uintmax_t file_bytes = std::filesystem::file_size(path, error);
  if (error) return FromErrno(error.value(), "stat " + path);
  if (file_bytes < header.data_offset) return Damaged(path, "cut short while it was read");
  return CheckSize(header, element_bytes, file_bytes - header.data_offset, path);
}

absl::StatusOr<Matrix> ParseMatrix(std::string_view bytes, const std::string& where) {
  ASSIGN_OR_RETURN(const Header header, ParseHeader(bytes, where));
  if (header.dtype != "<f8") {
    return Damaged(where, fmt::format("dtype '{}'; f8 is read here", header.dtype.substr(0, 32)));
  }
  if (header.shape.empty()) return Damaged(where, "a scalar; one or two dimensions are read");
  if (header.shape.size() == 2 && header.fortran_order) {
    return Damaged(where, "columns lie first (Fortran order); save numpy.ascontiguousarray of it");
  }
  const std::string_view data = bytes.substr(header.data_offset);
  ASSIGN_OR_RETURN(const std::int64_t count, CheckSize(header, sizeof(double), data.size(), where));
  Matrix matrix;
  matrix.rows = header.shape[0];
  matrix.cols = header.shape.size() == 2 ? header.shape[1] : 1;
  matrix.values.resize(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(matrix.values.data(), data.data(), data.size());
  return matrix;
}

absl::StatusOr<Matrix> ReadMatrix(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return ParseMatrix(bytes, path);
}

std::string TokensToNpy(std::span<const std::uint16_t> tokens) {
  return Npy("<u2", fmt::format("({},)", tokens.size()), tokens);
}

std::string VectorToNpy(std::span<const double> values) {
  return Npy("<f8", fmt::format("({},)", values.size()), values);
}

std::string MatrixToNpy(std::span<const double> values, std::int64_t rows, std::int64_t cols) {
  ENSURE(rows >= 0 && cols >= 0 && static_cast<std::int64_t>(values.size()) == rows * cols);
  return Npy("<f8", fmt::format("({}, {})", rows, cols), values);
}

absl::Status WriteTokens(const std::string& path, std::span<const std::uint16_t> tokens) {
  return WriteFileAtomically(path, TokensToNpy(tokens));
}

}  // namespace etude
