#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace cupg {

/// The whole of a regular file of at most `most_bytes`; throws Error (usage) that names it.
std::string read_file(const std::filesystem::path& path, std::size_t most_bytes);
/// Its first `count` bytes, or all of them where there are fewer.
std::string read_start(const std::filesystem::path& path, std::size_t count, std::size_t most_bytes);

/// Writes a file under a random name beside `path`, syncs and renames it: a reader sees all of it or nothing. Throws Error (runtime) that
/// names `path`, and leaves nothing behind then. Removes what killed processes left there.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Throws Error (runtime) unless files could be written beside `path`.
void check_parent_writable(const std::filesystem::path& path);

/// "cannot be written: " and why, as Error (runtime) that names `path`.
[[noreturn]] void fail_to_write(const std::filesystem::path& path, int code);

/// The folder that `path` is in.
std::filesystem::path parent_of(const std::filesystem::path& path);

/// As large as a small run: a full disk shows when so many bytes are written.
inline constexpr std::size_t kProbeBytes = 65536;

}  // namespace cupg
