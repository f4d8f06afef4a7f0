/* Elements take microseconds, and Python objects are made of them: the lock is kept. */
#include "elements.h"
#include "glue.h"

enum { MOST_VRS = 64, MOST_AT_ONCE = 512, FILE_META_GROUP = 0x0002 };

/* Return a new reference to the name of a VR, made at its first use and kept in `names`. */
static PyObject *name_vr(PyObject **names, unsigned vr)
{
    if (!names[vr] && vr == MOST_VRS)
        names[vr] = PyUnicode_InternFromString("");
    else if (!names[vr]) {
        char letters[] = {ELEMENT_VRS[2 * vr], ELEMENT_VRS[2 * vr + 1], 0};
        names[vr] = PyUnicode_InternFromString(letters);
    }
    Py_XINCREF(names[vr]);
    return names[vr];
}

/* Return an instance of `kind`, a subclass of tuple, with the fields of a span.
 *
 * `start` is a number of Python; the one of the end takes its place, as the next span's. */
static PyObject *make_span(PyTypeObject *kind, PyObject **names, const element_head *head,
                           PyObject **start, long long value)
{
    PyObject *end = PyLong_FromLongLong(value + head->length);
    PyObject *made[] = {
        PyLong_FromUnsignedLong(head->tag),
        name_vr(names, head->vr == ELEMENT_NO_VR ? MOST_VRS : head->vr),
        *start,
        PyLong_FromLongLong(value),
        PyLong_FromUnsignedLong(head->length),
        end,
        PyBool_FromLong(0),
    };
    *start = end;
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

PyObject *walk_elements(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer window;
    Py_ssize_t index, most;
    long long start, end;
    int explicit_vr;
    PyObject *kind;
    if (!PyArg_ParseTuple(arguments, "y*nLLpnO!", &window, &index, &start, &end, &explicit_vr,
                          &most, &PyType_Type, &kind))
        return NULL;
    PyObject *names[MOST_VRS + 1] = {NULL}, *spans = NULL, *place = NULL;
    if (index < 0 || start < 0 || !PyType_IsSubtype((PyTypeObject *)kind, &PyTuple_Type))
        PyErr_SetString(PyExc_ValueError, "an offset is negative, or spans are not tuples");
    else if ((place = PyLong_FromLongLong(start)))
        spans = PyList_New(0);
    most = most < MOST_AT_ONCE ? most : MOST_AT_ONCE;
    uint32_t last = 0; /* what follows File Meta Information may be in another encoding */
    while (spans && most-- > 0 && index < window.len && start < end) {
        const uint8_t *bytes = (const uint8_t *)window.buf + index;
        element_head head;
        if (!read_plain_head(bytes, (size_t)(window.len - index), (uint64_t)(end - start),
                             explicit_vr, &head)
            || (explicit_vr && !(head.tag >> 16 & 0xFF))
            || (last >> 16 == FILE_META_GROUP && head.tag >> 16 != FILE_META_GROUP))
            break;
        last = head.tag;
        PyObject *span = make_span((PyTypeObject *)kind, names, &head, &place, start + head.header);
        if (!span || PyList_Append(spans, span) < 0)
            Py_CLEAR(spans);
        Py_XDECREF(span);
        start += head.header + (long long)head.length;
        long long left = window.len - index;
        if (head.header + (long long)head.length >= left)
            break;
        index += head.header + (Py_ssize_t)head.length;
    }
    Py_XDECREF(place);
    for (int i = 0; i <= MOST_VRS; i++)
        Py_XDECREF(names[i]);
    PyBuffer_Release(&window);
    return spans;
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
    chosen_vrs chosen = {0};
    PyObject *made = NULL;
    if (!PyArg_ParseTuple(arguments, "y*nnO!O!", &elements, &start, &end, &PyDict_Type,
                          &chosen.known, &PyDict_Type, &chosen.blocks))
        return NULL;
    if (start < 0 || end < start || end > elements.len) {
        PyErr_SetString(PyExc_ValueError, "the elements are not within the buffer");
        PyBuffer_Release(&elements);
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)elements.buf + start;
    uint8_t vrs[MOST_AT_ONCE];
    size_t written = 0;
    ptrdiff_t taken = choose_plain_vrs(bytes, (size_t)(end - start), choose_vr, &chosen, vrs,
                                       MOST_AT_ONCE, &written);
    if (taken >= 0 && (made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)written)) && written)
        add_chosen_vrs(bytes, (size_t)taken, vrs, (uint8_t *)PyBytes_AsString(made));
    PyBuffer_Release(&elements);
    return made ? Py_BuildValue("Nn", made, start + (Py_ssize_t)taken) : NULL;
}

/* Get one number of a span; -1 and an error if it has none. */
static long long get_number(PyObject *span, Py_ssize_t field)
{
    PyObject *number = PyTuple_GetItem(span, field);
    return number ? PyLong_AsLongLong(number) : -1;
}

PyObject *count_adjacent(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *spans, *edits;
    Py_ssize_t index;
    long long limit;
    if (!PyArg_ParseTuple(arguments, "O!nO!L", &PyList_Type, &spans, &index, &PyDict_Type, &edits,
                          &limit))
        return NULL;
    PyObject *first = PyList_GetItem(spans, index);
    if (!first)
        return NULL;
    long long end = get_number(first, 5);
    Py_ssize_t count = 1, size = PyList_Size(spans);
    PyObject *vr = PyTuple_GetItem(first, 1);
    int stated = vr && PyUnicode_GetLength(vr) > 0;
    while (!PyErr_Occurred() && index + count < size) {
        PyObject *span = PyList_GetItem(spans, index + count);
        long long tag = get_number(span, 0), start = get_number(span, 2);
        vr = PyTuple_GetItem(span, 1);
        if (PyErr_Occurred() || tag >= limit || start != end || !(tag & 0xFFFF)
            || (PyUnicode_GetLength(vr) > 0) != stated
            || PyDict_Contains(edits, PyTuple_GetItem(span, 0)))
            break;
        end = get_number(span, 5);
        count++;
    }
    return PyErr_Occurred() ? NULL : PyLong_FromSsize_t(count);
}
