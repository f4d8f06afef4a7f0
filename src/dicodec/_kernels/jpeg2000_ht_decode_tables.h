/* Tables to decode HTJ2K's variable length codes with: ISO/IEC 15444-15 7.3.5 and 7.3.6. */
#ifndef DICODEC_JPEG2000_HT_DECODE_TABLES_H
#define DICODEC_JPEG2000_HT_DECODE_TABLES_H

#include <stdint.h>

/* What a codeword tells of a quad's samples, of which a field has a bit each. */
enum {
    HT_SIGNIFICANT = 15, /* the significance pattern */
    HT_HAS_RESIDUAL_SHIFT = 4, /* u_off */
    HT_KNOWN_SHIFT = 5,        /* EMB known (e_k) */
    HT_IMPLIED_SHIFT = 9,      /* EMB (e_1) */
    HT_LENGTH_SHIFT = 13,      /* of the codeword */
};

/* What the prefixes of a pair of quads tell of their residuals u. */
enum {
    HT_PREFIX = 7,           /* bits of both prefixes */
    HT_FIRST_SUFFIX_SHIFT = 3, /* 3 bits: those of the first quad's suffix */
    HT_SUFFIX_SHIFT = 6,     /* 4 bits: those of both suffixes */
    HT_FIRST_SHIFT = 10,     /* 3 bits: what the first suffix is added to */
    HT_SECOND_SHIFT = 13,    /* and the second one */
};

enum {
    HT_CONTEXTS = 8, HT_CODE_BITS = 7, /* of the longest codeword */
    HT_PREFIX_BITS = 6,                /* of the longest two prefixes */
    /* Whether u is coded of the first quad, and of the second, are bits of a mode. */
    HT_BOTH = 3, HT_BOTH_LARGE, /* of the first row: both u are more than 2 */
    HT_MODES,
};

typedef struct {
    uint16_t codes[2][HT_CONTEXTS << HT_CODE_BITS];   /* of the first row of quads, and of others */
    uint16_t prefixes[2][HT_MODES << HT_PREFIX_BITS];
} jpeg2000_ht_tables;

void jpeg2000_make_ht_tables(jpeg2000_ht_tables *tables);

#endif
