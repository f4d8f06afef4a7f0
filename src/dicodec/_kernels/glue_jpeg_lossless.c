#include "glue.h"
#include "jpeg_lossless.h"

static bool check_image(const kernel_image *image, unsigned bits_allocated, uint64_t *size)
{
    return find_size(image, bits_allocated, JPEG_LOSSLESS_MOST_LINES,
                     "lossless JPEG does not hold such an image", size);
}

PyObject *decode_jpeg_lossless(PyObject *module, PyObject *arguments)
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
        status = jpeg_lossless_decode(stream.buf, (size_t)stream.len, &image, start);
        Py_END_ALLOW_THREADS
        words = finish_words(words, status == KERNEL_CORRUPT ? KERNEL_NOT_SERVED : status);
    }
    PyBuffer_Release(&stream);
    return words;
}

static PyObject *encode(const uint8_t *words, const kernel_image *image,
                        const jpeg_lossless_settings *settings)
{
    jpeg_lossless_plan plan;
    kernel_status status;
    Py_BEGIN_ALLOW_THREADS
    status = jpeg_lossless_prepare(words, image, settings, &plan);
    Py_END_ALLOW_THREADS
    if (status == KERNEL_NOT_SERVED)
        return Py_NewRef(Py_None);
    if (status == KERNEL_DONE && plan.most_bytes > PY_SSIZE_T_MAX)
        status = KERNEL_NO_ROOM;
    if (status != KERNEL_DONE)
        return raise_status(status);
    PyObject *stream = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)plan.most_bytes);
    if (!stream)
        return NULL;
    uint8_t *start = (uint8_t *)PyByteArray_AsString(stream);
    size_t length = 0;
    Py_BEGIN_ALLOW_THREADS
    status = jpeg_lossless_encode(words, image, settings, &plan, start, plan.most_bytes, &length);
    Py_END_ALLOW_THREADS
    if (status != KERNEL_DONE)
        raise_status(status);
    if (status != KERNEL_DONE || PyByteArray_Resize(stream, (Py_ssize_t)length) < 0)
        Py_CLEAR(stream);
    return stream;
}

PyObject *encode_jpeg_lossless(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    kernel_image image;
    jpeg_lossless_settings settings;
    unsigned bits_allocated;
    int is_signed, is_rgb;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIpIIp", &words, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed,
                          &settings.precision, &settings.predictor, &is_rgb))
        return NULL;
    image.word_size = bits_allocated / 8;
    image.is_signed = is_signed;
    settings.is_rgb = is_rgb;
    PyObject *stream = NULL;
    uint64_t size;
    if (check_image(&image, bits_allocated, &size)) {
        if (settings.precision < 2 || settings.precision < image.bits_stored
            || settings.precision > bits_allocated || settings.predictor < 1
            || settings.predictor > 7)
            PyErr_SetString(PyExc_ValueError, "there is no such precision or predictor");
        else if ((uint64_t)words.len != size)
            PyErr_SetString(PyExc_ValueError, "the words are not as many as the image has");
        else
            stream = encode(words.buf, &image, &settings);
    }
    PyBuffer_Release(&words);
    return stream;
}
