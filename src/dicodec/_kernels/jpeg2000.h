/* JPEG 2000: ISO/IEC 15444-1. Each of its annexes has files of its own:
 *
 *   A    jpeg2000_codestream    what the main header says, and jpeg2000_markers
 *        jpeg2000_read_header, jpeg2000_read_tile_parts, and the same with "write"
 *   B    jpeg2000_tile          tiles, resolutions, subbands, precincts, code-blocks, progressions
 *   B.10 jpeg2000_packets       packets that are read, tag trees
 *        jpeg2000_packet_headers   those that are written
 *   C    jpeg2000_arithmetic_*  arithmetic coding
 *   D    jpeg2000_block_*       coefficient bit modeling
 *   E    jpeg2000_quantization  steps
 *   F    jpeg2000_wavelet       the wavelet transformation
 *   G    jpeg2000_components    component transformations, level shift
 *        jpeg2000_rate          which passes a lossy stream has
 *
 * and high throughput, ISO/IEC 15444-15, has jpeg2000_ht_* in place of C and D.
 *
 * Code-blocks are shared among `threads`, 1 or more, on which the result does not depend. */
#ifndef DICODEC_JPEG2000_H
#define DICODEC_JPEG2000_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "status.h"

enum {
    JPEG2000_MOST_COMPONENTS = 3,
    JPEG2000_MOST_BITS = 16,
    JPEG2000_MOST_LEVELS = 32, /* of decomposition */
    JPEG2000_MOST_LINES = 1 << 20, /* and columns, so that no sum of two leaves 32 bits */
};

/* Decode a codestream from SOC to EOC into the words of `image`.
 *
 * Its `halvings` highest resolutions are left out: rows and columns of the words are then those of
 * the image, halved as often, each time rounded up. If the stream's sign is not that of `image`, coded bits are read again with that of `image`.
 * KERNEL_NOT_SERVED leaves the decision to the library: another size, a rare form, data that are
 * missing, left over or damaged, a sample past Bits Stored, fewer resolutions; halved, also another
 * sign, or a place on the grid that gives another size. */
kernel_status jpeg2000_decode(const uint8_t *stream, size_t length, const kernel_image *image,
                              unsigned halvings, unsigned threads, uint8_t *words);

/* Encode the words of an image into a codestream of one tile and layer, by the 5-3 wavelet, without
 * loss; `transform` is whether RCT is applied to its three components. *stream is to be freed.
 *
 * KERNEL_NOT_SERVED: a sample is past Bits Stored. */
kernel_status jpeg2000_encode(const uint8_t *words, const kernel_image *image, bool transform,
                              unsigned threads, uint8_t **stream, size_t *length);

/* Encode without loss into a codestream of HTJ2K, ISO/IEC 15444-15, with `levels` of decomposition,
 * up to JPEG2000_MOST_LEVELS: by resolution, each in a tile-part, whose lengths are in TLM. */
kernel_status jpeg2000_encode_high_throughput(const uint8_t *words, const kernel_image *image,
                                              bool transform, unsigned levels, unsigned threads,
                                              uint8_t **stream, size_t *length);

/* What a lossy stream is to be. */
typedef struct {
    uint64_t most_bytes; /* of the stream; if 0, the error counts */
    double psnr;         /* at least, in dB, 0 to 200 */
    bool of_range;       /* its peak is the range of the samples, not of Bits Stored */
} jpeg2000_goal;

/* Encode by the 9-7 wavelet, and ICT if `transform`, so that a goal is met; else as without loss.
 *
 * If the fewest bytes are too many, it has those. */
kernel_status jpeg2000_encode_lossy(const uint8_t *words, const kernel_image *image,
                                    bool transform, const jpeg2000_goal *goal, unsigned threads,
                                    uint8_t **stream, size_t *length);

#endif
