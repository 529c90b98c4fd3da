// The avx2 target of lane_functions.inc; the compiler flags come from the build.
#include "lane_functions.inc"
