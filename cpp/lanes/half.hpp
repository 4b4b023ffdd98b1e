// float16 and bfloat16 as storage: widening is exact, narrowing rounds to nearest even. In bits alone, so that it needs no
// instruction that a level might lack.
#pragma once
#include "arithmetic.hpp"

namespace numact {
namespace {

enum class Half : uint16_t {};      // IEEE 754 binary16: 5 bits of exponent, 10 of mantissa
enum class Bfloat16 : uint16_t {};  // the upper half of a float32

// x as a float whose rounding to a half is that of x: where it is inexact, the neighbour with an odd last bit.
NUMACT_LANE float rounded_to_odd(double x) {
  const float nearest = float(x);
  const uint32_t all = bits<uint32_t>(nearest), towards_zero = all - (absolute(double(nearest)) > absolute(x) ? 1 : 0);
  return double(nearest) == x || x != x ? nearest : bits<float>(towards_zero | 1);
}

NUMACT_LANE float widened(Bfloat16 x) { return bits<float>(uint32_t(x) << 16); }

NUMACT_LANE Bfloat16 narrowed(float x, Bfloat16) {
  const uint32_t all = bits<uint32_t>(x), rounded = all + 0x7fff + (all >> 16 & 1);
  return Bfloat16(x == x ? rounded >> 16 : all >> 16 | 0x40);
}

// The choices are masks: where a half depends on a ?:, GCC splits the vectors into 16 bits and joins them again for each.

// A half's bits shifted into place are its value times 2^-112, subnormals too.
NUMACT_LANE float widened(Half x) {
  const int32_t magnitude = (int32_t(x) & 0x7fff) << 13;
  const uint32_t sign = (uint32_t(x) & 0x8000) << 16, special = -uint32_t(magnitude >= 0x0f800000) & 0x7f800000;
  return bits<float>(sign | special | bits<uint32_t>(bits<float>(magnitude) * 0x1p112f));
}

// Made in the upper 16 bits. What is above 2^16 counts as 2^16, whose exponent is infinity's. Adding 1/2 rounds a subnormal
// half to its unit, 2^-24, and leaves its bits below those of 1/2.
NUMACT_LANE Half narrowed(float x, Half) {
  const int32_t magnitude = bits<int32_t>(absolute(x)), size = magnitude < 0x47800000 ? magnitude : 0x47800000;
  const uint32_t normal = (uint32_t(size) - (112u << 23) + 0xfff + (size >> 13 & 1)) << 3;
  const uint32_t subnormal = (bits<uint32_t>(bits<float>(size) + 0.5f) - bits<uint32_t>(0.5f)) << 16;
  const uint32_t small = -uint32_t(size < 0x38800000), nan = -uint32_t(magnitude > 0x7f800000) & 0x7e000000;
  return Half(((bits<uint32_t>(x) & 0x80000000) | nan | (small & subnormal) | (~small & normal)) >> 16);
}

}  // namespace
}  // namespace numact
