/* Gradients and predictions of whole lines at once (ISO/IEC 14495-1 A.3, A.4.1).
 *
 * Two of the three gradients lie in the line above, so that they are known before the line is. A
 * line of samples has one more before its first and behind its last: line[-1] to line[columns]. */
#ifndef DICODEC_JPEG_LS_GRADIENTS_H
#define DICODEC_JPEG_LS_GRADIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "jpeg_ls_contexts.h"

enum { JPEG_LS_SIDE = 1 << 17 }; /* of the table: of differences of either sign */

/* For each difference Ra - Rc, the quantized Rc - Ra times the size of a context; negated in the
 * first half, where the sign of the gradients above is negative. */
typedef struct {
    int8_t entries[2 * JPEG_LS_SIDE];
} jpeg_ls_table;

void jpeg_ls_make_table(jpeg_ls_table *table, const jpeg_ls_parameters *is);

/* What the line above says of a sample. */
typedef struct {
    uint16_t above;   /* Rb */
    uint16_t context; /* offset of the context, as if Ra were Rc; 0 without gradients above */
    int32_t place;    /* of Ra = 0 in the table's second half; below 0 if the sign is negative */
} jpeg_ls_record;

/* Quantize the gradients line[i] - line[i - 1] for i = 0 to columns. */
void jpeg_ls_quantize_line(const uint16_t *line, size_t columns, const jpeg_ls_parameters *is,
                           int16_t *gradients);

/* Make a line's records out of the line above and its gradients. */
void jpeg_ls_make_records(const uint16_t *above, const int16_t *gradients, size_t columns,
                          jpeg_ls_record *records);

/* A line that is to be encoded without loss, of samples and predictions that are mirrored where the
 * sign of the context is negative, so that differences need not be. */
typedef struct {
    uint16_t *contexts; /* index: 0 for a run */
    uint16_t *samples;
    uint16_t *predictions;
} jpeg_ls_prepared;

/* Prepare a line; `gradients` are those of the line above, `room` takes as many. */
void jpeg_ls_prepare_line(const uint16_t *line, const uint16_t *above, const int16_t *gradients,
                          size_t columns, const jpeg_ls_parameters *is, int16_t *room,
                          const jpeg_ls_prepared *prepared);

/* The median of three predictions (A.4.1), without a branch. */
static inline int jpeg_ls_predict(int left, int above, int corner)
{
    int least = left < above ? left : above, most = left < above ? above : left;
    int plane = left + above - corner;
    plane = plane < least ? least : plane;
    return plane > most ? most : plane;
}

#endif
