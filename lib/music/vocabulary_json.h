// What the vocab.json files of all schemes share.
#ifndef ETUDE_LIB_MUSIC_VOCABULARY_JSON_H_
#define ETUDE_LIB_MUSIC_VOCABULARY_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace etude {

// {"format_version", "scheme", "tokens"}; the scheme's own keys are put behind.
nlohmann::ordered_json VocabularyToJson(const std::string& scheme,
                                        const std::vector<std::string>& tokens);

// The file's bytes.
std::string VocabularyText(const nlohmann::ordered_json& root);

// kDataLoss with the command that makes the file again.
absl::Status DamagedVocabulary(const std::string& where, std::string_view what);

// The array "tokens": 1 to 65536 different texts, none empty. kDataLoss.
absl::StatusOr<std::vector<std::string>> TokensFromJson(const nlohmann::json& root,
                                                        const std::string& where);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_VOCABULARY_JSON_H_
