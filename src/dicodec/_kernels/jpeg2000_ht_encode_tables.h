/* How an encoder of HTJ2K's code-blocks finds its codes: ISO/IEC 15444-15 7.3.5, 7.3.6, Annex C. */
#ifndef DICODEC_JPEG2000_HT_ENCODE_TABLES_H
#define DICODEC_JPEG2000_HT_ENCODE_TABLES_H

#include <stdint.h>

enum {
    JPEG2000_HT_QUAD_STATES = 2048, /* 3 bits of context, 4 of significance, 4 of EMB */
    JPEG2000_HT_RESIDUALS = 32,     /* u_q, 0 to 31 */
};

/* A context-adaptive code: from the lowest bit on, 8 bits of it, 4 of its length, 4 of EMB known. */
typedef uint16_t jpeg2000_ht_quad_code;

/* Unary and binary parts of the residuals of two quads: 24 bits of them, 8 of their length. */
typedef uint32_t jpeg2000_ht_residual_code;

typedef struct {
    jpeg2000_ht_quad_code quads[JPEG2000_HT_QUAD_STATES];
    jpeg2000_ht_residual_code residuals[JPEG2000_HT_RESIDUALS][JPEG2000_HT_RESIDUALS];
} jpeg2000_ht_row_tables;

typedef struct {
    jpeg2000_ht_row_tables first, other; /* rows of quads */
} jpeg2000_ht_encode_tables;

void jpeg2000_ht_make_encode_tables(jpeg2000_ht_encode_tables *tables);

#endif
