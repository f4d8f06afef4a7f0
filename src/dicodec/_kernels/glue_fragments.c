/* Fragments lie all over a file, and each takes a call of the system: the lock is given up. */
#include "fragments.h"
#include "glue.h"

#include <stdlib.h>

enum { MOST_BEGINNINGS = 16 };

/* Take a source from Python: an open file's descriptor, or a buffer; 0 and an error if not. */
static int take_source(PyObject *given, byte_reader *reader, Py_buffer *buffer)
{
    *buffer = (Py_buffer){0};
    reader->bytes = NULL;
    reader->size = reader->base = 0;
    reader->held = 0;
    reader->descriptor = -1;
    if (PyLong_Check(given)) {
        long descriptor = PyLong_AsLong(given);
        if (!PyErr_Occurred() && descriptor >= 0 && descriptor <= INT32_MAX) {
            reader->descriptor = (int)descriptor;
            return 1;
        }
        PyErr_Clear();
        PyErr_SetString(PyExc_ValueError, "this is not an open file");
        return 0;
    }
    if (PyObject_GetBuffer(given, buffer, PyBUF_SIMPLE) < 0)
        return 0;
    reader->bytes = buffer->len ? buffer->buf : (const uint8_t *)"";
    reader->size = (uint64_t)buffer->len;
    return 1;
}

PyObject *walk_fragments(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *given, *made = NULL;
    long long start, end;
    Py_ssize_t most;
    byte_reader reader;
    Py_buffer buffer;
    if (!PyArg_ParseTuple(arguments, "OLLn", &given, &start, &end, &most))
        return NULL;
    if (start < 0 || end < start || most < 0 || most > FRAGMENTS_AT_ONCE) {
        PyErr_SetString(PyExc_ValueError, "an offset or a number is outside its range");
        return NULL;
    }
    if (!take_source(given, &reader, &buffer))
        return NULL;
    size_t room = (size_t)most, each = 2 * sizeof(uint64_t) + FRAGMENT_HEAD;
    uint64_t position = (uint64_t)start, *starts = malloc(each * room + 1);
    if (!starts) {
        PyErr_NoMemory();
    } else {
        uint64_t *lengths = starts + room;
        uint8_t *heads = (uint8_t *)(lengths + room);
        size_t count;
        Py_BEGIN_ALLOW_THREADS
        count = walk_plain_items(&reader, &position, (uint64_t)end, starts, lengths, heads, room);
        Py_END_ALLOW_THREADS
        Py_ssize_t size = (Py_ssize_t)(count * sizeof *starts);
        made = Py_BuildValue("y#y#y#L", (char *)starts, size, (char *)lengths, size, (char *)heads,
                             (Py_ssize_t)count * FRAGMENT_HEAD, (long long)position);
    }
    free(starts);
    PyBuffer_Release(&buffer);
    return made;
}

/* Take beginnings from a tuple of bytes; 0 and an error if they are too many or too long. */
static int take_beginnings(PyObject *tuple, beginning *begins)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    for (Py_ssize_t i = 0; i < count && count <= MOST_BEGINNINGS; i++) {
        char *bytes;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(tuple, i), &bytes, &length) < 0)
            return 0;
        begins[i] = (beginning){(const uint8_t *)bytes, (size_t)length};
        if (length > FRAGMENT_WINDOW)
            count = MOST_BEGINNINGS + 1;
    }
    if (count <= MOST_BEGINNINGS)
        return 1;
    PyErr_SetString(PyExc_ValueError, "the beginnings are too many or too long");
    return 0;
}

PyObject *match_fragments(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *given, *tuple, *made = NULL;
    Py_buffer starts, lengths, headers, buffer;
    byte_reader reader;
    beginning begins[MOST_BEGINNINGS];
    if (!PyArg_ParseTuple(arguments, "Oy*y*O!y*", &given, &starts, &lengths, &PyTuple_Type, &tuple,
                          &headers))
        return NULL;
    int right = starts.len == lengths.len && starts.len % (Py_ssize_t)sizeof(uint64_t) == 0
                && (uintptr_t)starts.buf % sizeof(uint64_t) == 0
                && (uintptr_t)lengths.buf % sizeof(uint64_t) == 0 && headers.len <= FRAGMENT_WINDOW;
    if (!right)
        PyErr_SetString(PyExc_ValueError, "the fragments or headers are not as they have to be");
    else if (take_beginnings(tuple, begins) && take_source(given, &reader, &buffer)) {
        size_t matched, alike, count = (size_t)PyTuple_Size(tuple);
        Py_BEGIN_ALLOW_THREADS
        matched = match_beginnings(&reader, starts.buf, lengths.buf,
                                   (size_t)starts.len / sizeof(uint64_t), begins,
                                   count, (beginning){headers.buf, (size_t)headers.len}, &alike);
        Py_END_ALLOW_THREADS
        made = Py_BuildValue("nn", (Py_ssize_t)matched, (Py_ssize_t)alike);
        PyBuffer_Release(&buffer);
    }
    PyBuffer_Release(&starts);
    PyBuffer_Release(&lengths);
    PyBuffer_Release(&headers);
    return made;
}
