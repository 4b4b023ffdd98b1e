// Exact values for the native accuracy programs: every elementwise activation and its derivative, written once over a
// real type much wider than the data: double for float32, quadruple precision for float64.
//
// The double functions are glibc's vector ones where it has them (libmvec, at most 4 ulp of double, 2^-27 ulp of
// float32: 3.7 was found). They are slow beyond their range, so arguments stay within: exp never goes below `lowest`,
// whose exponential is below the smallest subnormal of the data even times its largest number squared. That also keeps
// the sign of what vanishes.
#pragma once
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#if defined(__x86_64__)
#include <quadmath.h>
#define NUMACT_QUAD(f) f##q
#else
#define NUMACT_QUAD(f) f##l
#endif

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define NUMACT_VECTORISED __attribute__((simd("notinbranch")))
extern "C" {
NUMACT_VECTORISED double exp(double) noexcept;
NUMACT_VECTORISED double expm1(double) noexcept;
NUMACT_VECTORISED double log1p(double) noexcept;
NUMACT_VECTORISED double tanh(double) noexcept;
NUMACT_VECTORISED double erfc(double) noexcept;
}
#endif

namespace references {

#if defined(__x86_64__)
using Quad = __float128;
#else
using Quad = long double;
#endif

#define NUMACT_FUNCTION(f)              \
  inline double f(double x) {           \
    return ::f(x);                      \
  }                                     \
  inline Quad f(Quad x) {               \
    return NUMACT_QUAD(f)(x);           \
  }
NUMACT_FUNCTION(exp)
NUMACT_FUNCTION(expm1)
NUMACT_FUNCTION(log1p)
NUMACT_FUNCTION(tanh)
NUMACT_FUNCTION(erfc)
NUMACT_FUNCTION(sqrt)
NUMACT_FUNCTION(fabs)
#undef NUMACT_FUNCTION

template <class R>
constexpr bool is_double = std::is_same_v<R, double>;

// Not constants: of those GCC would evaluate the function first and choose afterwards.
template <class R>
inline R lowest = is_double<R> ? -700 : -11000;
template <class R>
inline R highest_for_erfc = is_double<R> ? 26 : 100;

// A constant to 107 bits.
template <class R>
constexpr R constant(double hi, double lo) {
  return R(hi) + R(lo);
}

// Comparisons that hand NaN through.
template <class R>
R at_least(R x, R limit) {
  return x < limit ? limit : x;
}
template <class R>
R at_most(R x, R limit) {
  return x > limit ? limit : x;
}
// 1 where `one`, else `other`; NaN at NaN.
template <class R>
R step(R x, bool one, R other = 0) {
  return one ? R(1) : x == x ? other : x;
}
// Infinity as a number far beyond the data's format, whose powers the real type still holds.
template <class R>
R finite(R x) {
  const R limit = is_double<R> ? R(0x1p220) : R(0x1p1000) * R(0x1p1000);
  return at_least(at_most(x, limit), -limit);
}
// exp(-|t|)
template <class R>
R decay(R t) {
  return exp(at_least(-fabs(t), lowest<R>));
}

// Every activation: value(x, p) and slope(x, p), f and f', p its parameters.

struct Relu {
  template <class R>
  static R value(R x, const R*) {
    return x < 0 ? 0 : x;
  }
  template <class R>
  static R slope(R x, const R*) {
    return step(x, x > 0);
  }
};

struct Relu6 {
  template <class R>
  static R value(R x, const R*) {
    return x < 0 ? 0 : at_most(x, R(6));
  }
  template <class R>
  static R slope(R x, const R*) {
    return step(x, (x > 0) & (x < 6));
  }
};

struct SquaredRelu {
  template <class R>
  static R value(R x, const R*) {
    return x < 0 ? 0 : x * x;
  }
  template <class R>
  static R slope(R x, const R*) {
    return x < 0 ? 0 : 2 * x;
  }
};

struct LeakyRelu {
  template <class R>
  static R value(R x, const R* slope) {
    return x < 0 ? slope[0] * (slope[0] == 0 ? finite(x) : x) : x;
  }
  template <class R>
  static R slope(R x, const R* slope) {
    return step(x, x > 0, slope[0]);
  }
};

struct Threshold {
  template <class R>
  static R value(R x, const R* p) {
    return x <= p[0] ? p[1] : x;
  }
  template <class R>
  static R slope(R x, const R* p) {
    return step(x, x > p[0]);
  }
};

struct HardShrink {
  template <class R>
  static R value(R x, const R* lambd) {
    return fabs(x) <= lambd[0] ? 0 * x : x;
  }
  template <class R>
  static R slope(R x, const R* lambd) {
    return step(x, fabs(x) > lambd[0]);
  }
};

struct SoftShrink {
  template <class R>
  static R value(R x, const R* lambd) {
    return x > lambd[0] ? x - lambd[0] : x < -lambd[0] ? x + lambd[0] : 0 * x;
  }
  template <class R>
  static R slope(R x, const R* lambd) {
    return step(x, fabs(x) > lambd[0]);
  }
};

struct Celu {
  template <class R>
  static R value(R x, const R* alpha) {
    const R left = alpha[0] * expm1(at_least(-fabs(x / alpha[0]), lowest<R>));
    return x < 0 ? left : x;
  }
  template <class R>
  static R slope(R x, const R* alpha) {
    const R left = decay(x / alpha[0]);
    return x > 0 ? 1 : left;
  }
};

struct Elu {
  template <class R>
  static R value(R x, const R* alpha) {
    const R left = alpha[0] * expm1(at_least(-fabs(x), lowest<R>));
    return x < 0 ? left : x;
  }
  template <class R>
  static R slope(R x, const R* alpha) {
    const R left = alpha[0] * decay(x);
    return x > 0 ? 1 : left;
  }
};

struct Selu {  // the constants of Klambauer et al. 2017
  template <class R>
  static constexpr R scale = constant<R>(0x1.0cfabd6a91132p+0, 0x1.6fc7d272f2695p-55);
  template <class R>
  static constexpr R alpha = constant<R>(0x1.ac5afad782cf1p+0, 0x1.eb7a46c21f1dfp-54);
  template <class R>
  static R value(R x, const R*) {
    return scale<R> * Elu::value(x, &alpha<R>);
  }
  template <class R>
  static R slope(R x, const R*) {
    return scale<R> * Elu::slope(x, &alpha<R>);
  }
};

struct Sigmoid {
  template <class R>
  static R value(R x, const R*) {
    const R e = decay(x);
    return (x < 0 ? e : R(1)) / (1 + e);
  }
  template <class R>
  static R slope(R x, const R*) {
    const R e = decay(x);
    return e / ((1 + e) * (1 + e));
  }
};

struct LogSigmoid {
  template <class R>
  static R value(R x, const R*) {
    return (x < 0 ? x : R(0)) - log1p(decay(x));
  }
  template <class R>
  static R slope(R x, const R*) {
    return Sigmoid::value(-x, &x);
  }
};

struct HardSigmoid {
  template <class R>
  static R value(R x, const R*) {
    return at_least(at_most((x + 3) / 6, R(1)), R(0));
  }
  template <class R>
  static R slope(R x, const R*) {
    return step(x, fabs(x) < 3) / 6;
  }
};

struct Tanh {
  template <class R>
  static R value(R x, const R*) {
    return tanh(at_least(at_most(x, R(100)), R(-100)));
  }
  template <class R>
  static R slope(R x, const R*) {
    const R e = decay(2 * x);
    return 4 * e / ((1 + e) * (1 + e));
  }
};

struct HardTanh {
  template <class R>
  static R value(R x, const R* p) {
    return at_least(at_most(x, p[1]), p[0]);
  }
  template <class R>
  static R slope(R x, const R* p) {
    return step(x, (x > p[0]) & (x < p[1]));
  }
};

// Within 1 of 0 as (x cosh x - sinh x) / cosh x, whose numerator is the sum of 2k x^(2k+1) / (2k+1)!.
struct TanhShrink {
  template <class R>
  static R value(R x, const R*) {
    const R inside = at_least(at_most(x, R(1)), R(-1)), e = decay(inside);
    R sum = 1;
#pragma GCC unroll 20
    for (int k = is_double<R> ? 10 : 18; k > 0; --k)
      sum = 1 + sum * (inside * inside * (R(1) / R(2 * k * (2 * k + 3))));
    const R near = inside * inside * inside / 3 * sum * (2 * e / (1 + e * e));
    const R far = x - Tanh::value(x, &x);
    return fabs(x) > 1 ? far : near;
  }
  template <class R>
  static R slope(R x, const R*) {
    const R y = Tanh::value(x, &x);
    return y * y;
  }
};

struct Softsign {
  template <class R>
  static R value(R x, const R*) {
    return finite(x) / (1 + fabs(finite(x)));
  }
  template <class R>
  static R slope(R x, const R*) {
    return 1 / ((1 + fabs(x)) * (1 + fabs(x)));
  }
};

struct Softplus {
  template <class R>
  static R value(R x, const R* beta) {
    return (x > 0 ? x : R(0)) + log1p(decay(beta[0] * x)) / beta[0];
  }
  template <class R>
  static R slope(R x, const R* beta) {
    return Sigmoid::value(beta[0] * x, beta);
  }
};

struct Squareplus {
  template <class R>
  static R value(R x, const R* b) {
    const R s = sqrt(x * x + b[0]);
    return x < 0 ? b[0] / (2 * (s - x)) : (x + s) / 2;
  }
  template <class R>
  static R slope(R x, const R* b) {
    const R inside = finite(x), s = sqrt(inside * inside + b[0]);
    return x < 0 ? b[0] / (2 * s * (s - inside)) : (1 + (s == 0 ? 0 : inside / s)) / 2;
  }
};

// x sigmoid(t); w = x dt/dx.
template <class R>
R sigmoid_weighted(R x, R t) {
  const R e = decay(t);
  return (t < 0 ? finite(x) * e : x) / (1 + e);
}
template <class R>
R sigmoid_weighted_slope(R t, R w) {
  const R e = decay(t);
  return (t < 0 ? e * (1 + e + w) : 1 + e + w * e) / ((1 + e) * (1 + e));
}

struct Swish {
  template <class R>
  static R value(R x, const R* beta) {
    return sigmoid_weighted(x, beta[0] * finite(x));
  }
  template <class R>
  static R slope(R x, const R* beta) {
    const R t = finite(beta[0] * finite(x));
    return sigmoid_weighted_slope(t, t);
  }
};

struct Silu {
  template <class R>
  static R value(R x, const R*) {
    return sigmoid_weighted(x, x);
  }
  template <class R>
  static R slope(R x, const R*) {
    return sigmoid_weighted_slope(finite(x), finite(x));
  }
};

struct QuickGelu {
  template <class R>
  static constexpr R beta = constant<R>(0x1.b3b645a1cac08p+0, 0x1.89374bc6a7efap-55);  // 1.702
  template <class R>
  static R value(R x, const R*) {
    return Swish::value(x, &beta<R>);
  }
  template <class R>
  static R slope(R x, const R*) {
    return Swish::slope(x, &beta<R>);
  }
};

struct GeluTanh {
  template <class R>
  static constexpr R factor = constant<R>(0x1.9884533d43651p+0, -0x1.cbc0d30ebfd15p-54);  // 2 sqrt(2/pi)
  template <class R>
  static constexpr R cubic = constant<R>(0x1.6e4e26d4801f7p-5, 0x1.441355475a31ap-59);  // 0.044715
  template <class R>
  static R value(R x, const R*) {
    const R z = finite(x);
    return sigmoid_weighted(x, factor<R> * z * (1 + cubic<R> * (z * z)));
  }
  template <class R>
  static R slope(R x, const R*) {
    const R z = finite(x), c = cubic<R> * (z * z);
    return sigmoid_weighted_slope(factor<R> * z * (1 + c), factor<R> * z * (1 + 3 * c));
  }
};

// x Phi(x), Phi by erfc; f' = Phi(x) + x phi(x).
struct Gelu {
  template <class R>
  static R normal_distribution(R x) {
    const R t = -constant<R>(0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55) * x;  // 1/sqrt(2)
    return erfc(at_most(at_least(t, -highest_for_erfc<R>), highest_for_erfc<R>)) / 2;
  }
  template <class R>
  static R value(R x, const R*) {
    return (x < 0 ? finite(x) : x) * normal_distribution(x);
  }
  template <class R>
  static R slope(R x, const R*) {
    const R density = constant<R>(0x1.9884533d43651p-2, -0x1.cbc0d30ebfd15p-56) * decay(x * x / 2);
    const R sum = normal_distribution(x) + finite(x) * density;
    return x < -8 ? -fabs(sum) : sum;
  }
};

struct HardSwish {
  template <class R>
  static R value(R x, const R*) {
    return x <= -3 ? 0 * finite(x) : x >= 3 ? x : x * ((x + 3) / 6);
  }
  template <class R>
  static R slope(R x, const R*) {
    return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
  }
};

// x tanh(softplus(x)), in powers of e = exp(-|x|).
struct Mish {
  template <class R>
  static R value(R x, const R*) {
    const R e = decay(x), n = x < 0 ? e * (e + 2) : 1 + 2 * e;
    return (x < 0 ? finite(x) : x) * (n / (n + 2 * (x < 0 ? R(1) : e * e)));
  }
  template <class R>
  static R slope(R x, const R*) {
    const R z = finite(x), e = decay(x);
    const R left_root = 2 + e * (2 + e), right_root = 1 + e * (2 + 2 * e);
    const R left = e * (4 * (z + 1) + e * (4 * z + 6 + e * (4 + e))) / (left_root * left_root);
    const R right = (1 + e * (4 + e * (4 * z + 6 + e * (4 * (z + 1))))) / (right_root * right_root);
    return x < 0 ? left : right;
  }
};

// x/2 (1 + r), r = x/s, s = sqrt(1 + x^2); f' = (1 + r)(1 + r - r^2) / 2. On the left 1 + r without cancellation.
struct Dish {
  template <class R>
  static R value(R x, const R*) {
    const R z = finite(x), s = sqrt(1 + z * z);
    return x < 0 ? z / (2 * s * (s - z)) : x * ((1 + z / s) / 2);
  }
  template <class R>
  static R slope(R x, const R*) {
    const R z = finite(x), s = sqrt(1 + z * z), r = z / s;
    return (x < 0 ? 1 / (s * (s - z)) : 1 + r) * (1 + r - r * r) / 2;
  }
};

// What a type of data is compared with.
template <class T>
using Real = std::conditional_t<std::is_same_v<T, float>, double, Quad>;

// One function of the catalogue over an array. `slopes` has the factors that dy is multiplied by: f'(x), or by the gate
// and by the value. Where f' changes sign at `root`, the bound near it is absolute; `scaled_root`: of parameter times
// x.
template <class T>
struct Reference {
  using R = Real<T>;
  using Function = void (*)(const T* x, const T* value, const R* parameters, R* result, int n);
  const char* name;
  std::vector<std::vector<double>> parameters;  // the defaults first
  Function value, slopes[2];
  double root;
  bool scaled_root;

  bool gated() const { return slopes[1] != nullptr; }
};

template <class T, class F>
struct Unary {
  using R = Real<T>;
  static void value(const T* x, const T*, const R* parameters, R* result, int n) {
    const R p[] = {parameters[0], parameters[1]};
#pragma omp simd
    for (int i = 0; i < n; ++i) result[i] = F::value(R(x[i]), p);
  }
  static void slope(const T* x, const T*, const R* parameters, R* result, int n) {
    const R p[] = {parameters[0], parameters[1]};
#pragma omp simd
    for (int i = 0; i < n; ++i) result[i] = F::slope(R(x[i]), p);
  }
};

// f(gate) * value
template <class T, class F>
struct Gated {
  using R = Real<T>;
  static void value(const T* gate, const T* value, const R*, R* result, int n) {
#pragma omp simd
    for (int i = 0; i < n; ++i) result[i] = F::value(R(gate[i]), static_cast<const R*>(nullptr)) * R(value[i]);
  }
  static void by_gate(const T* gate, const T* value, const R*, R* result, int n) {
#pragma omp simd
    for (int i = 0; i < n; ++i) result[i] = F::slope(R(gate[i]), static_cast<const R*>(nullptr)) * R(value[i]);
  }
  static void by_value(const T* gate, const T*, const R*, R* result, int n) {
#pragma omp simd
    for (int i = 0; i < n; ++i) result[i] = F::value(R(gate[i]), static_cast<const R*>(nullptr));
  }
};

constexpr double no_root = std::numeric_limits<double>::quiet_NaN();
constexpr double silu_root = -1.278464542761073795109, gelu_root = -0.7517915246935644574579;

template <class T, class F>
Reference<T> unary(const char* name, double root = no_root, std::vector<std::vector<double>> parameters = {{}},
                   bool scaled_root = false) {
  return {name, std::move(parameters), Unary<T, F>::value, {Unary<T, F>::slope, nullptr}, root, scaled_root};
}
template <class T, class F>
Reference<T> gated(const char* name, double root = no_root) {
  return {name, {{}}, Gated<T, F>::value, {Gated<T, F>::by_gate, Gated<T, F>::by_value}, root, false};
}

// All of them, with the parameters they are tried at: of several mantissas, where a product with one is rounded.
template <class T>
const std::vector<Reference<T>>& all() {
  static const std::vector<Reference<T>> list = {
      unary<T, Relu>("relu"),
      unary<T, Relu6>("relu6"),
      unary<T, SquaredRelu>("squared_relu"),
      unary<T, LeakyRelu>("leaky_relu", no_root, {{0.01}, {-2}, {0}, {1e-30}, {1e30}}),
      unary<T, LeakyRelu>("prelu", no_root, {{0.25}, {-2}, {0}, {1e-30}, {1e30}}),
      unary<T, Threshold>("threshold", no_root, {{1, 0}, {-0.3, -7}, {0, 20}}),
      unary<T, HardShrink>("hard_shrink", no_root, {{0.5}, {0}, {1.7}}),
      unary<T, SoftShrink>("soft_shrink", no_root, {{0.5}, {0}, {1.7}, {1e-30}}),
      unary<T, Elu>("elu", no_root, {{1}, {0.7}, {1.12}, {1.4}, {1.96}, {-3}, {1e-30}, {1e30}}),
      unary<T, Selu>("selu"),
      unary<T, Celu>("celu", no_root, {{1}, {0.7}, {1.12}, {1.4}, {1.96}, {3}, {1e-30}, {1e30}}),
      unary<T, Sigmoid>("sigmoid"),
      unary<T, LogSigmoid>("log_sigmoid"),
      unary<T, HardSigmoid>("hard_sigmoid"),
      unary<T, Tanh>("tanh"),
      unary<T, HardTanh>("hard_tanh", no_root, {{-1, 1}, {0.1, 20}, {-2, -2}}),
      unary<T, TanhShrink>("tanh_shrink"),
      unary<T, Softsign>("softsign"),
      unary<T, Softplus>("softplus", no_root, {{1}, {0.7}, {1.12}, {1.4}, {1.96}, {20}, {1e-30}, {1e30}}),
      unary<T, Squareplus>("squareplus", no_root, {{4}, {0.7}, {1.12}, {1.4}, {1.96}, {0}, {1e-30}, {1e30}}),
      unary<T, Gelu>("gelu", gelu_root),
      unary<T, GeluTanh>("gelu_tanh", -0.7524614220710162584879),
      unary<T, QuickGelu>("quick_gelu", silu_root / 1.702),
      unary<T, Silu>("silu", silu_root),
      unary<T, Swish>("swish", silu_root, {{1}, {1.702}, {1.12}, {1.4}, {1.96}, {-0.3}, {0}, {1e-30}, {-1e30}}, true),
      unary<T, HardSwish>("hard_swish", -1.5),
      unary<T, Mish>("mish", -1.192431214515495212138),
      unary<T, Dish>("dish", -0.786151377757423286070),
      gated<T, Sigmoid>("glu"),
      gated<T, Relu>("reglu"),
      gated<T, Gelu>("geglu", gelu_root),
      gated<T, Silu>("swiglu", silu_root),
  };
  return list;
}

}  // namespace references
