#include "jpeg2000_ht_decode_quads.h"

#include <string.h>

#include "processor.h"

/* Find what the row above contributes to contexts, equation 2: the quads to the north-west and the
 * north, then to the north and the north-east. */
KERNEL_VARIANTS
static void find_contexts(const jpeg2000_ht_quads *above, uint16_t contexts[HT_QUADS])
{
    const uint16_t *told = above->told;
    for (unsigned q = 0; q < HT_QUADS; q++) {
        unsigned west = (told[q] >> 3 | told[q + 1] >> 1) & 1;
        unsigned east = (told[q + 1] >> 3 | told[q + 2] >> 1) & 1;
        contexts[q] = (uint16_t)((west | east << 2) << HT_CODE_BITS);
    }
}

void jpeg2000_start_ht_row(jpeg2000_ht_row *row, const jpeg2000_ht_quad_reader *reader,
                           const jpeg2000_ht_tables *tables, const jpeg2000_ht_quads *above,
                           unsigned count, jpeg2000_ht_quads *quads)
{
    const uint8_t *next = reader->codes.bytes + (reader->place >> 3);
    unsigned skipped = reader->place & 7, end = (count + 1) / 2 * 2;
    row->seen = (jpeg2000_ht_window){peek_bits(next, skipped), 56 - skipped, next + 7};
    row->events = reader->events;
    row->codes = tables->codes[above != NULL];
    row->prefixes = tables->prefixes[above != NULL];
    row->west = 0;
    row->is_first = !above;
    row->count = count;
    row->quads = quads;
    if (above)
        find_contexts(above, row->contexts);
    else
        memset(row->contexts, 0, sizeof row->contexts);
    quads->told[0] = 0;
    memset(quads->told + end + 1, 0, 3 * sizeof *quads->told);
    memset(quads->residuals + end, 0, 3);
}

KERNEL_BIT_VARIANTS
void jpeg2000_read_ht_quads(jpeg2000_ht_row *row)
{
    jpeg2000_ht_row own = *row;
    if (own.is_first)
        for (unsigned q = 0; q < own.count; q += 2)
            read_quad_pair(&own, q, true);
    else
        for (unsigned q = 0; q < own.count; q += 2)
            read_quad_pair(&own, q, false);
    *row = own;
}

void jpeg2000_finish_ht_row(const jpeg2000_ht_row *row, jpeg2000_ht_quad_reader *reader)
{
    reader->events = row->events;
    reader->place = (size_t)(row->seen.next - reader->codes.bytes) * 8 - row->seen.count;
}
