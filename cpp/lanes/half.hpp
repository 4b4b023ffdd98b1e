// float16 and bfloat16 as storage: widening is exact, narrowing rounds to nearest even. In bits alone, so that it needs no
// instruction that a level might lack.
#pragma once
#include "arithmetic.hpp"

namespace numact {
namespace {

enum class Half : uint16_t {};      // IEEE 754 binary16: 5 bits of exponent, 10 of mantissa
enum class Bfloat16 : uint16_t {};  // the upper half of a float32

NUMACT_LANE float widened(Bfloat16 x) { return bits<float>(uint32_t(x) << 16); }

NUMACT_LANE Bfloat16 narrowed(float x, Bfloat16) {
  const uint32_t all = bits<uint32_t>(x), rounded = all + 0x7fff + (all >> 16 & 1);
  return Bfloat16(x == x ? rounded >> 16 : all >> 16 | 0x40);
}

// A half's bits shifted into place are its value times 2^-112, subnormals too.
NUMACT_LANE float widened(Half x) {
  const uint32_t magnitude = (uint32_t(x) & 0x7fff) << 13, sign = (uint32_t(x) & 0x8000) << 16;
  const uint32_t scaled = bits<uint32_t>(bits<float>(magnitude) * 0x1p112f);
  return bits<float>(sign | (magnitude >= 0x0f800000 ? magnitude | 0x7f800000 : scaled));
}

// Adding 1/2 rounds a subnormal half to its unit, 2^-24, and leaves its bits below those of 1/2.
NUMACT_LANE Half narrowed(float x, Half) {
  const uint32_t all = bits<uint32_t>(x), magnitude = all & 0x7fffffff, sign = all >> 16 & 0x8000;
  const uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  const uint32_t subnormal = bits<uint32_t>(bits<float>(magnitude) + 0.5f) - bits<uint32_t>(0.5f);
  const uint32_t finite = magnitude < 0x38800000 ? subnormal : normal;
  const uint32_t other = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
  return Half(sign | (magnitude >= 0x47800000 ? other : finite));
}

}  // namespace
}  // namespace numact
