/* The Python module dicodec._kernels._compiled: arguments in, errors out; no loops.
 *
 * Limited API of CPython 3.12, so one build serves every later version. A function takes buffers,
 * checks their sizes, and gives up the interpreter's lock while its kernel works. */
#define Py_LIMITED_API 0x030c0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "processor.h"

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL},
};

static int add_constants(PyObject *module)
{
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
