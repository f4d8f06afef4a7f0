#include "glue.h"
#include "jpeg2000.h"

/* Whether there are such words and they have a size; else an error is set. */
static int check_image(const jpeg2000_image *image, unsigned bits_allocated, uint64_t *size)
{
    if (image->rows && image->columns && image->rows <= JPEG2000_MOST_LINES
        && image->columns <= JPEG2000_MOST_LINES
        && (image->components == 1 || image->components == 3)
        && (bits_allocated == 8 || bits_allocated == 16) && image->bits_stored
        && image->bits_stored <= bits_allocated) {
        *size = (uint64_t)image->rows * image->columns * image->components * image->word_size;
        if (*size <= PY_SSIZE_T_MAX)
            return 1;
        PyErr_NoMemory();
        return 0;
    }
    PyErr_SetString(PyExc_ValueError, "the kernel of JPEG 2000 knows no such image");
    return 0;
}

PyObject *decode_jpeg2000(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer stream;
    jpeg2000_image image;
    unsigned bits_allocated;
    int is_signed;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIp", &stream, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed))
        return NULL;
    image.word_size = bits_allocated / 8;
    image.is_signed = is_signed;
    PyObject *words = NULL;
    uint64_t size;
    if (check_image(&image, bits_allocated, &size)
        && (words = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size))) {
        uint8_t *start = (uint8_t *)PyByteArray_AsString(words);
        kernel_status status;
        Py_BEGIN_ALLOW_THREADS
        status = jpeg2000_decode(stream.buf, (size_t)stream.len, &image, start);
        Py_END_ALLOW_THREADS
        if (status != KERNEL_DONE)
            Py_CLEAR(words);
        if (status == KERNEL_NOT_SERVED)
            words = Py_NewRef(Py_None);
        else if (status != KERNEL_DONE)
            raise_status(status);
    }
    PyBuffer_Release(&stream);
    return words;
}
