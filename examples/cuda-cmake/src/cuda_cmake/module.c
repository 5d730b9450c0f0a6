#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "total.h"

static PyObject *total(PyObject *module, PyObject *x_object)
{
    Py_buffer x;
    double sum = 0;
    const char *error;
    (void)module;
    if (PyObject_GetBuffer(x_object, &x, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS))
        return NULL;
    if (!x.format || strcmp(x.format, "f")) {
        PyBuffer_Release(&x);
        return PyErr_Format(PyExc_ValueError, "x must be 32-bit floats (format 'f')");
    }
    Py_BEGIN_ALLOW_THREADS
    error = total_on_gpu(x.buf, (size_t)x.len / sizeof(float), &sum);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&x);
    if (error)
        return PyErr_Format(PyExc_RuntimeError, "CUDA: %s", error);
    return PyFloat_FromDouble(sum);
}

static PyMethodDef functions[] = {
    {"total", total, METH_O,
     "total(x)\n--\n\nReturn the sum of a buffer of 32-bit floats, added up on the GPU.\n\n"
     "Raises ValueError for other buffers, RuntimeError with CUDA's words where the GPU cannot do it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_total", NULL, 0, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__total(void)
{
    return PyModuleDef_Init(&definition);
}
