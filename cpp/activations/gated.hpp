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

// dy value f'(gate), from f'(-a) exp(a) = (1 + p) left: where gate < 0 the exponential's power comes apart.
template <class A, class T = typename A::word>
NUMACT_LANE T gate_gradient(const Decay<A>& decay, T left, T dy, T gate, T value) {
  return scaled_product<A>(dy, value, decay.slope_part(gate, left), select<A>(gate < 0, decay.power, unit_power<A>()),
                           gate < 0 ? decay.down : T(1));
}

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
    const Pair<T> slope = decay.slope(counted<A>(absolute(gate), Decay<A>::largest));
    return gate_gradient<A>(decay, decay.mantissa_times(slope), dy, gate, value);
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
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> forward_start(T gate, T) {
    const Deviate<A> deviate = of<A>(gate);
    return Decay<A>::start(deviate.half, deviate.half_rest).with(tail<A>(deviate));
  }
  // -gate Phi(gate) exp(gate^2/2) and 1 + p meet in two words of one sign, so that an infinite value times them is no NaN.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 3> start, T gate, T value) {
    constexpr T less = for_float32<A> ? 1 - 0x1p-21 : 1 - 0x1p-50;
    const Decay<A> decay(start);
    const T tail = start.word[2], right = multiply_add<A>(tail, decay.value(), gate) * value;
    // Written as gate < 0, clang would take 0 for -0.0.
    if constexpr (A::wide) return absolute(gate) > gate ? tail * decay.value() * value : right;
    const T m = multiply_add<A>(decay.p, tail, tail * less), m_rest = residual(decay.p, tail, tail - m);
    T top;
    if constexpr (A::fused) {
      top = multiply_add<A>(value, m, value * m_rest);
    } else {  // the sum would make 0 of -0
      const T product = value * m, rest = product_error(value, m, product) + value * m_rest;
      top = with_sign_of(product + rest, product);
    }
    const T left = times(top, decay.power);
    // Near 0 gate and value meet first.
    const T near = gate * value * multiply_add<A>(gate, central_fraction<A>(gate * gate), T(0.5));
    return absolute(gate) < T(0.5) ? near : gate < 0 ? left : right;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 4> backward_start(T, T gate, T) {
    const Deviate<A> deviate = of<A>(gate);
    const Kept<A, 2> decay = Decay<A>::start(deviate.half, deviate.half_rest);
    const Pair<T> slope = slope_over_decay<A>(deviate, -root_of_2pi_excess<A>);
    return decay.with(tail<A>(deviate), Decay<A>(decay).mantissa_times(slope));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(Kept<A, 4> start, T dy, T gate, T) {
    return forward<A>({{start.word[0], start.word[1], start.word[2]}}, gate, dy);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(Kept<A, 4> start, T dy, T gate, T value) {
    return gate_gradient<A>(Decay<A>(start), start.word[3], dy, gate, value);
  }

 private:
  template <class A, class T = typename A::word>
  NUMACT_LANE static Deviate<A> of(T gate) {
    constexpr T largest = for_float32<A> ? (A::deep || A::wide ? 24.5 : 20) : A::deep ? 66.3 : 54;
    return Deviate<A>(at_most(absolute(gate), largest), -root_of_2pi_excess<A>);
  }
  // -a Phi(-a) exp(a^2/2)
  template <class A>
  NUMACT_LANE static typename A::word tail(Deviate<A> x) {
    const TailFraction<A> fraction(x);
    return fraction.a_d / -fraction.denominator();
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
