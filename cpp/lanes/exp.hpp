// exp(a) and expm1(a) for a <= 0.
//
// Reduction: n = round(a / ln 2), r = a - n ln 2, |r| <= ln(2)/2, by adding and subtracting 1.5 * 2^(mantissa bits), whose
// low bits are then n. ln 2 is one word where double serves a float result, else a leading word of few bits (so that n
// times it is exact) and the rest.
// expm1(r) = r + r^2 q(r); q by Remez on |r| <= 0.347, tools/fit_exp.py, error relative to expm1(r):
//   Single degree 4, 2^-26.2; Wide and Portable degree 5, 2^-31.9; Double and Paired degree 9, 2^-55.6.
// The power 2^n is kept apart (Power), because f'(x) may underflow where dy * f'(x) does not.
#pragma once
#include "arithmetic.hpp"

namespace numact {
namespace {

template <class A>
struct ExpConstants;
template <>
struct ExpConstants<Single> {
  static constexpr float lowest = -200.0f;  // 2^-288, below 2^-149 also times the largest float
  static constexpr float ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cf79abcap-20f;
};
template <>
struct ExpConstants<Portable> {
  static constexpr double lowest = -700.0;  // 2^-1010, below 2^-149 also times the largest float squared
  static constexpr double ln2_hi = 0x1.62e42fefa39efp-1, ln2_lo = 0;
};
template <>
struct ExpConstants<Double> {
  static constexpr double lowest = -1470.0;  // 2^-2121, below 2^-1074 also times the largest double
  static constexpr double ln2_hi = 0x1.62e42fefa4p-1, ln2_lo = -0x1.8432a1b0e2634p-43;
};
template <>
struct ExpConstants<Paired> : ExpConstants<Double> {};
// From n = deepest on a Power holds 2^n; below, it holds 2^spare times that.
template <>
struct ExpConstants<DeepSingle> : ExpConstants<Single> {
  static constexpr float lowest = -285.0f;  // 2^-411, below 2^-149 also times the two largest floats
  static constexpr float deepest = -372, spare = 60, below = 0x1p-60f;
};
template <>
struct ExpConstants<DeepDouble> : ExpConstants<Double> {
  static constexpr double lowest = -2200.0;  // 2^-3174, below 2^-1074 also times the two largest doubles
  static constexpr double deepest = -3000, spare = 120, below = 0x1p-120;
};
template <class A>
struct ExpConstants<Near<A>> : ExpConstants<A> {};
template <class A>
struct ExpConstants : ExpConstants<Portable> {};  // of Wide

// Up to here a is near: exp(-a) is a normal number, and so are products of it with more than 1/64.
template <class A>
constexpr double near_decay = sizeof(typename A::word) == sizeof(float) ? 80 : 700;
// a as far as it may be, where `limit` is no less than that
template <class A>
NUMACT_LANE typename A::word counted(typename A::word a, typename A::word limit) {
  return A::near ? a : at_most(a, limit);
}
template <class A>
NUMACT_LANE typename A::word exp_q(typename A::word r, typename A::word square) {
  if constexpr (A::wide) {
    return polynomial<A>(r, square, 0x1.00000026223e5p-1, 0x1.555554ef05577p-3, 0x1.5554b09c97f60p-5,
                         0x1.111189d4b5009p-7, 0x1.6d7292711f59cp-10, 0x1.a032c6ed96562p-13);
  } else if constexpr (sizeof(r) == sizeof(float)) {
    return polynomial<A>(r, square, 0x1.fffffep-2f, 0x1.5554b0p-3f, 0x1.555674p-5f, 0x1.1227f4p-7f, 0x1.6bebf6p-10f);
  } else {
    return polynomial<A>(r, square, 0x1.0000000000005p-1, 0x1.5555555555539p-3, 0x1.555555555225dp-5,
                         0x1.111111111908dp-7, 0x1.6c16c17ef4df1p-10, 0x1.a01a0174db815p-13, 0x1.a019a71e80797p-16,
                         0x1.71de884ad8ccap-19, 0x1.28a234937f9dap-22, 0x1.ae6bae2860bfdp-26);
  }
}

// 2^n as rest * part * part: n goes down to -3054, where a single double could not hold it. Wide needs no parts.
template <class A>
struct Power {
  typename A::word part, rest;
  NUMACT_LANE Power(typename A::word p, typename A::word r) : part(p), rest(r) {}
  // Not trivial on purpose: clang would return two floats as one vector, which it then does not take apart in a loop.
  NUMACT_LANE Power(const Power& other) : part(other.part), rest(other.rest) {}
  NUMACT_LANE Power& operator=(const Power& other) {
    part = other.part, rest = other.rest;
    return *this;
  }
};
template <class A>
NUMACT_LANE Power<A> unit_power() {
  return {1, 1};
}
template <class A>
NUMACT_LANE Power<A> select(bool condition, Power<A> yes, Power<A> no) {
  return {condition ? yes.part : no.part, condition ? yes.rest : no.rest};
}

// x * 2^n
template <class A>
NUMACT_LANE typename A::word times(typename A::word x, const Power<A>& power) {
  return A::wide ? x * power.rest : power.part * (power.part * (power.rest * x));
}

// 2^n from n + round_magic + exponent_bias: the shift leaves n + bias in the exponent field.
template <class T>
NUMACT_LANE T power_from_rounded(T z) {
  return bits<T>(bits<typename Format<T>::bits>(z) << Format<T>::mantissa_bits);
}

template <class A>
NUMACT_LANE Power<A> power_of_two(typename A::word n) {
  using T = typename A::word;
  constexpr T magic = Format<T>::round_magic + Format<T>::exponent_bias;
  if constexpr (A::wide) {
    return {1, power_from_rounded<T>(n + magic)};
  } else {
    const T third = multiply_add<A>(n, T(1.0 / 3.0), magic);
    return {power_from_rounded<T>(third), power_from_rounded<T>((n - 2 * (third - magic)) + magic)};
  }
}

// 2^n as down * power: down is what a Power cannot hold of it, where a deep arithmetic needs it.
template <class A>
struct DeepPower {
  typename A::word down = 1;
  Power<A> power = unit_power<A>();

  NUMACT_LANE explicit DeepPower(typename A::word n) {
    if constexpr (A::deep) {
      using C = ExpConstants<A>;
      const bool beyond = n < C::deepest;
      down = beyond ? C::below : 1;
      n += beyond ? C::spare : 0;
    }
    power = power_of_two<A>(n);
  }
};

// The denominator's factor 2^n of a quotient with two factors above, one of them halved: power goes to either, rest =
// 2^(n - 1) power^2 below. Two fifths of an n above 0: so nothing leaves the range where 2^n alone does.
template <class A>
struct SharedPower {
  typename A::word power, rest;

  NUMACT_LANE explicit SharedPower(typename A::word n) {
    using T = typename A::word;
    constexpr T magic = Format<T>::round_magic + Format<T>::exponent_bias;
    const T z = multiply_add<A>(at_least(n, T(0)), T(-0.4), magic);
    power = power_from_rounded<T>(z);
    rest = power_from_rounded<T>((n + 2 * (z - magic)) + (magic - 1));
  }
};

// a * b * fraction * 2^n with neither overflow nor underflow in between: 2^n goes where it cannot hurt. It is shared between
// a large a and b, and all to the larger where the smaller is below 1. The largest lend the smaller one 2^16, or a fraction
// above 1 would overflow. down: as in DeepPower; it comes last, where it brings nothing below the format before the result.
template <class A>
NUMACT_LANE typename A::word scaled_product(typename A::word a, typename A::word b, typename A::word fraction,
                                          Power<A> power, [[maybe_unused]] typename A::word down) {
  if constexpr (A::wide) {
    return (a * b) * (fraction * power.rest);
  } else {
    using T = typename A::word;
    const bool ordered = absolute(a) >= absolute(b);
    const auto large = (ordered ? a : b) * power.part, small = ordered ? b : a;
    const bool share = absolute(small) > 1, lend = absolute(large) > Format<T>::largest * T(0x1p-16);
    const T shared = (lend ? large * T(0x1p-16) : large) * (power.rest * fraction);
    const T product = (lend ? small * T(0x1p16) : small) * (share ? power.part : T(1)) * (share ? shared : power.part * shared);
    return product * down;
  }
}

// x limited to where exp(-|x|) counts. NaN stays.
template <class A>
NUMACT_LANE typename A::word limited(typename A::word x) {
  return with_sign_of(at_most(absolute(x), -ExpConstants<A>::lowest), x);
}

// An argument factor * x, whose rounding an exponential would amplify.
template <class A>
struct Product {
  using word = typename A::word;
  word factor, x, value;

  NUMACT_LANE Product(word factor_given, word x_given) : factor(factor_given), x(x_given), value(factor * x) {}
  // What the rounding of value left out, where that counts.
  NUMACT_LANE word rest() const { return A::wide ? 0 : residual(factor, x, -value); }
};
template <class A>
NUMACT_LANE Product<A> operator-(Product<A> a) {
  return {-a.factor, a.x};
}

// a = n ln 2 + r; z holds n + offset in its low bits. a is a word, a word and its low word, or a Product and possibly a low word.
template <class A>
struct Reduced {
  using word = typename A::word;
  word z, n, r, square;

  template <class... Low>
  NUMACT_LANE explicit Reduced(word a, word offset = 0, Low... a_lo) {
    round(a, offset);
    r = multiply_add<A>(n, -C::ln2_hi, a);
    finish(a_lo...);
  }
  template <class... Low>
  NUMACT_LANE explicit Reduced(Product<A> a, word offset, Low... a_lo) {
    round(a.value, offset);
    r = A::wide ? multiply_add<A>(n, -C::ln2_hi, a.value) : residual(a.factor, a.x, n * -C::ln2_hi);
    finish(a_lo...);
  }
  // expm1(r), and what its rounding left out of it.
  NUMACT_LANE word expm1() const { return multiply_add<A>(square, exp_q<A>(r, square), r); }
  NUMACT_LANE word rest_of_expm1(word p) const { return multiply_add<A>(square, exp_q<A>(r, square), r - p); }
  // exp(a) / 2^n in two words, with what r leaves out of a, of which this is the reduction.
  NUMACT_LANE Pair<word> exp(Product<A> a) const {
    const word left = (multiply_add<A>(n, -C::ln2_hi, a.value) - r) + multiply_add<A>(n, -C::ln2_lo, a.rest());
    const Pair<word> leading = fast_two_sum(word(1), r);
    const word rest = multiply_add<A>(left, leading.hi, leading.lo);
    return fast_two_sum(leading.hi, multiply_add<A>(square, exp_q<A>(r, square), rest));
  }

 private:
  using C = ExpConstants<A>;
  NUMACT_LANE void round(word a, word offset) {
    const word magic = Format<word>::round_magic + offset;
    z = multiply_add<A>(a, word(0x1.71547652b82fep+0), magic);
    n = z - magic;
  }
  NUMACT_LANE void finish() {
    if constexpr (!A::wide) r = multiply_add<A>(n, -C::ln2_lo, r);
    square = r * r;
  }
  NUMACT_LANE void finish([[maybe_unused]] word a_lo) {
    if constexpr (!A::wide) r += multiply_add<A>(n, -C::ln2_lo, a_lo);
    square = r * r;
  }
};

// exp(a) = power (1 + p) / 2^shift, |p| < 0.42, a as Reduced takes it; n + shift stays in the range of exponents.
template <class A>
struct Scaled {
  using word = typename A::word;
  word p, power;

  template <class Argument, class... Low>
  NUMACT_LANE explicit Scaled(Argument a, word shift = 0, Low... a_lo) : Scaled(start(a, shift, a_lo...)) {}
  // The same in two steps.
  template <class Argument, class... Low>
  NUMACT_LANE static Kept<A, 2> start(Argument a, word shift = 0, Low... a_lo) {
    const Reduced<A> x(a, Format<word>::exponent_bias + shift, a_lo...);
    return {{x.expm1(), x.z}};
  }
  template <int n>
  NUMACT_LANE explicit Scaled(Kept<A, n> kept) : p(kept.word[0]), power(power_from_rounded<word>(kept.word[1])) {}
  NUMACT_LANE word expm1() const { return multiply_add<A>(power, p, power - 1); }
};

// exp(-a) = (1 + p) 2^n, a >= 0, for products whose other factors may be as large as the format allows: 2^n is kept in parts.
// For sums it is at once also in `unit`, where it is a normal number, else the smallest of these.
template <class A>
struct Decay {
  using word = typename A::word;
  static constexpr word largest = -ExpConstants<A>::lowest;
  static constexpr bool one_part = A::wide || A::near;
  word p, unit, down;  // down: as in DeepPower
  Power<A> power;

  NUMACT_LANE Decay(word p_given, const Decay& same) : p(p_given), unit(same.unit), down(same.down), power(same.power) {}
  // The first of two steps, for a that is at most `largest`.
  template <class Argument, class... Low>
  NUMACT_LANE static Kept<A, 2> start(Argument a, Low... a_lo) {
    const Reduced<A> x(-a, Format<word>::exponent_bias, -a_lo...);
    return {{x.expm1(), x.z}};
  }
  template <int n>
  NUMACT_LANE explicit Decay(Kept<A, n> kept)
      : Decay(kept, DeepPower<A>(kept.word[1] - (Format<word>::round_magic + Format<word>::exponent_bias))) {}
  // x times a power of two that exp(-a) makes up for, zeros and infinities with their sign.
  NUMACT_LANE word times_power(word x, word factor) const { return scaled(x) * (power.rest * factor) * (1 + p); }
  NUMACT_LANE word times(word x) const { return times_power(x, 1); }
  // dy exp(-a) / d, for d from 1/4 to 4. factor: as in times_power
  NUMACT_LANE word quotient(word dy, word d, [[maybe_unused]] word factor = 1) const {
    if constexpr (A::wide) return times_power(dy, factor) / (factor * d);
    if constexpr (A::near) return dy * (value() / d);
    const bool near = is_near();
    const word y = (near ? value() : times_power(dy, factor)) / (near ? d : factor * d);
    return near ? dy * y : y;
  }
  // x y exp(-a); y is finite, at most 1 + a. By halves: 1 + p may be above 1, and x the largest.
  NUMACT_LANE word times(word x, word y, word less) const {
    const word half = y / 2;
    return scaled(x) * mantissa_times(half, less) * (2 * power.rest);
  }
  // y exp(-a) without the power; less: what is taken off 1 + p
  NUMACT_LANE word mantissa_times(word y, word less = 0) const { return exact_multiply_add<A>(p - less, y, y); }
  NUMACT_LANE word mantissa_times(Pair<word> y) const { return y.hi + multiply_add<A>(p, y.hi, y.lo); }
  // x mantissa 2^n, for a product of the last two that is at most 1
  NUMACT_LANE word times_mantissa(word x, word mantissa) const { return scaled(x) * (mantissa * power.rest); }
  // The same of a mantissa that is a sum, for a finite x.
  NUMACT_LANE word times_mantissa(word x, Pair<word> mantissa) const {
    const word y = scaled(x) * power.rest;
    return multiply_add<A>(mantissa.hi, y, mantissa.lo * y);
  }
  NUMACT_LANE word mantissa() const { return 1 + p; }
  NUMACT_LANE word value() const { return multiply_add<A>(p, unit, unit); }
  // What its rounding left out of e = value().
  NUMACT_LANE word rest_of_value(word e) const { return multiply_add<A>(p, unit, unit - e); }
  // x + exp(-a)
  NUMACT_LANE word plus(word x) const { return multiply_add<A>(p, unit, x + unit); }
  // What the rounding of d = 1 + exp(-a) left out.
  NUMACT_LANE word rest_of_sum([[maybe_unused]] word d) const { return A::wide ? 0 : value() - (d - 1); }
  // (1 + e - y) / (1 + e)^2, e = exp(-a), in two words: most roundings are put back, as they count the most where a product with it
  // is just below a power of two. Of an exact y that of e counts too; else y_rest is what y left out.
  NUMACT_LANE Pair<word> slope(word y) const {
    const word e = value();
    if constexpr (A::wide) return {(1 + e - y) * (1 / ((1 + e) * (1 + e))), 0};
    const word less = 1 - y, top = less + e;
    return over_square({top, rest_of_value(top - less)});
  }
  NUMACT_LANE Pair<word> slope(word y, word y_rest) const {
    if constexpr (A::wide) return slope(y);
    const word e = value(), less = 1 - y, top = less + e;
    return over_square({top, (e - (top - less)) - y_rest});
  }
  // From f'(-a) exp(a) = y of an f' whose values at x and -x add up to 1: dy f'(x); and f'(x), for x < 0 without 2^n.
  NUMACT_LANE word times_slope(word dy, word x, Pair<word> y) const {
    const word left = mantissa_times(y), near = dy * (x < 0 ? left * unit : right_slope(left));
    if constexpr (A::wide || A::near) return near;
    return x < 0 && !is_near() ? times_mantissa(dy, left) : near;
  }
  NUMACT_LANE word slope_part(word x, word left) const { return x < 0 ? left : right_slope(left); }

 private:
  template <int n>
  NUMACT_LANE Decay(Kept<A, n> kept, DeepPower<A> parts)
      : p(kept.word[0]),
        unit(power_from_rounded<word>(one_part ? kept.word[1]
                                               : larger_positive(kept.word[1], Format<word>::round_magic + 1))),
        down(parts.down),
        power(one_part ? Power<A>(1, unit) : parts.power) {}
  NUMACT_LANE word right_slope(word left) const { return multiply_add<A>(-left, unit, word(1)); }
  NUMACT_LANE Pair<word> over_square(Pair<word> top) const {
    const word e = value(), factor = e + 2, square = multiply_add<A>(e, factor, word(1)), reciprocal = 1 / square;
    const word quotient = top.hi * reciprocal;
    word rest = top.lo;
    if constexpr (sizeof(word) == sizeof(double) || !A::fused)  // without it rarely up to 4.1 ulp; float with FMA at most 3.97
      rest = multiply_add<A>(-quotient, residual(e, factor, 1 - square), rest);
    rest = (residual(-quotient, square, top.hi) + rest) * reciprocal;
    return {quotient, multiply_add<A>(p, rest, rest)};
  }
  NUMACT_LANE word scaled(word x) const { return one_part ? x : x * power.part * power.part; }
  // As near_decay, here by 2^n: always, where the arithmetic is near.
  NUMACT_LANE bool is_near() const { return unit > (sizeof(word) == sizeof(float) ? word(0x1p-119) : word(0x1p-1015)); }
};

// What Scaled(start).expm1() makes expm1(a) of, -1 from -50 on; NaN may get lost.
template <class A>
NUMACT_LANE Kept<A, 2> expm1_start(typename A::word a) {
  return Scaled<A>::start(not_below(a, typename A::word(-50)));
}

// numerator / (1 + exp(-t)), t as Reduced takes it.
template <class A>
struct Logistic {
  using word = typename A::word;
  static constexpr bool is_float = A::wide || sizeof(word) == sizeof(float);
  static constexpr word shift = A::wide ? 0 : is_float ? -64 : -512;
  static constexpr word unit = A::wide ? 1 : is_float ? word(0x1p-64) : word(0x1p-512);
  // Left of the first the quotient is 0 for numerators up to t, from the second on the denominator is 1.
  static constexpr word leftmost = is_float ? -112 : -760, rightmost = is_float ? 20 : 40;

  // For t from `leftmost` to `rightmost` and such numerators. The denominator is scaled down, or exp would overflow where the
  // quotient is subnormal.
  template <class Argument, class... Low>
  NUMACT_LANE static Kept<A, 2> start(Argument t, Low... t_lo) {
    return Scaled<A>::start(-t, shift, -t_lo...);
  }
  NUMACT_LANE static word quotient(word numerator, Kept<A, 2> start) {
    const Scaled<A> e(start);
    const word scaled = numerator / (e.power + multiply_add<A>(e.p, e.power, unit));
    return A::wide ? scaled : scaled * unit;
  }

  // The derivative s (1 + u (1 - s)) of x s, s = 1 / (1 + exp(-t)), with u = x t'(x); t as `quotient` takes it;
  // within 3.2 ulp of its terms.
  template <class Argument, class... Low>
  NUMACT_LANE static word slope(word u, Argument t, Low... t_lo) {
    const Scaled<A> e(-t, shift, -t_lo...);
    const word reciprocal = 1 / (e.power + multiply_add<A>(e.p, e.power, unit));
    const word other = multiply_add<A>(e.p, e.power, e.power) * reciprocal;
    return unit * reciprocal * multiply_add<A>(u, other, word(1));
  }

  // Left of this the quotient is 0 for all numerators, also those of two factors.
  static constexpr word leftmost_of_any = A::wide ? -700 : is_float ? word(-198.9) : -1470;

  // a b over it, for t from `leftmost_of_any` to `rightmost` and any a and b. The numerator is halved for a product that the
  // quotient brings back into range: no more than a subnormal result can spare. a is, unless it may be small.
  template <class Argument>
  NUMACT_LANE static Kept<A, 2> start_of_any(Argument t) {
    const Reduced<A> growth(-t, 0);
    return {{growth.expm1(), growth.n}};
  }
  NUMACT_LANE static word quotient_of_any(word a, word b, Kept<A, 2> start, bool a_is_small = true) {
    const word p = start.word[0], n = start.word[1];
    if constexpr (A::near) {  // as below with power = 1
      const word rest = power_from_rounded<word>(n + (Format<word>::round_magic + Format<word>::exponent_bias - 1));
      return a * (b / 2) / (rest + multiply_add<A>(p, rest, word(0.5)));
    }
    const SharedPower<A> shared(n);
    const word power = shared.power, half = power / 2;
    const word top = a * (a_is_small ? power : half) * (b * (a_is_small ? half : power));
    return top / (shared.rest + multiply_add<A>(p, shared.rest, power * half));
  }
};

}  // namespace
}  // namespace numact
