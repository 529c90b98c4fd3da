#pragma once
#include <functional>
#include <string>

#include "cupg/error.hpp"

namespace cupg_test {

/// What the Error says that `action` throws; empty where it throws none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const cupg::Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace cupg_test
