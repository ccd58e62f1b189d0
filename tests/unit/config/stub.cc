// The stub module of modhost's tests, for this binary.
#include "../modhost/stub_module.cc"
