#include "client/picture.h"

#include "client/external_command.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kZoom[] = "2";  // of the PNG against the SVG

// The name of the PNG; empty: there is no converter.
std::string Convert(Session& session, const std::string& svg, const std::string& png) {
  const absl::StatusOr<ExternalResult> result =
      RunExternal({.arguments = {"rsvg-convert", "--zoom", kZoom, "--output", png, svg}});
  if (result.ok() && result->status == 0) return png;
  const bool missing = result.status().code() == absl::StatusCode::kNotFound;
  if (!missing) {
    session.Say(png + " was not made: " +
                (result.ok() ? LastLineOf(result->err) : std::string(result.status().message())));
  }
  return {};
}

}  // namespace

absl::Status DrawPicture(Session& session, const Figure& figure, const std::string& folder,
                         const std::string& name) {
  RETURN_IF_ERROR(MakeDirectories(folder));
  const std::string svg = folder + "/" + name + ".svg";
  RETURN_IF_ERROR(WriteFileAtomically(svg, RenderSvg(figure)));
  const std::string png = Convert(session, svg, folder + "/" + name + ".png");
  session.Say("wrote " + svg + (png.empty() ? "" : " and " + png));
  return absl::OkStatus();
}

}  // namespace etude
