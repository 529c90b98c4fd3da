// Quantiles on the device: Thrust's variable-size memory and sort. Compiled by nvcc, and by a host compiler with Thrust's C++ back end.
#include "kernels/metrics/quantiles.hpp"

#if defined(__CUDACC__) || defined(CUPG_HAVE_THRUST)
#include <thrust/copy.h>
#include <thrust/device_ptr.h>
#include <thrust/device_vector.h>
#include <thrust/gather.h>
#include <thrust/host_vector.h>
#include <thrust/sort.h>
#else
#include <vector>
#endif

CUPG_BEGIN_TARGET

#if defined(__CUDACC__) || defined(CUPG_HAVE_THRUST)

ReturnQuantiles return_quantiles(const float* values, std::int64_t n) {
  ReturnQuantiles quantiles{};
  if (n == 0) return quantiles;
  const auto first = thrust::device_pointer_cast(values);
  thrust::device_vector<float> sorted(first, first + n);
  thrust::sort(sorted.begin(), sorted.end());
  // the ranks that are read, in one gather and one copy
  thrust::host_vector<std::int64_t> ranks;
  for (const double q : kReturnQuantiles)
    quantile_of_sorted(n, q, [&](std::int64_t rank) {
      ranks.push_back(rank);
      return 0.0;
    });
  const thrust::device_vector<std::int64_t> device_ranks = ranks;
  thrust::device_vector<float> picked(ranks.size());
  thrust::gather(device_ranks.begin(), device_ranks.end(), sorted.begin(), picked.begin());
  const thrust::host_vector<float> read = picked;
  std::size_t next = 0;
  for (std::size_t i = 0; i < quantiles.size(); ++i)
    quantiles[i] = quantile_of_sorted(n, kReturnQuantiles[i], [&](std::int64_t) { return static_cast<double>(read[next++]); });
  return quantiles;
}

#else

ReturnQuantiles return_quantiles(const float* values, std::int64_t n) {
  ReturnQuantiles quantiles{};
  std::vector<float> sorted(values, values + n);
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < quantiles.size() && n > 0; ++i)
    quantiles[i] = quantile_of_sorted(n, kReturnQuantiles[i],
                                      [&](std::int64_t rank) { return static_cast<double>(sorted[static_cast<std::size_t>(rank)]); });
  return quantiles;
}

#endif

CUPG_END_TARGET
