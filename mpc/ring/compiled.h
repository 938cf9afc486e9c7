/* What the compiled loops have in common: thin_products.c here, held_sums.c and wave_sums.c in protocols/. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Several versions of a function, of which the first call takes the best for this processor. */
#if !defined(ONE_CPU) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
#define FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_CPU
#endif

/* Words of arrays at any address. */
typedef uint64_t word64 __attribute__((aligned(1), may_alias));
typedef uint32_t word32 __attribute__((aligned(1), may_alias));
typedef uint16_t word16 __attribute__((aligned(1), may_alias));
typedef int64_t row_number __attribute__((aligned(1), may_alias));

#define ROWS_AHEAD 4
#define BYTES_AHEAD 1024 /* what comes after them in a row, the processor foresees */

/* Asks for a row of so many bytes that is needed soon: rows at any places come slowly, each from a page of its own. */
static inline void fetch(const void *row, Py_ssize_t bytes)
{
#if defined(__GNUC__)
    Py_ssize_t end = bytes < BYTES_AHEAD ? bytes : BYTES_AHEAD;
    for (Py_ssize_t k = 0; k < end; k += 64)
        __builtin_prefetch((const char *)row + k);
#else
    (void)row, (void)bytes;
#endif
}

/* Lets go of the arrays, and ends a function: None, or its error. */
static PyObject *ended(Py_buffer *arrays, int count, const char *error)
{
    for (int k = 0; k < count; k++)
        PyBuffer_Release(&arrays[k]);
    if (error) {
        PyErr_SetString(PyExc_ValueError, error);
        return NULL;
    }
    Py_RETURN_NONE;
}
