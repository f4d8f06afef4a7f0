#include "glue.h"

#include <stdlib.h>

PyObject *raise_status(kernel_status status)
{
    switch (status) {
    case KERNEL_TRUNCATED:
        PyErr_SetString(PyExc_EOFError, "the stream ends before its last sample");
        break;
    case KERNEL_NO_MEMORY:
        PyErr_NoMemory();
        break;
    case KERNEL_NO_ROOM:
        PyErr_SetString(PyExc_ValueError, "the result would be too large");
        break;
    default:
        PyErr_SetString(PyExc_ValueError, "the stream contradicts its standard");
    }
    return NULL;
}

bool find_size(const kernel_image *image, unsigned bits_allocated, uint32_t most_lines,
               const char *fault, uint64_t *size)
{
    if (!image->rows || !image->columns || image->rows > most_lines || image->columns > most_lines
        || (image->components != 1 && image->components != 3)
        || (bits_allocated != 8 && bits_allocated != 16) || !image->bits_stored
        || image->bits_stored > bits_allocated) {
        PyErr_SetString(PyExc_ValueError, fault);
        return false;
    }
    *size = (uint64_t)image->rows * image->columns * image->components * image->word_size;
    if (*size > PY_SSIZE_T_MAX) {
        PyErr_NoMemory();
        return false;
    }
    return true;
}

PyObject *finish_words(PyObject *words, kernel_status status)
{
    if (status == KERNEL_DONE)
        return words;
    Py_DECREF(words);
    return status == KERNEL_NOT_SERVED ? Py_NewRef(Py_None) : raise_status(status);
}

PyObject *finish_stream(uint8_t *stream, size_t length, kernel_status status)
{
    if (status == KERNEL_NOT_SERVED)
        return Py_NewRef(Py_None);
    if (status != KERNEL_DONE)
        return raise_status(status);
    PyObject *result = PyBytes_FromStringAndSize((const char *)stream, (Py_ssize_t)length);
    free(stream);
    return result;
}
