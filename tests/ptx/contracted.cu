// What the check must find: approximate division, and the contraction that nvcc makes unless told not to.
__global__ void contracted_kernel(const float* a, float* out) { out[threadIdx.x] = __fdividef(a[0] * a[1] + a[2], a[3]); }
