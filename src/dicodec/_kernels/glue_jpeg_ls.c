#include "glue.h"
#include "jpeg_ls.h"

static bool check_image(const kernel_image *image, unsigned bits_allocated, uint64_t *size)
{
    return find_size(image, bits_allocated, JPEG_LS_MOST_LINES,
                     "JPEG-LS does not hold such an image", size);
}

PyObject *decode_jpeg_ls(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer stream;
    kernel_image image;
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
        words = finish_words(words, status);
    }
    PyBuffer_Release(&stream);
    return words;
}

static PyObject *encode(const uint8_t *words, const kernel_image *image,
                        const jpeg_ls_settings *settings)
{
    uint8_t *stream = NULL;
    size_t length = 0;
    kernel_status status;
    Py_BEGIN_ALLOW_THREADS
    status = jpeg_ls_encode(words, image, settings, &stream, &length);
    Py_END_ALLOW_THREADS
    return finish_stream(stream, length, status);
}

/* Whether precision and NEAR suit each other and the image. */
static int check_settings(const kernel_image *image, const jpeg_ls_settings *settings)
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
    kernel_image image;
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
