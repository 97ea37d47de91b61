// SPDX-License-Identifier: Apache-2.0
#include "halite/core/initializer.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/random.h"
#include "halite/core/status.h"

namespace halite {
namespace {

// Writes value(i) to element i.
template <typename Value>
absl::Status Generate(NdArray& array, Value&& value) {
  return VisitDType(array.dtype(), [&](auto* type) -> absl::Status {
    using T = std::remove_pointer_t<decltype(type)>;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<T> elements, array.Write<T>());
    for (size_t i = 0; i < elements.size(); ++i) elements[i] = ConvertElement<T>(value(i));
    return absl::OkStatus();
  });
}

// A generator at the blocks of `count` numbers that are reserved for it alone.
RandomGenerator ReserveGenerator(int64_t count) {
  RandomGenerator generator;
  generator.set_state(ReserveRandomNumbers(count));
  return generator;
}

// Fills the array with what draw(generator, floats) draws.
template <typename Draw>
absl::Status DrawFloats(NdArray& array, Draw&& draw) {
  HALITE_RETURN_IF_ERROR(array.status());
  RandomGenerator generator = ReserveGenerator(array.size());
  if (array.dtype() == DType::kFloat32) {
    HALITE_ASSIGN_OR_RETURN(const absl::Span<float> elements, array.Write<float>());
    draw(generator, elements);
    return absl::OkStatus();
  }
  std::vector<float> numbers(static_cast<size_t>(array.size()));
  draw(generator, absl::MakeSpan(numbers));
  return Generate(array, [&](size_t i) { return numbers[i]; });
}

// Makes the rows of the row-major matrix [rows, columns], rows <= columns, orthonormal by Gram and
// Schmidt. Each row is projected twice, so that the rows are orthogonal to machine precision.
void Orthonormalize(std::vector<double>& matrix, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    double* row = matrix.data() + i * columns;
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const double* other = matrix.data() + j * columns;
        double dot = 0;
        for (int64_t k = 0; k < columns; ++k) dot += row[k] * other[k];
        for (int64_t k = 0; k < columns; ++k) row[k] -= dot * other[k];
      }
    }
    double square = 0;
    for (int64_t k = 0; k < columns; ++k) square += row[k] * row[k];
    for (int64_t k = 0; k < columns; ++k) row[k] /= std::sqrt(square);
  }
}

absl::Status FillOrthogonal(NdArray& array, double gain) {
  HALITE_RETURN_IF_ERROR(array.status());
  if (array.rank() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "OrthogonalInitializer: ", ToString(array.shape()), ": rank 2 at least needed"));
  }
  const int64_t outer = array.shape()[0], inner = array.SizeFromAxis(1);
  const int64_t rows = std::min(outer, inner), columns = std::max(outer, inner);
  std::vector<float> numbers(static_cast<size_t>(array.size()));
  ReserveGenerator(array.size()).Normal(absl::MakeSpan(numbers), 0, 1);
  std::vector<double> matrix(numbers.begin(), numbers.end());
  Orthonormalize(matrix, rows, columns);
  return Generate(array, [&](size_t i) {
    const int64_t r = static_cast<int64_t>(i) / inner, c = static_cast<int64_t>(i) % inner;
    return gain * matrix[outer <= inner ? r * columns + c : c * columns + r];
  });
}

double Taps(absl::Span<const int64_t> kernel) { return static_cast<double>(Size(kernel)); }

}  // namespace

Initializer ConstantInitializer(double value) {
  return [value](NdArray& array) {
    array.Fill(value);
    return array.status();
  };
}

Initializer NormalInitializer(double sigma) {
  return [sigma](NdArray& array) {
    return DrawFloats(array, [&](RandomGenerator& generator, absl::Span<float> numbers) {
      generator.Normal(numbers, 0, static_cast<float>(sigma));
    });
  };
}

Initializer UniformInitializer(double low, double high) {
  return [low, high](NdArray& array) {
    return DrawFloats(array, [&](RandomGenerator& generator, absl::Span<float> numbers) {
      generator.Uniform(numbers, static_cast<float>(low), static_cast<float>(high));
    });
  };
}

Initializer UniformIntInitializer(int64_t low, int64_t high) {
  return [low, high](NdArray& array) -> absl::Status {
    HALITE_RETURN_IF_ERROR(array.status());
    if (low >= high) {
      return absl::InvalidArgumentError(absl::StrCat("UniformIntInitializer: [", low, ", ", high,
                                                     "): at least one integer needed"));
    }
    const uint64_t bound = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    // Below takes one block of four numbers.
    RandomGenerator generator = ReserveGenerator(4 * array.size());
    return Generate(array, [&](size_t) {
      return static_cast<int64_t>(static_cast<uint64_t>(low) + generator.Below(bound));
    });
  };
}

Initializer RangeInitializer(double start, double step) {
  return [start, step](NdArray& array) {
    return Generate(array, [&](size_t i) { return start + step * static_cast<double>(i); });
  };
}

Initializer OrthogonalInitializer(double gain) {
  return [gain](NdArray& array) { return FillOrthogonal(array, gain); };
}

Initializer ValuesInitializer(NdArray values) {
  return [values = std::move(values)](NdArray& array) { return array.CopyFrom(values); };
}

double CalcNormalStdHeForward(int64_t inmaps, int64_t /*outmaps*/,
                              absl::Span<const int64_t> kernel) {
  return std::sqrt(2 / (static_cast<double>(inmaps) * Taps(kernel)));
}

double CalcNormalStdHeBackward(int64_t /*inmaps*/, int64_t outmaps,
                               absl::Span<const int64_t> kernel) {
  return std::sqrt(2 / (static_cast<double>(outmaps) * Taps(kernel)));
}

double CalcNormalStdGlorot(int64_t inmaps, int64_t outmaps, absl::Span<const int64_t> kernel) {
  return std::sqrt(2 / (static_cast<double>(inmaps) * Taps(kernel) + static_cast<double>(outmaps)));
}

double CalcUniformLimGlorot(int64_t inmaps, int64_t outmaps, absl::Span<const int64_t> kernel) {
  return std::sqrt(6 / (static_cast<double>(inmaps) * Taps(kernel) + static_cast<double>(outmaps)));
}

}  // namespace halite
