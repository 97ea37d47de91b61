// SPDX-License-Identifier: Apache-2.0
//
// Convolution of 3 x 3 or 5 x 5 taps with stride and dilation 1 by F(4 x 4, 3 x 3) or
// F(2 x 2, 5 x 5) of A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks"
// (2015):
//   y = A' [sum_ci (G w G') * (B' x B)] A
// for each tile of 4 x 4 or 2 x 2 outputs, from 6 x 6 inputs; * multiplies element by element: 36
// products where the direct sum takes 144 or 100. The adjoints are the gradients,
//   dw = G' [sum_tiles (A dy A') * (B' x B)] G
//   dx = sum_tiles B [sum_co (G w G') * (A dy A')] B'
// of which the second adds up tiles that overlap; dx is a convolution, too, with flipped weights.
// The rounding error in float32 is some ten times larger than that of the direct sum (up to 1e-5 of
// the largest output), and a NaN or an infinity of the input makes all outputs of its tiles NaN.
#ifndef HALITE_OPS_ALGORITHMS_WINOGRAD_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_WINOGRAD_CONVOLUTION_H_

#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/convolution.h"

namespace halite {

constexpr int kWinogradWindow = 6, kWinogradPoints = kWinogradWindow * kWinogradWindow;

using WinogradMatrix = std::vector<std::vector<double>>;

// The matrices for `taps` taps an axis, by the points 0, 1, -1, 2, -2 and infinity.
struct Winograd {
  int taps;

  int tile() const { return kWinogradWindow + 1 - taps; }  // outputs

  // B'
  static const WinogradMatrix& Input() {
    static const auto& matrix =
        *new WinogradMatrix{{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                            {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
    return matrix;
  }
  // G: 1, p, p^2, ... divided by the product of the distances of p to the other points.
  WinogradMatrix Weights() const {
    const double product[] = {4, -6, -6, 24, 24};
    WinogradMatrix matrix(kWinogradWindow, std::vector<double>(taps));
    for (size_t i = 0; i < kPoints.size(); ++i) {
      for (int k = 0; k < taps; ++k) matrix[i][k] = std::pow(kPoints[i], k) / product[i];
    }
    matrix.back().back() = 1;
    return matrix;
  }
  // A'
  WinogradMatrix Output() const {
    WinogradMatrix matrix(tile(), std::vector<double>(kWinogradWindow));
    for (int k = 0; k < tile(); ++k) {
      for (size_t i = 0; i < kPoints.size(); ++i) matrix[k][i] = std::pow(kPoints[i], k);
    }
    matrix.back().back() = 1;
    return matrix;
  }

 private:
  static constexpr std::array<double, 5> kPoints = {0, 1, -1, 2, -2};
};

// sum_k row[k] * values[k], without the products by 0 and by 1.
inline Halide::Expr Combine(const std::vector<double>& row,
                            const std::vector<Halide::Expr>& values) {
  using namespace Halide;
  Expr sum;
  for (size_t k = 0; k < row.size(); ++k) {
    if (row[k] == 0) continue;
    const bool negative = row[k] == -1 && sum.defined();
    const Expr term =
        row[k] == 1 || negative ? values[k] : values[k] * cast(values[k].type(), Expr(row[k]));
    sum = !sum.defined() ? term : negative ? sum - term : sum + term;
  }
  return sum;
}

// m with its rows and columns exchanged.
inline WinogradMatrix Transposed(const WinogradMatrix& m) {
  WinogradMatrix result(m[0].size(), std::vector<double>(m.size()));
  for (size_t i = 0; i < m.size(); ++i) {
    for (size_t j = 0; j < m[i].size(); ++j) result[j][i] = m[i][j];
  }
  return result;
}

// m applied to what `at` gives for 0, 1, ...: one Expr for each row of m.
template <typename At>
std::vector<Halide::Expr> Transformed(const WinogradMatrix& m, const At& at) {
  std::vector<Halide::Expr> values, rows;
  for (size_t k = 0; k < m[0].size(); ++k) values.push_back(at(static_cast<int>(k)));
  for (const std::vector<double>& row : m) rows.push_back(Combine(row, values));
  return rows;
}

// The tiles of a task (or of a chunk of it): `across` x `rows` tiles of `images` images.
struct WinogradTiles {
  Halide::Expr across, rows, images;

  Halide::Expr Count() const { return across * rows * images; }
  Halide::Expr At(const Halide::Expr& x, const Halide::Expr& y, const Halide::Expr& i) const {
    return x + across * (y + rows * i);
  }
};

// m X m' of every tile X of an array, m.front().size() pixels wide; tiles begin `step` pixels
// apart. Its 36 points side by side, each `lanes` channels, in planes of so many.
struct WinogradPoints {
  Halide::Var v{"v"}, e{"e"}, t{"t"}, plane{"plane"}, row{"row"}, x{"x"}, y{"y"}, i{"i"};
  ChannelPlanes planes;
  Halide::Func columns{"columns"}, points{"points"};
  Halide::RDom tiles;  // x, y, image

  WinogradPoints(const WinogradMatrix& m, int step, const PaddedWindow& window,
                 const WinogradTiles& shape, int lanes, const Halide::Type& type,
                 const std::vector<Halide::Var>& place)
      : planes(window, lanes, place),
        tiles(0, shape.across, 0, shape.rows, 0, shape.images, "tiles") {
    using namespace Halide;
    const auto of = [&](std::vector<Expr> at) {
      at.insert(at.end(), place.begin(), place.end());
      return at;
    };
    std::vector<Var> column{v, row, x, y, i, plane}, point{v, e, t, plane};
    column.insert(column.end(), place.begin(), place.end());
    point.insert(point.end(), place.begin(), place.end());
    columns(column) = mux(row, Transformed(m, [&](int k) {
                            return planes.pixels.elements(of({v, x, y * step + k, i, plane}));
                          }));
    std::vector<Expr> values;
    for (int a = 0; a < kWinogradWindow; ++a) {
      for (const Expr& value : Transformed(m, [&](int k) {
             const Expr at = tiles.x * step + k;
             return columns(of({v, a, at, tiles.y, tiles.z, plane}));
           })) {
        values.push_back(value);
      }
    }
    points(point) = undef(type);
    points(of({v, e, shape.At(tiles.x, tiles.y, tiles.z), plane})) = mux(e, values);
  }
};

// How the work is cut up. A task is `rows` rows of tiles of `images` images and all channels.
struct WinogradShape {
  int lanes;                  // channels in a vector
  int tiles;                  // in a register tile, beside one vector of output channels
  Halide::Expr rows, images;  // of a task
};

// sum_ci (G w G') * (m X m') of the tiles X of a task: the part of both forms before the
// transformation of the products.
struct WinogradProducts {
  // Lane v of a plane of channels; point e of 36 (row * 6 + column); tile t of a task; plane of
  // input channels, block of output channels.
  Halide::Var v{"v"}, e{"e"}, t{"t"}, plane{"plane"}, block{"block"}, task{"task"}, ci{"ci"},
      kx{"kx"}, j{"j"};
  Halide::Var p{"p"}, group{"group"};  // of the sums of a register tile
  Halide::RDom tail;                   // tiles past the last one
  Halide::RDom terms;                  // lane, plane
  WinogradTiles tiles;                 // of a task
  std::optional<WinogradPoints> input;
  Halide::Func weight_columns{"weight_columns"}, weights{"weights"};
  Halide::Func sum{"sum"}, products{"products"};

  // `window`: of the task, in which tiles begin form.tile() pixels apart.
  WinogradProducts(const Winograd& form, const ConvolutionOperands& in, const WinogradShape& shape,
                   const WinogradMatrix& m, const PaddedWindow& window,
                   const WinogradTiles& tiles_of_task)
      : tiles(tiles_of_task) {
    using namespace Halide;
    TransformWeights(form, in, shape);
    input.emplace(m, form.tile(), window, tiles, shape.lanes, in.type, std::vector<Var>{task});
    tail = RDom(0, shape.tiles, "tail");
    const Expr count = tiles.Count();
    tail.where(count + tail < CeilDiv(count, shape.tiles) * shape.tiles);
    input->points(input->v, input->e, count + tail, input->plane, task) = cast(in.type, 0);

    terms = RDom(0, shape.lanes, 0, CeilDiv(in.in_channels, shape.lanes), "terms");
    sum(v, p, group, e, block, task) = cast(in.type, 0);
    sum(v, p, group, e, block, task) +=
        weights(v, terms.y * shape.lanes + terms.x, e, block) *
        input->points(terms.x, e, group * shape.tiles + p, terms.y, task);
    products(v, e, t, block, task) = sum(v, t % shape.tiles, t / shape.tiles, e, block, task);
  }

 private:
  // Channels past the last one: zero where they are summed, a repetition where they are not stored.
  void TransformWeights(const Winograd& form, const ConvolutionOperands& in,
                        const WinogradShape& shape) {
    using namespace Halide;
    const Expr co = min(block * shape.lanes + v, in.out_channels - 1);
    const Expr from = min(ci, in.in_channels - 1);
    const WinogradMatrix matrix = form.Weights();
    weight_columns(v, j, kx, ci, block) =
        mux(j, Transformed(matrix, [&](int ky) { return in.w(kx, ky, 0, from, co); }));
    std::vector<Expr> values;
    for (int a = 0; a < kWinogradWindow; ++a) {
      for (const Expr& value :
           Transformed(matrix, [&](int k) { return weight_columns(v, a, k, ci, block); })) {
        values.push_back(select(ci < in.in_channels, value, cast(in.type, 0)));
      }
    }
    weights(v, ci, e, block) = mux(e, values);
  }
};

// m P m' of the products P(a * 6 + b) of a tile: `half` is m P, by rows; the values are those of
// half(row * 6 + b), row after row.
inline std::vector<Halide::Expr> RowsTransformed(
    const WinogradMatrix& m, const std::function<Halide::Expr(int point)>& product) {
  std::array<std::vector<Halide::Expr>, kWinogradWindow> column;
  for (int b = 0; b < kWinogradWindow; ++b) {
    column[b] = Transformed(m, [&](int a) { return product(a * kWinogradWindow + b); });
  }
  std::vector<Halide::Expr> values;
  for (size_t row = 0; row < m.size(); ++row) {
    for (int b = 0; b < kWinogradWindow; ++b) values.push_back(column[b][row]);
  }
  return values;
}

inline std::vector<Halide::Expr> ColumnsTransformed(
    const WinogradMatrix& m, const std::function<Halide::Expr(int place)>& half) {
  std::vector<Halide::Expr> values;
  for (size_t row = 0; row < m.size(); ++row) {
    const int first = static_cast<int>(row) * kWinogradWindow;
    for (const Halide::Expr& value : Transformed(m, [&](int b) { return half(first + b); })) {
      values.push_back(value);
    }
  }
  return values;
}

struct WinogradConvolution {
  static constexpr int kRun = 8;  // pixels that are stored at once, those of some tiles

  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, n{"n"};
  Halide::Var v{"v"}, block{"block"}, task{"task"};
  Halide::Var j{"j"}, s{"s"}, row{"row"}, i{"i"}, run{"run"};  // of a run of tiles
  Halide::Var tile_row{"tile_row"};
  enum Loop { kPixel, kLane, kRow, kRunOfTiles, kTileRow, kImage, kBlock, kTask };
  Halide::RDom r;
  std::optional<WinogradProducts> of_task;
  Halide::Func bias{"bias"}, half{"half"}, outputs{"outputs"};
  std::vector<Halide::Func> turned;
  Halide::Func result{"convolution"};

  // The shape may depend on the extents of the result.
  WinogradConvolution(
      const Winograd& form, const ConvolutionOperands& in,
      const std::function<WinogradShape(const std::vector<Halide::Expr>& extent)>& shape_for)
      : form_(form), tile_(form.tile()) {
    result(x, y, z, c, n) = Halide::undef(in.type);
    for (int d = 0; d < 5; ++d) extent_.push_back(result.output_buffer().dim(d).extent());
    const WinogradShape shape = shape_for(extent_);
    across_ = CeilDiv(extent_[0], tile_);
    groups_ = CeilDiv(CeilDiv(extent_[1], tile_), shape.rows);
    of_task.emplace(
        form, in, shape, Winograd::Input(),
        PaddedWindow(in.x, in.axes, in.in_channels, extent_[4], in.type,
                     {{task}, FirstRow(task, shape) * tile_, 0, 0, FirstImage(task, shape)}),
        WinogradTiles{across_, shape.rows, shape.images});
    TransformOutput(in, shape);
    Store(in, shape);
  }

 private:
  const Winograd form_;
  const int tile_;
  std::vector<Halide::Expr> extent_;  // of the result
  Halide::Expr across_, groups_;      // tiles in a row, groups of rows

  // First row of tiles and first image of a task.
  Halide::Expr FirstRow(const Halide::Expr& task, const WinogradShape& shape) const {
    return (task - task / groups_ * groups_) * shape.rows;
  }
  Halide::Expr FirstImage(const Halide::Expr& task, const WinogradShape& shape) const {
    return task / groups_ * shape.images;
  }

  // Of the tiles of a run: s counts them, j their outputs.
  void TransformOutput(const ConvolutionOperands& in, const WinogradShape& shape) {
    using namespace Halide;
    const Expr tile = of_task->tiles.At(min(run * (kRun / tile_) + s, across_ - 1), tile_row, i);
    const Expr co = min(block * shape.lanes + v, in.out_channels - 1);
    bias(v, block) = in.b.defined() ? Expr(in.b(co)) : cast(in.type, 0);
    half(v, j, s, run, tile_row, i, block, task) =
        mux(j, RowsTransformed(form_.Output(), [&](int point) {
              return of_task->products(v, point, tile, block, task);
            }));
    std::vector<Expr> values = ColumnsTransformed(form_.Output(), [&](int place) {
      return half(v, place, s, run, tile_row, i, block, task);
    });
    for (Expr& value : values) value += bias(v, block);
    outputs(v, j, s, run, tile_row, i, block, task) = mux(j, values);
    const Var e("e");
    Func list("run");
    const Expr pixel = e / shape.lanes;
    list(e, row, run, tile_row, i, block, task) = outputs(
        e % shape.lanes, row * tile_ + pixel % tile_, pixel / tile_, run, tile_row, i, block, task);
    turned = Shuffles(list, kRun, shape.lanes);
  }

  void Store(const ConvolutionOperands& in, const WinogradShape& shape) {
    using namespace Halide;
    r = RDom({{0, kRun},
              {0, shape.lanes},
              {0, tile_},
              {0, CeilDiv(across_, kRun / tile_)},
              {0, shape.rows},
              {0, shape.images},
              {0, CeilDiv(extent_[3], shape.lanes)},
              {0, groups_ * CeilDiv(extent_[4], shape.images)}},
             "r");
    const Expr at_x = r[kRunOfTiles] * kRun + r[kPixel];
    const Expr at_y = (FirstRow(r[kTask], shape) + r[kTileRow]) * tile_ + r[kRow];
    const Expr at_c = r[kBlock] * shape.lanes + r[kLane];
    const Expr at_n = FirstImage(r[kTask], shape) + r[kImage];
    r.where(at_n < extent_[4]);
    r.where(at_y - r[kRow] < extent_[1]);
    r.where(at_y < extent_[1]);
    r.where(at_c < extent_[3]);
    r.where(likely(at_x < extent_[0]));
    const auto inside = [&](const Expr& i, int d) {
      return unsafe_promise_clamped(i, 0, extent_[d] - 1);
    };
    const std::vector<Expr> to{inside(at_x, 0), inside(at_y, 1), 0, inside(at_c, 3),
                               inside(at_n, 4)};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 turned.back()(r[kLane] * kRun + r[kPixel], r[kRow], r[kRunOfTiles], r[kTileRow],
                               r[kImage], r[kBlock], r[kTask]);
  }
};

// w'(kx, ky, kz, co, ci) = w(kx, ky, kz, ci, co)
inline Halide::Func ExchangedWeights(const Halide::Func& w) {
  Halide::Var kx("kx"), ky("ky"), kz("kz"), ci("ci"), co("co");
  Halide::Func exchanged("exchanged");
  exchanged(kx, ky, kz, co, ci) = w(kx, ky, kz, ci, co);
  return exchanged;
}

// dx of a convolution by the adjoint: a task is `images` whole images. There are fewer tiles than
// by flipped weights where the padding is less than what taps reach: 16 instead of 36 where 12 x 12
// pixels give 8 x 8.
struct WinogradAdjoint {
  static constexpr int kRun = 8;  // pixels that are stored at once

  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, n{"n"};
  Halide::Var v{"v"}, j{"j"}, s{"s"}, i{"i"}, run{"run"}, block{"block"}, task{"task"};
  Halide::RDom tiles;  // column and row of a patch of 6 x 6, x and y of its tile
  enum Loop { kPixel, kLane, kRunOfPixels, kRow, kImage, kBlock, kTask };
  Halide::RDom r;
  std::optional<WinogradProducts> of_task;
  Halide::Func half{"half"}, outputs{"outputs"}, added{"added"};
  std::vector<Halide::Func> turned;
  Halide::Func result{"convolution_dx"};

  // `in.x` is dy with unit axes, `pad` that of the convolution.
  WinogradAdjoint(
      const Winograd& form, const ConvolutionOperands& in, const std::array<Halide::Expr, 2>& pad,
      const std::function<WinogradShape(const std::vector<Halide::Expr>& extent)>& shape_for) {
    using namespace Halide;
    result(x, y, z, c, n) = undef(in.type);
    std::vector<Expr> extent;
    for (int d = 0; d < 5; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    const WinogradShape shape = shape_for(extent);
    const int tile = form.tile(), lanes = shape.lanes;
    const Expr across = CeilDiv(in.axes[0].in, tile), down = CeilDiv(in.axes[1].in, tile);
    of_task.emplace(form, in, shape, Transposed(form.Output()),
                    PaddedWindow(in.x, in.axes, in.in_channels, extent[4], in.type,
                                 {{task}, 0, 0, 0, task * shape.images}),
                    WinogradTiles{across, down, shape.images});
    const WinogradMatrix back = Transposed(Winograd::Input());
    half(v, j, s, y, i, block, task) =
        mux(j, RowsTransformed(back, [&](int point) {
              return of_task->products(v, point, of_task->tiles.At(s, y, i), block, task);
            }));
    outputs(v, j, s, y, i, block, task) = mux(j, ColumnsTransformed(back, [&](int place) {
                                                return half(v, place, s, y, i, block, task);
                                              }));
    added(v, x, y, i, block, task) = cast(in.type, 0);
    tiles = RDom(0, kWinogradWindow, 0, kWinogradWindow, 0, across, 0, down, "tiles");
    added(v, tiles[2] * tile + tiles[0], tiles[3] * tile + tiles[1], i, block, task) +=
        outputs(v, tiles[1] * kWinogradWindow + tiles[0], tiles[2], tiles[3], i, block, task);

    const Var e("e");
    Func list("run");
    list(e, run, y, i, block, task) =
        added(e % lanes, run * kRun + e / lanes + pad[0], y + pad[1], i, block, task);
    turned = Shuffles(list, kRun, lanes);
    r = RDom({{0, kRun},
              {0, lanes},
              {0, CeilDiv(extent[0], kRun)},
              {0, extent[1]},
              {0, shape.images},
              {0, CeilDiv(extent[3], lanes)},
              {0, CeilDiv(extent[4], shape.images)}},
             "r");
    const Expr at_x = r[kRunOfPixels] * kRun + r[kPixel];
    const Expr at_c = r[kBlock] * lanes + r[kLane];
    const Expr at_n = r[kTask] * shape.images + r[kImage];
    r.where(at_n < extent[4]);
    r.where(at_c < extent[3]);
    r.where(likely(at_x < extent[0]));
    const auto inside = [&](const Expr& at, int d) {
      return unsafe_promise_clamped(at, 0, extent[d] - 1);
    };
    const std::vector<Expr> to{inside(at_x, 0), r[kRow], 0, inside(at_c, 3), inside(at_n, 4)};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 turned.back()(r[kLane] * kRun + r[kPixel], r[kRunOfPixels], r[kRow], r[kImage],
                               r[kBlock], r[kTask]);
  }
};

// How the work of the gradient to the weights is cut up. A task is `planes` planes of input
// channels, `blocks` vectors of output channels and a slice of the chunks; a chunk is `rows` rows
// of tiles of each of `images` images.
struct WinogradWeightsShape {
  int lanes;  // channels in a vector
  Halide::Expr planes, blocks, rows, images, slices;
};

struct WinogradConvolutionWeights {
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"}, co{"co"};
  // Lane v of a block of output channels, p of a plane of input channels, point e; tap j.
  Halide::Var v{"v"}, p{"p"}, e{"e"}, plane{"plane"}, block{"block"}, j{"j"};
  Halide::Var chunk{"chunk"}, task{"task"};
  std::optional<WinogradPoints> x, dy;
  Halide::RDom tiles;         // of a chunk
  Halide::RDom c, slices, r;  // chunks of a slice, slices, elements of dw
  Halide::Func sum{"sum"}, total{"total"}, partial{"partial"}, added{"added"}, half{"half"};
  Halide::Func taps{"taps"}, result{"convolution_dw"};

  WinogradConvolutionWeights(const Winograd& form, const ConvolutionWeightsOperands& in,
                             const WinogradWeightsShape& shape) {
    using namespace Halide;
    const int tile = form.tile(), n = form.taps;
    const Expr across = CeilDiv(in.out[0], tile), down = CeilDiv(in.out[1], tile);
    const Expr plane_groups = CeilDiv(CeilDiv(in.in_channels, shape.lanes), shape.planes);
    const Expr block_groups = CeilDiv(CeilDiv(in.out_channels, shape.lanes), shape.blocks);
    const ConvolutionChunks chunks(chunk, task, {down, 1, in.batch}, shape.rows, shape.images,
                                   shape.slices, plane_groups, block_groups);
    const WinogradTiles chunk_tiles{across, shape.rows, shape.images};
    const std::vector<Var> at{chunk, task};
    x.emplace(Winograd::Input(), tile,
              PaddedWindow(in.x, in.axes, in.in_channels, in.batch, in.type,
                           {at, chunks.row * tile, 0, chunks.in_group * shape.planes * shape.lanes,
                            chunks.image}),
              chunk_tiles, shape.lanes, in.type, at);
    ConvolutionAxes unit;
    for (int d = 0; d < 3; ++d) unit[d] = {1, 0, 1, in.out[d], 1};
    // Outputs past the last row or column are zero.
    dy.emplace(Transposed(form.Output()), tile,
               PaddedWindow(in.dy, unit, in.out_channels, in.batch, in.type,
                            {at, chunks.row * tile, 0,
                             chunks.out_group * shape.blocks * shape.lanes, chunks.image}),
               chunk_tiles, shape.lanes, in.type, at);

    tiles = RDom(0, chunk_tiles.Count(), "tiles");
    tiles.where(tiles < across * shape.rows * (in.batch - chunks.image));
    sum(v, p, e, plane, block, chunk, task) = cast(in.type, 0);
    sum(v, p, e, plane, block, chunk, task) +=
        dy->points(v, e, tiles, block, chunk, task) * x->points(p, e, tiles, plane, chunk, task);
    c = RDom(0, chunks.share, "c");
    c.where(chunks.first + c < chunks.count);
    total(v, p, e, plane, block, task) = cast(in.type, 0);
    total(v, p, e, plane, block, task) += sum(v, p, e, plane, block, c, task);
    partial(v, p, e, plane, block, task) = total(v, p, e, plane, block, task);

    // G' M G of the sum M over the slices.
    const int lanes = shape.lanes;
    slices = RDom(0, shape.slices, "slices");
    const Expr from = ci / lanes / shape.planes + plane_groups * (block / max(shape.blocks, 1)) +
                      chunks.groups * slices;
    added(v, e, ci, block) = cast(in.type, 0);
    added(v, e, ci, block) += partial(
        v, ci % lanes, e, unsafe_promise_clamped(ci / lanes % shape.planes, 0, shape.planes - 1),
        unsafe_promise_clamped(block % shape.blocks, 0, shape.blocks - 1),
        unsafe_promise_clamped(from, 0, chunks.groups * shape.slices - 1));
    const WinogradMatrix back = Transposed(form.Weights());
    std::vector<Expr> values;
    for (int b = 0; b < kWinogradWindow; ++b) {
      for (const Expr& value :
           Transformed(back, [&](int a) { return added(v, a * kWinogradWindow + b, ci, block); })) {
        values.push_back(value);
      }
    }
    half(v, j, ci, block) = mux(j, values);  // j: the rows of each of 6 columns
    values.clear();
    for (int row_of = 0; row_of < n; ++row_of) {
      for (const Expr& value :
           Transformed(back, [&](int b) { return half(v, b * n + row_of, ci, block); })) {
        values.push_back(value);
      }
    }
    taps(v, j, ci, block) = mux(j, values);
    result(kx, ky, kz, ci, co) = undef(in.type);
    r = EachOf(result);
    const std::vector<Expr> to{r[0], r[1], r[2], r[3], r[4]};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 taps(r[4] % lanes, unsafe_promise_clamped(r[1] * n + r[0], 0, n * n - 1), r[3],
                      r[4] / lanes);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_WINOGRAD_CONVOLUTION_H_
