// libcuda.so.1 where there is none: cupg looks whether a driver is installed before it looks for devices.
extern "C" __attribute__((visibility("default"))) int cupg_no_driver() { return 0; }
