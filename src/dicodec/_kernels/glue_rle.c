#include "glue.h"
#include "rle.h"

PyObject *encode_rle(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    Py_ssize_t rows, columns;
    int samples, size;
    if (!PyArg_ParseTuple(arguments, "y*nnii", &words, &rows, &columns, &samples, &size))
        return NULL;
    PyObject *frame = NULL;
    size_t room = 0, length = 0;
    if (rows > 0 && columns > 0 && samples > 0 && size > 0 && samples <= RLE_MAX_SEGMENTS
        && size <= RLE_MAX_SEGMENTS && samples * size <= RLE_MAX_SEGMENTS)
        room = rle_find_room((size_t)rows, (size_t)columns, (unsigned)(samples * size));
    if (!room) {
        raise_status(KERNEL_NO_ROOM);
    } else if (words.len / (samples * size) / columns != rows
               || words.len != rows * columns * samples * size) {
        PyErr_SetString(PyExc_ValueError, "the words are not as many as the image has");
    } else if ((frame = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)room))) {
        uint8_t *start = (uint8_t *)PyByteArray_AsString(frame);
        kernel_status status;
        Py_BEGIN_ALLOW_THREADS
        status = rle_encode(words.buf, (size_t)rows, (size_t)columns, (unsigned)samples,
                            (unsigned)size, start, room, &length);
        Py_END_ALLOW_THREADS
        if (status != KERNEL_DONE)
            raise_status(status);
        if (status != KERNEL_DONE || PyByteArray_Resize(frame, (Py_ssize_t)length) < 0)
            Py_CLEAR(frame);
    }
    PyBuffer_Release(&words);
    return frame;
}

/* Get the buffers of a sequence, at most RLE_MAX_SEGMENTS; how many there are, or -1 and an error. */
static Py_ssize_t get_segments(PyObject *sequence, Py_buffer *buffers, rle_segment *segments)
{
    Py_ssize_t count = PySequence_Size(sequence);
    if (count > RLE_MAX_SEGMENTS) {
        PyErr_SetString(PyExc_ValueError, "there are more segments than a frame can have");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *segment = PySequence_GetItem(sequence, i);
        int failed = !segment || PyObject_GetBuffer(segment, &buffers[i], PyBUF_SIMPLE) < 0;
        Py_XDECREF(segment);
        if (failed) {
            while (i--)
                PyBuffer_Release(&buffers[i]);
            return -1;
        }
        segments[i] = (rle_segment){buffers[i].buf, (size_t)buffers[i].len};
    }
    return count;
}

PyObject *decode_rle(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *sequence, *words = NULL;
    Py_ssize_t pixels;
    int size;
    if (!PyArg_ParseTuple(arguments, "Oni", &sequence, &pixels, &size))
        return NULL;
    Py_buffer buffers[RLE_MAX_SEGMENTS];
    rle_segment segments[RLE_MAX_SEGMENTS];
    Py_ssize_t planes = get_segments(sequence, buffers, segments);
    if (planes < 0)
        return NULL;
    if (!planes || size < 1 || planes % size || pixels < 0 || pixels > PY_SSIZE_T_MAX / planes)
        PyErr_SetString(PyExc_ValueError, "the segments are not those of whole samples");
    else if ((words = PyByteArray_FromStringAndSize(NULL, pixels * planes))) {
        uint8_t *start = (uint8_t *)PyByteArray_AsString(words);
        kernel_status status;
        Py_BEGIN_ALLOW_THREADS
        status = rle_decode(segments, (unsigned)planes, (size_t)pixels, (unsigned)size, start);
        Py_END_ALLOW_THREADS
        if (status != KERNEL_DONE) {
            Py_CLEAR(words);
            raise_status(status);
        }
    }
    while (planes--)
        PyBuffer_Release(&buffers[planes]);
    return words;
}
