// A figure as files.
#ifndef ETUDE_CLIENT_PICTURE_H_
#define ETUDE_CLIENT_PICTURE_H_

#include <string>

#include "absl/status/status.h"
#include "client/command.h"
#include "client/figure.h"

namespace etude {

// Writes FOLDER/NAME.svg and, where rsvg-convert is installed, NAME.png; makes the folder and says
// the files' names. Errors as WriteFileAtomically; a failed conversion is said, not returned.
absl::Status DrawPicture(Session& session, const Figure& figure, const std::string& folder,
                         const std::string& name);

}  // namespace etude

#endif  // ETUDE_CLIENT_PICTURE_H_
