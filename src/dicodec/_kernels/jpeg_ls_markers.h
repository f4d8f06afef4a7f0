/* The marker segments of JPEG-LS streams (ISO/IEC 14495-1 C.2). */
#ifndef DICODEC_JPEG_LS_MARKERS_H
#define DICODEC_JPEG_LS_MARKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jpeg_ls.h"
#include "jpeg_ls_parameters.h"

typedef enum { JPEG_LS_APART, JPEG_LS_BY_LINE, JPEG_LS_BY_SAMPLE } jpeg_ls_interleaving;

typedef struct {
    unsigned first, count; /* components */
    jpeg_ls_interleaving interleaving; /* ILV */
    jpeg_ls_parameters is;
} jpeg_ls_scan;

/* A stream whose markers are read one after the other. */
typedef struct {
    const kernel_image *image;
    const uint8_t *at, *end;
    unsigned precision;  /* 0 before the frame header */
    bool has_preset;
    int maximum, threshold[3]; /* of the preset; 0 for the standard's */
    uint8_t ids[3];
    unsigned decoded; /* components, whose scans were read in their order */
} jpeg_ls_headers;

typedef enum { JPEG_LS_SCAN, JPEG_LS_END, JPEG_LS_OTHER } jpeg_ls_found;

/* Read markers up to a scan, whose data then begin at `at`, or to EOI.
 *
 * JPEG_LS_OTHER: a form that is left to the library, or a fault. */
jpeg_ls_found jpeg_ls_read_headers(jpeg_ls_headers *headers, jpeg_ls_scan *scan);

enum { JPEG_LS_MOST_HEADER = 64 };

/* Write SOI and the headers of an image in one scan; return their length. */
size_t jpeg_ls_write_headers(uint8_t *out, const kernel_image *image, unsigned precision,
                             const jpeg_ls_parameters *is);

#endif
