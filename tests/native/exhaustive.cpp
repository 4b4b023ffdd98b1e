// Every float32 there is through the forward and backward of every activation, at every level and in both tiers.
//
// usage: exhaustive [--stride N] [--csv FILE] [--only NAME] [--direction forward|backward]
//
// Every N-th bit pattern (1, the default: all 2^32; for other parameters than the defaults, and for gated functions,
// every 61 N-th), and both ends of every binade. Backward with dy = 1, and on an eighth of the inputs with a dy of any
// exponent that makes rounding cost the most; that exponent, and the values of gated functions, are drawn from the bits
// of x. Prints per function, parameters, direction, tier and group of levels the largest error in ulp and where it is.
// Exit status 1 when a bound is broken or levels differ that promise the same bits.
#include "accuracy.hpp"

using namespace accuracy;

namespace {

uint32_t scattered(uint32_t bits) {
  bits = (bits ^ bits >> 16) * 0x7feb352du;
  bits = (bits ^ bits >> 15) * 0x846ca68bu;
  return bits ^ bits >> 16;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options("exhaustive", argc, argv);
  constexpr uint64_t coarser = 61;
  uint64_t stride = 1;  // of the pass under way
  int64_t blocks = 0;
  const bool good = check_all<float>(
      options, 8,
      [&](const Reference<float>& reference, bool defaults) {
        stride = options.stride * (defaults && !reference.gated() ? 1 : coarser);
        return blocks = int64_t(((uint64_t(1) << 32) / stride + block - 1) / block) + 1;
      },
      [&](const Reference<float>&, const std::vector<double>&, int64_t b, Inputs<float>& in) {
        const bool ends = b == blocks - 1;
        const uint64_t start = uint64_t(b) * block * stride;
#pragma omp simd
        for (int i = 0; i < block; ++i) {
          const uint32_t end = uint32_t(i >> 1 << 23) - uint32_t(i & 1);
          const uint32_t pattern = ends ? end : uint32_t(start + uint64_t(i) * stride);
          in.x[size_t(i)] = bits<float>(pattern);
          in.dy[size_t(i)] = any_finite<float>(scattered(pattern));
          in.value[size_t(i)] = any_finite<float>(scattered(~pattern));
        }
      });
  return good ? 0 : 1;
}
