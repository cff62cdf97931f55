// Pictures of losses as SVG: panels with linear or logarithmic axes, lines, points and bands. Text
// in, text out.
#ifndef ETUDE_CLIENT_FIGURE_H_
#define ETUDE_CLIENT_FIGURE_H_

#include <optional>
#include <string>
#include <vector>

#include "client/ticks.h"

namespace etude {

// What belongs to no level of the data: the legend's words for a kind of line or mark.
inline constexpr int kNeutralColor = -1;

struct Axis {
  std::string label = {};  // with its unit: "validation loss (nats/token)"
  Scale scale = Scale::kLinear;
  // The range shown; what is not given follows from the data, with a small margin.
  std::optional<double> low = {};
  std::optional<double> high = {};
  // Of x: the names of 0, 1, 2 ..., in place of ticks.
  std::vector<std::string> categories = {};
};

struct XY {
  double x = 0;
  double y = 0;
};

// What shares a look, and at most one entry of the legend; without points it is that entry alone.
// Points that are not finite, or not positive on a logarithmic axis, are left out.
struct Plotted {
  enum class Kind {
    kLine,
    kPoints,
    kBand,     // between `points` and `upper`, which share their x
    kBars,     // vertical intervals from `points` to `upper`
    kColumns,  // filled ones from 0 to `points`, `width` wide
  };
  Kind kind = Kind::kLine;
  std::string label = {};  // empty: not in the legend
  int color = 0;     // index into the palette; the same index means the same thing in every panel
  int marker = 0;    // index into the marker shapes, of kPoints; both start over at their end
  double width = 1;  // of kColumns, in units of x
  bool dashed = false;
  bool hollow = false;  // kPoints: an outline only, for what was held out
  std::vector<XY> points = {};
  std::vector<XY> upper = {};
};

struct Panel {
  std::string title;
  Axis x = {};
  Axis y = {};
  std::vector<Plotted> plotted = {};
  std::optional<double> guide_y = {};   // a thin horizontal line, such as residual 0
  std::vector<std::string> notes = {};  // small print below the panel, wrapped to its width
};

struct Figure {
  std::string title;
  std::vector<Panel> panels;
  int columns = 2;
  // All panels show one range, which covers the data of each; an axis' own low and high come first.
  bool same_x = false;
  bool same_y = false;
};

// A complete SVG document, the same bytes for equal figures. Texts may hold anything: what XML
// refuses is shown as '?', what does not fit is cut. Colours are those of Okabe and Ito (2008),
// distinguishable with every common colour blindness; markers differ too.
std::string RenderSvg(const Figure& figure);

}  // namespace etude

#endif  // ETUDE_CLIENT_FIGURE_H_
