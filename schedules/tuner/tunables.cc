// SPDX-License-Identifier: Apache-2.0
//
// With which arguments the tuner times Halite's own kernels, and for which shapes they are tuned
// unless the user gives others. Shapes are those of common networks and some odd ones.
#include <algorithm>
#include <string>

#include "halite/schedules/tuner/tunable.h"

namespace halite {
namespace {

using Arguments = std::optional<KernelArguments>;

// y [n, m] = a b with k terms. The columns of DeepBench's list; without a_t and b_t a line concerns
// all transpositions.
const Tunable kMatmul({"matmul"},
                      {"m n k", "64 64 64", "64 512 784", "128 10 784", "16 1024 1024",
                       "256 256 256", "2048 256 256", "256 2048 512", "1000 1000 1000",
                       "1021 333 77"},
                      [](const ShapeRow& row, const TunedKernel& kernel) -> Arguments {
                        const bool ta = kernel.params.at("transpose_a") == "true";
                        const bool tb = kernel.params.at("transpose_b") == "true";
                        if (row.has("a_t") && (row.flag("a_t") != ta || row.flag("b_t") != tb))
                          return {};
                        const int m = row["m"], n = row["n"], k = row["k"];
                        return KernelArguments{
                            {{"a", ta ? std::vector<int>{m, k, 1} : std::vector<int>{k, m, 1}},
                             {"b", tb ? std::vector<int>{k, n, 1} : std::vector<int>{n, k, 1}},
                             {"bias", {m}},
                             {"y", {n, m, 1}}}};
                      });

const std::string kConvolutionColumns = "mb ic ih iw oc kh kw sh sw ph pw";

// Convolution over two axes; a group is a call of its own. Which form takes which sizes is decided
// in ops/convolution_sizes.h; here a form takes what it can compute, and has shapes of its own.
struct ConvolutionRow {
  int group, n, iw, ih, kw, kh, ic, oc, sx, sy, px, py, dil_x, dil_y, ow, oh;

  explicit ConvolutionRow(const ShapeRow& row)
      : group(std::max(row.Get("group", 1), 1)),
        n(row["mb"]),
        iw(row["iw"]),
        ih(row["ih"]),
        kw(row["kw"]),
        kh(row["kh"]),
        ic(row["ic"] / group),
        oc(row["oc"] / group),
        sx(std::max(row.Get("sw", 1), 1)),
        sy(std::max(row.Get("sh", 1), 1)),
        px(row["pw"]),
        py(row["ph"]),
        dil_x(row.Get("dil_w", 1)),
        dil_y(row.Get("dil_h", 1)),
        ow((iw + 2 * px - (kw - 1) * dil_x - 1) / sx + 1),
        oh((ih + 2 * py - (kh - 1) * dil_y - 1) / sy + 1) {}

  KernelArguments Arguments() const {
    const std::vector<int> x = {iw, ih, 1, ic, n}, y = {ow, oh, 1, oc, n}, w = {kw, kh, 1, ic, oc};
    return {{{"x", x}, {"dx", x}, {"y", y}, {"dy", y}, {"w", w}, {"dw", w}, {"b", {oc}}},
            {{"stride_x", sx},
             {"stride_y", sy},
             {"stride_z", 1},
             {"pad_x", px},
             {"pad_y", py},
             {"dilation_x", dil_x},
             {"dilation_y", dil_y},
             {"dilation_z", 1},
             {"offset_x", px},
             {"offset_y", py},
             {"out_width", ow}}};
  }
};

// A gradient to a strided input is a convolution for each phase.
const Tunable kConvolution({"convolution", "convolution_dx", "convolution_dw"},
                           {kConvolutionColumns, "1 256 14 14 256 3 3 1 1 1 1",
                            "16 512 7 7 512 3 3 1 1 1 1", "64 1 28 28 16 5 5 1 1 0 0",
                            "4 3 224 224 64 7 7 2 2 3 3", "1 3 224 224 64 3 3 1 1 1 1",
                            "128 16 32 32 32 3 3 2 2 1 1", "4 128 56 56 128 3 3 2 2 1 1"},
                           [](const ShapeRow& row, const TunedKernel& kernel) -> Arguments {
                             const ConvolutionRow c(row);
                             const bool has_phases =
                                 kernel.generator == "convolution_dx" && c.sx * c.sy != 1;
                             if (row.Get("ndim", 2) != 2 || has_phases) return {};
                             return c.Arguments();
                           });

const Tunable kWinogradConvolution(
    {"winograd_convolution", "winograd_convolution_dx", "winograd_convolution_dw"},
    {kConvolutionColumns, "1 64 56 56 64 3 3 1 1 1 1", "16 128 28 28 128 3 3 1 1 1 1",
     "64 16 12 12 16 5 5 1 1 0 0", "128 16 32 32 16 3 3 1 1 1 1", "128 64 8 8 64 3 3 1 1 1 1"},
    [](const ShapeRow& row, const TunedKernel& kernel) -> Arguments {
      const ConvolutionRow c(row);
      const bool has_taps = c.kw == c.kh && kernel.params.at("taps") == std::to_string(c.kw);
      if (row.Get("ndim", 2) != 2 || !has_taps || c.sx * c.sy * c.dil_x * c.dil_y != 1) return {};
      return c.Arguments();
    });

// n elements.
const Tunable kUnary({"unary", "unary_grad"},
                     {"n", "1000", "30000", "100000", "401408", "3211264", "12845056"},
                     [](const ShapeRow& row, const TunedKernel&) -> Arguments {
                       const std::vector<int> n = {row["n"]};
                       return KernelArguments{{{"x", n}, {"y", n}, {"dy", n}, {"dx", n}}};
                     });

// Rows of `inner` elements, dense.
const Tunable kBinary(
    {"binary", "binary_grad"},
    {"inner outer", "1000 1", "300 100", "3136 128", "56 3584", "3136 1024", "3211264 1"},
    [](const ShapeRow& row, const TunedKernel&) -> Arguments {
      const std::vector<int> n = {row["inner"], row["outer"], 1, 1};
      return KernelArguments{{{"x0", n}, {"x1", n}, {"y", n}, {"dy", n}, {"dx", n}}};
    });

// Arrays x [inner, axis, outer] and sums [inner, outer].
const std::vector<std::string> kAxisShapes = {"inner axis outer", "1 10 64",    "1 128 8192",
                                              "1 1000 1024",      "1 32000 64", "64 128 64",
                                              "512 128 64",       "3136 64 16", "512 10000 1"};

const Tunable kSum({"sum", "max", "max_grad"}, kAxisShapes,
                   [](const ShapeRow& row, const TunedKernel&) -> Arguments {
                     const int inner = row["inner"], axis = row["axis"], outer = row["outer"];
                     const std::vector<int> all = {inner, axis, outer}, sums = {inner, outer};
                     return KernelArguments{
                         {{"x", all}, {"dx", all}, {"y", sums}, {"dy", sums}, {"index", sums}},
                         {{"scale", 1}, {"axis", axis}}};
                   });

const Tunable kSumGrad({"sum_grad"}, kAxisShapes,
                       [](const ShapeRow& row, const TunedKernel&) -> Arguments {
                         const std::vector<int> all = {row["inner"], row["axis"], row["outer"], 1};
                         return KernelArguments{{{"dy", all}, {"dx", all}}, {{"scale", 1}}};
                       });

const Tunable kSoftmax({"softmax", "softmax_grad"}, kAxisShapes,
                       [](const ShapeRow& row, const TunedKernel&) -> Arguments {
                         const std::vector<int> all = {row["inner"], row["axis"], row["outer"]};
                         return KernelArguments{{{"x", all}, {"y", all}, {"dy", all}, {"dx", all}}};
                       });

const Tunable kLayerNormalization(
    {"layer_normalization", "layer_normalization_dx", "layer_normalization_dw"},
    {"axis outer", "64 1000", "128 2048", "768 512", "1024 4096", "10000 100"},
    [](const ShapeRow& row, const TunedKernel&) -> Arguments {
      const std::vector<int> all = {row["axis"], row["outer"]}, axis = {row["axis"]};
      return KernelArguments{{{"x", all},
                              {"y", all},
                              {"dy", all},
                              {"dx", all},
                              {"beta", axis},
                              {"gamma", axis},
                              {"dw", axis}},
                             {{"eps", 1e-5}}};
    });

}  // namespace
}  // namespace halite
