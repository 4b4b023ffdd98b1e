// Vectors of the level, for loops that must keep many accumulators in registers: of a plain loop the compiler keeps one vector or
// two, and the rest waits for memory.
#pragma once
#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "arithmetic.hpp"

namespace numact {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T, int width>
struct VectorOf {
  typedef T type __attribute__((vector_size(width * sizeof(T))));
};
template <class T, int width = vector_bytes / int(sizeof(T))>
using Vector = typename VectorOf<T, width>::type;
using Doubles = Vector<double>;
constexpr int doubles = vector_bytes / int(sizeof(double));

template <class V, class T>
NUMACT_LANE V load_vector(const T* from) {
  V vector;
  __builtin_memcpy(&vector, from, sizeof vector);
  return vector;
}
template <class V, class T>
NUMACT_LANE void store_vector(V vector, T* to) {
  __builtin_memcpy(to, &vector, sizeof vector);
}

// One conversion, where the compiler would make two of half a vector.
NUMACT_LANE Doubles widened(Doubles x) { return x; }
NUMACT_LANE Doubles widened(Vector<float, doubles> x) {
#if defined(__AVX512F__)
  return Doubles(_mm512_maskz_cvtps_pd(0xff, __m256(x)));  // without the mask GCC warns of its own header
#elif defined(__AVX__)
  return Doubles(_mm256_cvtps_pd(__m128(x)));
#else
  return __builtin_convertvector(x, Doubles);
#endif
}

NUMACT_LANE Doubles madd(Doubles a, Doubles b, Doubles c) {
#if defined(__AVX512F__)
  return Doubles(_mm512_fmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#elif defined(__FMA__)
  return Doubles(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
#else
  for (int k = 0; k < doubles; ++k) c[k] = madd(a[k], b[k], c[k]);
  return c;
#endif
}

NUMACT_LANE bool any_nan(Doubles x) {
#if defined(__AVX512F__)
  return _mm512_cmp_pd_mask(__m512d(x), __m512d(x), _CMP_UNORD_Q) != 0;
#elif defined(__AVX__)
  return _mm256_movemask_pd(_mm256_cmp_pd(__m256d(x), __m256d(x), _CMP_UNORD_Q)) != 0;
#else
  bool any = false;
  for (int k = 0; k < doubles; ++k) any |= x[k] != x[k];
  return any;
#endif
}

// x + y, where there is FMA as 1 * x + y: additions share their units with comparisons, products do not.
struct Plus {
#if defined(__FMA__)
  Doubles one = Doubles{} + 1;
  NUMACT_LANE Plus() { asm("" : "+x"(one)); }  // or the compiler would see through it
#endif
  NUMACT_LANE Doubles operator()(Doubles x, Doubles y) const {
#if defined(__FMA__)
    return madd(x, one, y);
#else
    return x + y;
#endif
  }
};

}  // namespace
}  // namespace numact
