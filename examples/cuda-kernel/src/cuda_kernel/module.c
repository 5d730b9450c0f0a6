#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "saxpy.h"

static int is_floats(const Py_buffer *view)
{
    return view->format && strcmp(view->format, "f") == 0;
}

static PyObject *on_buffers(float a, const Py_buffer *x, const Py_buffer *y)
{
    const char *error;
    if (!is_floats(x) || !is_floats(y) || x->len != y->len)
        return PyErr_Format(PyExc_ValueError, "x and y must be 32-bit floats (format 'f'), as many of each");
    Py_BEGIN_ALLOW_THREADS
    error = saxpy_on_gpu(a, x->buf, y->buf, (size_t)x->len / sizeof(float));
    Py_END_ALLOW_THREADS
    if (error)
        return PyErr_Format(PyExc_RuntimeError, "CUDA: %s", error);
    Py_RETURN_NONE;
}

static PyObject *saxpy(PyObject *module, PyObject *arguments)
{
    float a;
    PyObject *x_object, *y_object, *result;
    Py_buffer x, y;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "fOO:saxpy", &a, &x_object, &y_object))
        return NULL;
    if (PyObject_GetBuffer(x_object, &x, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS))
        return NULL;
    if (PyObject_GetBuffer(y_object, &y, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) {
        PyBuffer_Release(&x);
        return NULL;
    }
    result = on_buffers(a, &x, &y);
    PyBuffer_Release(&y);
    PyBuffer_Release(&x);
    return result;
}

static PyMethodDef functions[] = {
    {"saxpy", saxpy, METH_VARARGS,
     "saxpy(a, x, y)\n--\n\ny += a * x on the GPU, over buffers of 32-bit floats.\n\n"
     "Raises ValueError for other buffers, RuntimeError with CUDA's words where the GPU cannot do it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_saxpy", NULL, 0, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__saxpy(void)
{
    return PyModuleDef_Init(&definition);
}
