#include "tests/ptx/machine/operations.hpp"

#include <unordered_map>

namespace ptx {

const Operation* find_operation(std::string_view name) {
  static const auto* const table = [] {
    auto* all = new std::unordered_map<std::string_view, Operation>;
    for (const Operations& part :
         {integer_operations(), bit_operations(), float_operations(), compare_operations(), convert_operations(), move_operations()})
      for (const auto& [operation_name, operation] : part) all->emplace(operation_name, operation);
    return all;
  }();
  const auto found = table->find(name);
  return found == table->end() ? nullptr : &found->second;
}

}  // namespace ptx
