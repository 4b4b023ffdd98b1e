// dish(x) = x/2 (x / s + 1), s = sqrt(1 + x^2). With a = |x| and w = 1 / (s^2 + a s), which is 1 - a / s:
//   dish  = x w/2 for x < 0,  x - x w/2 for x > 0
//   dish' = -w/2 (1 - 3 w + w^2) for x < -0.4, with roots (3 -+ sqrt(5)) / 2: 0 at x = -0.786;  1/2 + c - c^3/2 for others,
//   c = x/s, which is 1 - w for x > 0
// The limit -0.0 at minus infinity.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   dish float32 forward 2.4513, x = 0x1.faap-13
//   dish float32 backward 3.5091, x = -0x1.95d758p-2, dy = 0x1.9304b4p+0
//   dish precise float32 0.5000, 0.5000
//   dish float64 forward 2.4140, x = 0x1.f7e26c911022fp-11
//   dish float64 backward 3.9445, x = -0x1.8f9a9b8ece792p-2, dy = 0x1.8e781b392d768p+603
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Dish {
  // From here on s is a, and 1/a is taken instead of w = 1 / (2 a^2), which would underflow.
  template <class T>
  static constexpr T far = sizeof(T) == sizeof(float) ? T(0x1p14) : T(0x1p30);

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T a = absolute(x), near = at_most(a, far<T>), s = square_root(exact_multiply_add<A>(near, near, T(1)));
    const T d = exact_multiply_add<A>(near, near, exact_multiply_add<A>(near, s, T(1)));  // a bit better than s^2 + a s
    const bool is_far = a > far<T>;
    const T part = (is_far ? with_sign_of(T(0.25), x) : x / 2) / (is_far ? a : d);
    return x > 0 ? x - part : part;
  }
  // d, and what roundings left out of it as far as that counts: near the root.
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    const T a = absolute(x), square = multiply_add<A>(a, a, T(1)), s = square_root(square);
    const T d = multiply_add<A>(a, s, square);
    if constexpr (A::wide) return {{d, 0}};
    const T half_c = not_above(T(0.44) * a, T(0.46));  // about
    const T square_low = product_error(a, a, square - 1), twice_s_s_low = square_low - product_error(s, s, square);
    return {{d, multiply_add<A>(twice_s_s_low, half_c, residual(a, s, square - d) + square_low)}};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x) {
    constexpr Pair<double> exact_root = {0.38196601125010515, -1.1899991944327682e-18};  // (3 - sqrt(5)) / 2
    constexpr T root = T(exact_root.hi), root_rest = rest_of(exact_root, root), half_other_root = T(1.3090169943749475);
    const T a = absolute(x), d = start.word[0];
    const bool is_far = !A::near && a > far<T>;
    const T w = 1 / (is_far ? a : d);
    T w_rest = 0;  // in parts of w
    if constexpr (!A::wide) w_rest = is_far ? 0 : multiply_add<A>(-w, start.word[1], residual(-d, w, T(1)));
    const T to_other_root = multiply_add<A>(w, T(-0.5), half_other_root), factor = w * to_other_root;
    // w (w - root) (other_root - w) / 2, with what w and its distance from the root left out
    const T distance = w - root, distance_rest = (w - (distance + root)) - root_rest;
    const T by_w_rest = multiply_add<A>(distance, multiply_add<A>(w, T(-0.5), T(1)), w);
    T rest = factor * multiply_add<A>(by_w_rest, w_rest, distance_rest);
    if constexpr (A::fused) rest = multiply_add<A>(distance, product_error(w, to_other_root, factor), rest);
    const T left = exact_multiply_add<A>(distance, factor, rest);
    const T c = times_sign_of(multiply_add<A>(-w, w_rest, 1 - w), x);
    const T right = multiply_add<A>(c, multiply_add<A>(c * c, T(-0.5), T(1)), T(0.5));  // saves roundings near 0 too
    const T near = dy * (x < T(-0.3984375) ? left : right);
    if constexpr (A::near) return near;
    const T beyond = x > 0 ? dy : dy * w * T(-0.25) * w;
    return is_far ? beyond : near;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return far<T>;
  }
};

}  // namespace
}  // namespace numact
