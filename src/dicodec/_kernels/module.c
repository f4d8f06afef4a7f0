/* The Python module dicodec._kernels._compiled: arguments in, errors out; no loops.
 *
 * Limited API of CPython 3.12, so one build serves every later version. The functions stand in
 * glue_*.c: each takes buffers, checks their sizes, and gives up the interpreter's lock while its
 * kernel works. */
#include "elements.h"
#include "fragments.h"
#include "glue.h"
#include "processor.h"

static PyMethodDef methods[] = {
    {"decode_jpeg2000", decode_jpeg2000, METH_VARARGS, NULL},
    {"encode_jpeg2000", encode_jpeg2000, METH_VARARGS, NULL},
    {"encode_jpeg2000_lossy", encode_jpeg2000_lossy, METH_VARARGS, NULL},
    {"encode_htj2k", encode_htj2k, METH_VARARGS, NULL},
    {"decode_jpeg_lossless", decode_jpeg_lossless, METH_VARARGS, NULL},
    {"encode_jpeg_lossless", encode_jpeg_lossless, METH_VARARGS, NULL},
    {"decode_jpeg_ls", decode_jpeg_ls, METH_VARARGS, NULL},
    {"encode_jpeg_ls", encode_jpeg_ls, METH_VARARGS, NULL},
    {"decode_rle", decode_rle, METH_VARARGS, NULL},
    {"encode_rle", encode_rle, METH_VARARGS, NULL},
    {"fit_words", fit_words, METH_VARARGS, NULL},
    {"swap_words", swap_words, METH_VARARGS, NULL},
    {"ybr_full_to_rgb", ybr_full_to_rgb, METH_VARARGS, NULL},
    {"rgb_to_ybr_full", rgb_to_ybr_full, METH_VARARGS, NULL},
    {"add_vrs", add_vrs, METH_VARARGS, NULL},
    {"count_adjacent", count_adjacent, METH_VARARGS, NULL},
    {"gather_values", gather_values, METH_VARARGS, NULL},
    {"drop_vrs", drop_vrs, METH_VARARGS, NULL},
    {"pack_elements", pack_elements, METH_VARARGS, NULL},
    {"unpack_elements", unpack_elements, METH_VARARGS, NULL},
    {"find_element", find_element, METH_VARARGS, NULL},
    {"list_sequences", list_sequences, METH_VARARGS, NULL},
    {"walk_fragments", walk_fragments, METH_VARARGS, NULL},
    {"match_fragments", match_fragments, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int add_constants(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "VALUE_REPRESENTATIONS", ELEMENT_VRS) < 0
        || PyModule_AddIntConstant(module, "LONG_FORMS", ELEMENT_LONG_VRS) < 0
        || PyModule_AddIntConstant(module, "RECORD_SIZE", sizeof(element_record)) < 0
        || PyModule_AddIntConstant(module, "FRAGMENTS_AT_ONCE", FRAGMENTS_AT_ONCE) < 0
        || PyModule_AddIntConstant(module, "FRAGMENT_HEAD", FRAGMENT_HEAD) < 0
        || PyModule_AddIntConstant(module, "LONGEST_BEGINNING", FRAGMENT_WINDOW) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "INSTRUCTIONS", kernel_instructions());
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, add_constants},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_compiled",
    .m_doc = "Compiled inner loops; see _compiled.pyi.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
