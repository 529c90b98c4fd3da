#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <new>
#include <string>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/out_of_memory.hpp"
#include "src/cli/terminal.hpp"
#include "src/train/over_ranks.hpp"

namespace cupg::cli {
namespace {

struct RunCommand {
  int operator()(const Text& text) const {
    print(text.text);
    return kFinished;
  }
  int operator()(const TrainArguments& arguments) const { return run_train(arguments); }
  int operator()(const ResumeArguments& arguments) const { return run_resume(arguments); }
  int operator()(const EvalArguments& arguments) const { return run_eval(arguments); }
  int operator()(const ExportArguments& arguments) const { return run_export(arguments); }
  int operator()(const PlayArguments& arguments) const { return run_play(arguments); }
  int operator()(const ReportArguments& arguments) const { return run_report(arguments); }
  int operator()(const CompareArguments& arguments) const { return run_compare(arguments); }
  int operator()(const SweepArguments& arguments) const { return run_sweep(arguments); }
  int operator()(const VerifyArguments& arguments) const { return run_verify(arguments); }
  int operator()(const BenchArguments& arguments) const { return run_bench(arguments); }
  int operator()(const ReproduceArguments& arguments) const { return run_reproduce(arguments); }
  int operator()(const GradcheckArguments& arguments) const { return run_gradcheck(arguments); }
  int operator()(const InfoArguments& arguments) const { return run_info(arguments); }
};

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return kUsage;
    case ErrorKind::runtime: return kFailed;
    case ErrorKind::missing: return kMissing;
  }
  return kFailed;
}

int fail(const std::string& message, int status) {
  print_error("cupg: " + one_line(message) + "\n");
  return status;
}

int run(int argc, const char* const* argv) {
  try {
    Notes notes;
    const Arguments arguments = parse_arguments(argc, argv, notes);
    for (const std::string& note : notes) print_error(fmt::format("cupg: {}\n", one_line(note)));
    const int status = std::visit(RunCommand{}, arguments);
    if (status != kInterrupted) flush_output();  // what interrupted may have taken the terminal, or whoever reads, away
    return status;
  } catch (const Error& e) {
    return fail(e.what(), status_of(e.kind()));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    return fail(std::string("internal error: ") + e.what(), kFailed);
  }
}

/// What takes less memory.
constexpr const char* kLess = "fewer envs, seeds or episodes, or a shorter horizon";

/// Several processes: rank 0 is the command, the others train for it.
int run_as_rank(int argc, const char* const* argv) {
  Ranks* ranks = nullptr;
  try {
    ranks = &Ranks::join();
  } catch (const Error& e) {
    return fail(e.what(), status_of(e.kind()));
  }
  int status = kFinished;
  if (ranks->rank() == 0) {
    try {
      status = run(argc, argv);
    } catch (const std::bad_alloc&) {
      ranks->abort(fail_without_memory(kLess));
    }
    if (ranks->busy) ranks->abort(status);
    dismiss(*ranks);
  } else {
    catch_interrupts("", "");
    try {
      serve(*ranks, interrupted);
    } catch (const std::exception& e) {
      ranks->abort(fail(fmt::format("rank {}: {}", ranks->rank(), e.what()), kFailed));
    }
  }
  ranks->leave();
  return status;
}

}  // namespace
}  // namespace cupg::cli

int main(int argc, char** argv) {
  // a file size limit is then an error of write() like a full disk, and does not kill the process
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    if (cupg::cli::reserve_memory()) return (cupg::Ranks::started() ? cupg::cli::run_as_rank : cupg::cli::run)(argc, argv);
  } catch (const std::bad_alloc&) {  // a message's, too
  }
  return cupg::cli::fail_without_memory(cupg::cli::kLess);
}
