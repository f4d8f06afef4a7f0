#include "glue.h"
#include "jpeg_ls.h"

#include <stdlib.h>

/* Whether there are such words and they have a size; else an error is set. */
static int check_image(const jpeg_ls_image *image, unsigned bits_allocated, uint64_t *size)
{
    if (image->rows && image->columns && image->rows <= JPEG_LS_MOST_LINES
        && image->columns <= JPEG_LS_MOST_LINES
        && (image->components == 1 || image->components == 3)
        && (bits_allocated == 8 || bits_allocated == 16) && image->bits_stored
        && image->bits_stored <= bits_allocated) {
        *size = (uint64_t)image->rows * image->columns * image->components * image->word_size;
        if (*size <= PY_SSIZE_T_MAX)
            return 1;
        PyErr_NoMemory();
        return 0;
    }
    PyErr_SetString(PyExc_ValueError, "JPEG-LS does not hold such an image");
    return 0;
}

PyObject *decode_jpeg_ls(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer stream;
    jpeg_ls_image image;
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
        status = jpeg_ls_decode(stream.buf, (size_t)stream.len, &image, start);
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

static PyObject *encode(const uint8_t *words, const jpeg_ls_image *image,
                        const jpeg_ls_settings *settings)
{
    uint8_t *stream = NULL;
    size_t length = 0;
    kernel_status status;
    Py_BEGIN_ALLOW_THREADS
    status = jpeg_ls_encode(words, image, settings, &stream, &length);
    Py_END_ALLOW_THREADS
    if (status == KERNEL_NOT_SERVED)
        return Py_NewRef(Py_None);
    if (status != KERNEL_DONE)
        return raise_status(status);
    PyObject *result = PyBytes_FromStringAndSize((const char *)stream, (Py_ssize_t)length);
    free(stream);
    return result;
}

/* Whether precision and NEAR suit each other and the image. */
static int check_settings(const jpeg_ls_image *image, const jpeg_ls_settings *settings)
{
    if (settings->precision >= 2 && settings->precision >= image->bits_stored
        && settings->precision <= 8 * image->word_size && settings->near <= JPEG_LS_MOST_NEAR
        && settings->near <= ((1u << image->bits_stored) - 1) / 2)
        return 1;
    PyErr_SetString(PyExc_ValueError, "there is no such precision or NEAR");
    return 0;
}

PyObject *encode_jpeg_ls(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    jpeg_ls_image image;
    jpeg_ls_settings settings;
    unsigned bits_allocated;
    int is_signed;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIpII", &words, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed,
                          &settings.precision, &settings.near))
        return NULL;
    image.word_size = bits_allocated / 8;
    image.is_signed = is_signed;
    PyObject *stream = NULL;
    uint64_t size;
    if (check_image(&image, bits_allocated, &size) && check_settings(&image, &settings)) {
        if ((uint64_t)words.len != size)
            PyErr_SetString(PyExc_ValueError, "the words are not as many as the image has");
        else
            stream = encode(words.buf, &image, &settings);
    }
    PyBuffer_Release(&words);
    return stream;
}
