#include "lib/models/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxNameBytes = 256;
constexpr int kMaxHeaderDepth = 3;  // header object, entry object, shape or data_offsets array
constexpr std::string_view kMetadataKey = "__metadata__";

constexpr std::pair<ElementType, std::string_view> kTypeNames[] = {
    {ElementType::kF64, "F64"}, {ElementType::kF32, "F32"}, {ElementType::kI64, "I64"},
    {ElementType::kI32, "I32"}, {ElementType::kU8, "U8"},
};

std::string_view TypeName(ElementType type) {
  for (const auto& [value, name] : kTypeNames) {
    if (value == type) return name;
  }
  return "";
}

std::optional<ElementType> TypeFromName(std::string_view text) {
  for (const auto& [value, name] : kTypeNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

absl::Status Bad(const std::string& what) {
  return DataLoss("safetensors: " + what + "; fetch the checkpoint again, or train the run again");
}

bool IsArrayName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  });
}

// Builds the header, refusing what a DOM parser lets through: duplicate keys and deep nesting.
class StrictHeader : public nlohmann::json_sax<Json> {
 public:
  explicit StrictHeader(Json& root) : dom_(root, /*allow_exceptions=*/false) {}
  const std::string& error() const { return error_; }

  bool null() override { return dom_.null(); }
  bool boolean(bool value) override { return dom_.boolean(value); }
  bool number_integer(number_integer_t value) override { return dom_.number_integer(value); }
  bool number_unsigned(number_unsigned_t value) override { return dom_.number_unsigned(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    return dom_.number_float(value, text);
  }
  bool string(string_t& value) override { return dom_.string(value); }
  bool binary(binary_t& value) override { return dom_.binary(value); }
  bool start_object(std::size_t size) override {
    keys_.emplace_back();
    return Enter() && dom_.start_object(size);
  }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) return Refuse("duplicate key '" + name + "'");
    if (keys_.size() == 1 && keys_.back().size() > kMaxSafetensorsArrays + 1) {
      return Refuse("more than " + std::to_string(kMaxSafetensorsArrays) + " arrays");
    }
    return dom_.key(name);
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return dom_.end_object();
  }
  bool start_array(std::size_t size) override { return Enter() && dom_.start_array(size); }
  bool end_array() override {
    --depth_;
    return dom_.end_array();
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return Refuse("header is not UTF-8 JSON at byte " + std::to_string(kLengthBytes + position));
  }

 private:
  bool Enter() { return ++depth_ <= kMaxHeaderDepth || Refuse("header is nested too deeply"); }
  bool Refuse(const std::string& why) {
    if (error_.empty()) error_ = why;
    return false;
  }

  nlohmann::detail::json_sax_dom_parser<Json> dom_;
  std::vector<std::set<std::string>> keys_;
  int depth_ = 0;
  std::string error_;
};

// The entries of one array of a header: shape or data_offsets.
absl::StatusOr<std::vector<std::int64_t>> NonNegatives(const Json& value,
                                                       const std::string& where) {
  if (!value.is_array()) return Bad(where + " is not a list");
  if (value.size() > kMaxSafetensorsRank) return Bad(where + " is too long");
  std::vector<std::int64_t> numbers;
  for (const Json& item : value) {
    const auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > limit) {
      return Bad(where + " holds something that is no size");
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

// Bytes that `shape` needs; nullopt when the product does not fit 63 bits.
std::optional<std::int64_t> BytesOf(const std::vector<std::int64_t>& shape, ElementType type) {
  std::int64_t bytes = ElementBytes(type);
  for (std::int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

absl::StatusOr<NamedArray> DecodeEntry(const std::string& name, const Json& entry,
                                       std::string_view data) {
  if (!IsArrayName(name)) return Bad("an array's name is outside [A-Za-z0-9_.]{1,256}");
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets") || !entry["dtype"].is_string()) {
    return Bad("'" + name + "' needs exactly dtype, shape and data_offsets");
  }
  const std::optional<ElementType> type =
      TypeFromName(entry["dtype"].get_ref<const std::string&>());
  if (!type) return Bad("'" + name + "' has a dtype that is not F64, F32, I64, I32 or U8");
  ASSIGN_OR_RETURN(std::vector<std::int64_t> shape, NonNegatives(entry["shape"], name + ".shape"));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> offsets,
                   NonNegatives(entry["data_offsets"], name + ".data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1] ||
      static_cast<std::uint64_t>(offsets[1]) > data.size()) {
    return Bad("'" + name + "' lies outside the file");
  }
  if (BytesOf(shape, *type) != offsets[1] - offsets[0]) {
    return Bad("'" + name + "' has a shape that does not match its bytes");
  }
  const std::string_view bytes = data.substr(offsets[0], offsets[1] - offsets[0]);
  return NamedArray{name, *type, std::move(shape), std::as_bytes(std::span(bytes))};
}

absl::StatusOr<SafetensorsMetadata> DecodeMetadata(const Json& value) {
  if (!value.is_object()) return Bad("__metadata__ is not an object");
  SafetensorsMetadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return Bad("__metadata__ '" + key + "' is not a string");
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

// Sorts by place and checks that the arrays cover the data exactly once.
absl::Status CheckCover(std::vector<NamedArray>& arrays, std::string_view data) {
  const auto* base = reinterpret_cast<const std::byte*>(data.data());
  std::sort(arrays.begin(), arrays.end(), [](const NamedArray& a, const NamedArray& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  const std::byte* expected = base;
  for (const NamedArray& array : arrays) {
    if (array.bytes.data() != expected) return Bad("hole or overlap before '" + array.name + "'");
    expected += array.bytes.size();
  }
  if (expected != base + data.size()) return Bad("bytes after the last array");
  return absl::OkStatus();
}

}  // namespace

const NamedArray* Safetensors::Find(std::string_view name) const {
  for (const NamedArray& array : arrays) {
    if (array.name == name) return &array;
  }
  return nullptr;
}

std::int64_t ElementBytes(ElementType type) {
  switch (type) {
    case ElementType::kF64:
    case ElementType::kI64:
      return 8;
    case ElementType::kF32:
    case ElementType::kI32:
      return 4;
    case ElementType::kU8:
      return 1;
  }
  ENSURE(false);
}

std::string EncodeSafetensors(std::vector<NamedArray> arrays, const SafetensorsMetadata& metadata) {
  std::sort(arrays.begin(), arrays.end(), [](const NamedArray& a, const NamedArray& b) {
    return std::pair(-ElementBytes(a.type), a.name) < std::pair(-ElementBytes(b.type), b.name);
  });
  nlohmann::ordered_json header;
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  std::size_t end = 0;
  for (const NamedArray& array : arrays) {
    ENSURE(IsArrayName(array.name) &&
           BytesOf(array.shape, array.type) == static_cast<std::int64_t>(array.bytes.size()));
    const std::size_t begin = end;
    end += array.bytes.size();
    header[array.name] = {
        {"dtype", TypeName(array.type)}, {"shape", array.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.is_null() ? "{}" : header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  file.reserve(kLengthBytes + text.size() + end);
  file += text;
  for (const NamedArray& array : arrays) {
    file.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  }
  return file;
}

absl::StatusOr<Safetensors> DecodeSafetensors(std::string_view file) {
  if (file.size() < kLengthBytes) return Bad("shorter than its length field");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMaxSafetensorsHeaderBytes) return Bad("header longer than 8 MiB");
  if (length > file.size() - kLengthBytes) return Bad("header is truncated");
  const std::string_view text = file.substr(kLengthBytes, length);
  const std::string_view data = file.substr(kLengthBytes + length);
  Json header;
  StrictHeader strict(header);
  if (text.empty() || text.front() != '{') return Bad("header does not start with '{'");
  if (!Json::sax_parse(text.begin(), text.end(), &strict)) return Bad(strict.error());
  Safetensors result;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadataKey) {
      ASSIGN_OR_RETURN(result.metadata, DecodeMetadata(entry));
      continue;
    }
    ASSIGN_OR_RETURN(NamedArray array, DecodeEntry(name, entry, data));
    result.arrays.push_back(std::move(array));
  }
  RETURN_IF_ERROR(CheckCover(result.arrays, data));
  return result;
}

}  // namespace etude
