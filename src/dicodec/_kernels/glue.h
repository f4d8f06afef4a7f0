/* What the functions of the Python module share; glue_*.c has those of a family. */
#ifndef DICODEC_GLUE_H
#define DICODEC_GLUE_H

#define Py_LIMITED_API 0x030c0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "image.h"
#include "status.h"

/* Set the error that a status stands for, and return NULL. */
PyObject *raise_status(kernel_status status);

/* Find how many bytes an image's words have; false, and an error is set, if there is no such image
 * for a codec that takes `most_lines` rows and columns. */
bool find_size(const kernel_image *image, unsigned bits_allocated, uint32_t most_lines,
               const char *fault, uint64_t *size);

/* Return words that were decoded; None if they are left to the library; NULL with an error. */
PyObject *finish_words(PyObject *words, kernel_status status);

/* Return a stream that was encoded, and free it; None and NULL as above. */
PyObject *finish_stream(uint8_t *stream, size_t length, kernel_status status);

PyObject *decode_jpeg2000(PyObject *module, PyObject *arguments);
PyObject *encode_jpeg2000(PyObject *module, PyObject *arguments);
PyObject *encode_jpeg2000_lossy(PyObject *module, PyObject *arguments);
PyObject *encode_htj2k(PyObject *module, PyObject *arguments);
PyObject *decode_jpeg_lossless(PyObject *module, PyObject *arguments);
PyObject *encode_jpeg_lossless(PyObject *module, PyObject *arguments);
PyObject *decode_jpeg_ls(PyObject *module, PyObject *arguments);
PyObject *encode_jpeg_ls(PyObject *module, PyObject *arguments);
PyObject *decode_rle(PyObject *module, PyObject *arguments);
PyObject *encode_rle(PyObject *module, PyObject *arguments);
PyObject *fit_words(PyObject *module, PyObject *arguments);
PyObject *swap_words(PyObject *module, PyObject *arguments);
PyObject *ybr_full_to_rgb(PyObject *module, PyObject *arguments);
PyObject *rgb_to_ybr_full(PyObject *module, PyObject *arguments);
PyObject *count_adjacent(PyObject *module, PyObject *arguments);
PyObject *gather_values(PyObject *module, PyObject *arguments);
PyObject *add_vrs(PyObject *module, PyObject *arguments);
PyObject *drop_vrs(PyObject *module, PyObject *arguments);
PyObject *pack_elements(PyObject *module, PyObject *arguments);
PyObject *unpack_elements(PyObject *module, PyObject *arguments);
PyObject *find_element(PyObject *module, PyObject *arguments);
PyObject *list_sequences(PyObject *module, PyObject *arguments);
PyObject *walk_fragments(PyObject *module, PyObject *arguments);
PyObject *match_fragments(PyObject *module, PyObject *arguments);

#endif
