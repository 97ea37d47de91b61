// SPDX-License-Identifier: Apache-2.0
//
// Pooling over windows of up to three spatial axes, and its gradients. Window o of an axis begins
// at o * stride - pad and has `kernel` cells, of which those in [0, in) count:
//   max:      y(o) = max of x over the window; place(o) = the index in x, counted within the
//             spatial axes, of the first NaN, else of the first maximum
//             dx(i) += sum over the windows o with place(o) = i of dy(o)
//   average:  y(o) = (sum of x over the window) / size(o)
//             dx(i) += sum over the windows o that cover i of dy(o) / size(o)
// Shapes: x, dx [x, y, z, n]; y, place, dy [ox, oy, oz, n]. Every window has a cell that counts.
#ifndef HALITE_OPS_ALGORITHMS_POOLING_H_
#define HALITE_OPS_ALGORITHMS_POOLING_H_

#include <array>
#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

struct PoolingAxis {
  Halide::Expr kernel, stride, pad;
  Halide::Expr in;  // extent of x

  // Most windows that cover one cell.
  Halide::Expr overlap() const { return (kernel + stride - 1) / stride; }
  // Cells of window o that exist; with padding, up to the far edge of it.
  Halide::Expr Size(const Halide::Expr& o, const Halide::Expr& including_pad) const {
    using Halide::select;
    const Halide::Expr begin = select(including_pad, o * stride, Halide::max(o * stride, pad));
    return Halide::min(o * stride + kernel, select(including_pad, in + 2 * pad, in + pad)) - begin;
  }
};

using PoolingAxes = std::array<PoolingAxis, 3>;
using Place3 = std::array<Halide::Expr, 3>;

// An array of which elements outside [0, extents) are asked too: those have the value `border`.
struct Bordered {
  Halide::Func from;
  Place3 extents;
  Halide::Expr border;

  // Element (x, y, z, n), where y and z may be outside and x is known to be inside.
  Halide::Expr InRow(const Halide::Expr& x, const Halide::Expr& y, const Halide::Expr& z,
                     const Halide::Expr& n) const {
    return from(x, Halide::clamp(y, 0, extents[1] - 1), Halide::clamp(z, 0, extents[2] - 1), n);
  }
  static Halide::Expr IsInside(const Halide::Expr& i, const Halide::Expr& extent) {
    return i >= 0 && i < extent;
  }
};

// As a copy, in coordinates that begin `before` the first element. Windows then read without a
// condition, also past the end of a row that is no multiple of a vector.
struct BorderedRows {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::RDom row;
  Halide::Func rows;

  BorderedRows(const std::string& name, const Bordered& in, const Place3& before)
      : row(0, in.extents[0], name + "_row"), rows(name) {
    const Halide::Expr iy = y - before[1], iz = z - before[2];
    row.where(Bordered::IsInside(iy, in.extents[1]) && Bordered::IsInside(iz, in.extents[2]));
    rows(x, y, z, n) = in.border;
    rows(row + before[0], y, z, n) = in.InRow(row, iy, iz, n);
  }
};

// As a formula, where there is no cache to copy to.
struct BorderedFormula {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::Func rows;

  BorderedFormula(const std::string& name, const Bordered& in, const Place3& before) : rows(name) {
    using namespace Halide;
    const Place3 at{x - before[0], y - before[1], z - before[2]};
    Expr inside = Internal::const_true();
    for (int d = 0; d < 3; ++d) inside = inside && Bordered::IsInside(at[d], in.extents[d]);
    const Expr value = in.InRow(clamp(at[0], 0, in.extents[0] - 1), at[1], at[2], n);
    rows(x, y, z, n) = value.type().is_float() ? math::Select(inside, value, in.border)
                                               : select(inside, value, in.border);
  }
};

// What max and average pooling share: the loop over the cells of a window.
struct PoolingWindows {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::RDom cell;
  Halide::Func window, result{"y"};

  PoolingWindows(const std::string& name, const PoolingAxes& axes)
      : cell({{0, axes[0].kernel}, {0, axes[1].kernel}, {0, axes[2].kernel}}, "cell"),
        window(name) {}

 protected:
  // The input at the present cell; `padded` begins with the padding.
  Halide::Expr Value(const Halide::Func& padded, const PoolingAxes& axes) const {
    return padded(x * axes[0].stride + cell.x, y * axes[1].stride + cell.y,
                  z * axes[2].stride + cell.z, n);
  }
};

// `padded`: the keys of x (TiedKey) behind a padding of the least. result = {y, place}.
struct MaxPooling : PoolingWindows {
  MaxPooling(const Halide::Func& padded, const PoolingAxes& axes)
      : PoolingWindows("maximum", axes) {
    using namespace Halide;
    const Place3 window_at{x, y, z};
    Expr index = 0;
    for (int d = 2; d >= 0; --d) {
      index = index * axes[d].in + (window_at[d] * axes[d].stride - axes[d].pad + cell[d]);
    }
    window(x, y, z, n) = Tuple(padded.types()[0].min(), 0);
    const Expr key = Value(padded, axes);
    const Expr best = window(x, y, z, n)[0], place = window(x, y, z, n)[1];
    window(x, y, z, n) = Tuple(max(key, best), select(key > best, index, place));
    result(x, y, z, n) = Tuple(FromOrderedKey(window(x, y, z, n)[0]), window(x, y, z, n)[1]);
  }
};

// size(o), as a float.
inline Halide::Expr WindowSize(const PoolingAxes& axes, const Place3& o,
                               const Halide::Expr& including_pad, Halide::Type type) {
  Halide::Expr size = axes[0].Size(o[0], including_pad);
  for (int d = 1; d < 3; ++d) size = size * axes[d].Size(o[d], including_pad);
  return Halide::cast(type, size);
}

// `padded`: x behind its padding of 0.
struct AveragePooling : PoolingWindows {
  AveragePooling(const Halide::Func& padded, const PoolingAxes& axes,
                 const Halide::Expr& including_pad)
      : PoolingWindows("sum", axes) {
    const Halide::Type type = padded.types()[0];
    window(x, y, z, n) = Halide::cast(type, 0);
    window(x, y, z, n) += Value(padded, axes);
    result(x, y, z, n) = window(x, y, z, n) / WindowSize(axes, {x, y, z}, including_pad, type);
  }
};

// The windows of one axis that cover cell i: in coordinates that begin with the padding,
// i + pad = stride * q + p is covered by the windows q, q - 1, ... as their cells p, p + stride,
// ... They are counted from `overlap` - 1 before the first, as a Bordered array is that begins
// there.
struct CoveringWindows {
  Halide::Expr first;      // the earliest that may cover i; the others follow it
  Halide::Expr last_cell;  // of the window first + overlap - 1
  PoolingAxis axis;

  CoveringWindows(const PoolingAxis& axis_in, const Halide::Expr& i)
      : first((i + axis_in.pad) / axis_in.stride),
        last_cell((i + axis_in.pad) % axis_in.stride),
        axis(axis_in) {}

  // Whether i is a cell of window first + t.
  Halide::Expr Covers(const Halide::Expr& t) const {
    return last_cell + (axis.overlap() - 1 - t) * axis.stride < axis.kernel;
  }
};

// The gradient of max pooling as a scatter: the windows of one n in order, so that sums have one
// order. dx [i, n], over all spatial axes at once; dy and place [o, n].
struct MaxPoolingScatter {
  Halide::Var i{"i"}, n{"n"};
  Halide::RDom zero, window;
  Halide::Func dx{"max_pooling_grad"};

  MaxPoolingScatter(const Halide::Func& dy, const Halide::Func& place, const Halide::Expr& windows,
                    const Halide::Expr& accumulate) {
    using namespace Halide;
    const Type type = dy.types()[0];
    dx(i, n) = undef(type);
    const Expr extent = dx.output_buffer().dim(0).extent();
    zero = RDom(0, extent, "zero");
    zero.where(!accumulate);
    dx(zero, n) = cast(type, 0);
    window = RDom(0, windows, "window");
    dx(clamp(place(window, n), 0, extent - 1), n) += dy(window, n);
  }
};

// The same as a gather: each element asks the windows that cover it. Extents are scalars, as the
// arrays are seen as [i, n] and [o, n].
struct MaxPoolingGather {
  Halide::Var i{"i"}, n{"n"};
  Halide::RDom t;
  Halide::Func gradient{"gradient"};

  MaxPoolingGather(const Halide::Func& dy, const Halide::Func& place, const PoolingAxes& axes,
                   const Place3& out) {
    using namespace Halide;
    const Type type = dy.types()[0];
    t = RDom({{0, axes[0].overlap()}, {0, axes[1].overlap()}, {0, axes[2].overlap()}}, "t");
    const Place3 at{i % axes[0].in, i / axes[0].in % axes[1].in, i / (axes[0].in * axes[1].in)};
    Expr o = 0, inside = Internal::const_true();
    for (int d = 2; d >= 0; --d) {
      const Expr at_d = CoveringWindows(axes[d], at[d]).first + t[d] - axes[d].overlap() + 1;
      inside = inside && Bordered::IsInside(at_d, out[d]);
      o = o * out[d] + clamp(at_d, 0, out[d] - 1);
    }
    gradient(i, n) = cast(type, 0);
    gradient(i, n) += math::Select(inside && place(o, n) == i, dy(o, n), cast(type, 0));
  }
};

// dy(o) / size(o).
struct AverageShare {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::Func share{"share"};

  AverageShare(const Halide::Func& dy, const PoolingAxes& axes, const Halide::Expr& including_pad) {
    share(x, y, z, n) = dy(x, y, z, n) / WindowSize(axes, {x, y, z}, including_pad, dy.types()[0]);
  }
};

// The gradient of average pooling, one axis after another. `share` begins `overlap` - 1 windows
// before the first, and is 0 there and past the end.
//   row(x, oy, oz, n) = sum of the shares of the windows that cover x
//   gradient(x, y, z, n) = sum of the rows of the windows that cover y and z
// In x, u = x + pad = stride * q + p: the sums of one phase p are contiguous in q, and phases
// interleave in the row, `lanes` sums at a time.
struct AveragePoolingGrad {
  Halide::Var p{"p"}, q{"q"}, u{"u"}, x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::RDom tx, r, t;  // windows in x; lane, phase and vector of a row; windows in y and z
  Halide::Func sum{"sum"}, row{"row"}, gradient{"gradient"};
  Halide::Expr stride;
  int lanes;

  AveragePoolingGrad(const Halide::Func& share, const PoolingAxes& axes, int lanes_in)
      : stride(axes[0].stride), lanes(lanes_in) {
    using namespace Halide;
    const Type type = share.types()[0];
    const PoolingAxis& ax = axes[0];
    tx = RDom(0, ax.overlap(), "tx");
    tx.where(p + (ax.overlap() - 1 - tx) * stride < ax.kernel);
    sum(p, q, y, z, n) = cast(type, 0);
    sum(p, q, y, z, n) += share(q + tx, y, z, n);

    const Expr first = ax.pad / stride, last = (ax.pad + ax.in - 1) / stride;
    r = RDom({{0, lanes}, {0, stride}, {0, (last - first) / lanes + 1}}, "r");
    const Expr at_q = first + r.z * lanes + r.x;
    row(u, y, z, n) = undef(type);
    row(at_q * stride + r.y, y, z, n) = sum(r.y, at_q, y, z, n);

    t = RDom({{0, axes[1].overlap()}, {0, axes[2].overlap()}}, "t");
    const CoveringWindows in_y(axes[1], y), in_z(axes[2], z);
    t.where(in_y.Covers(t.x) && in_z.Covers(t.y));
    gradient(x, y, z, n) = cast(type, 0);
    gradient(x, y, z, n) += row(x + ax.pad, in_y.first + t.x, in_z.first + t.y, n);
  }
};

// The same in one sum, where there is no cache for rows.
struct AveragePoolingGather {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::RDom t;
  Halide::Func gradient{"gradient"};

  AveragePoolingGather(const Halide::Func& share, const PoolingAxes& axes) {
    using namespace Halide;
    t = RDom({{0, axes[0].overlap()}, {0, axes[1].overlap()}, {0, axes[2].overlap()}}, "t");
    const Place3 i{x, y, z};
    std::vector<Expr> o;
    for (int d = 0; d < 3; ++d) {
      const CoveringWindows windows(axes[d], i[d]);
      t.where(windows.Covers(t[d]));
      o.push_back(windows.first + t[d]);
    }
    o.push_back(n);
    gradient(x, y, z, n) = cast(share.types()[0], 0);
    gradient(x, y, z, n) += share(o);
  }
};

// dx := (accumulate ? dx : 0) + gradient, of any rank. Its extents are known before its gradient.
struct PoolingDx {
  std::vector<Halide::Var> vars;  // of the undefined elements
  Halide::RDom r;
  std::vector<Halide::VarOrRVar> loops;
  Halide::Func dx;
  Halide::Expr accumulate;

  PoolingDx(const std::string& name, Halide::Type type, int rank) : dx(name) {
    for (int d = 0; d < rank; ++d) vars.emplace_back("i" + std::to_string(d));
    dx(vars) = Halide::undef(type);
  }
  Halide::Expr Extent(int d) const { return dx.output_buffer().dim(d).extent(); }
  void Define(const Halide::Func& gradient, const Halide::Expr& accumulate_in) {
    accumulate = accumulate_in;
    Halide::Region region;
    for (int d = 0; d < dx.dimensions(); ++d) region.emplace_back(0, Extent(d));
    r = Halide::RDom(region, "r");
    std::vector<Halide::Expr> at;
    for (int d = 0; d < dx.dimensions(); ++d) {
      at.push_back(r[d]);
      loops.emplace_back(r[d]);
    }
    dx(at) =
        Halide::select(accumulate, dx(at), Halide::cast(gradient.types()[0], 0)) + gradient(at);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_POOLING_H_
