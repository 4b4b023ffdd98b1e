// Gated linear units act(gate) * value: glu with sigmoid, reglu with relu, geglu with gelu, swiglu with silu (Dauphin et al.
// 2017, Shazeer 2020). Gradients: dy value act'(gate) of the gate, dy act(gate) of the value. Nothing overflows or underflows
// before the result does. Both gradients take the gate apart in the same way, so that one loop evaluates its exponential once:
// that of the value is the forward of dy, of glu and swiglu in another form. They take the deep arithmetics: exp(-|gate|) counts
// until two large factors cannot raise it. Largest errors found: docs/accuracy.md.
#pragma once
#include "gelu.hpp"
#include "relu.hpp"
#include "sigmoid.hpp"
#include "swish.hpp"

namespace numact {
namespace {

// Both take their gradients from exp(-|gate|).
struct FromDecay {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T gate, T) {
    return Decay<A>::start(counted<A>(absolute(gate), Decay<A>::largest));
  }
};

struct Glu : FromDecay {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T gate, T) {
    using L = Logistic<A>;
    return L::start_of_any(at_least(at_most(gate, L::rightmost), L::leftmost_of_any));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T, T value) {
    return Logistic<A>::quotient_of_any(1, value, start);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(Kept<A, 2> start, T dy, T, T value) {
    const Decay<A> decay(start);
    const T e = decay.value();
    return scaled_product<A>(dy, value, decay.mantissa() / multiply_add<A>(e, e + 2, T(1)), decay.power, decay.down);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(Kept<A, 2> start, T dy, T gate, T) {
    const Decay<A> decay(start);
    const T d = decay.plus(1);
    return (gate < 0 ? decay.times(dy, T(1), decay.rest_of_sum(d)) : dy) / d;
  }
};

struct Swiglu : FromDecay {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T gate, T) {
    using L = Logistic<A>;
    return L::start_of_any(at_most(at_least(gate, L::leftmost_of_any), L::rightmost));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T gate, T value) {
    const T near = at_least(gate, Logistic<A>::leftmost_of_any);
    return Logistic<A>::quotient_of_any(near, value, start, absolute(near) <= 1);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(Kept<A, 2> start, T dy, T gate, T value) {
    const Decay<A> decay(start);
    const T e = decay.value(), sum = 1 + limited<A>(gate);
    const T slope = gate < 0 ? decay.mantissa() * (sum + e) : multiply_add<A>(e, sum, T(1));
    return scaled_product<A>(dy, value, slope / exact_multiply_add<A>(e, e + 2, T(1)),
                             select<A>(gate < 0, decay.power, unit_power<A>()), gate < 0 ? decay.down : T(1));
  }
  // gate and dy meet first where that cannot overflow, else last, where it cannot underflow.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(Kept<A, 2> start, T dy, T gate, T) {
    const Decay<A> decay(start);
    const bool last = absolute(gate) > 1;
    const T d = decay.plus(1), first = last ? gate : gate * dy;
    const T left = decay.times(last ? dy : first, last ? limited<A>(gate) : T(1), decay.rest_of_sum(d));
    return (gate < 0 ? left : first) / d * (gate >= 0 && last ? dy : T(1));
  }
};

// The gradient of the value is the forward of dy in its place.
struct Geglu {
  // As in Gelu::forward. a D stays below 2^(4n/5 + k), so that no product overflows, and for this k none loses more of a
  // subnormal result than 2.1 ulp. Past the largest n the result is 0.
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> forward_start(T gate, T) {
    const Deviate<A> deviate = of<A>(gate);
    const TailFraction<A> tail(deviate);
    const Reduced<A> growth(deviate.half, 0, deviate.half_rest);
    return {{tail.a_d, tail.denominator_times(growth.exact_expm1()), growth.n}};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 3> start, T gate, T value) {
    constexpr T k = for_float32<A> ? 3 : 5, down = T(1) / (1 << int(k));
    const T n = not_above(start.word[2], T(for_float32<A> ? 286 : 2112));
    const SharedPower<A> shared(n, n, k);
    const T top = (gate < 0 ? value : T(1)) * shared.power * (start.word[0] * (shared.power * down));
    const T part = top / (start.word[1] * shared.rest);
    const T y = gate < 0 ? -part : (gate - part) * value;
    if constexpr (A::wide) return y;
    // Near 0 gate and value meet first.
    return absolute(gate) < T(0.5) ? gate * value * multiply_add<A>(gate, central_fraction<A>(gate * gate), T(0.5)) : y;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 4> backward_start(T, T gate, T) {
    const Deviate<A> deviate = of<A>(gate);
    const TailFraction<A> tail(deviate);
    const Reduced<A> growth(deviate.half, 0, deviate.half_rest);
    const T p = growth.exact_expm1(), root = T(root_of_2pi);
    const Pair<T> top = slope_fraction<A>(deviate);
    const T reciprocal = multiply_add<A>(p, T(-0.4), T(0.4));  // about that of the divisor
    const T left = multiply_add<A>(top.lo, reciprocal, top.hi / multiply_add<A>(p, root, root));
    return {{tail.a_d, tail.denominator_times(p), growth.n, left}};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(Kept<A, 4> start, T dy, T gate, T) {
    return forward<A>({{start.word[0], start.word[1], start.word[2]}}, gate, dy);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(Kept<A, 4> start, T dy, T gate, T value) {
    const DeepPower<A> decay(-start.word[2]);
    const T left = start.word[3];
    return scaled_product<A>(dy, value, gate < 0 ? left : 1 - times(left, decay.power),
                             select<A>(gate < 0, decay.power, unit_power<A>()), gate < 0 ? decay.down : T(1));
  }

 private:
  template <class A, class T = typename A::word>
  NUMACT_LANE static Deviate<A> of(T gate) {
    return Deviate<A>(at_most(absolute(gate), T(for_float32<A> ? 24.5 : 66.3)), -root_of_2pi_excess<A>);
  }
};

struct Reglu {
  using precise = Single;  // rounded once

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T gate, T value) {
    return Relu::forward<A>(gate) * value;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(T dy, T gate, T value) {
    return Relu::backward<A>(dy, gate) * value;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(T dy, T gate, T) {
    return forward<A>(gate, dy);
  }
};

}  // namespace
}  // namespace numact
