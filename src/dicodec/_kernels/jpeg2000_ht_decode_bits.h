/* The bits of an HTJ2K cleanup segment, as they are read: ISO/IEC 15444-15 7.1.
 *
 * Those of MagSgn and VLC are freed of stuffing at once, so that any of them are read by their
 * place. Those of MEL are few, and read one run of events after the other. */
#ifndef DICODEC_JPEG2000_HT_DECODE_BITS_H
#define DICODEC_JPEG2000_HT_DECODE_BITS_H

#include <stdbool.h>
#include <stddef.h>

#include "jpeg2000_ht_bits.h"

enum { HT_SPARE_BYTES = 1152 }; /* behind the bits; a row of quads takes less, also if damaged */

/* Bits from the lowest of each byte on: `count` of them, and HT_SPARE_BYTES. */
typedef struct {
    uint8_t *bytes;
    size_t count;
} jpeg2000_ht_bits;

/* Take the bits of MagSgn, 7.1.2, behind which are ones; false if a stuffed bit is 1. */
bool jpeg2000_take_ht_forward(jpeg2000_ht_bits *bits, const uint8_t *data, size_t length);

/* Take the bits of VLC, 7.1.4, from the last byte but one back to the first; behind them are zeros.
 * `data` has at least 2 bytes; false if a stuffed bit is 1. */
bool jpeg2000_take_ht_backward(jpeg2000_ht_bits *bits, const uint8_t *data, size_t length);

/* The adaptive run-length coder of events, 7.3.3. */
typedef struct {
    const uint8_t *at, *last; /* its bytes to come; the lowest bits of the last one are VLC's */
    uint64_t bits;            /* read ahead, the next one is the highest */
    unsigned count;           /* of those */
    bool after_ones;          /* whether the byte before had ones alone */
    unsigned state;
    unsigned zeros; /* events of 0 that the current run has yet */
    bool has_one;   /* whether an event of 1 ends it */
    size_t taken;   /* bits in all */
} jpeg2000_ht_events;

/* Begin with the MEL bytes of MEL and VLC's `length`. */
jpeg2000_ht_events jpeg2000_start_ht_events(const uint8_t *data, size_t length);

void jpeg2000_read_ht_run(jpeg2000_ht_events *events);

ALWAYS_INLINE bool take_event(jpeg2000_ht_events *events)
{
    if (!events->zeros && !events->has_one)
        jpeg2000_read_ht_run(events);
    if (events->zeros) {
        events->zeros--;
        return false;
    }
    events->has_one = false;
    return true;
}

#endif
