/* The codes of JPEG 2000's code-blocks, made of their symbols: ISO/IEC 15444-1 C.2, D.4. */
#ifndef DICODEC_JPEG2000_BLOCK_CODES_H
#define DICODEC_JPEG2000_BLOCK_CODES_H

#include "jpeg2000_block_encode_passes.h"
#include "jpeg2000_rate.h"

typedef struct {
    jpeg2000_encoder_transitions transitions; /* to be made once */
    jpeg2000_bytes second;                    /* code of the second of two blocks */
} jpeg2000_block_coder;

/* Append the code of one block's symbols; false without memory. */
bool jpeg2000_append_code(const jpeg2000_block_coder *coder, const jpeg2000_symbol *symbols,
                          size_t count, jpeg2000_bytes *bytes, size_t *length);

/* Append the codes of two blocks' symbols; false without memory. */
bool jpeg2000_append_codes(jpeg2000_block_coder *coder, const jpeg2000_symbol *const symbols[2],
                           const size_t counts[2], jpeg2000_bytes *bytes, size_t lengths[2]);

/* Put the code of a block's passes behind a free byte, and find their upper ends; false without
 * memory. jpeg2000_keep_code appends of it what is wanted. */
bool jpeg2000_append_passes(const jpeg2000_block_coder *coder, const jpeg2000_symbol *symbols,
                            const jpeg2000_pass_end *passes, unsigned count,
                            jpeg2000_bytes *bytes, jpeg2000_upper_end *ends, size_t *length);

/* Keep some bytes of a code behind the one that was free. */
void jpeg2000_keep_code(jpeg2000_bytes *bytes, size_t length);

#endif
