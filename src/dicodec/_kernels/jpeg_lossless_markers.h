/* The marker segments of lossless JPEG's streams: ISO/IEC 10918-1 Annex B. */
#ifndef DICODEC_JPEG_LOSSLESS_MARKERS_H
#define DICODEC_JPEG_LOSSLESS_MARKERS_H

#include "jpeg_lossless_table.h"

enum { JPEG_LOSSLESS_TABLES = 4 };

/* One scan: of each pixel, it holds `count` samples from the component `first` on. */
typedef struct {
    unsigned first, count;
    unsigned predictor, point_transform;
    uint32_t restart_lines; /* 0 without restarts */
    const decoding_table *tables[3];
} jpeg_lossless_scan;

/* A stream whose markers are read one after the other. */
typedef struct {
    const kernel_image *image;
    const uint8_t *at, *end;
    unsigned marker;    /* the next one, which `at` is behind; 0 if it is not read yet */
    unsigned segments;  /* that were read */
    unsigned precision; /* 0 before the frame header */
    uint32_t restart_interval;
    uint8_t ids[3];     /* of the components */
    bool decoded[3];    /* whether a scan had them */
    huffman_table tables[JPEG_LOSSLESS_TABLES];
    decoding_table decoding[JPEG_LOSSLESS_TABLES];
} jpeg_lossless_headers;

typedef enum { JPEG_LOSSLESS_SCAN, JPEG_LOSSLESS_END, JPEG_LOSSLESS_OTHER } jpeg_lossless_found;

/* Read markers up to a scan, whose data then begin at `at`, or to EOI, if that ends the stream.
 *
 * JPEG_LOSSLESS_OTHER: a form that is left to the library, or a fault. */
jpeg_lossless_found jpeg_lossless_read_headers(jpeg_lossless_headers *headers,
                                               jpeg_lossless_scan *scan);

/* Write all before the entropy-coded data, with the markers that libjpeg writes; return the place
 * behind it. */
uint8_t *jpeg_lossless_write_headers(uint8_t *at, const kernel_image *image,
                                     const jpeg_lossless_settings *settings,
                                     const jpeg_lossless_plan *plan);

#endif
