// SPDX-License-Identifier: Apache-2.0
#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "tests/bench/pin.h"
#include "tests/bench/ways.h"

namespace halite::bench {
namespace {

using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;
using Memory = dnnl::memory;
using Ints = std::vector<int64_t>;

constexpr auto kFloat = dnnl::memory::data_type::f32;
constexpr auto kAny = dnnl::memory::format_tag::any;

dnnl::engine& Engine() {
  static auto& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}
dnnl::stream& Stream() {
  static auto& stream = *new dnnl::stream(Engine());
  return stream;
}

// Row-major.
Desc Plain(const Dims& dims) {
  Dims strides(dims.size());
  int64_t stride = 1;
  for (size_t d = dims.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= dims[d];
  }
  return Desc(dims, kFloat, strides);
}

// A primitive on plain arrays: arguments by name, conversions where it wants another format.
class Work {
 public:
  // An input with these values, or an output or scratch array without.
  struct Array {
    int name;
    Desc plain, wanted;
    std::vector<float> values = {};
    bool is_output = false;
  };

  Work(dnnl::primitive primitive, const std::vector<Array>& arrays)
      : primitive_(std::move(primitive)) {
    for (const Array& array : arrays) Add(array);
  }

  void RunAlone() {
    primitive_.execute(Stream(), arguments_);
    Stream().wait();
  }
  void RunWithConversions() {
    for (auto& [from, to] : before_) dnnl::reorder(from, to).execute(Stream(), from, to);
    primitive_.execute(Stream(), arguments_);
    for (auto& [from, to] : after_) dnnl::reorder(from, to).execute(Stream(), from, to);
    Stream().wait();
  }
  bool converts() const { return !before_.empty() || !after_.empty(); }
  // The first output.
  std::vector<float> Result() const {
    const auto* values = static_cast<const float*>(output_->get_data_handle());
    return {values, values + output_->get_desc().get_size() / sizeof(float)};
  }

 private:
  void Add(const Array& array) {
    Memory own(array.wanted, Engine());
    arguments_.emplace(array.name, own);
    if (array.values.empty() && !array.is_output) return;
    Memory plain = array.plain == array.wanted ? own : Memory(array.plain, Engine());
    if (!array.values.empty()) {
      std::copy(array.values.begin(), array.values.end(),
                static_cast<float*>(plain.get_data_handle()));
    }
    if (array.is_output && !output_) output_ = plain;
    if (array.plain == array.wanted) return;
    if (array.is_output) {
      after_.emplace_back(own, plain);
    } else {
      before_.emplace_back(plain, own);
      dnnl::reorder(plain, own).execute(Stream(), plain, own);
      Stream().wait();
    }
  }

  dnnl::primitive primitive_;
  std::unordered_map<int, Memory> arguments_;
  std::vector<std::pair<Memory, Memory>> before_, after_;
  std::optional<Memory> output_;
};

// `work` as one or two ways.
void Append(std::vector<Way>& ways, std::shared_ptr<Work> work) {
  const auto result = [work] { return work->Result(); };
  ways.push_back(
      {work->converts() ? "reordered" : "direct", [work] { work->RunWithConversions(); }, result});
  if (work->converts()) ways.push_back({"blocked", [work] { work->RunAlone(); }, nullptr});
}

template <typename T>
T Option(const Case& test, const std::string& name, T otherwise) {
  for (const auto& [own, value] : test.options) {
    if (own == name) return std::get<T>(value);
  }
  return otherwise;
}

struct Arrays {
  std::vector<Dims> dims;
  Dims y_dims;
  std::vector<std::vector<float>> x;
  std::vector<float> y, dy;

  explicit Arrays(const Bench& bench) {
    for (const Variable& input : bench.inputs()) {
      dims.emplace_back(input.shape().begin(), input.shape().end());
      x.push_back(Values(input.data()));
    }
    const Variable& output = bench.outputs()[0];
    y_dims.assign(output.shape().begin(), output.shape().end());
    y = Values(output.data());
    dy = Values(output.grad());
  }
};

// c[m, n] = a b, either stored transposed.
std::vector<Way> Matmul(const Case& test, const Arrays& arrays) {
  struct Operands {
    std::vector<float> a, b, c;
  };
  const bool ta = Option(test, "transpose_a", false), tb = Option(test, "transpose_b", false);
  const int64_t m = arrays.y_dims[1], n = arrays.y_dims[2], k = arrays.dims[0][ta ? 1 : 2];
  auto own =
      std::make_shared<Operands>(Operands{arrays.x[0], arrays.x[1], std::vector<float>(m * n)});
  return {{"direct",
           [=] {
             dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1, own->a.data(), ta ? m : k,
                        own->b.data(), tb ? k : n, 0, own->c.data(), n);
           },
           [=] { return own->c; }}};
}

std::vector<Way> Convolution(const Case& test, Pass pass, const Arrays& arrays) {
  const Ints pad = Option(test, "pad", Ints{}), stride = Option(test, "stride", Ints{});
  const int64_t group = Option(test, "group", int64_t{1});
  Dims w = arrays.dims[1];
  if (group > 1) {
    w[0] /= group;
    w.insert(w.begin(), group);
  }
  const Dims& x = arrays.dims[0];
  const Dims& y = arrays.y_dims;
  const Desc b = Plain({y[1]});
  const auto direct = dnnl::algorithm::convolution_direct;
  std::vector<Way> ways;
  for (const bool plain : {true, false}) {
    const auto desc = [&](const Dims& dims) {
      return plain ? Plain(dims) : Desc(dims, kFloat, kAny);
    };
    const dnnl::convolution_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_training, direct, desc(x), desc(w), b, desc(y), stride, pad, pad},
        Engine());
    if (pass == Pass::kForward) {
      Append(ways, std::make_shared<Work>(
                       dnnl::convolution_forward(forward),
                       std::vector<Work::Array>{
                           {DNNL_ARG_SRC, Plain(x), forward.src_desc(), arrays.x[0]},
                           {DNNL_ARG_WEIGHTS, Plain(w), forward.weights_desc(), arrays.x[1]},
                           {DNNL_ARG_BIAS, b, b, arrays.x[2]},
                           {DNNL_ARG_DST, Plain(y), forward.dst_desc(), {}, true}}));
    } else if (pass == Pass::kBackwardData) {
      const dnnl::convolution_backward_data::primitive_desc pd(
          {direct, desc(x), desc(w), desc(y), stride, pad, pad}, Engine(), forward);
      Append(ways, std::make_shared<Work>(
                       dnnl::convolution_backward_data(pd),
                       std::vector<Work::Array>{
                           {DNNL_ARG_DIFF_DST, Plain(y), pd.diff_dst_desc(), arrays.dy},
                           {DNNL_ARG_WEIGHTS, Plain(w), pd.weights_desc(), arrays.x[1]},
                           {DNNL_ARG_DIFF_SRC, Plain(x), pd.diff_src_desc(), {}, true}}));
    } else {
      const dnnl::convolution_backward_weights::primitive_desc pd(
          {direct, desc(x), desc(w), b, desc(y), stride, pad, pad}, Engine(), forward);
      Append(ways, std::make_shared<Work>(
                       dnnl::convolution_backward_weights(pd),
                       std::vector<Work::Array>{
                           {DNNL_ARG_DIFF_DST, Plain(y), pd.diff_dst_desc(), arrays.dy},
                           {DNNL_ARG_SRC, Plain(x), pd.src_desc(), arrays.x[0]},
                           {DNNL_ARG_DIFF_WEIGHTS, Plain(w), pd.diff_weights_desc(), {}, true},
                           {DNNL_ARG_DIFF_BIAS, b, b, {}, true}}));
    }
  }
  return ways;
}

std::vector<Way> Pooling(const Case& test, Pass pass, const Arrays& arrays) {
  const bool is_max = test.function == "max_pooling";
  const Ints kernel = Option(test, "kernel", Ints{});
  const Ints stride = Option(test, "stride", kernel), pad = Option(test, "pad", Ints{0, 0});
  const auto algorithm =
      is_max ? dnnl::algorithm::pooling_max : dnnl::algorithm::pooling_avg_include_padding;
  const Desc x = Plain(arrays.dims[0]), y = Plain(arrays.y_dims);
  const dnnl::pooling_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, algorithm, x, y, stride, kernel, pad, pad}, Engine());
  std::vector<Work::Array> list = {{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                   {DNNL_ARG_DST, y, y, {}, true}};
  if (is_max)
    list.push_back({DNNL_ARG_WORKSPACE, forward.workspace_desc(), forward.workspace_desc()});
  std::vector<Way> ways;
  if (pass == Pass::kForward) {
    Append(ways, std::make_shared<Work>(dnnl::pooling_forward(forward), list));
    return ways;
  }
  const dnnl::pooling_backward::primitive_desc pd({algorithm, x, y, stride, kernel, pad, pad},
                                                  Engine(), forward);
  list = {{DNNL_ARG_DIFF_DST, y, y, arrays.dy}, {DNNL_ARG_DIFF_SRC, x, x, {}, true}};
  // The places of the maxima stay those of zeros, the first of each window: as good for time.
  if (is_max) list.push_back({DNNL_ARG_WORKSPACE, pd.workspace_desc(), pd.workspace_desc()});
  Append(ways, std::make_shared<Work>(dnnl::pooling_backward(pd), list));
  if (is_max) ways[0].result = nullptr;
  return ways;
}

// Mean and variance of groups: x is runs of `run` elements, and run r belongs to group r % groups.
struct Moments {
  std::vector<float> mean, variance;

  Moments(const std::vector<float>& x, size_t run, size_t groups) {
    const double count = static_cast<double>(x.size()) / static_cast<double>(groups);
    const auto sums = [&](const std::vector<double>& center, int power) {
      std::vector<double> sum(groups);
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t group = i / run % groups;
        const double d = x[i] - center[group];
        sum[group] += power == 2 ? d * d : d;
      }
      for (double& value : sum) value /= count;
      return sum;
    };
    const std::vector<double> means = sums(std::vector<double>(groups), 1);
    const std::vector<double> variances = sums(means, 2);
    mean.assign(means.begin(), means.end());
    variance.assign(variances.begin(), variances.end());
  }
};

// Batch and layer normalization of x, beta and gamma.
template <typename Forward, typename Backward>
std::vector<Way> Normalization(Pass pass, const Arrays& arrays, const Moments& moments) {
  const Desc x = Plain(arrays.dims[0]);
  const Desc both = Plain({2, static_cast<int64_t>(arrays.x[1].size())});
  const auto flags = dnnl::normalization_flags::use_scale_shift;
  constexpr float kEps = 1e-5f;
  std::vector<float> scale_shift = arrays.x[2];
  scale_shift.insert(scale_shift.end(), arrays.x[1].begin(), arrays.x[1].end());
  const typename Forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, x, kEps, flags}, Engine());
  const Desc mean = forward.mean_desc(), variance = forward.variance_desc();
  std::vector<Way> ways;
  if (pass == Pass::kForward) {
    Append(ways, std::make_shared<Work>(
                     Forward(forward),
                     std::vector<Work::Array>{{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                              {DNNL_ARG_SCALE_SHIFT, both, both, scale_shift},
                                              {DNNL_ARG_MEAN, mean, mean},
                                              {DNNL_ARG_VARIANCE, variance, variance},
                                              {DNNL_ARG_DST, x, x, {}, true}}));
    return ways;
  }
  const typename Backward::primitive_desc pd({dnnl::prop_kind::backward, x, x, kEps, flags},
                                             Engine(), forward);
  Append(ways, std::make_shared<Work>(Backward(pd),
                                      std::vector<Work::Array>{
                                          {DNNL_ARG_SRC, x, x, arrays.x[0]},
                                          {DNNL_ARG_DIFF_DST, x, x, arrays.dy},
                                          {DNNL_ARG_SCALE_SHIFT, both, both, scale_shift},
                                          {DNNL_ARG_MEAN, mean, mean, moments.mean},
                                          {DNNL_ARG_VARIANCE, variance, variance, moments.variance},
                                          {DNNL_ARG_DIFF_SRC, x, x, {}, true},
                                          {DNNL_ARG_DIFF_SCALE_SHIFT, both, both, {}, true}}));
  return ways;
}

std::vector<Way> Softmax(Pass pass, const Arrays& arrays) {
  const Desc x = Plain(arrays.dims[0]);
  const dnnl::softmax_forward::primitive_desc forward({dnnl::prop_kind::forward_training, x, 1},
                                                      Engine());
  std::vector<Way> ways;
  if (pass == Pass::kForward) {
    Append(ways, std::make_shared<Work>(dnnl::softmax_forward(forward),
                                        std::vector<Work::Array>{{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                                                 {DNNL_ARG_DST, x, x, {}, true}}));
    return ways;
  }
  const dnnl::softmax_backward::primitive_desc pd({x, x, 1}, Engine(), forward);
  Append(ways,
         std::make_shared<Work>(dnnl::softmax_backward(pd),
                                std::vector<Work::Array>{{DNNL_ARG_DST, x, x, arrays.y},
                                                         {DNNL_ARG_DIFF_DST, x, x, arrays.dy},
                                                         {DNNL_ARG_DIFF_SRC, x, x, {}, true}}));
  return ways;
}

std::vector<Way> Unary(dnnl::algorithm algorithm, float alpha, Pass pass, const Arrays& arrays) {
  const Desc x = Plain(arrays.dims[0]);
  const dnnl::eltwise_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, algorithm, x, alpha, 0}, Engine());
  std::vector<Way> ways;
  if (pass == Pass::kForward) {
    Append(ways, std::make_shared<Work>(dnnl::eltwise_forward(forward),
                                        std::vector<Work::Array>{{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                                                 {DNNL_ARG_DST, x, x, {}, true}}));
    return ways;
  }
  const dnnl::eltwise_backward::primitive_desc pd({algorithm, x, x, alpha, 0}, Engine(), forward);
  Append(ways,
         std::make_shared<Work>(dnnl::eltwise_backward(pd),
                                std::vector<Work::Array>{{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                                         {DNNL_ARG_DIFF_DST, x, x, arrays.dy},
                                                         {DNNL_ARG_DIFF_SRC, x, x, {}, true}}));
  return ways;
}

std::vector<Way> Binary(dnnl::algorithm algorithm, const Arrays& arrays) {
  const Desc x0 = Plain(arrays.dims[0]), x1 = Plain(arrays.dims[1]), y = Plain(arrays.y_dims);
  const dnnl::binary::primitive_desc pd({algorithm, x0, x1, y}, Engine());
  std::vector<Way> ways;
  Append(ways, std::make_shared<Work>(
                   dnnl::binary(pd), std::vector<Work::Array>{{DNNL_ARG_SRC_0, x0, x0, arrays.x[0]},
                                                              {DNNL_ARG_SRC_1, x1, x1, arrays.x[1]},
                                                              {DNNL_ARG_DST, y, y, {}, true}}));
  return ways;
}

std::vector<Way> Reduction(dnnl::algorithm algorithm, const Case& test, const Arrays& arrays) {
  Dims to = arrays.dims[0];
  const Ints axes = Option(test, "axes", Ints{});
  for (size_t d = 0; d < to.size(); ++d) {
    if (axes.empty() || std::count(axes.begin(), axes.end(), d) > 0) to[d] = 1;
  }
  const Desc x = Plain(arrays.dims[0]), y = Plain(to);
  const dnnl::reduction::primitive_desc pd({algorithm, x, y, 0, 0}, Engine());
  std::vector<Way> ways;
  Append(ways, std::make_shared<Work>(dnnl::reduction(pd),
                                      std::vector<Work::Array>{{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                                               {DNNL_ARG_DST, y, y, {}, true}}));
  return ways;
}

std::vector<Way> Transpose(const Case& test, const Arrays& arrays) {
  const Ints axes = Option(test, "axes", Ints{});
  // The result as an array of x's dimensions with other strides.
  Dims strides(axes.size());
  int64_t stride = 1;
  for (size_t d = axes.size(); d-- > 0;) {
    strides[axes[d]] = stride;
    stride *= arrays.y_dims[d];
  }
  const Desc x = Plain(arrays.dims[0]), y(arrays.dims[0], kFloat, strides);
  const dnnl::reorder::primitive_desc pd(Engine(), x, Engine(), y);
  std::vector<Way> ways;
  Append(ways, std::make_shared<Work>(dnnl::reorder(pd),
                                      std::vector<Work::Array>{{DNNL_ARG_SRC, x, x, arrays.x[0]},
                                                               {DNNL_ARG_DST, y, y, {}, true}}));
  return ways;
}

std::vector<Way> Concatenate(const Case& test, const Arrays& arrays) {
  std::vector<Desc> sources;
  std::vector<Work::Array> list;
  for (size_t i = 0; i < arrays.x.size(); ++i) {
    sources.push_back(Plain(arrays.dims[i]));
    list.push_back(
        {DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), sources[i], sources[i], arrays.x[i]});
  }
  const Desc y = Plain(arrays.y_dims);
  list.push_back({DNNL_ARG_DST, y, y, {}, true});
  const dnnl::concat::primitive_desc pd(y, static_cast<int>(Option(test, "axis", int64_t{1})),
                                        sources, Engine());
  std::vector<Way> ways;
  Append(ways, std::make_shared<Work>(dnnl::concat(pd), list));
  return ways;
}

void SetThreads(int threads) {
  omp_set_num_threads(threads);
  if (threads == 1) return;
#pragma omp parallel
  PinThread(omp_get_thread_num());
}

}  // namespace

std::vector<Way> OnednnWays(const PeerCase& peer_case, int threads) {
  using A = dnnl::algorithm;
  struct Eltwise {
    A algorithm;
    float alpha = 0;
  };
  static const auto& unary = *new std::map<std::string, Eltwise>{
      {"abs", {A::eltwise_abs}},        {"elu", {A::eltwise_elu, 1}},
      {"exp", {A::eltwise_exp}},        {"leaky_relu", {A::eltwise_relu, 0.1f}},
      {"log", {A::eltwise_log}},        {"relu", {A::eltwise_relu}},
      {"tanh", {A::eltwise_tanh}},      {"sigmoid", {A::eltwise_logistic}},
      {"swish", {A::eltwise_swish, 1}}, {"gelu", {A::eltwise_gelu_erf}}};
  static const auto& binary = *new std::map<std::string, A>{
      {"add2", A::binary_add}, {"sub2", A::binary_sub},     {"mul2", A::binary_mul},
      {"div2", A::binary_div}, {"maximum2", A::binary_max}, {"greater", A::binary_gt}};
  static const auto& reduction = *new std::map<std::string, A>{
      {"sum", A::reduction_sum}, {"mean", A::reduction_mean}, {"max", A::reduction_max}};
  SetThreads(threads);
  const Case& test = peer_case.test;
  const Pass pass = peer_case.pass;
  const std::string& function = test.function;
  if (peer_case.family == "update" || function == "embed") return {};
  const Arrays arrays(Bench(test, pass));
  const bool forward = pass == Pass::kForward;
  if (function == "batch_matmul" && forward) return Matmul(test, arrays);
  if (function == "convolution") return Convolution(test, pass, arrays);
  if (function == "max_pooling" || function == "average_pooling") {
    return Pooling(test, pass, arrays);
  }
  if (function == "batch_normalization") {
    const Dims& x = arrays.dims[0];
    return Normalization<dnnl::batch_normalization_forward, dnnl::batch_normalization_backward>(
        pass, arrays, {arrays.x[0], static_cast<size_t>(x[2] * x[3]), static_cast<size_t>(x[1])});
  }
  if (function == "layer_normalization") {
    const size_t width = static_cast<size_t>(arrays.dims[0].back());
    return Normalization<dnnl::layer_normalization_forward, dnnl::layer_normalization_backward>(
        pass, arrays, {arrays.x[0], width, arrays.x[0].size() / width});
  }
  if (function == "softmax") return Softmax(pass, arrays);
  if (unary.count(function)) {
    const Eltwise& found = unary.at(function);
    return Unary(found.algorithm, found.alpha, pass, arrays);
  }
  if (binary.count(function) && forward) return Binary(binary.at(function), arrays);
  if (reduction.count(function) && forward) return Reduction(reduction.at(function), test, arrays);
  if (function == "transpose" && forward) return Transpose(test, arrays);
  if (function == "concatenate" && forward) return Concatenate(test, arrays);
  return {};
}

}  // namespace halite::bench
