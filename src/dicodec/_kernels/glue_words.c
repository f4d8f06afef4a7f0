#include "glue.h"
#include "words.h"

/* Whether words have a size that there is, and are whole; else an error is set. */
static int check_words(const Py_buffer *words, int size)
{
    if ((size == 1 || size == 2 || size == 4 || size == 8) && words->len % size == 0)
        return 1;
    PyErr_SetString(PyExc_ValueError, "there are no whole words of such a size");
    return 0;
}

PyObject *fit_words(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    int size, bits, is_signed;
    if (!PyArg_ParseTuple(arguments, "y*iip", &words, &size, &bits, &is_signed))
        return NULL;
    PyObject *fit = NULL;
    if (check_words(&words, size)) {
        if (bits < 1 || bits > 8 * size) {
            PyErr_SetString(PyExc_ValueError, "words have no such number of bits");
        } else {
            int all;
            Py_BEGIN_ALLOW_THREADS
            all = words_fit(words.buf, (size_t)(words.len / size), (unsigned)size, (unsigned)bits,
                            is_signed);
            Py_END_ALLOW_THREADS
            fit = PyBool_FromLong(all);
        }
    }
    PyBuffer_Release(&words);
    return fit;
}

PyObject *swap_words(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    int size;
    if (!PyArg_ParseTuple(arguments, "y*i", &words, &size))
        return NULL;
    PyObject *swapped = NULL;
    if (check_words(&words, size)
        && (swapped = PyByteArray_FromStringAndSize(NULL, words.len))) {
        uint8_t *start = (uint8_t *)PyByteArray_AsString(swapped);
        Py_BEGIN_ALLOW_THREADS
        words_swap(words.buf, (size_t)(words.len / size), (unsigned)size, start);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&words);
    return swapped;
}
