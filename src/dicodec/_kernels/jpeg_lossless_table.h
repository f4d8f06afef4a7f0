/* Huffman tables of lossless JPEG, as they are stored and as they are used for decoding. */
#ifndef DICODEC_JPEG_LOSSLESS_TABLE_H
#define DICODEC_JPEG_LOSSLESS_TABLE_H

#include "jpeg_lossless.h"

enum {
    MOST_CODES = 256,
    LOOKUP_BITS = 11,
};

/* A table as DHT gives it (B.2.4.2). */
typedef struct {
    bool defined, prepared; /* prepared: the decoding table is that of these codes */
    uint8_t counts[JPEG_LOSSLESS_LONGEST_CODE];
    uint8_t categories[MOST_CODES];
} huffman_table;

/* What follows from the next LOOKUP_BITS bits.
 *
 * They hold the codes and additional bits of 1 or 2 differences; or only one code, the additional
 * bits of which come behind it; or, if all is 0, not even that, or the code of category 16. */
typedef struct {
    uint16_t differences[2]; /* of one code alone: what extend adds */
    uint8_t total;           /* bits of the differences; of one code alone: and what it needs */
    uint8_t first;           /* bits of the first difference, or of one code alone */
    uint8_t count;           /* differences: 0 of one code alone */
    uint8_t unused;
} huffman_entry;

typedef struct {
    huffman_entry entries[1 << LOOKUP_BITS];
    uint32_t limits[JPEG_LOSSLESS_LONGEST_CODE + 1]; /* behind the codes up to a length, of 16 bits */
    int32_t places[JPEG_LOSSLESS_LONGEST_CODE + 1];  /* of a code in `categories`, minus the code */
    uint8_t categories[MOST_CODES];
} decoding_table;

/* Return the difference of the additional bits, the highest of `window` (H.1.2.2, Table H.2). */
static inline uint16_t extend(uint64_t window, unsigned count, uint16_t offset)
{
    uint16_t if_negative = (uint16_t)~(int64_t)((int64_t)window >> 63);
    return (uint16_t)((window >> 1 >> (63 - count)) + (offset & if_negative));
}

static inline uint16_t find_offset(unsigned category)
{
    return (uint16_t)(category ? 1 - (1 << category) : 0);
}

/* Make the table for decoding; false if the codes do not fit their lengths (C.2). */
bool jpeg_lossless_prepare_table(huffman_table *from, decoding_table *table);

#endif
