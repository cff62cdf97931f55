// One panel of a figure as SVG. Only for client/figure.cc.
#ifndef ETUDE_CLIENT_FIGURE_PANEL_H_
#define ETUDE_CLIENT_FIGURE_PANEL_H_

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

#include "client/figure.h"

namespace etude {

inline constexpr double kPanelWidth = 470;
inline constexpr double kPanelLeft = 66;  // of the frame in the panel
inline constexpr double kPanelRight = 18;

// Empty until it covers a value.
struct DataRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Cover(double value) {
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  bool empty() const { return !(low <= high); }
};

// What the data of a panel spans.
struct DataExtent {
  DataRange x;
  DataRange y;
  void Cover(const Panel& panel);
};

// Appends it with its upper left corner at (x, y); `id` is its own in the document. Returns the
// height that it took.
double DrawPanel(const Panel& panel, const DataExtent& extent, double x, double y, std::size_t id,
                 std::string& svg);

// Text as XML takes it.
std::string EscapedXml(std::string_view text);

// How many letters of a font's size fit a width, by a generous mean over the fonts that the stack
// may meet; bold ones are kBold times as wide.
inline constexpr double kBold = 1.2;
int LettersIn(double width, double size);

}  // namespace etude

#endif  // ETUDE_CLIENT_FIGURE_PANEL_H_
