#include "elements.h"

#include <string.h>

/* All VRs, those of the long form first. */
#define EACH_VR(VR)                                                                              \
    VR(OB, 'O', 'B') VR(OD, 'O', 'D') VR(OF, 'O', 'F') VR(OL, 'O', 'L')                          \
    VR(OV, 'O', 'V') VR(OW, 'O', 'W') VR(SQ, 'S', 'Q') VR(SV, 'S', 'V')                          \
    VR(UC, 'U', 'C') VR(UN, 'U', 'N') VR(UR, 'U', 'R') VR(UT, 'U', 'T')                          \
    VR(UV, 'U', 'V') VR(AE, 'A', 'E') VR(AS, 'A', 'S') VR(AT, 'A', 'T')                          \
    VR(CS, 'C', 'S') VR(DA, 'D', 'A') VR(DS, 'D', 'S') VR(DT, 'D', 'T')                          \
    VR(FL, 'F', 'L') VR(FD, 'F', 'D') VR(IS, 'I', 'S') VR(LO, 'L', 'O')                          \
    VR(LT, 'L', 'T') VR(PN, 'P', 'N') VR(SH, 'S', 'H') VR(SL, 'S', 'L')                          \
    VR(SS, 'S', 'S') VR(ST, 'S', 'T') VR(TM, 'T', 'M') VR(UI, 'U', 'I')                          \
    VR(UL, 'U', 'L') VR(US, 'U', 'S')

#define NUMBER(name, one, two) VR_##name,
#define LETTERS(name, one, two) one, two,
#define PLACE(name, one, two) [(one & 31) << 5 | (two & 31)] = VR_##name + 1,

enum { EACH_VR(NUMBER) };
const char ELEMENT_VRS[] = {EACH_VR(LETTERS) 0};
const unsigned ELEMENT_LONG_VRS = VR_UV + 1;
const unsigned ELEMENT_VR_COUNT = VR_US + 1;
const uint8_t ELEMENT_SQ = VR_SQ;

/* The number of a VR, plus 1, by the lowest bits of its letters; 0 if there is none. */
static const uint8_t BY_LETTERS[1 << 10] = {EACH_VR(PLACE)};

enum { FILE_META_GROUP = 0x0002, FIRST_DATA_SET_GROUP = 0x0008, DELIMITER_GROUP = 0xFFFE };
enum { FAILED = -1, NOT_PLAIN = -2 };
enum { SHORT_FORM_LIMIT = 0xFFFE }; /* the largest even length of 16 bits */

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
    uint8_t vr = BY_LETTERS[(letters[0] & 31) << 5 | (letters[1] & 31)];
    int same = vr && (uint8_t)ELEMENT_VRS[2 * vr - 2] == letters[0]
               && (uint8_t)ELEMENT_VRS[2 * vr - 1] == letters[1];
    return same ? (uint8_t)(vr - 1) : ELEMENT_NO_VR;
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

size_t walk_plain_elements(const uint8_t *window, size_t size, uint64_t start, uint64_t end,
                           int explicit_vr, element_record *records, size_t most)
{
    size_t count = 0, index = 0;
    uint32_t last = 0;
    while (count < most && index < size && start < end) {
        element_head head;
        if (!read_plain_head(window + index, size - index, end - start, explicit_vr, &head)
            || (explicit_vr && !(head.tag >> 16 & 0xFF))
            || (last >> 16 == FILE_META_GROUP && head.tag >> 16 != FILE_META_GROUP))
            break;
        uint64_t whole = head.header + (uint64_t)head.length;
        records[count++] = (element_record){
            start, head.length, start + whole, head.tag, head.vr, head.header, 0, 0};
        last = head.tag;
        start += whole;
        if (whole >= size - index)
            break;
        index += (size_t)whole;
    }
    return count;
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

ptrdiff_t choose_plain_vrs(const uint8_t *bytes, size_t size, vr_chooser choose, void *context,
                           uint8_t *vrs, size_t most, size_t *written)
{
    size_t position = 0, taken = 0;
    *written = 0;
    while (position < size && taken < most) {
        element_head head;
        if (!read_plain_head(bytes + position, size - position, size - position, 0, &head))
            break;
        vrs[taken] = ELEMENT_NO_VR;
        if (head.tag & 0xFFFF || head.tag >> 16 < FIRST_DATA_SET_GROUP) {
            int vr = choose(context, head.tag);
            if (vr == CHOICE_FAILED)
                return FAILED;
            if (vr < 0 || vr > VR_US || vr == VR_SQ
                || (vr > VR_UV && head.length > SHORT_FORM_LIMIT))
                break;
            vrs[taken] = (uint8_t)vr;
            *written += head.length + (vr > VR_UV ? 8 : 12);
        }
        taken++;
        position += head.header + (size_t)head.length;
    }
    return (ptrdiff_t)position;
}

void add_chosen_vrs(const uint8_t *bytes, size_t size, const uint8_t *vrs, uint8_t *out)
{
    for (size_t position = 0; position < size; vrs++) {
        const uint8_t *element = bytes + position;
        uint32_t length = read_32(element + 4);
        position += 8 + (size_t)length;
        if (*vrs == ELEMENT_NO_VR)
            continue;
        memcpy(out, element, 4);
        out[4] = (uint8_t)ELEMENT_VRS[2 * *vrs];
        out[5] = (uint8_t)ELEMENT_VRS[2 * *vrs + 1];
        out[6] = out[7] = 0;
        if (*vrs > VR_UV) {
            memcpy(out + 6, element + 4, 2);
            out += 8;
        } else {
            memcpy(out + 8, element + 4, 4);
            out += 12;
        }
        memcpy(out, element + 8, length);
        out += length;
    }
}
