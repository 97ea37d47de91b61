// SPDX-License-Identifier: Apache-2.0
//
// ParameterScope: a handle on a node of a tree of named parameters. Copies are the same node;
// scope["conv1"] is the node below it, made on demand. A name is a path: "conv1/W" in the root is
// "W" in root["conv1"]; empty parts of a path are skipped.
//
// Parameters are ordered by creation. A node may hang below several others (Share), also in other
// trees, and lives as long as a handle or a node above it.
// Thread-safe: parameters may be created, looked up and listed from several threads; of two threads
// that create the same one, the second gets what the first made.
#ifndef HALITE_CORE_PARAMETER_SCOPE_H_
#define HALITE_CORE_PARAMETER_SCOPE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halite/core/initializer.h"
#include "halite/core/variable.h"

namespace halite {

struct ParameterOptions {
  // Whether the variable that is returned needs a gradient. A new parameter keeps it.
  bool need_grad = true;
  // The element type of a new parameter.
  DType dtype = DType::kFloat32;
};

struct ListOptions {
  // Lists only parameters that need a gradient; false lists running statistics and the like too.
  bool grad_only = true;
};

struct NamedParameter {
  std::string name;  // relative to the scope that was asked: "conv1/W"
  Variable variable;
};

class ParameterScope {
 public:
  // The root of a new tree.
  ParameterScope();

  // The scope below this one; "a/b" goes down two levels, "" is this scope.
  ParameterScope operator[](absl::string_view path) const;
  friend bool operator==(const ParameterScope& a, const ParameterScope& b) {
    return a.node_ == b.node_;
  }

  // Names from the root to this scope, as it was made: "conv1". Empty for a root.
  const std::string& path() const;

  // The parameter `name`. A new one gets the shape and is filled by `initializer` (an empty one
  // leaves zeros). One that exists must have the shape; if its need_grad is not the one asked for,
  // a view with the flag that was asked for is returned: it shares data and gradient
  // (Variable::Unlinked), and the parameter itself keeps its own. Errors come as a Variable that
  // carries them:
  //   parameter conv1/W: [16,1,5,5] exists, [16,3,5,5] asked: equal shapes needed
  Variable GetOrCreate(absl::string_view name, const Shape& shape, const Initializer& initializer,
                       const ParameterOptions& options = {}) const;

  // The parameter `name`; without it a Variable that carries NOT_FOUND.
  Variable Get(absl::string_view name) const;
  bool Contains(absl::string_view name) const;
  // Makes `variable`, a root, the parameter `name`. One that exists keeps its place in the order.
  absl::Status Set(absl::string_view name, const Variable& variable) const;
  // Returns whether there was one. Graphs that use it keep it.
  bool Remove(absl::string_view name) const;
  // Removes every parameter of this scope and of those below. Handles on them stay valid.
  void Clear() const;

  // Makes scope[name] the node of `other`: what one creates the other has. What scope[name] held
  // before is given up. An error if `other` holds this scope.
  absl::Status Share(absl::string_view name, const ParameterScope& other) const;

  // All parameters of this scope and of those below, in order of creation. One that two names lead
  // to is listed once, under the name that stands first in the tree.
  std::vector<NamedParameter> Parameters(const ListOptions& options = {}) const;
  // True if neither this scope nor one below has a parameter.
  bool empty() const;

  // A deep copy as a new tree, in the same order; scopes and parameters that are shared inside it
  // are shared in the copy. Gradients are not copied.
  absl::StatusOr<ParameterScope> Copy() const;

 private:
  struct Node;
  explicit ParameterScope(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  // The node and last part of a parameter's name.
  std::shared_ptr<Node> Owner(absl::string_view name, bool create, std::string& last) const;

  std::shared_ptr<Node> node_;
};

}  // namespace halite

#endif  // HALITE_CORE_PARAMETER_SCOPE_H_
