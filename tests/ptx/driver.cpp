// libcuda.so.1 of the PTX machine: cupg looks whether a driver is installed before it looks for devices, and asks it which context a thread
// uses. A context is the device's number and 1.
extern "C" int cupg_ptx_device_of_thread();
extern "C" void cupg_ptx_set_device_of_thread(int device);

#define CUPG_PTX_CALL extern "C" __attribute__((visibility("default")))

CUPG_PTX_CALL int cuCtxGetCurrent(void** context) {
  *context = reinterpret_cast<void*>(static_cast<long>(cupg_ptx_device_of_thread()) + 1);  // null: none
  return 0;
}
CUPG_PTX_CALL int cuCtxSetCurrent(void* context) {
  cupg_ptx_set_device_of_thread(static_cast<int>(reinterpret_cast<long>(context)) - 1);
  return 0;
}
