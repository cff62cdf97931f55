// One line per event on stderr, or in a file, for the daemons. Commands that people type print with
// their own words. Never included beside torch.
#ifndef ETUDE_LIB_BASE_LOG_H_
#define ETUDE_LIB_BASE_LOG_H_

#include <string>

namespace etude {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines below `level` are dropped. `program` starts every line.
void StartLog(const std::string& program, LogLevel level);
void Log(LogLevel level, const std::string& message);
inline void LogInfo(const std::string& message) { Log(LogLevel::kInfo, message); }
inline void LogWarning(const std::string& message) { Log(LogLevel::kWarning, message); }
inline void LogError(const std::string& message) { Log(LogLevel::kError, message); }

}  // namespace etude

#endif  // ETUDE_LIB_BASE_LOG_H_
