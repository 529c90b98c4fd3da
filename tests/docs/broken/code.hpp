// Line 1 of what the pages here point at.
int moved();

int kept();
