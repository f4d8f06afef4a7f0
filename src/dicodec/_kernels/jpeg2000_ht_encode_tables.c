#include "jpeg2000_ht_encode_tables.h"

#include <stdbool.h>
#include <string.h>

#include "jpeg2000_ht_codes.h"

/* By a set of EMB bits, how many they are. */
static const uint8_t COUNTS[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

/* Return the bits that a code takes, without those that it saves: a MagSgn bit for each EMB known. */
static int weigh(jpeg2000_ht_quad_code code)
{
    return (code >> 8 & 15) - COUNTS[code >> 12];
}

/* Of the codes that describe a quad, the one is taken with which it has the fewest bits. */
static void keep_better(jpeg2000_ht_quad_code *kept, jpeg2000_ht_quad_code code)
{
    if (!*kept || weigh(code) < weigh(*kept))
        *kept = code;
}

/* Enter a row of Annex C for all quads that it describes. */
static void enter_row(uint32_t row, jpeg2000_ht_quad_code *quads)
{
    unsigned significance = row >> 3 & 15, known = row >> 8 & 15, ones = row >> 12 & 15;
    jpeg2000_ht_quad_code *from = quads + ((row & 7) << 8 | significance << 4);
    jpeg2000_ht_quad_code code =
        (jpeg2000_ht_quad_code)((row >> 16 & 0xFF) | (row >> 24 & 15) << 8 | known << 12);
    bool has_residual = row >> 7 & 1; /* u_off; EMB bits tell who has the most bits only then */
    if (!has_residual)
        keep_better(from, code);
    else
        for (unsigned bits = significance; bits; bits = (bits - 1) & significance)
            if ((bits & known) == ones)
                keep_better(from + bits, code);
}

static void make_quads(const uint32_t *rows, unsigned count, jpeg2000_ht_quad_code *quads)
{
    memset(quads, 0, JPEG2000_HT_QUAD_STATES * sizeof *quads);
    for (unsigned i = 0; i < count; i++)
        enter_row(rows[i], quads);
}

/* The code of a residual, Table 3: its prefix, and a suffix of some bits. */
typedef struct {
    unsigned prefix, prefix_bits, suffix, suffix_bits;
} residual_parts;

static residual_parts split_residual(unsigned residual)
{
    if (residual < 3)
        return (residual_parts){residual, residual, 0, 0};
    if (residual < 5)
        return (residual_parts){4, 3, residual - 3, 1};
    return (residual_parts){0, 3, residual - 5, 5};
}

static void append(jpeg2000_ht_residual_code *code, unsigned value, unsigned bits)
{
    *code = (*code | value << (*code >> 24)) + (bits << 24);
}

/* The prefixes of both quads precede their suffixes. */
static jpeg2000_ht_residual_code code_pair(unsigned one, unsigned other)
{
    residual_parts a = split_residual(one), b = split_residual(other);
    jpeg2000_ht_residual_code code = 0;
    append(&code, a.prefix, a.prefix_bits);
    append(&code, b.prefix, b.prefix_bits);
    append(&code, a.suffix, a.suffix_bits);
    append(&code, b.suffix, b.suffix_bits);
    return code;
}

/* In the first row, a MEL symbol says of two residuals whether both are above 2; else, behind one
 * that is above 2, the other is 1 or 2, and a bit says which. */
static jpeg2000_ht_residual_code code_first_pair(unsigned one, unsigned other)
{
    if (one > 2 && other > 2)
        return code_pair(one - 2, other - 2);
    if (one <= 2 || !other)
        return code_pair(one, other);
    residual_parts a = split_residual(one);
    jpeg2000_ht_residual_code code = 0;
    append(&code, a.prefix, a.prefix_bits);
    append(&code, other - 1, 1);
    append(&code, a.suffix, a.suffix_bits);
    return code;
}

void jpeg2000_ht_make_encode_tables(jpeg2000_ht_encode_tables *tables)
{
    make_quads(jpeg2000_ht_first_row_codes, JPEG2000_HT_FIRST_ROW_CODES, tables->first.quads);
    make_quads(jpeg2000_ht_other_row_codes, JPEG2000_HT_OTHER_ROW_CODES, tables->other.quads);
    for (unsigned one = 0; one < JPEG2000_HT_RESIDUALS; one++) {
        for (unsigned other = 0; other < JPEG2000_HT_RESIDUALS; other++) {
            tables->first.residuals[one][other] = code_first_pair(one, other);
            tables->other.residuals[one][other] = code_pair(one, other);
        }
    }
}
