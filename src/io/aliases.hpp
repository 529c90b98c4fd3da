// Names that users of CleanRL, Stable-Baselines3 and its zoo, rejax, PufferLib and Gymnasium type: one table.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cupg {

/// One such name. Where it means exactly what one of ours does, it is taken as that; otherwise it is answered.
struct Alias {
  std::string_view kind;    ///< what is named: "option" (and key of a TOML file), "environment", "algo", "preset" or "command"
  std::string_view name;    ///< as spelling() writes it
  std::string_view ours;    ///< the name that means exactly the same; empty where none does
  std::string_view answer;  ///< then: what is expected, and why; settings stand in backquotes
};
std::span<const Alias> aliases();

/// Lower case, dashes for underscores, and without PufferLib's "train." before a setting: Total_Timesteps is total-timesteps.
std::string spelling(std::string_view name);

/// The one of `known` that `name` stands for, in another spelling or as an alias; empty where it stands for none.
std::string taken_as(std::string_view kind, std::string_view name, const std::vector<std::string>& known);

/// What to expect in place of a name that is known elsewhere but stands for none of `known`; empty where the table does not know it
/// either. Settings are written with `dashes` as the command line has them, otherwise as in a TOML file.
std::string answer_to(std::string_view kind, std::string_view name, const std::vector<std::string>& known, bool dashes);

}  // namespace cupg
