/* What JPEG 2000's main header says of a codestream: ISO/IEC 15444-1 Annex A. */
#ifndef DICODEC_JPEG2000_CODESTREAM_H
#define DICODEC_JPEG2000_CODESTREAM_H

#include "jpeg2000.h"

enum {
    JPEG2000_MOST_SUBBANDS = 3 * JPEG2000_MOST_LEVELS + 1,
    JPEG2000_MOST_BLOCK_EXPONENT = 6, /* code-blocks of up to 64 x 64 are served */
    JPEG2000_MOST_PLANES = 30,        /* bit-planes of a code-block */
    JPEG2000_PART_15 = 1 << (32 - 15), /* in Pcap, A.5.2: ISO/IEC 15444-15 */
};

enum { JPEG2000_LRCP, JPEG2000_RLCP, JPEG2000_RPCL, JPEG2000_PCRL, JPEG2000_CPRL };

/* Code-block style, Table A.19. */
enum {
    JPEG2000_BYPASS = 1,
    JPEG2000_RESET = 2,
    JPEG2000_TERMINATE = 4,
    JPEG2000_CAUSAL = 8,
    JPEG2000_PREDICTABLE = 16,
    JPEG2000_SEGMENTATION_SYMBOLS = 32,
    JPEG2000_HIGH_THROUGHPUT = 64, /* ISO/IEC 15444-15 A.4 */
};

/* How a component is coded: SPcod or SPcoc, A.6.1. */
typedef struct {
    uint8_t levels;
    uint8_t block_width, block_height; /* exponents */
    uint8_t block_style;
    bool is_reversible;
    uint8_t precinct_width[JPEG2000_MOST_LEVELS + 1]; /* exponents, by resolution */
    uint8_t precinct_height[JPEG2000_MOST_LEVELS + 1];
} jpeg2000_coding;

/* How a component's coefficients are quantized: QCD or QCC, A.6.4. */
typedef struct {
    bool is_quantized; /* else only exponents count */
    uint8_t guard_bits;
    unsigned count; /* of subbands that the segment tells of */
    uint8_t exponents[JPEG2000_MOST_SUBBANDS];
    uint16_t mantissas[JPEG2000_MOST_SUBBANDS];
} jpeg2000_quantization;

typedef struct {
    uint32_t x0, y0, x1, y1; /* of the image on the reference grid, B.2 */
    uint32_t tile_x0, tile_y0, tile_width, tile_height;
    uint32_t tiles_across, tiles_down;
    unsigned components;
    unsigned precision; /* of all components */
    bool is_signed;
    unsigned progression, layers;
    bool component_transform, may_have_sop, has_eph;
    bool has_capabilities; /* a segment CAP, as SIZ says */
    bool high_throughput;  /* of all code-blocks, ISO/IEC 15444-15 */
    jpeg2000_coding coding[JPEG2000_MOST_COMPONENTS];
    jpeg2000_quantization quantization[JPEG2000_MOST_COMPONENTS];
} jpeg2000_header;

#endif
