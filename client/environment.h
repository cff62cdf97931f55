// The process's environment variables as a value, so that nothing below main reads them.
#ifndef ETUDE_CLIENT_ENVIRONMENT_H_
#define ETUDE_CLIENT_ENVIRONMENT_H_

#include <functional>
#include <optional>
#include <string>

namespace etude {

// nullopt: not set, or set to nothing.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

}  // namespace etude

#endif  // ETUDE_CLIENT_ENVIRONMENT_H_
