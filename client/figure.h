// Pictures of losses as SVG: panels with linear or logarithmic axes, lines, points and bands. Text
// in, text out.
#ifndef ETUDE_CLIENT_FIGURE_H_
#define ETUDE_CLIENT_FIGURE_H_

#include <optional>
#include <string>
#include <vector>

namespace etude {

enum class Scale { kLinear, kLog };

struct Axis {
  std::string label;  // with its unit: "validation loss (nats/token)"
  Scale scale = Scale::kLinear;
  // The range shown; what is not given follows from the data, with a small margin.
  std::optional<double> low;
  std::optional<double> high;
};

struct XY {
  double x = 0;
  double y = 0;
};

// One entry of the legend. Points that are not finite, or not positive on a logarithmic axis, are
// left out.
struct Plotted {
  enum class Kind {
    kLine,
    kPoints,
    kBand,  // between `points` and `upper`, which share their x
    kBars,  // vertical error bars from `points` to `upper`
  };
  Kind kind = Kind::kLine;
  std::string label;  // empty: not in the legend
  int color = 0;      // index into the palette; the same index means the same thing in every panel
  int marker = 0;     // index into the marker shapes, of kPoints
  bool dashed = false;
  bool hollow = false;  // kPoints: an outline only, for what was held out
  std::vector<XY> points;
  std::vector<XY> upper;
};

struct Panel {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Plotted> plotted;
  std::optional<double> guide_y;   // a thin horizontal line, such as residual 0
  std::vector<std::string> notes;  // lines of small print below the panel
};

struct Figure {
  std::string title;
  std::vector<Panel> panels;
  int columns = 2;
};

// A complete SVG document. Colours are those of Okabe and Ito (2008), distinguishable with every
// common colour blindness; markers differ too.
std::string RenderSvg(const Figure& figure);

// The values at which an axis from `low` to `high` has labelled ticks: 1, 2 and 5 times powers of
// ten, at most about `wanted`; on a logarithmic axis powers of ten, with 2 and 5 (or every digit)
// when it spans few of them.
std::vector<double> TickValues(double low, double high, Scale scale, int wanted);

// "300k", "2.7M", "1e13", "0.05": short, and exact to the digits shown.
std::string TickText(double value);

}  // namespace etude

#endif  // ETUDE_CLIENT_FIGURE_H_
