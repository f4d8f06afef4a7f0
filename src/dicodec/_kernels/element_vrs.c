#include <string.h>

#include "element_bytes.h"
#include "elements.h"

enum { FAILED = -1, NOT_PLAIN = -2 };
enum { SHORT_FORM_LIMIT = 0xFFFE }; /* the largest even length of 16 bits */

static void write_head(uint8_t *out, const uint8_t *tag, uint32_t length)
{
    memcpy(out, tag, 4);
    for (int i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(length >> 8 * i);
}

typedef struct rewriting rewriting;

/* Write the element at an offset, if it is plain; the offset behind it, or FAILED or NOT_PLAIN. */
typedef ptrdiff_t (*element_writer)(rewriting *work, size_t position, size_t end, unsigned depth);

struct rewriting {
    const uint8_t *bytes;
    element_writer write_element;
    unsigned depth; /* levels that the top level may still enter */
    vr_judge judge;
    vr_chooser choose; /* NULL: `vrs` has what was chosen */
    void *context;
    uint8_t *vrs;
    size_t most, taken;
    uint8_t *out; /* NULL: nothing is written */
    size_t written;
};

static ptrdiff_t rewrite_elements(rewriting *work, size_t position, size_t end, unsigned depth);

static void put_head(rewriting *work, size_t tag, uint32_t length)
{
    if (work->out)
        write_head(work->out + work->written, work->bytes + tag, length);
    work->written += 8;
}

static void put_value(rewriting *work, size_t value, uint32_t length)
{
    if (work->out && length)
        memcpy(work->out + work->written, work->bytes + value, length);
    work->written += length;
}

/* Write the items of a sequence; the offset behind it, its delimiter included, or FAILED or
 * NOT_PLAIN. */
static ptrdiff_t rewrite_items(rewriting *work, size_t position, size_t end, unsigned depth,
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
        ptrdiff_t stopped = rewrite_elements(work, position, item_end, depth - 1);
        if (stopped < 0)
            return stopped;
        position = (size_t)stopped;
        if (length != UNDEFINED_LENGTH) {
            if (position != item_end || work->written - head > UNDEFINED_LENGTH)
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

/* Write the elements of an item up to its end or its delimiter; the offset of that. */
static ptrdiff_t rewrite_elements(rewriting *work, size_t position, size_t end, unsigned depth)
{
    while (position < end) {
        if (end - position >= 8 && read_tag(work->bytes + position) == ITEM_DELIMITER)
            break;
        ptrdiff_t after = work->write_element(work, position, end, depth);
        if (after < 0)
            return after;
        position = (size_t)after;
    }
    return (ptrdiff_t)position;
}

/* Write elements of the top level up to the first one that is not plain, as drop_plain_vrs says. */
static ptrdiff_t rewrite_plain_elements(rewriting *work, size_t size, size_t *written)
{
    size_t position = 0;
    *written = 0;
    while (position < size) {
        ptrdiff_t after = work->write_element(work, position, size, work->depth);
        if (after == FAILED)
            return FAILED;
        if (after < 0)
            break;
        position = (size_t)after;
        *written = work->written;
    }
    return (ptrdiff_t)position;
}

static unsigned bound_depth(unsigned depth)
{
    return depth > ELEMENT_DEEPEST ? ELEMENT_DEEPEST : depth;
}

static int is_group_length(const element_head *head)
{
    return !(head->tag & 0xFFFF) && head->tag >> 16 >= FIRST_DATA_SET_GROUP;
}

static ptrdiff_t drop_vr(rewriting *work, size_t position, size_t end, unsigned depth)
{
    const uint8_t *bytes = work->bytes + position;
    element_head head;
    int plain = read_plain_head(bytes, end - position, end - position, 1, &head);
    ptrdiff_t after = (ptrdiff_t)(position + head.header + head.length);
    if (plain && is_group_length(&head))
        return after;
    int undefined = head.length == UNDEFINED_LENGTH;
    if (head.vr == VR_SQ && (plain || undefined)) {
        size_t start = work->written, value = position + head.header;
        put_head(work, position, head.length);
        size_t stop = undefined ? end : (size_t)after;
        ptrdiff_t stopped = rewrite_items(work, value, stop, depth, undefined);
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
    put_value(work, position + head.header, head.length);
    return after;
}

ptrdiff_t drop_plain_vrs(const uint8_t *bytes, size_t size, unsigned depth, vr_judge judge,
                         void *context, uint8_t *out, size_t *written)
{
    rewriting work = {.bytes = bytes, .write_element = drop_vr, .depth = bound_depth(depth),
                      .judge = judge, .context = context, .out = out};
    return rewrite_plain_elements(&work, size, written);
}

/* Write a head that states a VR. */
static void put_stating_head(rewriting *work, size_t tag, unsigned vr, uint32_t length)
{
    int long_form = vr <= VR_UV;
    if (work->out) {
        uint8_t *out = work->out + work->written;
        write_head(out + (long_form ? 4 : 0), work->bytes + tag, length);
        memcpy(out, work->bytes + tag, 4);
        if (!long_form)
            memcpy(out + 6, out + 4, 2);
        memcpy(out + 4, ELEMENT_VRS + 2 * vr, 2);
        if (long_form)
            out[6] = out[7] = 0;
    }
    work->written += long_form ? 12 : 8;
}

/* Choose the VR of a tag, or take what was chosen: its number, or FAILED or NOT_PLAIN. */
static int take_vr(rewriting *work, uint32_t tag, unsigned depth)
{
    int is_private = (tag & 0x10000) != 0;
    if (!work->choose)
        return work->vrs[work->taken++];
    if (work->taken == work->most || (is_private && depth != work->depth))
        return NOT_PLAIN; /* the blocks of an item are its own */
    int vr = work->choose(work->context, tag);
    if (vr == CHOICE_FAILED)
        return FAILED;
    if (vr < 0 || vr > VR_US || (vr == VR_SQ && is_private))
        return NOT_PLAIN;
    work->vrs[work->taken++] = (uint8_t)vr;
    return vr;
}

static ptrdiff_t add_vr(rewriting *work, size_t position, size_t end, unsigned depth)
{
    element_head head;
    int plain = read_plain_head(work->bytes + position, end - position, end - position, 0, &head);
    ptrdiff_t after = (ptrdiff_t)(position + 8 + head.length);
    int undefined = head.length == UNDEFINED_LENGTH;
    if (!plain && !undefined)
        return NOT_PLAIN;
    if (plain && is_group_length(&head))
        return after;
    int vr = take_vr(work, head.tag, depth);
    if (vr < 0)
        return vr;
    if (vr == VR_SQ) {
        size_t start = work->written;
        put_stating_head(work, position, VR_SQ, head.length);
        size_t stop = undefined ? end : (size_t)after;
        ptrdiff_t stopped = rewrite_items(work, position + 8, stop, depth, undefined);
        if (stopped < 0 || undefined)
            return stopped;
        size_t length = work->written - start - 12;
        if (length >= UNDEFINED_LENGTH)
            return NOT_PLAIN;
        if (work->out) {
            work->written = start;
            put_stating_head(work, position, VR_SQ, (uint32_t)length);
            work->written += length;
        }
        return stopped;
    }
    if (!plain || (vr > VR_UV && head.length > SHORT_FORM_LIMIT))
        return NOT_PLAIN;
    put_stating_head(work, position, (unsigned)vr, head.length);
    put_value(work, position + 8, head.length);
    return after;
}

ptrdiff_t choose_plain_vrs(const uint8_t *bytes, size_t size, unsigned depth, vr_chooser choose,
                           void *context, uint8_t *vrs, size_t most, size_t *written)
{
    rewriting work = {.bytes = bytes, .write_element = add_vr, .depth = bound_depth(depth),
                      .choose = choose, .context = context, .vrs = vrs, .most = most};
    return rewrite_plain_elements(&work, size, written);
}

void add_chosen_vrs(const uint8_t *bytes, size_t size, uint8_t *vrs, uint8_t *out)
{
    size_t written;
    rewriting work = {.bytes = bytes, .write_element = add_vr, .depth = ELEMENT_DEEPEST,
                      .vrs = vrs, .out = out};
    rewrite_plain_elements(&work, size, &written);
}
