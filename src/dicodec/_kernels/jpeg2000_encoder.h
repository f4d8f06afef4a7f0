/* An encoder of JPEG 2000 at work, and the goal of a lossy stream. */
#ifndef DICODEC_JPEG2000_ENCODER_H
#define DICODEC_JPEG2000_ENCODER_H

#include "jpeg2000_block_encode.h"
#include "jpeg2000_components.h"
#include "jpeg2000_ht_encode.h"
#include "jpeg2000_threads.h"

enum { JPEG2000_MARKERS = 16 }; /* bytes of SOT, SOD and EOC */

/* Encodes a share of the blocks; its bytes are theirs, in their order. */
typedef struct {
    const struct jpeg2000_encoder *state;
    jpeg2000_block_encoder *blocks;
    jpeg2000_ht_encoder *ht_blocks; /* instead, of streams of high throughput */
    jpeg2000_share share;
    jpeg2000_block_place places[2]; /* of blocks that wait to be encoded together, without loss */
    unsigned waiting;
    jpeg2000_bytes bytes;
    jpeg2000_cuts cuts; /* of lossy streams */
    size_t at;          /* of the bytes, that the stream has */
} jpeg2000_worker;

typedef struct jpeg2000_encoder {
    const kernel_image *image;
    jpeg2000_header header;
    jpeg2000_tile tile;
    size_t stride;
    void *arrays[JPEG2000_MOST_COMPONENTS]; /* integers, or floats of a lossy stream */
    const jpeg2000_goal *goal;              /* NULL without loss */
    unsigned levels;                        /* of decomposition, of a stream of high throughput */
    jpeg2000_sample_range seen;
    double most_error;     /* squared, of all samples, that the goal allows */
    unsigned lowest_plane; /* that is encoded */
    bool is_met; /* whether lower planes would not change what the goal makes of the stream */
    unsigned threads, next; /* workers, and the one that has the stream's next block */
    jpeg2000_worker workers[JPEG2000_MOST_THREADS];
    jpeg2000_bytes stream;
} jpeg2000_encoder;

/* Return the worker that has a block, in the order of packets. */
static inline jpeg2000_worker *jpeg2000_find_next_worker(jpeg2000_encoder *encoder)
{
    jpeg2000_worker *found = encoder->workers + encoder->next;
    encoder->next = (encoder->next + 1) % encoder->threads;
    return found;
}

/* Find the squared error that the goal allows, once all samples were seen. */
void jpeg2000_plan_error(jpeg2000_encoder *encoder);

/* Return how often steps are halved, so that the error of quantization is less than is allowed. */
unsigned jpeg2000_choose_finer_steps(const jpeg2000_encoder *encoder);

/* Return the lowest plane that a stream which meets the goal may need. */
unsigned jpeg2000_find_lowest_plane(const jpeg2000_encoder *encoder);

/* Return the squared error of all samples that an error of 1 in a coefficient makes. */
double jpeg2000_weigh_subband(const jpeg2000_encoder *encoder, const jpeg2000_precinct *precinct,
                              const jpeg2000_subband *subband);

/* Cut blocks so that the stream, of which there is the main header, has the most bytes that its goal
 * allows, or the most error. */
kernel_status jpeg2000_meet_goal(jpeg2000_encoder *encoder);

#endif
