// The pictures of a sweep. Pure: data in, Figure out. N is counted as compute, D is tokens trained
// on, losses are nats/token. In all of them a D has one colour and marker wherever it appears, as
// has the n-th size of a family; what was held out is hollow. Runs without what a picture shows are
// left out, and a note says how many.
#ifndef ETUDE_CLIENT_PLOT_FIGURES_H_
#define ETUDE_CLIENT_PLOT_FIGURES_H_

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/coordinator_client.h"
#include "client/figure.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/forecast.h"
#include "lib/scaling/ids.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/model.h"

namespace etude {

// A family's share of a sweep: a panel, or two.
struct FamilyPlot {
  Family family = Family::kTransformer;
  std::vector<RunProgress> runs;              // of this family, at least one
  std::optional<Fit> fit;                     // of those not held out, with N as compute
  std::vector<FrozenPrediction> predictions;  // of those held out
};

using CurvesByRun = std::map<RunKey, std::vector<LossPoint>>;

// One for each family that has runs, without fits and predictions.
std::vector<FamilyPlot> FamiliesOf(std::span<const RunProgress> runs);

// The validation probes of each run against the tokens trained on so far, a colour for each N.
// `probes`: points of other series are left out.
Figure CurvesFigure(const std::string& sweep, std::span<const FamilyPlot> families,
                    const CurvesByRun& probes);

// Final validation loss against N for each D, and against D for each N; lines join the means over
// seeds.
Figure LossBySizeFigure(const std::string& sweep, std::span<const FamilyPlot> families);
Figure LossByTokensFigure(const std::string& sweep, std::span<const FamilyPlot> families);

// Final validation loss against N with the law's curve and 95 % predictive band for each D, dashed
// where it extrapolates, and the frozen intervals of held-out runs; formula, numbers and verdict
// below. A refused fit has no curve, but its first reason.
Figure FitFigure(const std::string& sweep, std::span<const FamilyPlot> families);

// 100 ln(measured / predicted), so about per cent of the loss, against N and against D. Held-out
// runs are judged by their frozen prediction where there is one. A refused fit predicts nothing.
Figure ResidualsFigure(const std::string& sweep, std::span<const FamilyPlot> families);

}  // namespace etude

#endif  // ETUDE_CLIENT_PLOT_FIGURES_H_
