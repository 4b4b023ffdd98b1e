// Kernels at every level this CPU can run against the exact values of references.hpp: what exhaustive.cpp and
// float64.cpp share.
//
// Levels that promise the same bits (those with FMA; all of them in the precise tier) make a group: the first is
// compared with the exact values, which are evaluated once per input, the others with the first. Of every group the
// largest error in ulp is kept with the input that attains it. A result wrong in kind (NaN, sign of zero) is infinitely
// wrong.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../../cpp/bindings/records.hpp"
#include "../../cpp/runtime/fp_scope.hpp"
#include "references.hpp"

namespace accuracy {

using numact::Direction;
using numact::ElementwiseKernel;
using numact::Tier;
using numact::Type;
using references::Real;
using references::Reference;

constexpr int block = 1 << 12;

template <class To, class From>
To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

template <class T>
struct Format;
template <>
struct Format<float> {
  using word = uint32_t;
  static constexpr const char* name = "float32";
  static constexpr Type type = Type::float32;
  static constexpr int mantissa_bits = 23;
  static constexpr uint32_t exponent_mask = 0x7f800000;
  static constexpr double beyond = 0x1p128, smallest = 0x1p-149;
  // 1 / spacing at a magnitude; that of the subnormals below them.
  static double per_ulp(double magnitude) {
    const double inside = references::at_most(references::at_least(magnitude, 0x1p-126), 0x1p127);
    return bits<double>((uint64_t(2 * 1023 + mantissa_bits) << 52) - (bits<uint64_t>(inside) & uint64_t(2047) << 52));
  }
};
template <>
struct Format<double> {
  using word = uint64_t;
  using Quad = references::Quad;
  static constexpr const char* name = "float64";
  static constexpr Type type = Type::float64;
  static constexpr int mantissa_bits = 52;
  static constexpr uint64_t exponent_mask = uint64_t(2047) << 52;
  static constexpr Quad beyond = Quad(0x1p1023) * 2, smallest = 0x1p-1074;
  static Quad per_ulp(Quad magnitude) {
    int exponent;
    NUMACT_QUAD(frexp)(magnitude, &exponent);  // 2^(exponent - 1) <= magnitude
    exponent = magnitude < Quad(0x1p-1022) ? -1022 : exponent > 1024 ? 1023 : exponent - 1;
    return NUMACT_QUAD(ldexp)(Quad(1), mantissa_bits - exponent);
  }
};

// A finite number of any sign and exponent.
template <class T>
T any_finite(typename Format<T>::word random) {
  constexpr auto mask = Format<T>::exponent_mask;
  return bits<T>((random & mask) == mask ? random ^ (mask & -mask) : random);
}

// The sign and exponent of `any`, and a mantissa whose product with that of the slope is just below a power of two,
// where the rounding of a product costs the most ulp.
template <class T>
T hard_dy(T any, double slope) {
  using word = typename Format<T>::word;
  constexpr word mantissa = (word(1) << Format<T>::mantissa_bits) - 1;
  constexpr uint64_t one = uint64_t(1023) << 52, fraction = (uint64_t(1) << 52) - 1;
  const word random = bits<word>(any);
  const double share = bits<double>(one | (uint64_t(random & mantissa) << (52 - Format<T>::mantissa_bits))) - 1;
  const double below = share * bits<double>(one - ((2 + uint64_t(random & 7)) << 52));
  const double of_slope = bits<double>(one | (bits<uint64_t>(slope) & fraction));
  return bits<T>((random & ~mantissa) | (bits<word>(T((2 - below) / of_slope)) & mantissa));
}

struct Options {
  uint64_t stride = 1;
  std::string only;
  bool forward = true, backward = true;
  FILE* csv = nullptr;

  Options(const char* program, int argc, char** argv) {
    for (int i = 1; i < argc; i += 2) {
      const std::string option = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
      if (option == "--stride" && std::strtoull(value.c_str(), nullptr, 10) > 0)
        stride = std::strtoull(value.c_str(), nullptr, 10);
      else if (option == "--only" && !value.empty())
        only = value;
      else if (option == "--direction" && (value == "forward" || value == "backward"))
        forward = value == "forward", backward = value == "backward";
      else if (option == "--csv" && !value.empty()) {
        csv = std::fopen(value.c_str(), "w");
        if (!csv) std::exit((std::perror(value.c_str()), 2));
      } else {
        std::fprintf(stderr, "%s: cannot use '%s %s'\n", program, option.c_str(), value.c_str());
        std::fprintf(stderr, "usage: %s [--stride N] [--csv FILE] [--only NAME] [--direction forward|backward]\n",
                     program);
        std::exit(2);
      }
    }
    const char* const columns =
        "name,parameters,direction,dtype,tier,levels,max_ulp,worst_x,worst_dy,root_error,wrong,different,inputs\n";
    if (csv) std::fputs(columns, csv);
  }
  ~Options() {
    if (csv) std::fclose(csv);
  }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
};

// The inputs of one block: x (of a gated function the gate), the value, dy.
template <class T>
struct Inputs {
  std::vector<T> x = std::vector<T>(block), value = x, dy = x;
};

struct Worst {
  double ulp = 0, root = 0;  // root: near the sign change of f', in units of 2^-24 |dy| (float64: 2^-53)
  double x = 0, value = 0, dy = 0;
  int64_t in_block = -1;
  uint64_t wrong = 0, different = 0, inputs = 0;

  void take(const Worst& other) {
    root = std::fmax(root, other.root);
    wrong += other.wrong, different += other.different, inputs += other.inputs;
    // Of equal errors the first, whatever the order of the blocks.
    if (other.in_block < 0 || other.ulp < ulp) return;
    if (other.ulp == ulp && in_block >= 0 && in_block <= other.in_block) return;
    ulp = other.ulp, x = other.x, value = other.value, dy = other.dy, in_block = other.in_block;
  }
};

struct Group {
  Tier tier;
  bool fma;  // or the precise tier
  std::vector<const ElementwiseKernel*> kernels;
  std::string levels;
  Worst worst;
};

inline int record_of(const char* name) {
  for (size_t i = 0; i < std::size(numact::elementwise_records); ++i)
    if (std::string(numact::elementwise_records[i].name) == name) return int(i);
  return -1;
}

inline std::vector<Group> groups_of(int record, Direction direction, Type data) {
  std::vector<Group> groups;
  for (const Tier tier : {Tier::standard, Tier::precise})
    for (int l = 0; l < numact::levels().count; ++l) {
      const numact::Table& table = *numact::levels().supported[l];
      const bool fma = tier == Tier::precise || std::string(table.name) != "x86-64";
      for (int k = 0; k < table.elementwise_count; ++k) {
        const ElementwiseKernel& kernel = table.elementwise[k];
        if (kernel.record != record || kernel.direction != direction || kernel.tier != tier) continue;
        if (kernel.computed != data || !kernel.exists()) continue;
        if (groups.empty() || groups.back().tier != tier || groups.back().fma != fma)
          groups.push_back({tier, fma, {}, "", {}});
        groups.back().kernels.push_back(&kernel);
        groups.back().levels += (groups.back().levels.empty() ? "" : " ") + std::string(table.name);
      }
    }
  return groups;
}

// The one place that calls a kernel.
template <class T>
void evaluate(const ElementwiseKernel& kernel, const Inputs<T>& in, const T* dy, const std::vector<double>& parameters,
              std::vector<T>* results) {
  const void *arrays[3], *values[numact::most_parameters];
  int count = 0;
  if (kernel.direction != Direction::forward) arrays[count++] = dy;
  arrays[count++] = in.x.data();
  if (count < kernel.arrays) arrays[count++] = in.value.data();
  const std::vector<float> narrow(parameters.begin(), parameters.end());
  for (size_t i = 0; i < parameters.size(); ++i)
    values[i] = kernel.parameter == Type::float32 ? static_cast<const void*>(&narrow[i]) : &parameters[i];
  void* const outputs[] = {results[0].data(), results[1].data()};
  kernel.fixed(arrays, values, outputs, block);
}

// Where the bound is absolute: |scale x - at| <= 1/8; nowhere where `at` is NaN.
struct Root {
  double scale, at;

  template <class T>
  bool near(T x) const {
    using R = Real<T>;
    return references::fabs(R(scale) * R(x) - R(at)) <= R(0.125);
  }
};

inline bool negative(float x) { return bits<uint32_t>(x) >> 31; }
inline bool negative(double x) { return bits<uint64_t>(x) >> 63; }
#if defined(__x86_64__)
inline bool negative(references::Quad x) { return signbitq(x); }
#else
inline bool negative(references::Quad x) { return std::signbit(x); }
#endif

// The error of every result of a block: in ulp, or near the root in units of 2^-24 |dy| and negative. Returns how many
// are wrong in kind.
template <class T, bool gated, bool rooted>
int errors_of(const Inputs<T>& in, const T* dy, Root root, const T* got, const Real<T>* exact, double* error) {
  using R = Real<T>;
  using references::fabs;
  constexpr R beyond = Format<T>::beyond, smallest = Format<T>::smallest;
  constexpr R unit = R(1) / (uint64_t(2) << Format<T>::mantissa_bits);
  const T *x = in.x.data(), *value = in.value.data();
  int wrong = 0;
#pragma omp simd reduction(+ : wrong)
  for (int i = 0; i < block; ++i) {
    const R g = got[i], e = exact[i];
    // Infinity stands for the power of two beyond the largest number, or for an exact value above it; from twice that
    // on nothing else will do.
    const R magnitude = references::at_most(fabs(e), 2 * beyond), size = references::at_most(fabs(g), beyond);
    const R counted = size >= beyond ? references::at_least(magnitude, beyond) : size;
    const bool same_sign = negative(got[i]) == negative(e);
    const R difference = same_sign ? fabs(counted - magnitude) : counted + magnitude;
    bool near = false;
    R ulp = difference * Format<T>::per_ulp(magnitude);
    if constexpr (rooted) {
      near = root.near(x[i]);
      const R slack = references::at_least(fabs(R(dy[i]) * (gated ? R(value[i]) : R(1))) * unit, smallest);
      ulp = near ? -difference / slack : ulp;
    }
    const bool wrong_sign = !same_sign & !near & (g == g) & ((g == 0) | (e != 0));
    const bool bad = ((g != g) != (e != e)) | wrong_sign;
    error[i] = bad ? INFINITY : g != g ? 0 : double(ulp);
    wrong += bad;
  }
  return wrong;
}

// The largest errors of a block of results; where is only told of one beyond the known.
template <class T>
Worst compare(const Inputs<T>& in, const T* dy, bool gated, Root root, const T* got, const Real<T>* exact,
              int64_t in_block, double known) {
  double error[block];
  int rooted = 0;
  if (root.at == root.at)
#pragma omp simd reduction(+ : rooted)
    for (int i = 0; i < block; ++i) rooted += root.near(in.x[size_t(i)]);
  const auto errors = gated ? rooted ? errors_of<T, true, true> : errors_of<T, true, false>
                            : rooted ? errors_of<T, false, true> : errors_of<T, false, false>;
  Worst worst;
  worst.wrong = uint64_t(errors(in, dy, root, got, exact, error));
  worst.inputs = block;
  double largest = 0, lowest = 0;
#pragma omp simd reduction(max : largest) reduction(min : lowest)
  for (int i = 0; i < block; ++i) {
    largest = error[i] > largest ? error[i] : largest;
    lowest = error[i] < lowest ? error[i] : lowest;
  }
  worst.root = 0 - lowest;
  if (largest <= known) return worst;
  size_t i = 0;
  while (error[i] != largest && i < block - 1) ++i;
  worst.ulp = largest, worst.in_block = in_block;
  worst.x = in.x[i], worst.value = in.value[i], worst.dy = dy[i];
  return worst;
}

// How many elements are not the same; one NaN is like another.
template <class T>
uint64_t differences(const std::vector<T>& a, const std::vector<T>& b) {
  if (std::memcmp(a.data(), b.data(), block * sizeof(T)) == 0) return 0;
  uint64_t count = 0;
  for (size_t i = 0; i < block; ++i)
    count += std::memcmp(&a[i], &b[i], sizeof(T)) != 0 && !(a[i] != a[i] && b[i] != b[i]);
  return count;
}

// What is promised, near the root in units of 2^-24 |dy|.
inline double limit(bool gated, Direction direction, Tier tier) {
  if (tier == Tier::precise) return 0.75;
  return direction == Direction::forward ? (gated ? 3.5 : 2.5) : (gated ? 5 : 4);
}
inline double root_limit(Tier tier) { return tier == Tier::precise ? 1 : 4; }

inline std::string joined(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%s%g", text.empty() ? "" : " ", value);
    text += digits;
  }
  return text;
}

template <class T>
bool report(const Options& options, const Reference<T>& reference, const std::vector<double>& parameters,
            Direction direction, const Group& group) {
  using count = unsigned long long;
  const Worst& worst = group.worst;
  const bool good = worst.ulp <= limit(reference.gated(), direction, group.tier) &&
                    worst.root <= root_limit(group.tier) && worst.wrong == 0 && worst.different == 0;
  const char* const tier = group.tier == Tier::precise ? "precise" : "standard";
  const char* const way = direction == Direction::forward ? "forward" : "backward";
  char at[64], dy[32] = "", root[32] = "";
  std::snprintf(at, sizeof at, reference.gated() ? "%a %a" : "%a", worst.x, worst.value);
  if (direction == Direction::backward) std::snprintf(dy, sizeof dy, "%a", worst.dy);
  if (direction == Direction::backward && reference.root == reference.root)
    std::snprintf(root, sizeof root, "%.4f", worst.root);
  std::printf("%-12s %-6s %-8s %-8s %-20s %9.4f ulp at %s", reference.name, joined(parameters).c_str(), way, tier,
              group.levels.c_str(), worst.ulp, at);
  if (*dy) std::printf(" dy %s", dy);
  if (*root) std::printf(", near the root %s * 2^-%d |dy|", root, Format<T>::mantissa_bits + 1);
  if (worst.wrong) std::printf(", WRONG in kind %llu times", count(worst.wrong));
  if (worst.different) std::printf(", levels DIFFER %llu times", count(worst.different));
  std::printf("%s\n", good ? "" : "  <-- beyond the bound");
  std::fflush(stdout);
  if (options.csv) {
    std::fprintf(options.csv, "%s,%s,%s,%s,%s,%s,%.4f,%s,%s,%s,%llu,%llu,%llu\n", reference.name,
                 joined(parameters).c_str(), way, Format<T>::name, tier, group.levels.c_str(), worst.ulp, at, dy, root,
                 count(worst.wrong), count(worst.different), count(worst.inputs));
    std::fflush(options.csv);
  }
  return good;
}

// One function, direction and choice of parameters. fill(b, inputs) gives the inputs of block b; backward goes over
// them with dy = 1, and over every so many blocks with the hard dy of their exponents.
template <class T>
class Check {
  using R = Real<T>;
  using Pair = std::vector<T>[2];

 public:
  Check(const Reference<T>& reference, const std::vector<double>& parameters, Direction direction)
      : groups(groups_of(record_of(reference.name), direction, Format<T>::type)),
        reference_(reference),
        parameters_(parameters),
        backward_(direction == Direction::backward),
        results_(reference.gated() && backward_ ? 2 : 1) {
    for (const double parameter : parameters) narrow_differs_ |= double(float(parameter)) != parameter;
  }

  template <class Fill>
  void run(int64_t blocks, int64_t hard_dy_every, Fill fill) {
#pragma omp parallel
    {
      const numact::FpScope scope;
      Inputs<T> in;
      const std::vector<T> ones(block, T(1));
      std::vector<T> dy(block);
      std::vector<Work> work(groups.size() + 1);
      std::vector<R> exact[2] = {std::vector<R>(block), std::vector<R>(block)};
#pragma omp for schedule(dynamic)
      for (int64_t b = 0; b < blocks; ++b) {
        fill(b, in);
        for (const bool cast : {false, true}) {
          std::vector<size_t> members;
          for (size_t g = 0; g < groups.size(); ++g)
            if (casts(groups[g]) == cast) members.push_back(g);
          if (members.empty()) continue;
          const Root root = exact_values(in, cast, exact);
          compare_groups(in, ones.data(), members, root, exact, b, work);
          if (!backward_ || b % hard_dy_every != 0) continue;
          for (size_t i = 0; i < block; ++i) dy[i] = hard_dy(in.dy[i], double(exact[i % size_t(results_)][i]));
          for (int r = 0; r < results_; ++r)
#pragma omp simd
            for (size_t i = 0; i < block; ++i) exact[r][i] *= R(dy[i]);
          compare_groups(in, dy.data(), members, root, exact, b, work);
        }
      }
#pragma omp critical
      for (size_t g = 0; g < groups.size(); ++g) groups[g].worst.take(work[g].worst);
    }
  }

  std::vector<Group> groups;

 private:
  // Of a group the largest errors so far, those of the block under way, and its results.
  struct Work {
    Worst worst, of_block;
    Pair results = {std::vector<T>(block), std::vector<T>(block)};
  };

  // The exact value is that of the parameters as cast for the kernel.
  bool casts(const Group& group) const { return narrow_differs_ && group.kernels[0]->parameter == Type::float32; }

  Root exact_values(const Inputs<T>& in, bool cast, std::vector<R>* exact) const {
    R p[numact::most_parameters] = {};
    for (size_t i = 0; i < parameters_.size(); ++i) p[i] = cast ? double(float(parameters_[i])) : parameters_[i];
    for (int r = 0; r < results_; ++r)
      (backward_ ? reference_.slopes[r] : reference_.value)(in.x.data(), in.value.data(), p, exact[r].data(), block);
    return {reference_.scaled_root ? double(p[0]) : 1, backward_ ? reference_.root : references::no_root};
  }

  bool equal(const Pair& a, const Pair& b) const {
    for (int r = 0; r < results_; ++r)
      if (std::memcmp(a[r].data(), b[r].data(), block * sizeof(T)) != 0) return false;
    return true;
  }

  void compare_groups(const Inputs<T>& in, const T* dy, const std::vector<size_t>& members, Root root,
                      const std::vector<R>* exact, int64_t in_block, std::vector<Work>& work) const {
    Pair& other = work.back().results;  // one more than groups
    double known = INFINITY;
    for (const size_t g : members) known = std::fmin(known, work[g].worst.in_block < 0 ? -1 : work[g].worst.ulp);
    for (const size_t g : members) {
      const std::vector<const ElementwiseKernel*>& kernels = groups[g].kernels;
      Work& mine = work[g];
      evaluate(*kernels[0], in, dy, parameters_, mine.results);
      size_t twin = members[0];  // often two groups agree
      while (twin < g && !(casts(groups[twin]) == casts(groups[g]) && equal(work[twin].results, mine.results))) ++twin;
      mine.of_block = twin < g ? work[twin].of_block : Worst{};
      for (int r = 0; r < results_ && twin == g; ++r) {
        const Root here = r == 0 ? root : Root{1, references::no_root};  // of a gated function only the gate's gradient
        const T* const got = mine.results[r].data();
        mine.of_block.take(compare(in, dy, reference_.gated(), here, got, exact[r].data(), in_block, known));
      }
      mine.worst.take(mine.of_block);
      for (size_t k = 1; k < kernels.size(); ++k) {
        evaluate(*kernels[k], in, dy, parameters_, other);
        for (int r = 0; r < results_; ++r) mine.worst.different += differences(mine.results[r], other[r]);
      }
    }
  }

  const Reference<T>& reference_;
  const std::vector<double>& parameters_;
  const bool backward_;
  const int results_;
  bool narrow_differs_ = false;
};

// Every reference that is in the catalogue; fails for a name of the catalogue that has none. blocks_of(reference,
// first) gives how many blocks, `first` for the default parameters; fill(reference, parameters, b, inputs) fills one.
template <class T, class BlocksOf, class Fill>
bool check_all(const Options& options, int64_t hard_dy_every, BlocksOf blocks_of, Fill fill) {
  bool good = true;
  for (const numact::Record& record : numact::elementwise_records) {
    bool known = false;
    for (const Reference<T>& reference : references::all<T>()) known |= std::string(record.name) == reference.name;
    if (!known) std::printf("%s needs a reference in tests/native/references.hpp\n", record.name);
    good &= known;
  }
  for (const Reference<T>& reference : references::all<T>()) {
    if (record_of(reference.name) < 0 || (!options.only.empty() && options.only != reference.name)) continue;
    for (const std::vector<double>& parameters : reference.parameters)
      for (const Direction direction : {Direction::forward, Direction::backward}) {
        if (!(direction == Direction::forward ? options.forward : options.backward)) continue;
        Check<T> check(reference, parameters, direction);
        check.run(blocks_of(reference, &parameters == &reference.parameters[0]), hard_dy_every,
                  [&](int64_t b, Inputs<T>& in) { fill(reference, parameters, b, in); });
        for (const Group& group : check.groups) good = report(options, reference, parameters, direction, group) && good;
      }
  }
  std::puts(good ? "every bound holds" : "bounds are broken");
  return good;
}

}  // namespace accuracy
