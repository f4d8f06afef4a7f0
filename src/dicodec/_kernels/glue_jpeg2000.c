#include "glue.h"
#include "jpeg2000.h"

static bool check_image(const kernel_image *image, unsigned bits_allocated, unsigned threads,
                        uint64_t *size)
{
    static const char FAULT[] = "the kernel of JPEG 2000 knows no such image";
    if (threads)
        return find_size(image, bits_allocated, JPEG2000_MOST_LINES, FAULT, size);
    PyErr_SetString(PyExc_ValueError, FAULT);
    return false;
}

static const char TOO_MANY[] = "JPEG 2000 has no more than 33 resolutions";

/* Find the size of words that are halved; if they cannot be, an error is set. */
static int halve_size(const kernel_image *image, unsigned halvings, uint64_t *size)
{
    if (halvings > JPEG2000_MOST_LEVELS) {
        PyErr_SetString(PyExc_ValueError, TOO_MANY);
        return 0;
    }
    uint64_t less = (UINT64_C(1) << halvings) - 1;
    uint64_t rows = (image->rows + less) >> halvings, columns = (image->columns + less) >> halvings;
    *size = rows * columns * image->components * image->word_size;
    return 1;
}

PyObject *decode_jpeg2000(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer stream;
    kernel_image image;
    unsigned bits_allocated, threads, halvings;
    int is_signed;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIpII", &stream, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed,
                          &threads, &halvings))
        return NULL;
    image.word_size = bits_allocated / 8;
    image.is_signed = is_signed;
    PyObject *words = NULL;
    uint64_t size;
    if (check_image(&image, bits_allocated, threads, &size)
        && halve_size(&image, halvings, &size)
        && (words = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size))) {
        uint8_t *start = (uint8_t *)PyByteArray_AsString(words);
        kernel_status status;
        Py_BEGIN_ALLOW_THREADS
        status = jpeg2000_decode(stream.buf, (size_t)stream.len, &image, halvings, threads,
                                 start);
        Py_END_ALLOW_THREADS
        words = finish_words(words, status);
    }
    PyBuffer_Release(&stream);
    return words;
}

typedef struct {
    const jpeg2000_goal *goal; /* with loss, if there is one */
    const unsigned *levels;    /* of HTJ2K, if there are some */
} stream_kind;

static PyObject *encode(const Py_buffer *words, kernel_image *image, unsigned bits_allocated,
                        bool transform, stream_kind kind, unsigned threads)
{
    uint64_t size;
    image->word_size = bits_allocated / 8;
    if (!check_image(image, bits_allocated, threads, &size))
        return NULL;
    if ((uint64_t)words->len != size || (transform && image->components != 3)) {
        PyErr_SetString(PyExc_ValueError, "the words are not those of the image");
        return NULL;
    }
    uint8_t *stream = NULL;
    size_t length = 0;
    kernel_status status;
    Py_BEGIN_ALLOW_THREADS
    if (kind.goal)
        status = jpeg2000_encode_lossy(words->buf, image, transform, kind.goal, threads, &stream,
                                       &length);
    else if (kind.levels)
        status = jpeg2000_encode_high_throughput(words->buf, image, transform, *kind.levels,
                                                 threads, &stream, &length);
    else
        status = jpeg2000_encode(words->buf, image, transform, threads, &stream, &length);
    Py_END_ALLOW_THREADS
    return finish_stream(stream, length, status);
}

PyObject *encode_jpeg2000(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    kernel_image image;
    unsigned bits_allocated, threads;
    int is_signed, transform;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIppI", &words, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed,
                          &transform, &threads))
        return NULL;
    image.is_signed = is_signed;
    PyObject *result = encode(&words, &image, bits_allocated, transform, (stream_kind){NULL, NULL},
                              threads);
    PyBuffer_Release(&words);
    return result;
}

PyObject *encode_jpeg2000_lossy(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    kernel_image image;
    unsigned bits_allocated, threads;
    unsigned long long most_bytes;
    double psnr;
    int is_signed, transform, of_range;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIppIKdp", &words, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed,
                          &transform, &threads, &most_bytes, &psnr, &of_range))
        return NULL;
    image.is_signed = is_signed;
    jpeg2000_goal goal = {most_bytes, psnr, of_range};
    PyObject *result = NULL;
    if (psnr >= 0 && psnr <= 200)
        result = encode(&words, &image, bits_allocated, transform, (stream_kind){&goal, NULL},
                        threads);
    else
        PyErr_SetString(PyExc_ValueError, "a PSNR is 0 to 200 dB");
    PyBuffer_Release(&words);
    return result;
}

PyObject *encode_htj2k(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    kernel_image image;
    unsigned bits_allocated, levels, threads;
    int is_signed, transform;
    if (!PyArg_ParseTuple(arguments, "y*IIIIIppII", &words, &image.rows, &image.columns,
                          &image.components, &bits_allocated, &image.bits_stored, &is_signed,
                          &transform, &levels, &threads))
        return NULL;
    image.is_signed = is_signed;
    PyObject *result = NULL;
    if (levels <= JPEG2000_MOST_LEVELS)
        result = encode(&words, &image, bits_allocated, transform, (stream_kind){NULL, &levels},
                        threads);
    else
        PyErr_SetString(PyExc_ValueError, TOO_MANY);
    PyBuffer_Release(&words);
    return result;
}
