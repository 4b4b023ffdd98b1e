// gelu(x) = x Phi(x), Phi the normal distribution function; gelu'(x) = Phi(x) + x phi(x). With a = |x|, Phi(-a) from
// lanes/normal.hpp and G = Phi(-a)/phi(a) - a:
//   gelu  = x (1 - Phi(-a)) for x >= 0,  x Phi(-a) for x < 0
//   gelu' = 1 - phi(a) G for x >= 0,  phi(a) G for x < 0: no cancellation but at the root of G
// gelu(-infinity) = -0.0.
//
// Largest errors found, in ulp. float32, both tiers, all inputs: forward 0.5249 at -0x1.3fcf4cp+1, backward 0.5827 at
// x = -0x1.c10f92p-1, dy = 0x1.45bab8p+119. float64, a million points: forward 1.46 at -0x1.2cd8ffba7daa5p+5, backward 3.10
// at x = -0x1.3f0dee88b7b67p-1.
#pragma once
#include "../lanes/normal.hpp"
#include "parts.hpp"

namespace numact {
namespace {

template <class A>
struct GeluParts {
  using word = typename A::word;
  using number = typename A::number;
  bool left;
  word a;
  NormalTail<A> tail;
  word factor;

  NUMACT_LANE explicit GeluParts(word x)
      : left(x < 0), a(limited_deviate<A>(absolute(x))), tail(a), factor(left ? -a : x) {}
  NUMACT_LANE number fraction() const { return either(tail.e.mantissa * tail.fraction); }
  NUMACT_LANE Power<A> power() const { return select<A>(left, tail.e.power, unit_power<A>()); }
  NUMACT_LANE number slope() const {
    constexpr long double density_at_0 = 0.3989422804014326779399460599343819L;
    return either(tail.e.mantissa * (tail.fraction + a * constant<A>(-density_at_0)));
  }
  NUMACT_LANE Power<A> slope_power() const { return power(); }

 private:
  NUMACT_LANE number either(number of_left) const {
    return select(left, of_left, word(1) - value(Exponential<A>{of_left, tail.e.power}));
  }
};

struct Gelu : FromParts<Gelu> {
  template <class A, class T = typename A::word>
  NUMACT_LANE static GeluParts<A> parts(T x) {
    return GeluParts<A>(x);
  }
};

}  // namespace
}  // namespace numact
