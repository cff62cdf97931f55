// Reads a JSON object strictly: every key must be asked for, with its type, and none may be left.
#ifndef ETUDE_WORKER_STRICT_JSON_H_
#define ETUDE_WORKER_STRICT_JSON_H_

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "lib/base/status.h"

namespace etude {

// The first error sticks; later reads leave their targets alone. `json` must outlive the reader.
class StrictObject {
 public:
  explicit StrictObject(const nlohmann::json& json, std::string where)
      : json_(json), where_(std::move(where)) {
    if (!json.is_object()) Fail("is no object");
  }

  void Read(const char* key, std::string& value) {
    if (const auto* found = Find(key, &nlohmann::json::is_string)) value = *found;
  }
  void Read(const char* key, bool& value) {
    if (const auto* found = Find(key, &nlohmann::json::is_boolean)) value = *found;
  }
  void Read(const char* key, std::int64_t& value) {
    if (const auto* found = Find(key, &nlohmann::json::is_number_integer)) value = *found;
  }
  void Read(const char* key, int& value) {
    std::int64_t wide = value;
    Read(key, wide);
    if (wide < INT32_MIN || wide > INT32_MAX) return Fail(std::string(key) + " is out of range");
    value = static_cast<int>(wide);
  }
  // null stands for a value that is not finite, which JSON cannot write.
  void Read(const char* key, double& value) {
    const auto* found = Find(key, nullptr);
    if (found == nullptr) return;
    if (found->is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (found->is_number()) {
      value = *found;
    } else {
      Fail(std::string(key) + " has the wrong type");
    }
  }
  const nlohmann::json& Child(const char* key) {
    static const nlohmann::json kNothing;
    const auto* found = Find(key, nullptr);
    return found == nullptr ? kNothing : *found;
  }
  bool Has(const char* key) const { return json_.is_object() && json_.contains(key); }

  // The first error, or that keys were left.
  absl::Status Done() {
    if (status_.ok() && json_.size() != read_) Fail("has an unknown key");
    return status_;
  }
  void Fail(const std::string& what) {
    if (status_.ok()) status_ = InvalidArgument(where_ + ": " + what);
  }

 private:
  const nlohmann::json* Find(const char* key, bool (nlohmann::json::*type)() const noexcept) {
    if (!status_.ok()) return nullptr;
    const auto found = json_.find(key);
    if (found == json_.end()) {
      Fail(std::string(key) + " is missing");
      return nullptr;
    }
    if (type != nullptr && !((*found).*type)()) {
      Fail(std::string(key) + " has the wrong type");
      return nullptr;
    }
    ++read_;
    return &*found;
  }

  const nlohmann::json& json_;
  std::string where_;
  std::size_t read_ = 0;
  absl::Status status_;
};

}  // namespace etude

#endif  // ETUDE_WORKER_STRICT_JSON_H_
