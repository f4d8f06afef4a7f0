/* The markers of JPEG 2000, Table A.1, and reading of their segments: ISO/IEC 15444-1 Annex A. */
#ifndef DICODEC_JPEG2000_MARKERS_H
#define DICODEC_JPEG2000_MARKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JPEG2000_SOC = 0xFF4F,
    JPEG2000_CAP = 0xFF50,
    JPEG2000_SIZ = 0xFF51,
    JPEG2000_COD = 0xFF52,
    JPEG2000_COC = 0xFF53,
    JPEG2000_TLM = 0xFF55,
    JPEG2000_PLM = 0xFF57,
    JPEG2000_PLT = 0xFF58,
    JPEG2000_QCD = 0xFF5C,
    JPEG2000_QCC = 0xFF5D,
    JPEG2000_CRG = 0xFF63,
    JPEG2000_COM = 0xFF64,
    JPEG2000_SOT = 0xFF90,
    JPEG2000_SOD = 0xFF93,
    JPEG2000_EOC = 0xFFD9,
};

/* Bytes of marker segments. Behind the end are zeros, and `failed` is set. */
typedef struct {
    const uint8_t *at, *end;
    bool failed;
} jpeg2000_marker_reader;

/* Take a number of some bytes, the most significant one first. */
static inline uint32_t take_number(jpeg2000_marker_reader *bytes, unsigned count)
{
    uint32_t value = 0;
    if ((size_t)(bytes->end - bytes->at) < count) {
        bytes->failed = true;
        bytes->at = bytes->end;
        return 0;
    }
    while (count--)
        value = value << 8 | *bytes->at++;
    return value;
}

static inline size_t count_left(const jpeg2000_marker_reader *bytes)
{
    return (size_t)(bytes->end - bytes->at);
}

/* Take a segment's length and return its body; *reader goes on behind it. */
static inline jpeg2000_marker_reader take_segment(jpeg2000_marker_reader *reader)
{
    uint32_t length = take_number(reader, 2);
    jpeg2000_marker_reader body = {reader->at, reader->at, reader->failed};
    if (length < 2 || count_left(reader) < length - 2) {
        reader->failed = body.failed = true;
        return body;
    }
    reader->at += length - 2;
    body.end = reader->at;
    return body;
}

#endif
