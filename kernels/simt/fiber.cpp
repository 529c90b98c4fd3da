#include "kernels/simt/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>

namespace cupg::simt::detail {
namespace {

constexpr std::size_t kPage = 4096;

Fibers* entered = nullptr;  // there is one set of fibers, and one host thread at a time uses it

}  // namespace

void Fibers::reserve(std::size_t stack_bytes) {
  const std::size_t stride = kPage + (stack_bytes + kPage - 1) / kPage * kPage;
  if (stride <= stride_) return;
  if (stacks_ != nullptr) {
    renew(created_);
    munmap(stacks_, stride_ * kMaxThreads);
    stacks_ = nullptr;
    stride_ = 0;
  }
  // pages cost memory when they are first written
  void* const stacks = mmap(nullptr, stride * kMaxThreads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED) throw Error("simt: no memory for the threads' stacks");
  stacks_ = static_cast<char*>(stacks);
  stride_ = stride;
  for (unsigned i = 0; i < kMaxThreads; ++i) mprotect(stacks_ + i * stride_, kPage, PROT_NONE);
}

void Fibers::renew(unsigned used) {
  for (unsigned i = 0; i < created_; ++i) asan::forget_stack(fibers_[i].low, fibers_[i].size);
  created_ = 0;
  idle_count_ = 0;
  // A stack serves one thread after another, which are not ordered; ThreadSanitizer takes newly mapped memory for new.
  for (unsigned i = 0; tsan::kActive && i < used; ++i)
    mmap(stacks_ + i * stride_ + kPage, stride_ - kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
         -1, 0);
}

Fiber& Fibers::create() {
  Fiber& fiber = fibers_[created_];
  char* const low = stacks_ + created_ * stride_ + kPage;
  fiber.low = low;
  fiber.size = stride_ - kPage;
  fiber.asan_stack = nullptr;
  // Tops of stacks a multiple of 4 KiB apart would share a few sets of the cache.
  const std::size_t color = created_ * 192 % kPage;
  fiber.context = boost::context::detail::make_fcontext(low + fiber.size - color, fiber.size - color, &Fibers::enter);
  ++created_;
  entered = this;
  return fiber;
}

void Fibers::enter(boost::context::detail::transfer_t arrival) {
  entered->arrive(arrival);
  entered->work_();
}

}  // namespace cupg::simt::detail
