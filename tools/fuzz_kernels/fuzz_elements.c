#include <stdlib.h>
#include <string.h>

#include "elements.h"
#include "fuzz.h"

enum { ROOM = 1 << 16, FULL = ROOM / 2 };

typedef struct {
    uint8_t bytes[ROOM];
    size_t length;
} data_set;

/* The same elements in explicit and in implicit VR. */
typedef struct {
    data_set explicit_vr, implicit_vr;
} pair;

static void put(data_set *set, const void *bytes, size_t length)
{
    memcpy(set->bytes + set->length, bytes, length);
    set->length += length;
}

static void put_number(data_set *set, uint32_t number, size_t length)
{
    for (size_t i = 0; i < length; i++)
        set->bytes[set->length++] = (uint8_t)(number >> 8 * i);
}

static void put_tag(data_set *set, uint32_t group, uint32_t element)
{
    put_number(set, group, 2);
    put_number(set, element, 2);
}

static void put_head(data_set *set, uint32_t group, uint32_t element, uint32_t length)
{
    put_tag(set, group, element);
    put_number(set, length, 4);
}

/* State the length of what was written behind a place. */
static void close_length(data_set *set, size_t place)
{
    size_t end = set->length;
    set->length = place - 4;
    put_number(set, (uint32_t)(end - place), 4);
    set->length = end;
}

static void put_elements(fuzz_random *random, pair *both, unsigned depth);

static void put_sequence(fuzz_random *random, pair *both, unsigned depth)
{
    data_set *sets[] = {&both->explicit_vr, &both->implicit_vr};
    uint32_t undefined = draw(random, 2) ? UINT32_MAX : 0, element = 1 + draw(random, 9);
    size_t starts[2], items[2];
    put_tag(sets[0], 0x40, element);
    put(sets[0], "SQ\0\0", 4);
    put_number(sets[0], undefined, 4);
    put_head(sets[1], 0x40, element, undefined);
    for (int i = 0; i < 2; i++)
        starts[i] = sets[i]->length;
    for (uint32_t left = draw(random, 3); left && both->explicit_vr.length < FULL; left--) {
        uint32_t open = draw(random, 2) ? UINT32_MAX : 0;
        for (int i = 0; i < 2; i++) {
            put_head(sets[i], 0xFFFE, 0xE000, open);
            items[i] = sets[i]->length;
        }
        put_elements(random, both, depth - 1);
        for (int i = 0; i < 2; i++) {
            if (open)
                put_head(sets[i], 0xFFFE, 0xE00D, 0);
            else
                close_length(sets[i], items[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (undefined)
            put_head(sets[i], 0xFFFE, 0xE0DD, 0);
        else
            close_length(sets[i], starts[i]);
    }
}

static void put_element(fuzz_random *random, pair *both)
{
    unsigned count = (unsigned)strlen(ELEMENT_VRS) / 2, vr = draw(random, count);
    uint32_t group = 8 + draw(random, 0x40), element = 1 + draw(random, 0xFF);
    uint8_t value[90];
    size_t length = draw(random, sizeof value);
    memset(value, 'a' + (int)draw(random, 26), length);
    if (!memcmp(ELEMENT_VRS + 2 * vr, "SQ", 2))
        return;
    put_tag(&both->explicit_vr, group, element);
    put(&both->explicit_vr, ELEMENT_VRS + 2 * vr, 2);
    put_number(&both->explicit_vr, 0, vr < ELEMENT_LONG_VRS ? 2 : 0);
    put_number(&both->explicit_vr, (uint32_t)length, vr < ELEMENT_LONG_VRS ? 4 : 2);
    put(&both->explicit_vr, value, length);
    put_head(&both->implicit_vr, group, element, (uint32_t)length);
    put(&both->implicit_vr, value, length);
}

static void put_elements(fuzz_random *random, pair *both, unsigned depth)
{
    for (uint32_t left = draw(random, 6); left && both->explicit_vr.length < FULL; left--) {
        if (depth && !draw(random, 3)) {
            put_sequence(random, both, depth);
        } else if (!draw(random, 9)) { /* Group Length, which is dropped */
            put_tag(&both->explicit_vr, 8 + draw(random, 9), 0);
            put(&both->explicit_vr, "UL\4\0abcd", 8);
        } else {
            put_element(random, both);
        }
    }
}

static pair *draw_pair(fuzz_random *random, unsigned depth)
{
    pair *both = calloc(1, sizeof *both);
    if (!both)
        fail("there is not enough memory");
    put_elements(random, both, depth);
    return both;
}

/* Chance judges: mostly the same, now and then not, rarely an error. */
static int judge(void *context, uint32_t tag, unsigned vr)
{
    (void)tag;
    CHECK(2 * vr < strlen(ELEMENT_VRS));
    uint32_t drawn = draw(context, 40);
    return drawn > 1 ? 1 : drawn ? 0 : -1;
}

/* Chance VRs; what may be a sequence mostly is one. */
static int choose(void *context, uint32_t tag)
{
    CHECK(tag);
    uint32_t drawn = draw(context, 60);
    if (tag >> 16 == 0x40 && (tag & 0xFFFF) < 10 && drawn < 50)
        return ELEMENT_SQ;
    return drawn == 59 ? CHOICE_FAILED : drawn > 57 ? CHOICE_UNSURE : (int)(drawn % 36);
}

/* What is written with VRs is the same without them again, if the elements are sound. */
static void add_and_drop(fuzz_random *random, const uint8_t *bytes, size_t size, int sound)
{
    size_t most = draw(random, 200), written, again;
    unsigned depth = draw(random, 7);
    uint8_t *vrs = take(most);
    fuzz_random chance = *random;
    count_input();
    ptrdiff_t end = choose_plain_vrs(bytes, size, depth, choose, &chance, vrs, most, &written);
    CHECK(end >= -1 && end <= (ptrdiff_t)size);
    if (end >= 0) {
        uint8_t *out = take(written), *back = take(written);
        add_chosen_vrs(bytes, (size_t)end, vrs, out);
        ptrdiff_t read = drop_plain_vrs(out, written, 70, NULL, NULL, back, &again);
        CHECK(read >= 0 && (!sound || (read == (ptrdiff_t)written && again == (size_t)end)));
        CHECK(!sound || !end || !memcmp(back, bytes, (size_t)end));
        free(out);
        free(back);
    }
    free(vrs);
}

/* Ask for values by tags, most of which there are, of records that may state anything. */
static void gather(fuzz_random *random, const uint8_t *bytes, size_t size,
                   const element_record *records, size_t count)
{
    size_t asked = draw(random, 20), place = 0;
    uint8_t *among = take(count * sizeof *records), *tags = take(4 * asked);
    if (count)
        memcpy(among, records, count * sizeof *records);
    for (uint32_t i = 0, tag = 0; i < asked; i++) {
        if (count && draw(random, 4))
            tag = records[i * count / asked].tag + (draw(random, 5) ? 0 : draw(random, 3));
        memcpy(tags + 4 * i, &tag, 4);
    }
    if (count && !draw(random, 3)) /* what a caller states wrongly is read nowhere */
        draw_bytes(random, among + draw(random, (uint32_t)count) * sizeof *records, 24);
    size_t head = draw(random, (uint32_t)size + 1);
    uint8_t *seen = take_copy(bytes, head);
    value_question question = {among, count, seen, head, tags, asked, draw(random, 100)};
    count_input();
    ptrdiff_t length = write_values(&question, NULL);
    uint8_t *out = take(length < 0 ? 0 : (size_t)length);
    if (length >= 0) {
        CHECK(write_values(&question, out) == length);
        for (size_t i = 0; i < asked; i++) {
            element_value value;
            memcpy(&value, out + place, sizeof value);
            CHECK(value.length <= question.longest && (value.present || !value.length));
            place += sizeof value + (size_t)value.length;
        }
        CHECK(place == (size_t)length);
    }
    free(among);
    free(tags);
    free(seen);
    free(out);
}

void fuzz_elements_round_trip(fuzz_random *random)
{
    pair *both = draw_pair(random, 4);
    size_t size = both->explicit_vr.length, written;
    uint8_t *bytes = take_copy(both->explicit_vr.bytes, size), *out = take(size);
    count_input();
    CHECK(drop_plain_vrs(bytes, size, 5, NULL, NULL, out, &written) == (ptrdiff_t)size);
    CHECK(written == both->implicit_vr.length);
    CHECK(!written || !memcmp(out, both->implicit_vr.bytes, written));
    CHECK(drop_plain_vrs(bytes, size, 5, NULL, NULL, NULL, &written) == (ptrdiff_t)size);
    CHECK(written == both->implicit_vr.length);
    free(bytes);
    free(out);
    bytes = take_copy(both->implicit_vr.bytes, both->implicit_vr.length);
    add_and_drop(random, bytes, both->implicit_vr.length, 1);
    free(bytes);
    free(both);
}

static void drop_and_walk(fuzz_random *random, const uint8_t *bytes, size_t size)
{
    uint8_t *out = take(size);
    fuzz_random chance = *random;
    size_t written, again;
    int judged = (int)draw(random, 2);
    unsigned depth = draw(random, 70);
    count_input();
    ptrdiff_t end = drop_plain_vrs(bytes, size, depth, judged ? judge : NULL, &chance, out, &written);
    CHECK(end >= -1 && end <= (ptrdiff_t)size && (end >= 0 || judged));
    CHECK(end < 0 || written <= (size_t)end);
    chance = *random;
    if (!judged) {
        CHECK(drop_plain_vrs(bytes, size, depth, NULL, NULL, NULL, &again) == end);
        CHECK(again == written);
    }
    add_and_drop(random, bytes, size, 0);
    element_head head;
    int explicit_vr = (int)draw(random, 2);
    for (size_t at = 0; at <= size; at += head.header + (size_t)head.length) {
        size_t left = size - at, seen = left < ELEMENT_HEADER ? left : ELEMENT_HEADER;
        uint8_t *window = take_copy(bytes + at, seen);
        int plain = read_plain_head(window, seen, left, explicit_vr, &head);
        free(window);
        if (!plain)
            break;
        CHECK(head.header + (uint64_t)head.length <= left);
    }
    element_record records[40];
    uint64_t start = draw(random, 1000), room = draw(random, (uint32_t)size + 20);
    size_t most = draw(random, 41), place = 0;
    size_t count = walk_plain_elements(bytes, size, start, start + room, explicit_vr, records, most);
    CHECK(count <= most);
    for (size_t i = 0; i < count; i++) {
        CHECK(records[i].start == start + place && place < size && !records[i].undefined);
        CHECK(records[i].end == records[i].start + records[i].header + records[i].length);
        CHECK(records[i].end <= start + room);
        place = (size_t)(records[i].end - start);
    }
    for (size_t i = 0; i < count; i++) /* a head begins at offset 0 */
        records[i].start -= start;
    gather(random, bytes, size, records, count);
    free(out);
}

void fuzz_elements_survive(fuzz_random *random)
{
    pair *both = draw_pair(random, 6);
    size_t size = both->explicit_vr.length;
    if (size < 400 && !draw(random, 4)) {
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *bytes = take_copy(both->explicit_vr.bytes, cut);
            drop_and_walk(random, bytes, cut);
            free(bytes);
        }
    } else {
        uint8_t *bytes = take_damaged(random, both->explicit_vr.bytes, size, &size);
        drop_and_walk(random, bytes, size);
        free(bytes);
    }
    free(both);
}
