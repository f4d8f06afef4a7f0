#include "elements.h"

#include <string.h>

const char ELEMENT_VRS[] = "OBODOFOLOVOWSQSVUCUNURUTUV"
                           "AEASATCSDADSDTFLFDISLOLTPNSHSLSSSTTMUIULUS";
const unsigned ELEMENT_LONG_VRS = 13;

enum { DELIMITER_GROUP = 0xFFFE, FIRST_DATA_SET_GROUP = 0x0008 };
enum { FAILED = -1, NOT_PLAIN = -2 };
enum { VR_OB = 0, VR_OW = 5, VR_SQ = 6, VR_UN = 9 }; /* numbers in ELEMENT_VRS */

#define UNDEFINED_LENGTH 0xFFFFFFFFu
#define ITEM 0xFFFEE000u
#define ITEM_DELIMITER 0xFFFEE00Du
#define SEQUENCE_DELIMITER 0xFFFEE0DDu

static uint32_t read_16(const uint8_t *bytes) { return bytes[0] | (uint32_t)bytes[1] << 8; }

static uint32_t read_32(const uint8_t *bytes)
{
    return read_16(bytes) | read_16(bytes + 2) << 16;
}

static uint32_t read_tag(const uint8_t *bytes) { return read_16(bytes) << 16 | read_16(bytes + 2); }

static void write_head(uint8_t *out, const uint8_t *tag, uint32_t length)
{
    memcpy(out, tag, 4);
    for (int i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(length >> 8 * i);
}

/* Return the number of a VR, or ELEMENT_NO_VR if there is none of these letters. */
static uint8_t find_vr(const uint8_t *letters)
{
    for (unsigned i = 0; ELEMENT_VRS[i]; i += 2)
        if ((uint8_t)ELEMENT_VRS[i] == letters[0] && (uint8_t)ELEMENT_VRS[i + 1] == letters[1])
            return (uint8_t)(i / 2);
    return ELEMENT_NO_VR;
}

int read_plain_head(const uint8_t *bytes, size_t size, uint64_t room, int explicit_vr,
                    element_head *head)
{
    *head = (element_head){.header = 8, .vr = ELEMENT_NO_VR};
    if (size < 8)
        return 0;
    head->tag = read_tag(bytes);
    if (!head->tag || head->tag >> 16 == DELIMITER_GROUP)
        return 0;
    if (!explicit_vr) {
        head->length = read_32(bytes + 4);
    } else {
        unsigned vr = find_vr(bytes + 4);
        if (vr == ELEMENT_NO_VR || (vr < ELEMENT_LONG_VRS && size < 12))
            return 0;
        head->vr = (uint8_t)vr;
        head->header = vr < ELEMENT_LONG_VRS ? 12 : 8;
        head->length = vr < ELEMENT_LONG_VRS ? read_32(bytes + 8) : read_16(bytes + 6);
    }
    return head->length != UNDEFINED_LENGTH && (uint64_t)head->header + head->length <= room;
}

typedef struct {
    const uint8_t *bytes;
    vr_judge judge;
    void *context;
    uint8_t *out; /* NULL: nothing is written */
    size_t written;
} dropping;

static ptrdiff_t drop_elements(dropping *work, size_t position, size_t end, unsigned depth);

static void put_head(dropping *work, size_t tag, uint32_t length)
{
    if (work->out)
        write_head(work->out + work->written, work->bytes + tag, length);
    work->written += 8;
}

/* Write the items of a sequence; the offset behind it, its delimiter included, or FAILED or
 * NOT_PLAIN. */
static ptrdiff_t drop_items(dropping *work, size_t position, size_t end, unsigned depth,
                            int undefined)
{
    const uint8_t *bytes = work->bytes;
    while (position < end) {
        if (end - position < 8)
            return NOT_PLAIN;
        uint32_t tag = read_tag(bytes + position), length = read_32(bytes + position + 4);
        size_t start = position, head = work->written;
        if (tag == SEQUENCE_DELIMITER && undefined) {
            put_head(work, start, length);
            return (ptrdiff_t)(position + 8);
        }
        position += 8;
        if (tag != ITEM || !depth || (length != UNDEFINED_LENGTH && length > end - position))
            return NOT_PLAIN;
        size_t item_end = length == UNDEFINED_LENGTH ? end : position + length;
        put_head(work, start, length);
        ptrdiff_t stopped = drop_elements(work, position, item_end, depth - 1);
        if (stopped < 0)
            return stopped;
        position = (size_t)stopped;
        if (length != UNDEFINED_LENGTH) {
            if (position != item_end)
                return NOT_PLAIN;
            if (work->out)
                write_head(work->out + head, bytes + start, (uint32_t)(work->written - head - 8));
        } else {
            if (item_end - position < 8 || read_tag(bytes + position) != ITEM_DELIMITER)
                return NOT_PLAIN;
            put_head(work, position, read_32(bytes + position + 4));
            position += 8;
        }
    }
    return undefined ? NOT_PLAIN : (ptrdiff_t)position;
}

/* Write the element at an offset, if it is plain; the offset behind it, or FAILED or NOT_PLAIN. */
static ptrdiff_t drop_element(dropping *work, size_t position, size_t end, unsigned depth)
{
    const uint8_t *bytes = work->bytes + position;
    element_head head;
    int plain = read_plain_head(bytes, end - position, end - position, 1, &head);
    ptrdiff_t after = (ptrdiff_t)(position + head.header + head.length);
    if (plain && !(head.tag & 0xFFFF) && head.tag >> 16 >= FIRST_DATA_SET_GROUP)
        return after;
    int undefined = head.length == UNDEFINED_LENGTH;
    if (head.vr == VR_SQ && (plain || undefined)) {
        size_t start = work->written, value = position + head.header;
        put_head(work, position, head.length);
        size_t stop = undefined ? end : (size_t)after;
        ptrdiff_t stopped = drop_items(work, value, stop, depth, undefined);
        if (stopped >= 0 && !undefined && work->out)
            write_head(work->out + start, bytes, (uint32_t)(work->written - start - 8));
        return stopped;
    }
    if (!plain)
        return NOT_PLAIN;
    const uint8_t *value = bytes + head.header;
    int bare = head.vr == VR_OB || head.vr == VR_OW || head.vr == VR_UN;
    if (bare && head.length >= 4 && read_tag(value) == ITEM)
        return NOT_PLAIN; /* it may hold items that state their VRs */
    if (work->judge && head.length && !(head.tag & 0x10000)) {
        int same = work->judge(work->context, head.tag, head.vr);
        if (same <= 0)
            return same < 0 ? FAILED : NOT_PLAIN;
    }
    put_head(work, position, head.length);
    if (work->out && head.length)
        memcpy(work->out + work->written, value, head.length);
    work->written += head.length;
    return after;
}

/* Write the elements of an item up to its end or its delimiter; the offset of that. */
static ptrdiff_t drop_elements(dropping *work, size_t position, size_t end, unsigned depth)
{
    while (position < end) {
        if (end - position >= 8 && read_tag(work->bytes + position) == ITEM_DELIMITER)
            break;
        ptrdiff_t after = drop_element(work, position, end, depth);
        if (after < 0)
            return after;
        position = (size_t)after;
    }
    return (ptrdiff_t)position;
}

ptrdiff_t drop_plain_vrs(const uint8_t *bytes, size_t size, unsigned depth, vr_judge judge,
                         void *context, uint8_t *out, size_t *written)
{
    dropping work = {bytes, judge, context, out, 0};
    size_t position = 0;
    if (depth > ELEMENT_DEEPEST)
        depth = ELEMENT_DEEPEST;
    *written = 0;
    while (position < size) {
        ptrdiff_t after = drop_element(&work, position, size, depth);
        if (after == FAILED)
            return FAILED;
        if (after < 0)
            break;
        position = (size_t)after;
        *written = work.written;
    }
    return (ptrdiff_t)position;
}
