// SPDX-License-Identifier: Apache-2.0
#include "halite/core/parameter_scope.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "halite/core/status.h"

namespace halite {

// Each node has a mutex of its own, and no thread holds two: nodes may be shared between trees.
struct ParameterScope::Node {
  struct Parameter {
    std::string name;
    Variable variable;
    uint64_t index;  // rises with creation, in the whole program
  };
  struct Child {
    std::string name;
    std::shared_ptr<Node> node;
  };

  explicit Node(std::string path_from_root) : path(std::move(path_from_root)) {}

  // REQUIRES: mutex is held.
  Parameter* FindParameter(absl::string_view name) {
    for (Parameter& parameter : parameters) {
      if (parameter.name == name) return &parameter;
    }
    return nullptr;
  }
  Child* FindChild(absl::string_view name) {
    for (Child& child : children) {
      if (child.name == name) return &child;
    }
    return nullptr;
  }
  std::string Join(absl::string_view name) const {
    return path.empty() ? std::string(name) : absl::StrCat(path, "/", name);
  }

  // The child `name`; without it null, or a new one.
  std::shared_ptr<Node> Down(absl::string_view name, bool create) {
    std::lock_guard<std::mutex> lock(mutex);
    if (const Child* child = FindChild(name); child != nullptr) return child->node;
    if (!create) return nullptr;
    children.push_back({std::string(name), std::make_shared<Node>(Join(name))});
    return children.back().node;
  }

  struct Contents {
    std::vector<Parameter> parameters;
    std::vector<Child> children;
  };
  Contents Snapshot() {
    std::lock_guard<std::mutex> lock(mutex);
    return {parameters, children};
  }

  const std::string path;
  std::mutex mutex;
  std::vector<Parameter> parameters;  // guarded by mutex
  std::vector<Child> children;        // guarded by mutex
};

namespace {

uint64_t NextIndex() {
  static std::atomic<uint64_t> next{0};
  return next.fetch_add(1);
}

// Two Shares at once could close a cycle that neither sees.
std::mutex& ShareMutex() {
  static auto& mutex = *new std::mutex;
  return mutex;
}

// Calls visit(node, name_from_root) once for each node below `root`, itself included, parents
// first.
template <typename Node, typename Visit>
void ForEachNode(const std::shared_ptr<Node>& root, Visit&& visit) {
  std::unordered_set<const Node*> seen;
  std::vector<std::pair<std::shared_ptr<Node>, std::string>> stack = {{root, ""}};
  while (!stack.empty()) {
    auto [node, prefix] = std::move(stack.back());
    stack.pop_back();
    if (!seen.insert(node.get()).second) continue;
    const auto contents = node->Snapshot();
    visit(node, contents, prefix);
    for (auto child = contents.children.rbegin(); child != contents.children.rend(); ++child) {
      stack.emplace_back(child->node, absl::StrCat(prefix, child->name, "/"));
    }
  }
}

}  // namespace

ParameterScope::ParameterScope() : node_(std::make_shared<Node>("")) {}

const std::string& ParameterScope::path() const { return node_->path; }

ParameterScope ParameterScope::operator[](absl::string_view path) const {
  std::shared_ptr<Node> node = node_;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    node = node->Down(part, /*create=*/true);
  }
  return ParameterScope(std::move(node));
}

std::shared_ptr<ParameterScope::Node> ParameterScope::Owner(absl::string_view name, bool create,
                                                            std::string& last) const {
  std::vector<absl::string_view> parts = absl::StrSplit(name, '/', absl::SkipEmpty());
  if (parts.empty()) return nullptr;
  last = std::string(parts.back());
  parts.pop_back();
  std::shared_ptr<Node> node = node_;
  for (absl::string_view part : parts) {
    if (node != nullptr) node = node->Down(part, create);
  }
  return node;
}

Variable ParameterScope::GetOrCreate(absl::string_view name, const Shape& shape,
                                     const Initializer& initializer,
                                     const ParameterOptions& options) const {
  std::string last;
  const std::shared_ptr<Node> owner = Owner(name, true, last);
  if (owner == nullptr) {
    return Variable(absl::InvalidArgumentError(
        absl::StrCat("parameter of scope '", path(), "': no name given: a name needed")));
  }
  std::lock_guard<std::mutex> lock(owner->mutex);
  if (const Node::Parameter* found = owner->FindParameter(last); found != nullptr) {
    const Variable& variable = found->variable;
    if (variable.shape() != shape) {
      return Variable(absl::InvalidArgumentError(
          absl::StrCat("parameter ", owner->Join(last), ": ", ToString(variable.shape()),
                       " exists, ", ToString(shape), " asked: equal shapes needed")));
    }
    return variable.need_grad() == options.need_grad ? variable
                                                     : variable.Unlinked(options.need_grad);
  }
  NdArray data(shape, options.dtype);
  absl::Status status = data.status();
  if (status.ok() && initializer) status = initializer(data);
  if (!status.ok()) {
    return Variable(absl::Status(
        status.code(), absl::StrCat("parameter ", owner->Join(last), ": ", status.message())));
  }
  Variable variable(std::move(data), options.need_grad);
  owner->parameters.push_back({std::move(last), variable, NextIndex()});
  return variable;
}

Variable ParameterScope::Get(absl::string_view name) const {
  std::string last;
  if (const std::shared_ptr<Node> owner = Owner(name, false, last); owner != nullptr) {
    std::lock_guard<std::mutex> lock(owner->mutex);
    if (const Node::Parameter* found = owner->FindParameter(last); found != nullptr) {
      return found->variable;
    }
  }
  return Variable(absl::NotFoundError(absl::StrCat(
      "parameter ", node_->Join(name), ": there is none: the name of a parameter needed")));
}

bool ParameterScope::Contains(absl::string_view name) const { return Get(name).status().ok(); }

absl::Status ParameterScope::Set(absl::string_view name, const Variable& variable) const {
  if (variable.empty() || !variable.status().ok() || !variable.is_root()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "parameter ", node_->Join(name), ": ",
        variable.empty() ? "the empty variable"
        : !variable.status().ok()
            ? absl::StrCat("a variable with an error (", variable.status().message(), ")")
            : "the result of a function",
        " given: a root with data needed"));
  }
  std::string last;
  const std::shared_ptr<Node> owner = Owner(name, true, last);
  if (owner == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter of scope '", path(), "': no name given: a name needed"));
  }
  std::lock_guard<std::mutex> lock(owner->mutex);
  if (Node::Parameter* found = owner->FindParameter(last); found != nullptr) {
    found->variable = variable;
  } else {
    owner->parameters.push_back({std::move(last), variable, NextIndex()});
  }
  return absl::OkStatus();
}

bool ParameterScope::Remove(absl::string_view name) const {
  std::string last;
  const std::shared_ptr<Node> owner = Owner(name, false, last);
  if (owner == nullptr) return false;
  std::lock_guard<std::mutex> lock(owner->mutex);
  const Node::Parameter* found = owner->FindParameter(last);
  if (found == nullptr) return false;
  owner->parameters.erase(owner->parameters.begin() + (found - owner->parameters.data()));
  return true;
}

void ParameterScope::Clear() const {
  ForEachNode(node_,
              [](const std::shared_ptr<Node>& node, const Node::Contents&, const std::string&) {
                std::lock_guard<std::mutex> lock(node->mutex);
                node->parameters.clear();
              });
}

absl::Status ParameterScope::Share(absl::string_view name, const ParameterScope& other) const {
  std::string last;
  const std::shared_ptr<Node> owner = Owner(name, true, last);
  if (owner == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("Share in scope '", path(), "': no name given: a name needed"));
  }
  std::lock_guard<std::mutex> share_lock(ShareMutex());
  bool cycle = false;
  ForEachNode(other.node_, [&](const std::shared_ptr<Node>& node, const Node::Contents&,
                               const std::string&) { cycle = cycle || node == owner; });
  if (cycle) {
    return absl::InvalidArgumentError(
        absl::StrCat("Share: scope '", other.path(), "' as '", owner->Join(last),
                     "', which it holds: a scope beside or below it needed"));
  }
  std::lock_guard<std::mutex> lock(owner->mutex);
  if (Node::Child* child = owner->FindChild(last); child != nullptr) {
    child->node = other.node_;
  } else {
    owner->children.push_back({std::move(last), other.node_});
  }
  return absl::OkStatus();
}

std::vector<NamedParameter> ParameterScope::Parameters(const ListOptions& options) const {
  std::vector<std::pair<uint64_t, NamedParameter>> found;
  std::unordered_set<const internal::VariableNode*> seen;
  ForEachNode(node_, [&](const std::shared_ptr<Node>&, const Node::Contents& contents,
                         const std::string& prefix) {
    for (const Node::Parameter& parameter : contents.parameters) {
      if (options.grad_only && !parameter.variable.need_grad()) continue;
      if (!seen.insert(parameter.variable.node().get()).second) continue;
      found.push_back({parameter.index, {prefix + parameter.name, parameter.variable}});
    }
  });
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<NamedParameter> parameters;
  parameters.reserve(found.size());
  for (auto& [index, parameter] : found) parameters.push_back(std::move(parameter));
  return parameters;
}

bool ParameterScope::empty() const { return Parameters({false}).empty(); }

absl::StatusOr<ParameterScope> ParameterScope::Copy() const {
  std::unordered_map<const Node*, std::shared_ptr<Node>> copies;
  const auto copy_of = [&](const Node* node, const std::string& copy_path) {
    auto& copy = copies[node];
    if (copy == nullptr) copy = std::make_shared<Node>(copy_path);
    return copy;
  };
  struct Place {
    std::shared_ptr<Node> node;
    Node::Parameter parameter;
  };
  std::vector<Place> places;
  ForEachNode(node_, [&](const std::shared_ptr<Node>& node, const Node::Contents& contents,
                         const std::string& prefix) {
    const auto copy = copy_of(node.get(), prefix.substr(0, prefix.size() - !prefix.empty()));
    for (const Node::Child& child : contents.children) {
      copy->children.push_back({child.name, copy_of(child.node.get(), prefix + child.name)});
    }
    for (const Node::Parameter& parameter : contents.parameters)
      places.push_back({copy, parameter});
  });
  std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.parameter.index < b.parameter.index;
  });
  std::unordered_map<const internal::VariableNode*, Variable> variables;
  for (Place& place : places) {
    const Variable& from = place.parameter.variable;
    auto [at, is_new] = variables.try_emplace(from.node().get());
    if (is_new) {
      HALITE_ASSIGN_OR_RETURN(NdArray data, from.data().Copy());
      at->second = Variable(std::move(data), from.need_grad());
    }
    place.node->parameters.push_back({place.parameter.name, at->second, NextIndex()});
  }
  return ParameterScope(copies[node_.get()]);
}

}  // namespace halite
