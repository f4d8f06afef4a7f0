#include "colors.h"
#include "glue.h"

typedef void conversion(const uint8_t *from, size_t pixels, unsigned bits, uint8_t *to);

static PyObject *convert(PyObject *arguments, conversion *kernel)
{
    Py_buffer pixels;
    int bits;
    if (!PyArg_ParseTuple(arguments, "y*i", &pixels, &bits))
        return NULL;
    PyObject *converted = NULL;
    if (pixels.len % 3 != 0 || bits < 1 || bits > 8) {
        PyErr_SetString(PyExc_ValueError, "there are no pixels of three bytes with so many bits");
    } else if ((converted = PyByteArray_FromStringAndSize(NULL, pixels.len))) {
        uint8_t *to = (uint8_t *)PyByteArray_AsString(converted);
        Py_BEGIN_ALLOW_THREADS
        kernel(pixels.buf, (size_t)pixels.len / 3, (unsigned)bits, to);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&pixels);
    return converted;
}

PyObject *ybr_full_to_rgb(PyObject *module, PyObject *arguments)
{
    (void)module;
    return convert(arguments, colors_to_rgb);
}

PyObject *rgb_to_ybr_full(PyObject *module, PyObject *arguments)
{
    (void)module;
    return convert(arguments, colors_to_ybr_full);
}
