/* Elements take microseconds, and Python objects are made of them: the lock is kept. */
#include "elements.h"
#include "glue.h"

#include <stddef.h>
#include <string.h>

enum { MOST_VRS = 64, MOST_AT_ONCE = 512 };

/* Return a new reference to the name of a VR, made at its first use and kept in `names`. */
static PyObject *name_vr(PyObject **names, uint8_t vr)
{
    unsigned place = vr < ELEMENT_VR_COUNT ? vr : MOST_VRS;
    if (!names[place] && place == MOST_VRS)
        names[place] = PyUnicode_InternFromString("");
    else if (!names[place]) {
        char letters[] = {ELEMENT_VRS[2 * vr], ELEMENT_VRS[2 * vr + 1], 0};
        names[place] = PyUnicode_InternFromString(letters);
    }
    Py_XINCREF(names[place]);
    return names[place];
}

/* Return an instance of `kind`, a subclass of tuple, with the fields of a span.
 *
 * If the number `*place` is its start, it is used; the one of the end takes its place. */
static PyObject *make_span(PyTypeObject *kind, PyObject **names, const element_record *record,
                           PyObject **place, uint64_t *at)
{
    PyObject *start = *place;
    if (!start || *at != record->start) {
        Py_XDECREF(start);
        start = PyLong_FromUnsignedLongLong(record->start);
    }
    PyObject *end = PyLong_FromUnsignedLongLong(record->end);
    PyObject *made[] = {
        PyLong_FromUnsignedLong(record->tag),
        name_vr(names, record->vr),
        start,
        PyLong_FromUnsignedLongLong(record->start + record->header),
        PyLong_FromUnsignedLongLong(record->length),
        end,
        PyBool_FromLong(record->undefined),
    };
    *place = end;
    *at = record->end;
    Py_XINCREF(end);
    PyObject *span = PyType_GenericAlloc(kind, 7); /* a tuple's own, without a second tuple */
    int failed = !span;
    for (int i = 0; i < 7; i++) {
        failed |= !made[i];
        if (span)
            PyTuple_SetItem(span, i, made[i]);
        else
            Py_XDECREF(made[i]);
    }
    if (failed)
        Py_CLEAR(span);
    return span;
}

static PyObject *list_records(PyTypeObject *kind, const uint8_t *records, Py_ssize_t count)
{
    PyObject *names[MOST_VRS + 1] = {NULL}, *spans = PyList_New(count), *place = NULL;
    uint64_t at = 0;
    for (Py_ssize_t i = 0; spans && i < count; i++) {
        element_record record;
        memcpy(&record, records + (size_t)i * sizeof record, sizeof record);
        PyObject *span = make_span(kind, names, &record, &place, &at);
        if (!span)
            Py_CLEAR(spans);
        else
            PyList_SetItem(spans, i, span);
    }
    Py_XDECREF(place);
    for (int i = 0; i <= MOST_VRS; i++)
        Py_XDECREF(names[i]);
    return spans;
}

PyObject *pack_elements(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer window;
    Py_ssize_t index, most;
    long long start, end;
    int explicit_vr;
    element_record records[MOST_AT_ONCE];
    size_t count = 0;
    if (!PyArg_ParseTuple(arguments, "y*nLLpn", &window, &index, &start, &end, &explicit_vr, &most))
        return NULL;
    int right = index >= 0 && start >= 0;
    if (!right)
        PyErr_SetString(PyExc_ValueError, "an offset is negative");
    else if (index < window.len && end > start && most > 0)
        count = walk_plain_elements((const uint8_t *)window.buf + index,
                                    (size_t)(window.len - index), (uint64_t)start, (uint64_t)end,
                                    explicit_vr, records,
                                    (size_t)(most < MOST_AT_ONCE ? most : MOST_AT_ONCE));
    PyBuffer_Release(&window);
    if (!right)
        return NULL;
    return Py_BuildValue("y#L", (char *)records, (Py_ssize_t)(count * sizeof *records),
                         count ? (long long)records[count - 1].end : start);
}

/* Take records from Python: a buffer of them, and places among them; 0 and an error if not. */
static int take_records(const Py_buffer *buffer, Py_ssize_t first, Py_ssize_t end)
{
    Py_ssize_t size = (Py_ssize_t)sizeof(element_record);
    if (buffer->len % size == 0 && first >= 0 && first <= end && end <= buffer->len / size)
        return 1;
    PyErr_SetString(PyExc_ValueError, "these are no records of elements");
    return 0;
}

PyObject *unpack_elements(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer records;
    Py_ssize_t first, end;
    PyObject *kind, *spans = NULL;
    if (!PyArg_ParseTuple(arguments, "y*nnO!", &records, &first, &end, &PyType_Type, &kind))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)kind, &PyTuple_Type))
        PyErr_SetString(PyExc_ValueError, "spans are not tuples");
    else if (take_records(&records, first, end))
        spans = list_records((PyTypeObject *)kind,
                             (uint8_t *)records.buf + first * (Py_ssize_t)sizeof(element_record),
                             end - first);
    PyBuffer_Release(&records);
    return spans;
}

static element_record get_record(const Py_buffer *records, Py_ssize_t index)
{
    element_record record;
    memcpy(&record, (uint8_t *)records->buf + (size_t)index * sizeof record, sizeof record);
    return record;
}

PyObject *find_element(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer records;
    Py_ssize_t first, found = -1;
    unsigned long tag;
    if (!PyArg_ParseTuple(arguments, "y*kn", &records, &tag, &first))
        return NULL;
    Py_ssize_t end = records.len / (Py_ssize_t)sizeof(element_record);
    int right = take_records(&records, first < end ? first : end, end);
    const uint8_t *tags = (const uint8_t *)records.buf + offsetof(element_record, tag);
    for (Py_ssize_t i = first; right && found < 0 && i < end; i++) {
        uint32_t one;
        memcpy(&one, tags + (size_t)i * sizeof(element_record), sizeof one);
        if (one == tag)
            found = i;
    }
    PyBuffer_Release(&records);
    return right ? PyLong_FromSsize_t(found) : NULL;
}

PyObject *list_sequences(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer records;
    unsigned long long least;
    if (!PyArg_ParseTuple(arguments, "y*K", &records, &least))
        return NULL;
    Py_ssize_t end = records.len / (Py_ssize_t)sizeof(element_record);
    PyObject *found = take_records(&records, 0, end) ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; found && i < end; i++) {
        element_record record = get_record(&records, i);
        if (record.length < least || (record.vr != ELEMENT_SQ && record.vr != ELEMENT_NO_VR))
            continue;
        PyObject *index = PyLong_FromSsize_t(i);
        if (!index || PyList_Append(found, index) < 0)
            Py_CLEAR(found);
        Py_XDECREF(index);
    }
    PyBuffer_Release(&records);
    return found;
}

static int is_among(uint32_t tag, const Py_buffer *tags)
{
    for (Py_ssize_t i = 0; i + 4 <= tags->len; i += 4) {
        uint32_t one;
        memcpy(&one, (uint8_t *)tags->buf + i, sizeof one);
        if (one == tag)
            return 1;
    }
    return 0;
}

PyObject *count_adjacent(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer records, edits;
    Py_ssize_t index, end, count = 1;
    unsigned long long limit;
    if (!PyArg_ParseTuple(arguments, "y*nny*K", &records, &index, &end, &edits, &limit))
        return NULL;
    int right = take_records(&records, index, end);
    if (right && index == end) {
        PyErr_SetString(PyExc_IndexError, "there is no such element");
        right = 0;
    }
    element_record last = right ? get_record(&records, index) : (element_record){0};
    for (; right && index + count < end; count++) {
        element_record record = get_record(&records, index + count);
        if (record.tag >= limit || record.start != last.end || !(record.tag & 0xFFFF)
            || (record.vr == ELEMENT_NO_VR) != (last.vr == ELEMENT_NO_VR)
            || is_among(record.tag, &edits))
            break;
        last = record;
    }
    PyBuffer_Release(&records);
    PyBuffer_Release(&edits);
    return right ? PyLong_FromSsize_t(count) : NULL;
}

PyObject *gather_values(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer records, head, tags;
    unsigned long long longest;
    if (!PyArg_ParseTuple(arguments, "y*y*y*K", &records, &head, &tags, &longest))
        return NULL;
    PyObject *made = NULL;
    if (take_records(&records, 0, 0)) {
        value_question asked = {records.buf, (size_t)records.len / sizeof(element_record),
                                head.buf, (size_t)head.len, tags.buf, (size_t)tags.len / 4, longest};
        ptrdiff_t size = write_values(&asked, NULL);
        if (size < 0)
            made = Py_NewRef(Py_None);
        else if ((made = PyBytes_FromStringAndSize(NULL, size)))
            write_values(&asked, (uint8_t *)PyBytes_AsString(made));
    }
    PyBuffer_Release(&records);
    PyBuffer_Release(&head);
    PyBuffer_Release(&tags);
    return made;
}

/* Look a tag and a VR up in a set of Python: their bits as one number. */
static int is_settled(void *settled, uint32_t tag, unsigned vr)
{
    PyObject *key = PyLong_FromUnsignedLongLong(
        (unsigned long long)tag << 16 | (unsigned)(uint8_t)ELEMENT_VRS[2 * vr] << 8
        | (uint8_t)ELEMENT_VRS[2 * vr + 1]);
    int found = key ? PySet_Contains(settled, key) : -1;
    Py_XDECREF(key);
    return found;
}

PyObject *drop_vrs(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer elements;
    Py_ssize_t start, end;
    int depth;
    PyObject *settled, *made = NULL;
    if (!PyArg_ParseTuple(arguments, "y*nniO!", &elements, &start, &end, &depth, &PySet_Type,
                          &settled))
        return NULL;
    if (start < 0 || end < start || end > elements.len || depth < 0) {
        PyErr_SetString(PyExc_ValueError, "the elements are not within the buffer");
        PyBuffer_Release(&elements);
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)elements.buf + start;
    size_t written = 0;
    ptrdiff_t taken = drop_plain_vrs(bytes, (size_t)(end - start), (unsigned)depth, is_settled,
                                     settled, NULL, &written);
    if (taken >= 0 && (made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)written)) && written)
        drop_plain_vrs(bytes, (size_t)taken, (unsigned)depth, NULL, NULL,
                       (uint8_t *)PyBytes_AsString(made), &written);
    PyBuffer_Release(&elements);
    return made ? Py_BuildValue("Nn", made, start + (Py_ssize_t)taken) : NULL;
}

/* Where the VRs of tags are looked up: dictionaries of Python with the numbers of VRs by tag. */
typedef struct {
    PyObject *known;  /* of elements of even groups */
    PyObject *blocks; /* of private ones, each by the group and the block of its elements */
    PyObject *block;  /* the one that was used last, borrowed */
    uint32_t reserved;
} chosen_vrs;

static int choose_vr(void *context, uint32_t tag)
{
    chosen_vrs *chosen = context;
    PyObject *among = chosen->known;
    if (tag & 0x10000) {
        if (!(tag & 0xF000))
            return CHOICE_UNSURE; /* a Private Creator, or none */
        uint32_t reserved = (tag & 0xFFFF0000u) | (tag >> 8 & 0xFF);
        if (!chosen->block || reserved != chosen->reserved) {
            PyObject *key = PyLong_FromUnsignedLong(reserved);
            chosen->block = key ? PyDict_GetItemWithError(chosen->blocks, key) : NULL;
            chosen->reserved = reserved;
            Py_XDECREF(key);
        }
        among = chosen->block;
    }
    PyObject *key = among && PyDict_Check(among) ? PyLong_FromUnsignedLong(tag) : NULL;
    PyObject *number = key ? PyDict_GetItemWithError(among, key) : NULL;
    long vr = number ? PyLong_AsLong(number) : CHOICE_UNSURE;
    Py_XDECREF(key);
    if (PyErr_Occurred())
        return CHOICE_FAILED;
    return vr < 0 || vr > 0xFF ? CHOICE_UNSURE : (int)vr;
}

PyObject *add_vrs(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer elements;
    Py_ssize_t start, end;
    int depth;
    chosen_vrs chosen = {0};
    PyObject *made = NULL;
    if (!PyArg_ParseTuple(arguments, "y*nniO!O!", &elements, &start, &end, &depth,
                          &PyDict_Type, &chosen.known, &PyDict_Type, &chosen.blocks))
        return NULL;
    if (start < 0 || end < start || end > elements.len || depth < 0) {
        PyErr_SetString(PyExc_ValueError, "the elements are not within the buffer");
        PyBuffer_Release(&elements);
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)elements.buf + start;
    uint8_t vrs[MOST_AT_ONCE];
    size_t written = 0;
    ptrdiff_t taken = choose_plain_vrs(bytes, (size_t)(end - start), (unsigned)depth, choose_vr,
                                       &chosen, vrs, MOST_AT_ONCE, &written);
    if (taken >= 0 && (made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)written)) && written)
        add_chosen_vrs(bytes, (size_t)taken, vrs, (uint8_t *)PyBytes_AsString(made));
    PyBuffer_Release(&elements);
    return made ? Py_BuildValue("Nn", made, start + (Py_ssize_t)taken) : NULL;
}
