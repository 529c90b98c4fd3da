// A weak function outside the target's namespace, which the check must find, and one inside, which it must not.
namespace cupg {
[[gnu::noinline]] inline int leaked(int x) { return x + 1; }
inline namespace avx2 {
[[gnu::noinline]] inline int kept(int x) { return x + 2; }
int both(int x) { return leaked(x) + kept(x); }
}  // namespace avx2
}  // namespace cupg
