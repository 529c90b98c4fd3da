// Line 1 of what the pages here point at.
int moved();
//
// Lines that no formatter takes away, so that the numbers stay.
//
int kept();
inline int used() { return kept() + moved(); }
