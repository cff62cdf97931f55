// Whether a set of (N, D) points can identify a scaling law at all, before a run is paid for.
// Source: Hoffmann et al. 2022 for the law; the test is the scaled condition number of its
// Jacobian.
#ifndef ETUDE_LIB_SCALING_DESIGN_H_
#define ETUDE_LIB_SCALING_DESIGN_H_

#include <span>
#include <string>
#include <vector>

#include "lib/scaling/model.h"

namespace etude {

inline constexpr double kMaxDesignCondition = 300;  // above it an exponent is not identifiable

// One point of a design: N parameters (compute), D tokens. Seeds do not matter.
struct DesignPoint {
  double parameters = 0;
  double tokens = 0;
};

// Whether a law's parameters can be told apart. `power-n` E + A/N^alpha is judged on the D with the
// most sizes, `power-d` E + B/D^beta on the N with the most D, `chinchilla` E + A/N^alpha +
// B/D^beta on all points; nominal exponents 0.5, inputs centred in their logarithms.
struct LawVerdict {
  std::string law;  // "power-n", "power-d", "chinchilla"
  int parameters = 0;
  int rank = 0;
  double condition = 0;  // of the Jacobian with columns of unit length; infinity below full rank
  bool identifiable = false;         // full rank and condition < kMaxDesignCondition
  std::vector<std::string> reasons;  // in words, "D never varies"; empty when identifiable
};

struct FamilyDesign {
  Family family = Family::kTransformer;
  int sizes = 0;                 // distinct N
  int token_counts = 0;          // distinct D, within 1 %
  std::vector<LawVerdict> laws;  // power-n, power-d, chinchilla
  bool identifiable = false;     // chinchilla is: what `plan --strict` asks
  std::string repair;            // the cheapest addition that would make it so; empty when it is
};

FamilyDesign JudgeDesign(Family family, std::span<const DesignPoint> points);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_DESIGN_H_
