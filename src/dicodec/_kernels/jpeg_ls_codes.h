/* Reading the codes of a scan that are long, or that make up runs (ISO/IEC 14495-1 A.5.3, A.7). */
#ifndef DICODEC_JPEG_LS_CODES_H
#define DICODEC_JPEG_LS_CODES_H

#include <stdbool.h>
#include <stddef.h>

#include "jpeg_ls_decoder.h"

/* Read a mapped difference, whose code has `limit` bits at most; false if there is none. */
bool jpeg_ls_read_code(jpeg_ls_decoder *decoder, unsigned k, unsigned limit, int *mapped);

/* Read the length of a run (A.7.1.2); -1 if the bits are not one. `left` samples end the line. */
ptrdiff_t jpeg_ls_read_run(jpeg_ls_decoder *decoder, unsigned *index, ptrdiff_t left);

/* Decode the sample that interrupts a run (A.7.2); -1 if there is none. */
int jpeg_ls_read_interruption(jpeg_ls_decoder *decoder, unsigned type, unsigned index, int left,
                              int above);

#endif
