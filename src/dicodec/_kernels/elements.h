/* Data elements (PS3.5 7.1, 7.5): find those whose headers need no second look; drop or add VRs.
 *
 * Little endian only. What is not plain is left to the caller: other byte orders, undefined lengths
 * outside of sequences, delimiters in odd places, VRs that there are not, ends that are too early. */
#ifndef DICODEC_ELEMENTS_H
#define DICODEC_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

#define ELEMENT_HEADER 12 /* bytes of the longest header */
#define ELEMENT_NO_VR 0xFF
#define ELEMENT_DEEPEST 64 /* levels of sequences */

/* The VRs, two letters each, and how many of them, at the front, have the long form of a header
 * (PS3.5 table 7.1-1). */
extern const char ELEMENT_VRS[];
extern const unsigned ELEMENT_LONG_VRS;
extern const unsigned ELEMENT_VR_COUNT;
extern const uint8_t ELEMENT_SQ; /* the number of SQ */

typedef struct {
    uint32_t tag;
    uint32_t length; /* of the value */
    uint8_t header;  /* bytes before the value */
    uint8_t vr;      /* number in ELEMENT_VRS, or ELEMENT_NO_VR in implicit VR */
} element_head;

/* Read the head of a plain element of defined length: 1, or 0 if it is not one.
 *
 * `bytes` has `size` bytes from the tag on; the data set goes on for `room` bytes from there, which
 * may be more. */
int read_plain_head(const uint8_t *bytes, size_t size, uint64_t room, int explicit_vr,
                    element_head *head);

/* One element of a level, as spans are kept: 32 bytes, in the byte order of the machine. */
typedef struct {
    uint64_t start;  /* offset of the tag in the source */
    uint64_t length; /* of the value, without a delimiter */
    uint64_t end;    /* offset behind the element, its delimiter included */
    uint32_t tag;
    uint8_t vr;      /* number in ELEMENT_VRS, or ELEMENT_NO_VR */
    uint8_t header;  /* bytes before the value */
    uint8_t undefined; /* whether the length is stated as undefined */
    uint8_t unused;
} element_record;

/* Read plain elements that follow each other, and return how many; `most` at most.
 *
 * `window` has `size` bytes of a source from offset `start` on; the level ends at offset `end`.
 * Elements of a group that may make sense in the other byte order are not plain, nor is one that
 * follows File Meta Information, because it may be in another encoding. */
size_t walk_plain_elements(const uint8_t *window, size_t size, uint64_t start, uint64_t end,
                           int explicit_vr, element_record *records, size_t most);

/* Say whether a value of a VR means the same to those who know its VR by its tag: 1, or 0 if not or
 * if that is not known; -1 for an error of the caller's own, which ends the work. */
typedef int (*vr_judge)(void *judge, uint32_t tag, unsigned vr);

/* Write plain elements of explicit VR in implicit VR: all up to `size`, or up to the first one that
 * is not plain, or whose value would be misread. Sequences and their items keep defined and
 * undefined lengths; Group Lengths (gggg,0000) from group 0008 on are dropped.
 *
 * `out` takes at most as many bytes as are read; if it is NULL, all is judged and nothing written.
 * What was judged once need not be judged again: `judge` may be NULL. `depth` is how many levels
 * of sequences may still be entered. Returns the offset behind the last element taken, and sets
 * `written`; -1 as the judge does. */
ptrdiff_t drop_plain_vrs(const uint8_t *bytes, size_t size, unsigned depth, vr_judge judge,
                         void *context, uint8_t *out, size_t *written);

/* Choose the VR of a tag: its number in ELEMENT_VRS; CHOICE_UNSURE if somebody else has to, or
 * CHOICE_FAILED for an error of the caller's own, which ends the work. */
typedef int (*vr_chooser)(void *context, uint32_t tag);

enum { CHOICE_UNSURE = -1, CHOICE_FAILED = -2 };

/* Choose the VRs of plain elements of implicit VR: of all up to `size`, or up to the first one that
 * is not plain, whose VR is not sure, or whose value is too long for it. Sequences and their items
 * are entered; private elements in items, and private sequences, are not plain.
 *
 * `vrs` takes the number of each, at most `most` of them, in order; Group Lengths (gggg,0000) from
 * group 0008 on, which are dropped, have none. `depth` is how many levels of sequences may still be
 * entered. Returns the offset behind the last element taken, and sets `written` to the bytes that
 * they take in explicit VR; -1 as the chooser does. */
ptrdiff_t choose_plain_vrs(const uint8_t *bytes, size_t size, unsigned depth, vr_chooser choose,
                           void *context, uint8_t *vrs, size_t most, size_t *written);

/* Write the elements up to `size`, which were taken, in explicit VR, with the VRs that were chosen
 * for them. Lengths of sequences and items that are defined stay so. */
void add_chosen_vrs(const uint8_t *bytes, size_t size, uint8_t *vrs, uint8_t *out);

/* What write_values is asked: values of tags, which are in order, among the elements of a level.
 * Elements and tags may stand at any address, in the byte order of the machine. */
typedef struct {
    const uint8_t *records; /* of element_record */
    size_t count;
    const uint8_t *head; /* the first bytes of the source, which the offsets belong to */
    size_t head_size;
    const uint8_t *tags;
    size_t tag_count;
    uint64_t longest; /* bytes of a value that is still given */
} value_question;

/* One answer about a tag, in front of the bytes of its value. */
typedef struct {
    uint64_t length;
    uint8_t present;
    uint8_t vr;
    uint8_t undefined;
    uint8_t unused[5];
} element_value;

/* Write the answers about all tags, or only count their bytes if `out` is NULL. Returns how many;
 * -1 if they cannot be given: elements or tags are out of order, or a value is long, or not within
 * the head. */
ptrdiff_t write_values(const value_question *asked, uint8_t *out);

#endif
