/* What an owner makes of an opened D in a product with held rows: the sums of held_sums.py, compiled.

   Sums of words are exact in any order, so the words are the same. Arrays are in C order, at any address. */

#include "compiled.h"

/* D >> shift, with its sign; that a negative number is shifted so is the compilers' choice, and not the language's. */
static inline uint64_t cut(uint64_t d, int shift)
{
    return d >> shift | (d >> 63 ? ~(uint64_t)0 << (64 - shift) : 0);
}

/* out[j] = sum of the wraps of the rows with D < 0, times 2^(64-shift), plus av[j]. */
#define WRAPS(word, name)                                                                                        \
    FOR_EACH_CPU static void name(const word64 *d, const word *wraps, const word64 *av, word64 *restrict out,     \
                                  Py_ssize_t rows, Py_ssize_t n, int shift)                                      \
    {                                                                                                            \
        memset(out, 0, 8 * (size_t)n);                                                                           \
        for (Py_ssize_t i = 0; i < rows; i++)                                                                    \
            if (d[i] >> 63)                                                                                      \
                for (Py_ssize_t j = 0; j < n; j++)                                                               \
                    out[j] += wraps[i * n + j];                                                                  \
        for (Py_ssize_t j = 0; j < n; j++)                                                                       \
            out[j] = (out[j] << (64 - shift)) + av[j];                                                           \
    }

WRAPS(word32, wraps_32)
WRAPS(word16, wraps_16)

/* out[j] += sum over i of x[index[i]][j] (D_i >> shift) + e[index[i]][j] (v_i + [D_i < 0] t_i); of x there are `held`
   rows, those from `first` on, and the others are zero. */
FOR_EACH_CPU static void products(const word64 *x, const word64 *e, const row_number *index, size_t first,
                                  size_t held, const word64 *d, const word64 *v, const word64 *t,
                                  word64 *restrict out, Py_ssize_t rows, Py_ssize_t n, int shift)
{
    for (Py_ssize_t i = 0; i < rows; i++) {
        if (i + ROWS_AHEAD < rows) {
            size_t next = (size_t)index[i + ROWS_AHEAD] - first;
            if (next < held)
                fetch(x + next * (size_t)n, 8 * n);
            fetch(e + index[i + ROWS_AHEAD] * n, 8 * n);
        }
        const word64 *e_row = e + index[i] * n;
        size_t at = (size_t)index[i] - first;
        uint64_t low = cut(d[i], shift), high = v[i] + (d[i] >> 63) * t[i];
        if (at < held) {
            const word64 *x_row = x + at * (size_t)n;
            for (Py_ssize_t j = 0; j < n; j++)
                out[j] += x_row[j] * low + e_row[j] * high;
        } else {
            for (Py_ssize_t j = 0; j < n; j++)
                out[j] += e_row[j] * high;
        }
    }
}

enum { X, E, INDEX, D, V, T, WRAPS_OF, AV, OUT, ARRAYS };

/* Whether the arrays fit each other, and every row that is named is there: of e, and unless first >= 0 of x. */
static int fit(const Py_buffer *a, int word, int shift, Py_ssize_t first)
{
    Py_ssize_t rows = a[D].len / 8, n = a[OUT].len / 8, held = n ? a[E].len / 8 / n : 0;
    if ((word != 2 && word != 4) || shift < 1 || shift > 32 || a[D].len % 8 || a[OUT].len % 8 || !n)
        return 0;
    if (a[E].len != 8 * held * n || a[X].len % (8 * n) || (first < 0 && a[X].len != a[E].len))
        return 0;
    if (a[INDEX].len != 8 * rows || a[V].len != 8 * rows || a[T].len != 8 * rows
        || a[WRAPS_OF].len != word * rows * n || a[AV].len != 8 * n)
        return 0;
    const row_number *index = a[INDEX].buf;
    for (Py_ssize_t i = 0; i < rows; i++)
        if (index[i] < 0 || index[i] >= held)
            return 0;
    return 1;
}

static PyObject *transposed_sum(PyObject *self, PyObject *args)
{
    Py_buffer a[ARRAYS] = {{0}};
    int word, shift;
    Py_ssize_t first;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*w*iin", &a[X], &a[E], &a[INDEX], &a[D], &a[V], &a[T], &a[WRAPS_OF],
                          &a[AV], &a[OUT], &word, &shift, &first))
        return NULL;
    int right = fit(a, word, shift, first);
    if (right) {
        Py_ssize_t rows = a[D].len / 8, n = a[OUT].len / 8;
        size_t from = first < 0 ? 0 : (size_t)first, held = (size_t)(a[X].len / 8 / n);
        Py_BEGIN_ALLOW_THREADS
        if (word == 4)
            wraps_32(a[D].buf, a[WRAPS_OF].buf, a[AV].buf, a[OUT].buf, rows, n, shift);
        else
            wraps_16(a[D].buf, a[WRAPS_OF].buf, a[AV].buf, a[OUT].buf, rows, n, shift);
        products(a[X].buf, a[E].buf, a[INDEX].buf, from, held, a[D].buf, a[V].buf, a[T].buf, a[OUT].buf, rows, n,
                 shift);
        Py_END_ALLOW_THREADS
    }
    return ended(a, ARRAYS, right ? NULL : "arrays that do not fit each other");
}

static PyMethodDef METHODS[] = {
    {"transposed_sum", transposed_sum, METH_VARARGS,
     "transposed_sum(x, e, index, d, v, t, wraps, av, out, word, shift, first): see held_sums.py; wraps (B, n) of\n"
     "words of 4 or 2 bytes. Where `first` is not negative, x has the rows from there on, and the others are zero."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "protocols.linalg._held_sums",
    .m_doc = "An owner's share of a product with held rows, compiled: see protocols/linalg/held_sums.py.",
    .m_size = 0,
    .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__held_sums(void)
{
    return PyModuleDef_Init(&MODULE);
}
