// Eight million float64 per activation and direction against exact values in quadruple precision.
//
// usage: float64 [--stride N] [--csv FILE] [--only NAME] [--direction forward|backward]
//
// Eight million points (divided by N) per function, shared among its parameters: bit patterns of all exponents, an everyday
// range, neighbourhoods of kinks and roots, and where exponentials underflow; dy = 1 and dy of all exponents. Output
// and exit status are those of exhaustive. First the double references of exhaustive are held against quadruple
// precision.
#include "accuracy.hpp"

using namespace accuracy;

namespace {

// splitmix64: a random word for every count.
struct Random {
  uint64_t state;
  uint64_t word() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  double uniform(double from, double to) { return from + (to - from) * (double(word() >> 11) * 0x1p-53); }
  double power_of_two(double from, double to) { return std::exp2(uniform(from, to)) * (word() & 1 ? 1 : -1); }
};

double drawn(Random& random, const Reference<double>& reference, const std::vector<double>& parameters) {
  const double p = parameters.empty() || parameters[0] == 0 ? 1 : std::fabs(parameters[0]);
  const double unit[] = {1, p, 1 / p};
  const uint64_t kind = random.word() % 8;
  if (kind < 2) return bits<double>(random.word());
  if (kind < 4) return random.power_of_two(-12, 11) * unit[random.word() % 3];
  if (kind == 4) return random.uniform(-1500, 100) * unit[random.word() % 3];
  if (kind == 5) return random.uniform(-60, 10) * unit[random.word() % 3];
  std::vector<double> places = {0, 0.5, -0.5, 1, -1, 3, -3, 6};
  for (const double parameter : parameters) places.insert(places.end(), {parameter, -parameter});
  if (reference.root == reference.root)
    places.push_back(reference.scaled_root && parameters[0] != 0 ? reference.root / parameters[0] : reference.root);
  const double place = places[random.word() % places.size()];
  return place + random.power_of_two(-55, 0) * (place == 0 ? 1 : std::fabs(place));
}

// The largest error of the double references, relative to the exact value (near a root to 2^-7), over values that count
// in float32 after multiplication by any dy.
bool check_references(uint64_t stride) {
  constexpr double accepted = 0x1p-40;
  double largest = 0;
  for (size_t r = 0; r < references::all<float>().size(); ++r) {
    const Reference<float>& reference = references::all<float>()[r];
    const Reference<double>& wide = references::all<double>()[r];
    double worst = 0, at = 0;
    Random random{r};
    for (const std::vector<double>& parameters : reference.parameters)
      for (uint64_t b = 0; b < 16; b += stride) {
        std::vector<float> x(block), value(block, 1.0f);
        std::vector<double> x_wide, value_wide(block, 1.0), got(block), p = parameters;
        std::vector<references::Quad> exact(block), p_wide(parameters.begin(), parameters.end());
        p.resize(numact::most_parameters);
        p_wide.resize(numact::most_parameters);
        for (float& each : x)
          each = random.word() & 1 ? any_finite<float>(uint32_t(random.word())) : float(random.uniform(-110, 20));
        x_wide.assign(x.begin(), x.end());
        for (int which = 0; which < 3; ++which) {
          const auto narrow = which ? reference.slopes[which - 1] : reference.value;
          if (!narrow) continue;
          narrow(x.data(), value.data(), p.data(), got.data(), block);
          const auto quad = which ? wide.slopes[which - 1] : wide.value;
          quad(x_wide.data(), value_wide.data(), p_wide.data(), exact.data(), block);
          for (int i = 0; i < block; ++i) {
            const double size = std::fabs(double(exact[i])), scale = wide.scaled_root ? p[0] : 1;
            if (size < 0x1p-280 || size > 0x1p300) continue;
            const bool near = which && std::fabs(scale * x_wide[i] - wide.root) <= 0.125;
            const double error = std::fabs(double(got[i] - exact[i])) / (near ? std::fmax(size, 0x1p-7) : size);
            if (!(error <= worst)) worst = error, at = x_wide[i];
          }
        }
      }
    if (worst > accepted) std::printf("%s: the double reference is wrong by %g at %a\n", reference.name, worst, at);
    largest = std::fmax(largest, worst);
  }
  std::printf("references in double: largest error 2^%.1f, accepted 2^%.1f\n", std::log2(largest), std::log2(accepted));
  return largest <= accepted;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options("float64", argc, argv);
  const bool references_hold = check_references(options.stride);
  const bool bounds_hold = check_all<double>(
      options, 1,
      [&](const Reference<double>& reference, bool) {
        return int64_t(8000000 / (options.stride * reference.parameters.size() * block)) + 1;
      },
      [](const Reference<double>& reference, const std::vector<double>& parameters, int64_t b, Inputs<double>& in) {
        Random random{uint64_t(b) << 32};
        for (int i = 0; i < block; ++i) {
          in.x[size_t(i)] = drawn(random, reference, parameters);
          in.dy[size_t(i)] = any_finite<double>(random.word());
          in.value[size_t(i)] = any_finite<double>(random.word());
        }
      });
  return references_hold && bounds_hold ? 0 : 1;
}
