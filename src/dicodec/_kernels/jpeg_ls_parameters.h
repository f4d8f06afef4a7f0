/* The coding parameters of a scan, and what follows from them (ISO/IEC 14495-1 A.2, C.2.4.1.1). */
#ifndef DICODEC_JPEG_LS_PARAMETERS_H
#define DICODEC_JPEG_LS_PARAMETERS_H

#include <stdint.h>

enum { JPEG_LS_RESET = 64 }; /* the only one that is served; all known encoders have it */

typedef struct {
    int maximum;      /* MAXVAL: all bits of the precision */
    int near;         /* NEAR */
    int threshold[3]; /* T1, T2, T3 */
    int step;         /* between reconstructed differences: 2 * NEAR + 1 */
    uint64_t reciprocal; /* of the step, times 2^32 and rounded up */
    int range;        /* RANGE: the number of differences */
    unsigned bits;    /* qbpp: of a difference */
    unsigned limit;   /* LIMIT: of a code, in bits */
} jpeg_ls_parameters;

/* Take a precision and NEAR, and the thresholds that belong to them (C.2.4.1.1.1). */
void jpeg_ls_set_parameters(jpeg_ls_parameters *parameters, unsigned precision, int near);

/* The initial sum of a context's magnitudes (A.2.1). */
static inline int jpeg_ls_first_sum(const jpeg_ls_parameters *is)
{
    int sum = (is->range + 32) / 64;
    return sum < 2 ? 2 : sum;
}

/* Divide a difference by the step, rounded to the nearest, and reduce it modulo RANGE to what is
 * coded (A.4.4, A.4.5). The reciprocal is exact for numbers below 2^23. */
static inline int jpeg_ls_quantize(const jpeg_ls_parameters *is, int error)
{
    int sign = error >> 31;
    uint64_t magnitude = (uint64_t)((error ^ sign) - sign + is->near);
    error = ((int)(magnitude * is->reciprocal >> 32) ^ sign) - sign;
    int half = (is->range + 1) / 2;
    if (error < half - is->range)
        error += is->range;
    else if (error >= half)
        error -= is->range;
    return error;
}

/* The sample that a prediction and a coded difference stand for (A.4.4, A.8). */
static inline int jpeg_ls_reconstruct(const jpeg_ls_parameters *is, int prediction, int error)
{
    int sample = prediction + error * is->step;
    if (sample < -is->near)
        sample += is->range * is->step;
    else if (sample > is->maximum + is->near)
        sample -= is->range * is->step;
    return sample < 0 ? 0 : sample > is->maximum ? is->maximum : sample;
}

#endif
