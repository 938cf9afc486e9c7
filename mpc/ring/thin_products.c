/* A matrix times a vector over Z_2^64, Z_2^32 and Z_2^16: what rings.py does with numpy's integer loops, compiled.

   Exact in any order of the additions, so the words are the same. Arrays are in C order, at any address. */

#include "compiled.h"

/* out = a x, and out = a^T x; of a the m rows at `index` count, in that order, or all if it is NULL. It has `held` rows
   of n words, which are those from `first` on of a matrix whose other rows are zero. */
#define PRODUCTS(word, factor, by_rows, by_columns)                                                          \
    FOR_EACH_CPU static void by_rows(const word *a, const row_number *index, size_t first, size_t held,       \
                                     const word *x, word *out, Py_ssize_t m, Py_ssize_t n)                   \
    {                                                                                                        \
        for (Py_ssize_t i = 0; i < m; i++) {                                                                 \
            size_t at = index ? (size_t)index[i] - first : (size_t)i, next = held;                           \
            if (index && i + ROWS_AHEAD < m)                                                                 \
                next = (size_t)index[i + ROWS_AHEAD] - first;                                                \
            if (next < held)                                                                                 \
                fetch(a + next * (size_t)n, (Py_ssize_t)sizeof(word) * n);                                   \
            word sum = 0;                                                                                    \
            if (at < held) {                                                                                 \
                const word *row = a + at * (size_t)n;                                                        \
                for (Py_ssize_t j = 0; j < n; j++)                                                           \
                    sum += (word)((factor)row[j] * x[j]);                                                    \
            }                                                                                                \
            out[i] = sum;                                                                                    \
        }                                                                                                    \
    }                                                                                                        \
    FOR_EACH_CPU static void by_columns(const word *a, const row_number *index, size_t first, size_t held,    \
                                        const word *x, word *restrict out, Py_ssize_t m, Py_ssize_t n)       \
    {                                                                                                        \
        memset(out, 0, (size_t)n * sizeof(word));                                                            \
        for (Py_ssize_t i = 0; i < m; i++) {                                                                 \
            size_t at = index ? (size_t)index[i] - first : (size_t)i, next = held;                           \
            if (index && i + ROWS_AHEAD < m)                                                                 \
                next = (size_t)index[i + ROWS_AHEAD] - first;                                                \
            if (next < held)                                                                                 \
                fetch(a + next * (size_t)n, (Py_ssize_t)sizeof(word) * n);                                   \
            if (at >= held)                                                                                  \
                continue;                                                                                    \
            const word *row = a + at * (size_t)n;                                                            \
            factor by = x[i];                                                                                \
            for (Py_ssize_t j = 0; j < n; j++)                                                               \
                out[j] += (word)(by * row[j]);                                                               \
        }                                                                                                    \
    }

PRODUCTS(word64, uint64_t, rows_64, columns_64)
PRODUCTS(word32, uint32_t, rows_32, columns_32)
PRODUCTS(word16, uint32_t, rows_16, columns_16) /* words of 16 bits would be multiplied as signed numbers */

static int within(const row_number *index, Py_ssize_t m, Py_ssize_t rows)
{
    for (Py_ssize_t i = 0; i < m; i++)
        if (index[i] < 0 || index[i] >= rows)
            return 0;
    return 1;
}

enum { A, INDEX, X, OUT, ARRAYS };

/* Takes (a, index, x, out, word, first): bytes of arrays, and of one word. */
static PyObject *product(PyObject *args, int transposed)
{
    Py_buffer arrays[ARRAYS] = {{0}}, *a = &arrays[A], *index = &arrays[INDEX], *x = &arrays[X], *out = &arrays[OUT];
    int word;
    Py_ssize_t first;
    if (!PyArg_ParseTuple(args, "y*z*y*w*in", a, index, x, out, &word, &first))
        return NULL;
    int right = (word == 8 || word == 4 || word == 2) && x->len % word == 0 && out->len % word == 0
        && a->len % word == 0;
    if (right) {
        Py_ssize_t m = (transposed ? x->len : out->len) / word, n = (transposed ? out->len : x->len) / word;
        Py_ssize_t rows = n ? a->len / word / n : m; /* of no columns there may be any number */
        const row_number *taken = index->buf;
        if (taken)
            right = index->len == 8 * m && a->len == rows * n * word && (first >= 0 || !n || within(taken, m, rows));
        else
            right = rows == m && a->len == m * n * word;
        if (right) {
            size_t from = first < 0 ? 0 : (size_t)first, held = (size_t)rows;
            Py_BEGIN_ALLOW_THREADS
            if (word == 8)
                (transposed ? columns_64 : rows_64)(a->buf, taken, from, held, x->buf, out->buf, m, n);
            else if (word == 4)
                (transposed ? columns_32 : rows_32)(a->buf, taken, from, held, x->buf, out->buf, m, n);
            else
                (transposed ? columns_16 : rows_16)(a->buf, taken, from, held, x->buf, out->buf, m, n);
            Py_END_ALLOW_THREADS
        }
    }
    return ended(arrays, ARRAYS, right ? NULL : "a matrix, a vector and a result that do not fit each other");
}

static PyObject *times(PyObject *self, PyObject *args)
{
    (void)self;
    return product(args, 0);
}

static PyObject *transposed_times(PyObject *self, PyObject *args)
{
    (void)self;
    return product(args, 1);
}

static PyMethodDef METHODS[] = {
    {"times", times, METH_VARARGS,
     "times(a, index, x, out, word, first): out (m,) = a[index] x for a (rows, n) of words of 8, 4 or 2 bytes; index\n"
     "or None. Where `first` is not negative, a has the rows from there on of a matrix whose other rows are zero."},
    {"transposed_times", transposed_times, METH_VARARGS,
     "transposed_times(a, index, x, out, word, first): out (n,) = a[index]^T x."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "mpc.ring._thin_products",
    .m_doc = "A matrix times a vector over Z_2^64, Z_2^32 and Z_2^16, compiled: see mpc/ring/rings.py.",
    .m_size = 0,
    .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__thin_products(void)
{
    return PyModuleDef_Init(&MODULE);
}
