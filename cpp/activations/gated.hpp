// Gated linear units act(gate) * value: glu with sigmoid, reglu with relu, geglu with gelu, swiglu with silu (Dauphin et al.
// 2017, Shazeer 2020). Gradients: dy value act'(gate) of the gate, dy act(gate) of the value. Nothing overflows or underflows
// before the result does. Both gradients take the gate apart in the same way, so that one loop evaluates its exponential once:
// that of the value is the forward of dy in another form. They, and geglu, take the deep arithmetics: exp(-|gate|) counts until
// two large factors cannot raise it. Largest errors found: docs/accuracy.md.
#pragma once
#include "gelu.hpp"
#include "relu.hpp"
#include "sigmoid.hpp"
#include "swish.hpp"

namespace numact {
namespace {

struct Glu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T gate, T value) {
    using L = Logistic<A>;
    return L::quotient_of_any(value, at_least(at_most(gate, L::rightmost), L::leftmost_of_any));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(T dy, T gate, T value) {
    const Decay<A> decay(absolute(gate));
    const T e = decay.value();
    return scaled_product<A>(dy, value, decay.mantissa() / multiply_add<A>(e, e + 2, T(1)), decay.power);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(T dy, T gate, T) {
    const Decay<A> decay(absolute(gate));
    const T d = decay.plus(1);
    return (gate < 0 ? decay.times(dy, T(1), decay.rest_of_sum(d)) : dy) / d;
  }
};

struct Swiglu {
  // Gate and value meet first, scaled down where that might overflow.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T gate, T value) {
    using L = Logistic<A>;
    const T near = at_least(gate, L::leftmost_of_any);
    const bool large = !A::wide && at_most(absolute(gate), absolute(value)) > 1;
    return L::quotient_of_any(near * (large ? L::lent : T(1)) * value, at_most(near, L::rightmost), large);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(T dy, T gate, T value) {
    const Decay<A> decay(absolute(gate));
    const T e = decay.value(), sum = 1 + limited<A>(gate);
    const T slope = gate < 0 ? decay.mantissa() * (sum + e) : multiply_add<A>(e, sum, T(1));
    return scaled_product<A>(dy, value, slope / multiply_add<A>(e, e + 2, T(1)),
                             select<A>(gate < 0, decay.power, unit_power<A>()));
  }
  // gate and dy meet first where that cannot overflow, else last, where it cannot underflow.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(T dy, T gate, T) {
    const Decay<A> decay(absolute(gate));
    const bool last = absolute(gate) > 1;
    const T d = decay.plus(1), first = last ? gate : gate * dy;
    const T left = decay.times(last ? dy : first, last ? limited<A>(gate) : T(1), decay.rest_of_sum(d));
    return (gate < 0 ? left : first) / d * (gate >= 0 && last ? dy : T(1));
  }
};

// The gradient of the value is the forward of dy in its place.
template <class F>
struct Gated {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_value(T dy, T gate, T) {
    return F::template forward<A>(gate, dy);
  }
};

struct Geglu : Gated<Geglu> {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T gate, T value) {
    const GeluParts<A> p(gate);
    // Near 0 gate and value meet first, else last: then neither can overflow or underflow before the result does.
    const T first = p.tail ? -value * p.power.part * p.power.part : p.central ? gate * value : gate;
    const T fraction = p.fraction() * (p.tail ? p.power.rest : T(1));
    return first * fraction * (p.tail || p.central ? T(1) : value);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(T dy, T gate, T value) {
    const GeluParts<A> p(gate);
    return scaled_product<A>(dy, value, p.slope(), select<A>(p.left, p.power, unit_power<A>()));
  }
};

struct Reglu : Gated<Reglu> {
  using precise = Single;  // rounded once

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T gate, T value) {
    return Relu::forward<A>(gate) * value;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_gate(T dy, T gate, T value) {
    return Relu::backward<A>(dy, gate) * value;
  }
};

}  // namespace
}  // namespace numact
