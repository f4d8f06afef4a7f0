#include "processor.h"

const char *kernel_instructions(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? "avx2" : "";
#else
    return "";
#endif
}
