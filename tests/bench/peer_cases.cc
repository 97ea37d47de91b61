// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/peer_cases.h"

#include <algorithm>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace halite::bench {
namespace {

using Ints = std::vector<int64_t>;

PeerCase Matmul(int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  const Shape a = ta ? Shape{1, k, m} : Shape{1, m, k}, b = tb ? Shape{1, n, k} : Shape{1, k, n};
  return {"matmul",
          absl::StrCat(m, "x", n, "x", k, "_", ta ? "t" : "n", tb ? "t" : "n"),
          {"batch_matmul", {a, b}, {{"transpose_a", ta}, {"transpose_b", tb}}},
          Pass::kForward,
          2. * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k)};
}

struct Layer {
  int64_t n, c, h, w, o, kh, kw, sh = 1, sw = 1, ph = 0, pw = 0, group = 1;

  static Layer Square(int64_t n, int64_t c, int64_t side, int64_t o, int64_t k, int64_t stride = 1,
                      int64_t group = 1) {
    const int64_t pad = (k - 1) / 2;
    return {n, c, side, side, o, k, k, stride, stride, pad, pad, group};
  }
};

void AddConvolution(std::vector<PeerCase>& cases, const Layer& l) {
  const int64_t oh = (l.h + 2 * l.ph - l.kh) / l.sh + 1, ow = (l.w + 2 * l.pw - l.kw) / l.sw + 1;
  if (oh < 1 || ow < 1) return;
  std::string name =
      absl::StrCat("b", l.n, "_", l.c, "-", l.o, "_", l.kh, "x", l.kw, "_at", l.h, "x", l.w);
  if (l.sh != 1 || l.sw != 1) absl::StrAppend(&name, "_s", l.sh);
  if (l.group != 1) absl::StrAppend(&name, "_g", l.group);
  const Case test{"convolution",
                  {{l.n, l.c, l.h, l.w}, {l.o, l.c / l.group, l.kh, l.kw}, {l.o}},
                  {{"pad", Ints{l.ph, l.pw}}, {"stride", Ints{l.sh, l.sw}}, {"group", l.group}}};
  const double work = 2. * static_cast<double>(l.n * l.o * oh * ow) *
                      static_cast<double>(l.c / l.group * l.kh * l.kw);
  cases.push_back({"convolution", name, test, Pass::kForward, work});
  cases.push_back({"convolution_data", name, test, Pass::kBackwardData, work});
  cases.push_back({"convolution_weights", name, test, Pass::kBackwardWeights, work});
}

void AddMatmuls(std::vector<PeerCase>& cases) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (int64_t side : {64, 128, 256, 512, 1024, 2048, 1000, 1021}) {
        cases.push_back(Matmul(side, side, side, ta, tb));
      }
    }
  }
  // Training and inference: (64, 784) (784, 512) and its gradients, and so on.
  const Ints sizes[] = {{64, 512, 784},   {128, 10, 784},  {64, 4096, 4096}, {2048, 1024, 256},
                        {1, 4096, 4096},  {1, 512, 784},   {4, 1024, 1024},  {16, 1024, 1024},
                        {64, 10, 256},    {64, 50, 784},   {2048, 256, 256}, {2048, 256, 1024},
                        {100, 3000, 300}, {3000, 100, 300}};
  for (const Ints& s : sizes) {
    cases.push_back(Matmul(s[0], s[1], s[2], false, false));  // y = x w
    cases.push_back(Matmul(s[0], s[2], s[1], false, true));   // dx = dy w'
    cases.push_back(Matmul(s[2], s[1], s[0], true, false));   // dw = x' dy
  }
}

void AddConvolutions(std::vector<PeerCase>& cases) {
  for (int64_t n : {1, 16}) {
    const auto add = [&](auto... numbers) { AddConvolution(cases, Layer::Square(n, numbers...)); };
    // ResNet-50.
    add(3, 224, 64, 7, 2);
    for (int64_t c = 64, side = 56; c <= 512; c *= 2, side /= 2) {
      add(c, side, c, 3);
      add(c, side, 4 * c, 1);
      add(4 * c, side, c, 1);
      if (c == 512) break;
      add(4 * c, side, 2 * c, 1);
      add(4 * c, side, 8 * c, 1, 2);
      add(2 * c, side, 2 * c, 3, 2);
    }
    add(64, 56, 64, 1);
    // MobileNetV2: wide, depthwise, narrow again.
    add(3, 224, 32, 3, 2);
    add(32, 112, 32, 3, 1, 32);
    add(32, 112, 16, 1);
    add(16, 112, 96, 1);
    add(96, 112, 96, 3, 2, 96);
    add(24, 56, 144, 1);
    add(144, 56, 144, 3, 1, 144);
    add(144, 56, 144, 3, 2, 144);
    add(192, 28, 192, 3, 1, 192);
    add(192, 28, 32, 1);
    add(64, 14, 384, 1);
    add(384, 14, 384, 3, 1, 384);
    add(576, 14, 576, 3, 2, 576);
    add(576, 14, 96, 1);
    add(960, 7, 960, 3, 1, 960);
    add(160, 7, 960, 1);
    add(320, 7, 1280, 1);
    // VGG, and ResNeXt's groups.
    if (n == 1) {
      add(3, 224, 64, 3);
      add(64, 224, 64, 3);
      add(64, 112, 128, 3);
      add(128, 112, 128, 3);
    }
    add(128, 56, 256, 3);
    add(512, 28, 512, 3);
    add(512, 14, 512, 3);
    add(128, 56, 128, 3, 1, 32);
  }
  // LeNet.
  AddConvolution(cases, {64, 1, 28, 28, 16, 5, 5});
  AddConvolution(cases, {64, 16, 12, 12, 16, 5, 5});
  // ResNet-20.
  AddConvolution(cases, Layer::Square(128, 16, 32, 16, 3));
  AddConvolution(cases, Layer::Square(128, 32, 16, 32, 3));
  AddConvolution(cases, Layer::Square(128, 64, 8, 64, 3));
}

void AddBoth(std::vector<PeerCase>& cases, const std::string& family, const std::string& name,
             const Case& test) {
  cases.push_back({family, name + "/forward", test, Pass::kForward});
  cases.push_back({family, name + "/backward", test, Pass::kBackward});
}

void AddMemoryBound(std::vector<PeerCase>& cases) {
  const Shape shapes[] = {{65536}, {16, 64, 56, 56}, {32, 128, 56, 56}};
  for (const Shape& shape : shapes) {
    const std::string size = ToString(shape);
    for (const char* function :
         {"relu", "leaky_relu", "abs", "exp", "log", "sigmoid", "tanh", "elu", "swish", "gelu"}) {
      AddBoth(cases, "unary", function + size, {function, {shape}});
    }
    for (const char* function : {"add2", "mul2", "div2", "maximum2"}) {
      cases.push_back({"binary", function + size, {function, {shape, shape}}});
      if (shape.size() == 1) continue;
      cases.push_back({"broadcast", function + size, {function, {shape, {1, shape[1], 1, 1}}}});
    }
  }
  for (const Shape& shape :
       {Shape{64, 16, 24, 24}, Shape{16, 64, 112, 112}, Shape{32, 256, 28, 28}}) {
    const std::string size = ToString(shape);
    for (const char* function : {"max_pooling", "average_pooling"}) {
      AddBoth(cases, "pooling", absl::StrCat(function, size, "_2x2"),
              {function, {shape}, {{"kernel", Ints{2, 2}}}});
      AddBoth(cases, "pooling", absl::StrCat(function, size, "_3x3s2"),
              {function,
               {shape},
               {{"kernel", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad", Ints{1, 1}}}});
    }
  }
  AddBoth(cases, "pooling", "average_pooling[16,2048,7,7]_7x7",
          {"average_pooling", {{16, 2048, 7, 7}}, {{"kernel", Ints{7, 7}}}});
  for (const Shape& shape : {Shape{128, 16, 32, 32}, Shape{16, 64, 112, 112},
                             Shape{16, 256, 14, 14}, Shape{16, 2048, 7, 7}}) {
    const Shape c = {1, shape[1], 1, 1};
    AddBoth(cases, "batch_normalization", ToString(shape),
            {"batch_normalization", {shape, c, c, c, c}});
  }
  for (const Shape& shape :
       {Shape{64, 10}, Shape{1024, 1000}, Shape{8192, 128}, Shape{512, 32000}}) {
    AddBoth(cases, "softmax", ToString(shape), {"softmax", {shape}});
  }
  for (const char* function : {"sum", "mean", "max"}) {
    for (int64_t axis : {0, 1, 2}) {
      cases.push_back({"reduction",
                       absl::StrCat(function, "[256,128,512]_axis", axis),
                       {function, {{256, 128, 512}}, {{"axes", Ints{axis}}}}});
    }
    cases.push_back({"reduction",
                     absl::StrCat(function, "[32,128,56,56]_all"),
                     {function, {{32, 128, 56, 56}}, {{"axes", Ints{0, 1, 2, 3}}}}});
    cases.push_back({"reduction",
                     absl::StrCat(function, "[32,128,56,56]_023"),
                     {function, {{32, 128, 56, 56}}, {{"axes", Ints{0, 2, 3}}}}});
  }
  cases.push_back(
      {"transpose", "[1024,1024]_10", {"transpose", {{1024, 1024}}, {{"axes", Ints{1, 0}}}}});
  cases.push_back({"transpose",
                   "[16,1024,1024]_021",
                   {"transpose", {{16, 1024, 1024}}, {{"axes", Ints{0, 2, 1}}}}});
  cases.push_back({"transpose",
                   "[32,64,56,56]_0231",
                   {"transpose", {{32, 64, 56, 56}}, {{"axes", Ints{0, 2, 3, 1}}}}});
  cases.push_back({"transpose",
                   "[16,128,4,64]_0213",
                   {"transpose", {{16, 128, 4, 64}}, {{"axes", Ints{0, 2, 1, 3}}}}});
}

void AddConcatenate(std::vector<PeerCase>& cases, size_t count, const Shape& shape, int64_t axis) {
  cases.push_back({"concatenate",
                   absl::StrCat(count, "x", ToString(shape), "_", axis),
                   {"concatenate", std::vector<Shape>(count, shape), {{"axis", axis}}}});
}

void AddLayerNormalization(std::vector<PeerCase>& cases, const Shape& shape) {
  Shape row(shape.size(), 1);
  row.back() = shape.back();
  Ints batch_axes;
  for (size_t d = 0; d + 1 < shape.size(); ++d) batch_axes.push_back(static_cast<int64_t>(d));
  AddBoth(cases, "layer_normalization", ToString(shape),
          {"layer_normalization", {shape, row, row}, {{"batch_axis", batch_axes}}});
}

void AddEmbed(std::vector<PeerCase>& cases, const Shape& indices, int64_t rows, int64_t width) {
  const std::string name = absl::StrCat(ToString(indices), "_of", rows, "x", width);
  const Case test{.function = "embed", .shapes = {indices, {rows, width}}, .index_bound = rows};
  const double picked = 4. * static_cast<double>(Size(indices) * width);
  const double table = 4. * static_cast<double>(rows * width);
  // Rows are read and written; the gradient is cleared, then rows of it read and written.
  cases.push_back({"embed", name + "/forward", test, Pass::kForward, 0, 2 * picked});
  cases.push_back(
      {"embed", name + "/backward", test, Pass::kBackwardWeights, 0, table + 3 * picked});
}

void AddParameters(std::vector<PeerCase>& cases) {
  for (const Shape& shape : {Shape{16, 64, 56, 56}, Shape{16, 65, 33, 33}}) {
    AddConcatenate(cases, 2, shape, 1);
  }
  AddConcatenate(cases, 4, {16, 128, 28, 28}, 1);
  AddConcatenate(cases, 2, {64, 128, 256}, 2);
  AddConcatenate(cases, 3, {4096, 100}, 1);
  AddConcatenate(cases, 2, {128, 10000}, 0);
  for (const Shape& shape : {Shape{4096, 768}, Shape{2048, 256}, Shape{16, 128, 256},
                             Shape{64, 1000}, Shape{1024, 4096}}) {
    AddLayerNormalization(cases, shape);
  }
  AddEmbed(cases, {64, 128}, 10000, 256);
  AddEmbed(cases, {16, 512}, 30000, 768);
  AddEmbed(cases, {2048}, 1000, 64);
  for (const int64_t size : {65536, 2359296, 16777216}) {
    const double bytes = 4. * static_cast<double>(size);
    const std::string name = absl::StrCat("[", size, "]");
    // The gradient is read; the parameter and each state are read and written.
    cases.push_back({"update", "sgd" + name, {"sgd", {{size}}}, Pass::kForward, 0, 3 * bytes});
    cases.push_back(
        {"update", "momentum" + name, {"momentum", {{size}}}, Pass::kForward, 0, 5 * bytes});
    cases.push_back({"update", "adam" + name, {"adam", {{size}}}, Pass::kForward, 0, 7 * bytes});
  }
}

// A line of a tab-separated file, by column.
using Row = std::map<std::string, std::string>;

int64_t Number(const Row& row, const std::string& column, int64_t otherwise = 0) {
  const auto found = row.find(column);
  int64_t value;
  return found != row.end() && absl::SimpleAtoi(found->second, &value) ? value : otherwise;
}

std::string Json(absl::Span<const int64_t> numbers) {
  return absl::StrCat("[", absl::StrJoin(numbers, ", "), "]");
}
std::string Json(const Ints& numbers) { return Json(absl::MakeConstSpan(numbers)); }
std::string Json(bool value) { return value ? "true" : "false"; }
std::string Json(int64_t value) { return absl::StrCat(value); }
std::string Json(double value) { return absl::StrCat(value); }
std::string Json(const std::string& value) { return absl::StrCat("\"", value, "\""); }

}  // namespace

std::string Json(const PeerCase& test, int threads) {
  constexpr const char* kPasses[] = {"forward", "backward", "backward_data", "backward_weights"};
  const auto shapes = [](std::string* out, const Shape& shape) {
    absl::StrAppend(out, Json(absl::MakeConstSpan(shape)));
  };
  const auto option = [](std::string* out, const auto& entry) {
    const auto& [name, value] = entry;
    absl::StrAppend(out, "\"", name,
                    "\": ", std::visit([](const auto& known) { return Json(known); }, value));
  };
  return absl::StrCat("{\"function\": \"", test.test.function, "\", \"shapes\": [",
                      absl::StrJoin(test.test.shapes, ", ", shapes), "], \"options\": {",
                      absl::StrJoin(test.test.options, ", ", option), "}, \"pass\": \"",
                      kPasses[static_cast<int>(test.pass)], "\", \"threads\": ", threads, "}");
}

std::vector<PeerCase> PeerCases() {
  std::vector<PeerCase> cases;
  AddMatmuls(cases);
  AddConvolutions(cases);
  AddMemoryBound(cases);
  AddParameters(cases);
  return cases;
}

absl::StatusOr<std::vector<PeerCase>> ReadPeerCases(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return absl::NotFoundError(absl::StrCat("--shapes: ", path, ": a readable file needed"));
  std::vector<std::string> columns;
  std::vector<PeerCase> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> words = absl::StrSplit(line, '\t');
    if (columns.empty()) {
      columns = words;
      continue;
    }
    Row row;
    for (size_t i = 0; i < std::min(columns.size(), words.size()); ++i) row[columns[i]] = words[i];
    if (row.count("a_t")) {
      cases.push_back(Matmul(Number(row, "m"), Number(row, "n"), Number(row, "k"),
                             row["a_t"] == "true", row["b_t"] == "true"));
    } else if (Number(row, "ndim", 2) == 2 && Number(row, "dil_h", 1) == 1 &&
               Number(row, "dil_w", 1) == 1 && Number(row, "mb") > 0) {
      AddConvolution(cases, {Number(row, "mb"), Number(row, "ic"), Number(row, "ih"),
                             Number(row, "iw"), Number(row, "oc"), Number(row, "kh"),
                             Number(row, "kw"), Number(row, "sh"), Number(row, "sw"),
                             Number(row, "ph"), Number(row, "pw"), Number(row, "group", 1)});
    }
  }
  if (cases.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shapes: ", path,
                     ": no case found: columns m n k a_t b_t or mb ic oc ih iw "
                     "kh kw sh sw ph pw needed"));
  }
  return cases;
}

}  // namespace halite::bench
