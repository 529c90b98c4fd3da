#pragma once
#include "src/cli/arguments.hpp"

namespace cupg::cli {

// Each runs one command and returns the exit status; what goes wrong is thrown as Error.

inline constexpr int kFinished = 0, kFailed = 1, kUsage = 2, kMissing = 3, kInterrupted = 130;

int run_train(const TrainArguments& arguments);
int run_resume(const ResumeArguments& arguments);
int run_eval(const EvalArguments& arguments);
int run_export(const ExportArguments& arguments);
int run_play(const PlayArguments& arguments);
int run_report(const ReportArguments& arguments);
int run_compare(const CompareArguments& arguments);
int run_sweep(const SweepArguments& arguments);
int run_verify(const VerifyArguments& arguments);
int run_bench(const BenchArguments& arguments);
int run_reproduce(const ReproduceArguments& arguments);
int run_gradcheck(const GradcheckArguments& arguments);
int run_info(const InfoArguments& arguments);

}  // namespace cupg::cli
