#include "elements.h"

#include "element_bytes.h"

#define LETTERS(name, one, two) one, two,
#define PLACE(name, one, two) [(one & 31) << 5 | (two & 31)] = VR_##name + 1,

const char ELEMENT_VRS[] = {EACH_VR(LETTERS) 0};
const unsigned ELEMENT_LONG_VRS = VR_UV + 1;
const unsigned ELEMENT_VR_COUNT = VR_US + 1;
const uint8_t ELEMENT_SQ = VR_SQ;

/* The number of a VR, plus 1, by the lowest bits of its letters; 0 if there is none. */
static const uint8_t BY_LETTERS[1 << 10] = {EACH_VR(PLACE)};

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
