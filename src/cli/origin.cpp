#include "src/cli/origin.hpp"

#include "commit.hpp"
#include "src/engine/isa.hpp"
#include "src/io/version.hpp"

namespace cupg::cli {

Origin origin(std::string command) { return {version(), CUPG_COMMIT, compiler(), CUPG_FLAGS, processor_name(), std::move(command)}; }

}  // namespace cupg::cli
