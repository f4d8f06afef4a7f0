#include "jpeg2000_ht_decode_tables.h"

#include <stdbool.h>

#include "jpeg2000_ht_codes.h"

/* Fields of a packed row, see jpeg2000_ht_codes.h. */
enum { CONTEXT = 7, TOLD_SHIFT = 3, CODE_SHIFT = 16, CODE = 0xFF, LENGTH_SHIFT = 24 };

/* What a quad contributes to the context of the next one, equations 1 and 2. */
static uint32_t find_west(unsigned pattern, bool is_first_row)
{
    return is_first_row ? pattern >> 1 | (pattern & 1) : (pattern >> 1 | pattern >> 2) & 2;
}

static void fill_codes(const uint32_t *rows, unsigned count, bool is_first_row, uint32_t *codes)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t row = rows[i], told = row >> TOLD_SHIFT & HT_TOLD;
        unsigned length = row >> LENGTH_SHIFT, code = row >> CODE_SHIFT & CODE;
        uint32_t west = find_west(told & HT_SIGNIFICANT, is_first_row) << HT_CODE_BITS;
        uint32_t *context = codes + ((row & CONTEXT) << HT_CODE_BITS);
        for (unsigned bits = code; bits < 1u << HT_CODE_BITS; bits += 1u << length)
            context[bits] = length | told << HT_TOLD_SHIFT | west << HT_WEST_SHIFT;
    }
}

/* The code of a residual u, Table 3: `start` and a suffix are added. */
typedef struct {
    unsigned length, suffix, start;
} prefix;

static prefix find_prefix(unsigned bits)
{
    if (bits & 1)
        return (prefix){1, 0, 1};
    if (bits & 2)
        return (prefix){2, 0, 2};
    return bits & 4 ? (prefix){3, 1, 3} : (prefix){3, 5, 5};
}

static uint32_t find_prefixes(bool is_first_row, unsigned mode, unsigned bits)
{
    prefix first = {0, 0, 0}, second = {0, 0, 0};
    if (mode & 1 || mode == HT_BOTH_LARGE) {
        first = find_prefix(bits);
        bits >>= first.length;
    }
    if (is_first_row && mode == HT_BOTH && first.length == 3) /* then the second is at most 2 */
        second = (prefix){1, 0, 1 + (bits & 1)};
    else if (mode & 2 || mode == HT_BOTH_LARGE)
        second = find_prefix(bits);
    if (mode == HT_BOTH_LARGE) {
        first.start += 2;
        second.start += 2;
    }
    unsigned prefixes = first.length + second.length;
    return (prefixes + first.suffix + second.suffix) | prefixes << HT_PREFIX_SHIFT
           | first.suffix << HT_FIRST_SUFFIX_SHIFT | first.start << HT_FIRST_SHIFT
           | second.start << HT_SECOND_SHIFT;
}

void jpeg2000_make_ht_tables(jpeg2000_ht_tables *tables)
{
    fill_codes(jpeg2000_ht_first_row_codes, JPEG2000_HT_FIRST_ROW_CODES, true, tables->codes[0]);
    fill_codes(jpeg2000_ht_other_row_codes, JPEG2000_HT_OTHER_ROW_CODES, false, tables->codes[1]);
    for (unsigned row = 0; row < 2; row++)
        for (unsigned mode = 0; mode < HT_MODES; mode++)
            for (unsigned bits = 0; bits < 1u << HT_PREFIX_BITS; bits++)
                tables->prefixes[row][mode << HT_PREFIX_BITS | bits] =
                    find_prefixes(!row, mode, bits);
}
