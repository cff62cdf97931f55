// Numbers as people write them: "300k", "2.7M", "1e15", "64 steps".
#ifndef ETUDE_LIB_SCALING_QUANTITY_H_
#define ETUDE_LIB_SCALING_QUANTITY_H_

#include <optional>
#include <string>
#include <string_view>

namespace etude {

struct Quantity {
  double value = 0;
  std::string unit;  // the word after the number; empty if there is none
};

// A decimal number, one of k M B T for 10^3 10^6 10^9 10^12 right behind it, then perhaps a space
// and a unit. nullopt for anything else: signs, inf, nan, hexadecimal, other letters.
std::optional<Quantity> ParseQuantity(std::string_view text);

// The shortest such form: 300000 -> "300k", 2700000 -> "2.7M", 12345 -> "12345". Six digits where
// the number is not whole or has more than 15.
std::string QuantityText(double value);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_QUANTITY_H_
