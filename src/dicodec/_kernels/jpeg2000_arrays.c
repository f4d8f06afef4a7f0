#if defined(__linux__)
#define _DEFAULT_SOURCE /* of madvise */
#include <sys/mman.h>
#endif

#include "jpeg2000_arrays.h"

#include <stdint.h>
#include <stdlib.h>

/* A page is made when it is first touched, which takes a third of the time of HTJ2K of large frames;
 * one of 2 MB takes as long as three of 4 KB. */
void *jpeg2000_take_array(size_t size)
{
#if defined(MADV_HUGEPAGE)
    enum { HUGE_PAGE = 1 << 21 };
    if (size >= 2 * HUGE_PAGE && size <= SIZE_MAX - HUGE_PAGE) {
        size_t whole = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        void *array = aligned_alloc(HUGE_PAGE, whole);
        if (array)
            madvise(array, whole, MADV_HUGEPAGE); /* without it, pages are small */
        return array;
    }
#endif
    return malloc(size);
}
