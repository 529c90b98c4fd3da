// Names src/named.hpp, ../code.hpp, code.hpp, src/*.hpp, src/<any>/x.hpp and Random123's tests/vectors, which are right or not ours;
// src/gone.cpp and missing.hpp are not there.
inline const char* not_a_comment() { return "src/gone_too.cpp"; }
