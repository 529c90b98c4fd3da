// The device's metrics, compiled by a host compiler.
#include "kernels/metrics/quantiles.cu"
