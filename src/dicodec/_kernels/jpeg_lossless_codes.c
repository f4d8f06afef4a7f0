#include "jpeg_lossless_codes.h"

#include <string.h>

enum { CODES = JPEG_LOSSLESS_CATEGORIES + 1 }; /* and one that stays free, of ones alone (K.2) */

/* Return the code with the least frequency above 0 but `other`, the last of equals; -1: none. */
static int find_rarest(const uint64_t *frequencies, int other)
{
    int found = -1;
    for (int i = 0; i < CODES; i++)
        if (frequencies[i] && i != other
            && (found < 0 || frequencies[i] <= frequencies[found]))
            found = i;
    return found;
}

void jpeg_lossless_choose_codes(const uint64_t *histogram, jpeg_lossless_plan *plan)
{
    uint64_t frequencies[CODES];
    unsigned sizes[CODES] = {0}, counts[CODES + 1] = {0};
    int others[CODES];
    memcpy(frequencies, histogram, JPEG_LOSSLESS_CATEGORIES * sizeof *histogram);
    frequencies[CODES - 1] = 1;
    for (int i = 0; i < CODES; i++)
        others[i] = -1;
    for (;;) { /* Figure K.1 */
        int first = find_rarest(frequencies, -1), second = find_rarest(frequencies, first);
        if (second < 0)
            break;
        frequencies[first] += frequencies[second];
        frequencies[second] = 0;
        for (sizes[first]++; others[first] >= 0; sizes[first]++)
            first = others[first];
        others[first] = second;
        for (sizes[second]++; others[second] >= 0; sizes[second]++)
            second = others[second];
    }
    for (int i = 0; i < CODES; i++)
        if (sizes[i])
            counts[sizes[i]]++;
    for (unsigned size = CODES; size > JPEG_LOSSLESS_LONGEST_CODE; size--) /* Figure K.3 */
        while (counts[size]) {
            unsigned shorter = size - 2;
            while (!counts[shorter])
                shorter--;
            counts[size] -= 2;
            counts[size - 1]++;
            counts[shorter + 1] += 2;
            counts[shorter]--;
        }
    unsigned longest = JPEG_LOSSLESS_LONGEST_CODE;
    while (!counts[longest])
        longest--;
    counts[longest]--; /* the free one */
    for (unsigned i = 0; i < JPEG_LOSSLESS_LONGEST_CODE; i++)
        plan->counts[i] = (uint8_t)counts[i + 1];
    unsigned place = 0; /* Figure K.4 */
    memset(plan->categories, 0, sizeof plan->categories);
    for (unsigned size = 1; size <= CODES; size++)
        for (unsigned i = 0; i < JPEG_LOSSLESS_CATEGORIES; i++)
            if (sizes[i] == size)
                plan->categories[place++] = (uint8_t)i;
}
