// Fractions without rounding: lengths and times of music.
#ifndef ETUDE_LIB_MUSIC_RATIONAL_H_
#define ETUDE_LIB_MUSIC_RATIONAL_H_

#include <compare>
#include <cstdint>
#include <limits>
#include <numeric>

namespace etude {

// In lowest terms, den > 0. A result that 64 bits cannot hold, or a division by zero, is "not
// exact" and stays so through every later operation, as NaN does.
class Rational {
 public:
  constexpr Rational() = default;
  constexpr Rational(std::int64_t whole) : num_(whole) {}  // NOLINT: a whole number is a fraction
  constexpr Rational(std::int64_t num, std::int64_t den) { Reduce(num, den); }

  constexpr std::int64_t num() const { return num_; }
  constexpr std::int64_t den() const { return den_; }
  constexpr bool exact() const { return den_ != 0; }
  constexpr double value() const {
    return exact() ? static_cast<double>(num_) / static_cast<double>(den_)
                   : std::numeric_limits<double>::quiet_NaN();
  }

  friend constexpr Rational operator+(Rational a, Rational b) {
    if (a.den_ == b.den_) return Make(Wide{a.num_} + b.num_, a.den_);
    return Make(Wide{a.num_} * b.den_ + Wide{b.num_} * a.den_, Wide{a.den_} * b.den_);
  }
  friend constexpr Rational operator-(Rational a, Rational b) {
    return Make(Wide{a.num_} * b.den_ - Wide{b.num_} * a.den_, Wide{a.den_} * b.den_);
  }
  friend constexpr Rational operator*(Rational a, Rational b) {
    return Make(Wide{a.num_} * b.num_, Wide{a.den_} * b.den_);
  }
  friend constexpr Rational operator/(Rational a, Rational b) {
    return b.exact() ? Make(Wide{a.num_} * b.den_, Wide{a.den_} * b.num_) : b;
  }
  constexpr Rational& operator+=(Rational b) { return *this = *this + b; }
  constexpr Rational& operator-=(Rational b) { return *this = *this - b; }
  constexpr Rational& operator*=(Rational b) { return *this = *this * b; }

  friend constexpr bool operator==(Rational a, Rational b) = default;
  // Of exact ones; what is not exact compares equal to everything.
  friend constexpr std::weak_ordering operator<=>(Rational a, Rational b) {
    const Wide left = Wide{a.num_} * b.den_;
    const Wide right = Wide{b.num_} * a.den_;
    if (left < right) return std::weak_ordering::less;
    return left > right ? std::weak_ordering::greater : std::weak_ordering::equivalent;
  }

 private:
  __extension__ using Wide = __int128;
  static constexpr Wide kMax = std::numeric_limits<std::int64_t>::max();

  static constexpr Rational Make(Wide num, Wide den) {
    Rational made;
    made.Reduce(num, den);
    return made;
  }

  constexpr void Reduce(Wide num, Wide den) {
    if (den < 0) {
      num = -num;
      den = -den;
    }
    const Wide size = num < 0 ? -num : num;
    if (size > kMax || den > kMax) {
      const Wide common = WideGcd(size, den);
      num /= common;
      den /= common;
    }
    if (den == 0 || num > kMax || num < -kMax || den > kMax) {
      num_ = 0;
      den_ = 0;
      return;
    }
    num_ = static_cast<std::int64_t>(num);
    den_ = static_cast<std::int64_t>(den);
    if (den_ == 1) return;
    const std::int64_t common = std::gcd(num_, den_);
    num_ /= common;
    den_ /= common;
  }

  static constexpr Wide WideGcd(Wide a, Wide b) {
    while (b != 0) {
      const Wide rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }

  std::int64_t num_ = 0;
  std::int64_t den_ = 1;  // 0: not exact
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_RATIONAL_H_
