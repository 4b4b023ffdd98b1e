// Every float32 there is through the forward and backward of every activation, at every level this CPU can run and in both tiers.
//
// usage: exhaustive [STRIDE [NAME|all [forward|backward]]]     every STRIDE-th bit pattern (1, the default: all 2^32)
//
// Forward and backward (with dy = 1 and with a dy of any exponent drawn from the bits of x) against references in double,
// evaluated once per input and compared with all variants. Prints, per variant, the largest error in ulp and the input that
// attains it, how many results are wrong in kind (NaN, infinity, sign of zero), and how many differ from the same tier at
// the first level. Exit status 1 when a bound is broken; in the precise tier a differing result is one.
#include <omp.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../../cpp/bindings/records.hpp"
#include "../../cpp/runtime/fp_scope.hpp"

using namespace numact;

namespace {

constexpr int64_t block = 1 << 15;

double sigmoid(double t) { return t < 0 ? std::exp(t) / (1 + std::exp(t)) : 1 / (1 + std::exp(-t)); }
double sigmoid_slope(double t) {
  const double e = std::exp(-std::fabs(t));
  return e / ((1 + e) * (1 + e));
}
double finite(double x) { return x > 1e300 ? 1e300 : x < -1e300 ? -1e300 : x; }
double swish(double x, double beta) {
  if (beta == 0) return x / 2;
  const double t = beta * x;
  return t < 0 ? finite(x) * sigmoid(t) : x * sigmoid(t);
}
double swish_slope(double x, double beta) {
  const double t = finite(beta * (beta == 0 ? finite(x) : x)), e = std::exp(-std::fabs(t)), d = (1 + e) * (1 + e);
  return t < 0 ? e * (1 + e + t) / d : (1 + e + t * e) / d;
}

struct Reference {
  const char* name;
  std::vector<double> parameters;
  double (*value)(double, double);
  double (*slope)(double, double);
  bool has_root;  // f' changes sign: near it the bound is absolute
};
constexpr double selu_scale = 1.0507009873554804934193349852946, selu_alpha = 1.6732632423543772848170429916717;
constexpr double swish_root = -1.2784645427610738;

const std::vector<Reference> references = {
    {"relu", {0}, [](double x, double) { return x < 0 ? 0 : x; }, [](double x, double) { return x > 0 ? 1. : x <= 0 ? 0. : x; }, false},
    {"leaky_relu", {0.01, -2}, [](double x, double s) { return x < 0 ? s * x : x; }, [](double x, double s) { return x > 0 ? 1 : x <= 0 ? s : x; }, false},
    {"prelu", {0.25}, [](double x, double s) { return x < 0 ? s * x : x; }, [](double x, double s) { return x > 0 ? 1 : x <= 0 ? s : x; }, false},
    {"elu", {1, 0.7}, [](double x, double a) { return x < 0 ? a * std::expm1(x) : x; }, [](double x, double a) { return x > 0 ? 1 : a * std::exp(x); }, false},
    {"selu", {0}, [](double x, double) { return selu_scale * (x < 0 ? selu_alpha * std::expm1(x) : x); }, [](double x, double) { return selu_scale * (x > 0 ? 1 : selu_alpha * std::exp(x)); }, false},
    {"sigmoid", {0}, [](double x, double) { return sigmoid(x); }, [](double x, double) { return sigmoid_slope(x); }, false},
    {"tanh", {0}, [](double x, double) { return std::tanh(x); }, [](double x, double) { return 4 * sigmoid_slope(2 * x); }, false},
    {"silu", {1}, swish, swish_slope, true},
    {"swish", {1, 1.702, -0.3, 0}, swish, swish_slope, true},
};

// 1 / spacing of float32 at an exact value below 2^128; 2^149 among subnormals.
double per_ulp(double exact) {
  uint64_t bits;
  std::memcpy(&bits, &exact, 8);
  const int exponent = std::max(int(bits >> 52 & 2047) - 1023, -126);
  bits = uint64_t(1023 + 23 - exponent) << 52;
  double result;
  std::memcpy(&result, &bits, 8);
  return result;
}

struct Worst {
  double ulp = 0, absolute = 0;  // absolute: near the root, in units of 2^-24 |dy|
  float at = 0, dy = 0;
  uint64_t wrong = 0, different = 0;
  float wrong_at = 0;

  void take(double error, float x, float gradient) {
    if (error > ulp) ulp = error, at = x, dy = gradient;
    absolute = std::max(absolute, -error);
  }
};

// Takes a result into account and returns its error for Worst::take: in ulp, or minus the error near the root.
double compare(Worst& worst, float x, float dy, float got, double exact, bool near_root) {
  if (std::isnan(exact) || std::isnan(got)) {
    if (std::isnan(exact) != std::isnan(got)) ++worst.wrong, worst.wrong_at = x;
    return 0;
  }
  if (got == 0 ? std::signbit(got) != std::signbit(exact) : exact != 0 && std::signbit(got) != std::signbit(exact) && !near_root)
    ++worst.wrong, worst.wrong_at = x;
  if (std::isinf(exact)) {
    if (got != exact) ++worst.wrong, worst.wrong_at = x;
    return 0;
  }
  const double value = std::isinf(got) ? std::copysign(0x1p128, got) : got;
  const double error = std::fabs(value - exact);
  if (near_root) {
    const double unit = std::max(std::fabs(double(dy)) * 0x1p-24, 0x1p-149);
    worst.take(-error / unit, x, dy);
    return -error / unit;
  }
  const double capped = std::fabs(exact) >= 0x1p128 ? std::copysign(0x1p128, exact) : exact;
  const double ulp = std::fabs(value - capped) * per_ulp(std::fabs(capped) >= 0x1p128 ? 0x1p127 : capped);
  worst.take(ulp, x, dy);
  return ulp;
}

struct Variant {
  const Table* table;
  const ElementwiseKernel* kernel;
  Worst worst;
};

// A dy of any sign and exponent, from the bits of x.
float scattered(uint32_t bits) {
  bits = (bits ^ bits >> 16) * 0x7feb352du;
  bits = (bits ^ bits >> 15) * 0x846ca68bu;
  bits ^= bits >> 16;
  if ((bits >> 23 & 255) == 255) bits ^= 1u << 23;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

bool check(const Reference& reference, double parameter, Direction direction, int dy_kind, uint64_t stride) {
  std::vector<Variant> variants;
  int record = 0;
  while (std::string(elementwise_records[record].name) != reference.name) ++record;
  const int parameters = elementwise_records[record].parameters;
  for (int l = 0; l < levels().count; ++l)
    for (int k = 0; k < levels().supported[l]->elementwise_count; ++k) {
      const ElementwiseKernel& kernel = levels().supported[l]->elementwise[k];
      if (kernel.record == record && kernel.direction == direction && kernel.data == Type::float32 && kernel.run)
        variants.push_back({levels().supported[l], &kernel, {}});
    }
  const int64_t blocks = int64_t(((uint64_t(1) << 32) / stride + block - 1) / block);
#pragma omp parallel
  {
    const FpScope scope;
    std::vector<Variant> mine = variants;
    std::vector<float> x(block), dy(block), y(block);
    std::vector<std::vector<float>> earlier(mine.size(), std::vector<float>(block));
    std::vector<std::vector<double>> ulps(mine.size(), std::vector<double>(block));
    std::vector<double> exact(block);
    std::vector<char> near(block);
    const float parameter32 = float(parameter);
#pragma omp for schedule(dynamic, 16)
    for (int64_t b = 0; b <= blocks; ++b) {
      for (int64_t i = 0; i < block; ++i) {
        // The last block: both ends of every binade, whatever the stride.
        const uint32_t bits = b < blocks ? uint32_t(uint64_t(b * block + i) * stride) : uint32_t(i >> 1 << 23) - uint32_t(i & 1);
        std::memcpy(&x[i], &bits, 4);
        dy[i] = dy_kind == 0 ? 1.0f : scattered(bits);
      }
      Tier tier_of_exact = Tier::precise;
      bool evaluated = false;
      for (size_t v = 0; v < mine.size(); ++v) {
        Variant& variant = mine[v];
        // The exact value is that of the parameter as cast: float32 in the standard tier.
        const bool narrow = variant.kernel->parameter == Type::float32 && float(parameter) != parameter;
        if (!evaluated || (narrow ? Tier::standard : Tier::precise) != tier_of_exact) {
          const double p = narrow ? double(parameter32) : parameter;
          for (int64_t i = 0; i < block; ++i) {
            exact[i] = direction == Direction::forward ? reference.value(x[i], p) : double(dy[i]) * reference.slope(x[i], p);
            near[i] = direction == Direction::backward && reference.has_root && p != 0 &&
                      std::fabs(p * x[i] - swish_root) <= 0.125;
          }
          evaluated = true;
          tier_of_exact = narrow ? Tier::standard : Tier::precise;
        }
        char* operands[4];
        ptrdiff_t strides[4] = {4, 4, 4, 4};
        int count = 0;
        if (direction != Direction::forward) operands[count++] = reinterpret_cast<char*>(dy.data());
        operands[count++] = reinterpret_cast<char*>(x.data());
        double wide = parameter;
        float narrow_value = parameter32;
        if (parameters) {
          strides[count] = 0;
          operands[count++] = variant.kernel->parameter == Type::float32 ? reinterpret_cast<char*>(&narrow_value) : reinterpret_cast<char*>(&wide);
        }
        operands[count] = reinterpret_cast<char*>(y.data());
        variant.kernel->run(operands, strides, block);
        // Where the first level of the same tier gave the same bits, they have been compared.
        size_t twin = 0;
        while (mine[twin].kernel->tier != variant.kernel->tier) ++twin;
        for (int64_t i = 0; i < block; ++i) {
          if (twin < v && std::memcmp(&earlier[twin][i], &y[i], 4) == 0) {
            variant.worst.take(ulps[twin][i], x[i], dy[i]);
            continue;
          }
          ulps[v][i] = compare(variant.worst, x[i], dy[i], y[i], exact[i], near[i] != 0);
          variant.worst.different += twin < v && x[i] == x[i];
        }
        earlier[v] = y;
      }
    }
#pragma omp critical
    for (size_t v = 0; v < mine.size(); ++v) {
      Worst &all = variants[v].worst, &part = mine[v].worst;
      if (part.ulp > all.ulp) all.ulp = part.ulp, all.at = part.at, all.dy = part.dy;
      all.absolute = std::max(all.absolute, part.absolute);
      if (part.wrong) all.wrong_at = part.wrong_at;
      all.wrong += part.wrong;
      all.different += part.different;
    }
  }
  bool good = true;
  for (const Variant& v : variants) {
    const bool precise = v.kernel->tier == Tier::precise;
    const double limit = precise ? 0.75 : direction == Direction::forward ? 2.5 : 4, root_limit = precise ? 1 : 4;
    const bool fine = v.worst.ulp <= limit && v.worst.absolute <= root_limit && v.worst.wrong == 0 && !(precise && v.worst.different);
    good = good && fine;
    std::printf("%-10s %-6g %-8s %-9s %-9s %8.4f ulp at x=%-15a dy=%-14a", reference.name, parameter,
                direction == Direction::forward ? "forward" : dy_kind ? "backward*" : "backward",
                precise ? "precise" : "standard", v.table->name, v.worst.ulp, double(v.worst.at), double(v.worst.dy));
    if (direction == Direction::backward && reference.has_root) std::printf(" root %.3f*2^-24|dy|", v.worst.absolute);
    if (v.worst.wrong) std::printf(" WRONG in kind: %llu, for instance at %a", static_cast<unsigned long long>(v.worst.wrong), double(v.worst.wrong_at));
    if (v.worst.different) std::printf(" (%llu unlike the first level)", static_cast<unsigned long long>(v.worst.different));
    std::printf("%s\n", fine ? "" : "  <-- beyond the bound");
    std::fflush(stdout);
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t stride = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::string only = argc > 2 ? argv[2] : "", what = argc > 3 ? argv[3] : "";
  if (stride == 0) return std::fprintf(stderr, "exhaustive: the stride must be a positive number\n"), 2;
  bool good = true;
  for (const Record& record : elementwise_records) {
    bool known = false;
    for (const Reference& reference : references) known = known || std::string(record.name) == reference.name;
    if (!known) std::printf("%s has no reference here\n", record.name);
    good = good && known;
  }
  for (const Reference& reference : references) {
    if (!only.empty() && only != "all" && only != reference.name) continue;
    for (const double parameter : reference.parameters) {
      if (what != "backward") good = check(reference, parameter, Direction::forward, 0, stride) && good;
      if (what == "forward") continue;
      good = check(reference, parameter, Direction::backward, 0, stride) && good;
      good = check(reference, parameter, Direction::backward, 1, stride) && good;
    }
  }
  std::puts(good ? "every bound holds" : "bounds are broken");
  return good ? 0 : 1;
}
