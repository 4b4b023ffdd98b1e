// dish(x) = x/2 (x / s + 1), s = sqrt(1 + x^2). With a = |x| and w = 1 / (s^2 + a s), which is 1 - a / s:
//   dish  = x w/2 for x < 0,  x - x w/2 for x > 0
//   dish' = p for x < 0,  1 - p for x > 0,  p = -w/2 (1 - 3 w + w^2), whose roots are (3 -+ sqrt(5)) / 2: 0 at x = -0.786;
//   near 0 p = 1/2 - r + r^3/2, r = 1 - w
// The limit -0.0 at minus infinity.
//
// Largest errors found, in ulp, of all levels; float32 on all inputs (with a parameter on every 61st), float64 on a million
// points. Float32 forward 2.4513 at 0x1.faap-13, backward 3.5245 at x = -0x1.07047cp+1, dy = -5.6569e+35; precise 0.5000 and
// 0.5000; float64 forward 2.35 at -0x1.ffcb0422ccee4p+3, backward 3.40 at x = -0x1.d78c63e37c154p-1, dy = -1.5354e+217.
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
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    constexpr T root = 0.3819660112501051517954131656343619, other_root = 2.6180339887498948482045868343656381;
    constexpr T roots_excess = (other_root - 3) + root;  // over those of 1 - 3 w + w^2; their product's is less
    const T a = absolute(x), square = multiply_add<A>(a, a, T(1)), s = square_root(square);
    const T d = multiply_add<A>(a, s, square);
    const bool is_far = !A::near && a > far<T>;
    const T w = 1 / (is_far ? a : d), factor = T(-0.5) * w * (w - other_root);
    T p;
    if constexpr (A::wide) {
      p = (w - root) * factor;
    } else {
      // What roundings left out of w, in parts of w.
      const T square_low = product_error(a, a, square - 1), twice_s_s_low = square_low - product_error(s, s, square);
      const T d_low = multiply_add<A>(twice_s_s_low * T(0.5), 1 - w, residual(a, s, square - d) + square_low);
      const T w_rest = is_far ? 0 : multiply_add<A>(-w, d_low, residual(-d, w, T(1)));
      // The roots' excess and w's rest in one correction; near 0 another sum saves roundings.
      const T by_w = multiply_add<A>(w, multiply_add<A>(w, T(-1.5), T(3)), T(-0.5));
      p = exact_multiply_add<A>(w - root, factor, w * multiply_add<A>(roots_excess * T(-0.5), w, w_rest * by_w));
      const T r = multiply_add<A>(-w, w_rest, 1 - w), near = multiply_add<A>(r, multiply_add<A>(r / 2, r, T(-1)), T(0.5));
      p = r < T(0.25) ? near : p;
    }
    const T near = dy * (x > 0 ? 1 - p : p);
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
