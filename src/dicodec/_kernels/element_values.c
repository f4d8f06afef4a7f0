#include "elements.h"

#include <string.h>

static element_record get_record(const value_question *asked, size_t index)
{
    element_record record;
    memcpy(&record, asked->records + index * sizeof record, sizeof record);
    return record;
}

/* Whether the elements from an index on are in order; one that is not may be a duplicate that comes
 * first. `last` is the tag before. */
static int are_in_order(const value_question *asked, size_t index, uint32_t last)
{
    for (; index < asked->count; index++) {
        uint32_t tag = get_record(asked, index).tag;
        if (tag < last)
            return 0;
        last = tag;
    }
    return 1;
}

ptrdiff_t write_values(const value_question *asked, uint8_t *out)
{
    size_t at = 0, size = 0;
    uint32_t last = 0, before = 0;
    for (size_t i = 0; i < asked->tag_count; i++) {
        uint32_t tag;
        memcpy(&tag, asked->tags + 4 * i, sizeof tag);
        if (tag < before)
            return -1;
        before = tag;
        element_record record = {0};
        for (; at < asked->count && (record = get_record(asked, at)).tag < tag; at++) {
            if (record.tag < last)
                return -1;
            last = record.tag;
        }
        element_value value = {0};
        uint64_t start = record.start + record.header;
        if (at < asked->count && record.tag == tag) {
            if (record.length > asked->longest || start > asked->head_size
                || record.length > asked->head_size - start)
                return -1;
            value = (element_value){record.length, 1, record.vr, record.undefined, {0}};
        }
        if (out) {
            memcpy(out + size, &value, sizeof value);
            if (value.length)
                memcpy(out + size + sizeof value, asked->head + start, (size_t)value.length);
        }
        size += sizeof value + (size_t)value.length;
    }
    return are_in_order(asked, at, last) ? (ptrdiff_t)size : -1;
}
