/* The quads of an HTJ2K code-block, as its MEL and VLC bits tell of them: ISO/IEC 15444-15 7.3. */
#ifndef DICODEC_JPEG2000_HT_DECODE_QUADS_H
#define DICODEC_JPEG2000_HT_DECODE_QUADS_H

#include "jpeg2000_ht_decode_bits.h"
#include "jpeg2000_ht_decode_tables.h"

enum { HT_QUADS = JPEG2000_BLOCK / 2 }; /* of a row, and rows of them */

typedef struct {
    jpeg2000_ht_bits codes; /* VLC */
    size_t place;           /* of the next one */
    jpeg2000_ht_events events;
} jpeg2000_ht_quad_reader;

/* A row of quads, and room for one before the first, and behind the last. */
typedef struct {
    uint16_t told[HT_QUADS + 4]; /* of a quad from index 1 on, see jpeg2000_ht_decode_tables.h */
    uint8_t residuals[HT_QUADS]; /* u */
} jpeg2000_ht_quads;

/* Read a row of some quads; `above` is the one above it, or NULL.
 *
 * What `row` had is overwritten. The bits may end before, which is to be checked. */
void jpeg2000_read_ht_quads(jpeg2000_ht_quad_reader *reader, const jpeg2000_ht_tables *tables,
                            const jpeg2000_ht_quads *above, unsigned count,
                            jpeg2000_ht_quads *row);

#endif
