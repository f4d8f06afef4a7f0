/* Tables to decode HTJ2K's variable length codes with: ISO/IEC 15444-15 7.3.5 and 7.3.6. */
#ifndef DICODEC_JPEG2000_HT_DECODE_TABLES_H
#define DICODEC_JPEG2000_HT_DECODE_TABLES_H

#include <stdint.h>

/* What a codeword tells of a quad's samples, of which a field has a bit each. */
enum {
    HT_SIGNIFICANT = 15,       /* the significance pattern */
    HT_HAS_RESIDUAL_SHIFT = 4, /* u_off */
    HT_KNOWN_SHIFT = 5,        /* EMB known (e_k) */
    HT_IMPLIED_SHIFT = 9,      /* EMB (e_1) */
};

/* An entry of codes has, from the lowest bit on: the length of the codeword, what it tells, and
 * what it contributes to the index of the next quad, which is 0 if nothing is significant. */
enum { HT_LENGTH = 63, HT_TOLD_SHIFT = 6, HT_TOLD = 0x1FFF, HT_WEST_SHIFT = 19 };

/* An entry of prefixes has, from the lowest bit on: how many bits the residuals u of two quads
 * take, how many of those are prefixes, how long the first suffix is, and what the suffixes are
 * added to. */
enum {
    HT_PREFIX_SHIFT = 6, HT_PREFIX = 7,
    HT_FIRST_SUFFIX_SHIFT = 9, HT_FIRST_SUFFIX = 7,
    HT_FIRST_SHIFT = 12, HT_FIRST = 7,
    HT_SECOND_SHIFT = 15,
};

enum {
    HT_CONTEXTS = 8, HT_CODE_BITS = 7, /* of the longest codeword */
    HT_PREFIX_BITS = 6,                /* of the longest two prefixes */
    /* Whether u is coded of the first quad, and of the second, are bits of a mode. */
    HT_BOTH = 3, HT_BOTH_LARGE, /* of the first row: both u are more than 2 */
    HT_MODES,
};

typedef struct {
    uint32_t codes[2][HT_CONTEXTS << HT_CODE_BITS]; /* of the first row of quads, and of others */
    uint32_t prefixes[2][HT_MODES << HT_PREFIX_BITS];
} jpeg2000_ht_tables;

void jpeg2000_make_ht_tables(jpeg2000_ht_tables *tables);

#endif
