/* Sums of sines and cosines of ring elements: what trig.py does with numpy, compiled.

   A public value that multiplies a share has to be the same word at every owner, and one owner may have this module
   where another has numpy alone. So it takes the same IEEE-754 steps in the same order as trig.py, each rounded once:
   built with -ffp-contract=off, never with -ffast-math (see pyproject.toml). It reads and writes arrays of 64-bit words
   in C order, a few angles at a time, so that all that lies between stays in the processor's first cache. */

#include <float.h>

#include "compiled.h"

#if FLT_EVAL_METHOD != 0
#error "double arithmetic with more than 64 bits would give other words than numpy"
#endif
#if defined(__FAST_MATH__)
#error "-ffast-math would give other words than numpy"
#endif

#define AT_ONCE 32 /* angles */
#define AHEAD 4 /* rows */
#define MOST_HARMONICS 1023
#define MOST_BASIS 64 /* angles from which those of one angle are made */
#define QUARTER_TURN ((uint64_t)1 << 62)
#define TO_INTEGER 0x1.8p52 /* leaves the nearest integer in the lowest bits of a sum */

#define INLINE static inline __attribute__((always_inline))

/* _SINE_OF_QUARTER_TURNS in trig.py. */
static const double SINE[9] = {
    1.5707963267948966,     -0.6459640975062462,   0.07969262624616566,    -0.0046817541353042875,
    0.00016044118471298445, -3.598843020066533e-06, 5.692136379038752e-08, -6.684414265014933e-10,
    5.872929258297722e-12,
};

typedef struct {
    double wave[2][MOST_BASIS][AT_ONCE]; /* sines, cosines */
} Basis;

INLINE void sine_of_turns(const uint64_t *turns, double *out)
{
    for (int i = 0; i < AT_ONCE; i++) {
        uint64_t size = (int64_t)turns[i] < 0 ? 0 - turns[i] : turns[i];
        double x = (double)(int64_t)(QUARTER_TURN - size) * 0x1p-62;
        double square = x * x;
        double total = square * SINE[8];
        for (int k = 7; k > 0; k--) {
            total += SINE[k];
            total *= square;
        }
        total += SINE[0];
        out[i] = total * x;
    }
}

/* The first `low` odd harmonics, then those of the multiples of 2 low that lead from these to all others. */
INLINE void fill_basis(Basis *basis, const uint64_t *angles, int low, int blocks)
{
    for (int k = 0; k < low + blocks - 1; k++) {
        uint64_t multiple = k < low ? 2 * (uint64_t)k + 1 : 2 * (uint64_t)low * (uint64_t)(k - low + 1);
        uint64_t cosine[AT_ONCE], sine[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            cosine[i] = angles[i] * multiple;
            sine[i] = cosine[i] - QUARTER_TURN;
        }
        sine_of_turns(sine, basis->wave[0][k]);
        sine_of_turns(cosine, basis->wave[1][k]);
    }
}

INLINE void harmonic(const Basis *basis, int low, int j, double *sine, double *cosine)
{
    const double *s = basis->wave[0][j % low], *c = basis->wave[1][j % low];
    int block = j / low;
    if (!block) {
        memcpy(sine, s, sizeof(double) * AT_ONCE);
        memcpy(cosine, c, sizeof(double) * AT_ONCE);
        return;
    }
    const double *step_s = basis->wave[0][low + block - 1], *step_c = basis->wave[1][low + block - 1];
    for (int i = 0; i < AT_ONCE; i++) {
        sine[i] = s[i] * step_c[i] + c[i] * step_s[i];
        cosine[i] = c[i] * step_c[i] - s[i] * step_s[i];
    }
}

INLINE uint64_t ring_element(double wave, double weight)
{
    double scaled = wave * weight;
    scaled += TO_INTEGER;
    uint64_t bits, zero;
    double none = TO_INTEGER;
    memcpy(&bits, &scaled, sizeof bits);
    memcpy(&zero, &none, sizeof zero);
    return bits - zero;
}

INLINE int low_of(int count)
{
    int bits = 0;
    while (count >> bits)
        bits++;
    return 1 << bits / 2;
}

/* total[i] = sum over the 2 K waves of ring_element(harmonic, weight) * waves[j][i] */
FOR_EACH_CPU static void sums(const char *angles, const char *waves, const double *weights, char *total,
                              Py_ssize_t size, int count, int cosines_first)
{
    int low = low_of(count), blocks = (count + low - 1) / low;
    Basis basis;
    for (Py_ssize_t start = 0; start < size; start += AT_ONCE) {
        int n = size - start < AT_ONCE ? (int)(size - start) : AT_ONCE;
        uint64_t some[AT_ONCE] = {0}, sum[AT_ONCE] = {0};
        memcpy(some, angles + 8 * start, 8 * (size_t)n);
        fill_basis(&basis, some, low, blocks);
        for (int j = 0; j < count; j++) {
            double wave[2][AT_ONCE];
            uint64_t first[AT_ONCE] = {0}, second[AT_ONCE] = {0};
            harmonic(&basis, low, j, wave[cosines_first], wave[!cosines_first]);
            const char *from = waves + 8 * (size * j + start), *more = from + 8 * size * count;
            if (j + AHEAD < count)
                for (int line = 0; line < 8 * AT_ONCE; line += 64) {
                    __builtin_prefetch(from + 8 * size * AHEAD + line);
                    __builtin_prefetch(more + 8 * size * AHEAD + line);
                }
            if (n == AT_ONCE) {
                memcpy(first, from, sizeof first);
                memcpy(second, more, sizeof second);
            } else {
                memcpy(first, from, 8 * (size_t)n);
                memcpy(second, more, 8 * (size_t)n);
            }
            for (int i = 0; i < AT_ONCE; i++)
                sum[i] += ring_element(wave[0][i], weights[j]) * first[i]
                    + ring_element(wave[1][i], weights[count + j]) * second[i];
        }
        memcpy(total + 8 * start, sum, 8 * (size_t)n);
    }
}

/* out[j][i] = ring_element(harmonic, weight) for the 2 K waves */
FOR_EACH_CPU static void scaled(const char *angles, const double *weights, char *out, Py_ssize_t size, int count,
                                int cosines_first)
{
    int low = low_of(count), blocks = (count + low - 1) / low;
    Basis basis;
    for (Py_ssize_t start = 0; start < size; start += AT_ONCE) {
        int n = size - start < AT_ONCE ? (int)(size - start) : AT_ONCE;
        uint64_t some[AT_ONCE] = {0};
        memcpy(some, angles + 8 * start, 8 * (size_t)n);
        fill_basis(&basis, some, low, blocks);
        for (int j = 0; j < count; j++) {
            double wave[2][AT_ONCE];
            uint64_t element[AT_ONCE];
            harmonic(&basis, low, j, wave[cosines_first], wave[!cosines_first]);
            for (int half = 0; half < 2; half++) {
                char *to = out + 8 * (size * (j + half * count) + start);
                for (int i = 0; i < AT_ONCE; i++)
                    element[i] = ring_element(wave[half][i], weights[half * count + j]);
                if (n == AT_ONCE)
                    memcpy(to, element, sizeof element);
                else
                    memcpy(to, element, 8 * (size_t)n);
            }
        }
    }
}

enum { ANGLES, WEIGHTS, OUT, WAVES, MOST_ARRAYS };

/* Whether the arrays fit each other, of which `out` holds so many words for an angle; NULL, or why not. */
static const char *unfit(const Py_buffer *a, Py_ssize_t size, Py_ssize_t count, Py_ssize_t per_angle)
{
    if (a[ANGLES].len % 8 || a[WEIGHTS].len % 16 || !count || (uintptr_t)a[WEIGHTS].buf % sizeof(double)
        || a[OUT].len != 8 * size * per_angle)
        return "arrays of shapes that do not fit";
    return count > MOST_HARMONICS ? "more than 1023 harmonics" : NULL;
}

static PyObject *sums_of(PyObject *self, PyObject *args)
{
    Py_buffer a[MOST_ARRAYS] = {{0}};
    int cosines_first;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*w*p", &a[ANGLES], &a[WAVES], &a[WEIGHTS], &a[OUT], &cosines_first))
        return NULL;
    Py_ssize_t size = a[ANGLES].len / 8, count = a[WEIGHTS].len / 16;
    const char *error = unfit(a, size, count, 1);
    if (!error && a[WAVES].len != 16 * count * size)
        error = "arrays of shapes that do not fit";
    if (!error) {
        Py_BEGIN_ALLOW_THREADS
        sums(a[ANGLES].buf, a[WAVES].buf, a[WEIGHTS].buf, a[OUT].buf, size, (int)count, cosines_first);
        Py_END_ALLOW_THREADS
    }
    return ended(a, MOST_ARRAYS, error);
}

static PyObject *scaled_of(PyObject *self, PyObject *args)
{
    Py_buffer a[MOST_ARRAYS] = {{0}};
    int cosines_first;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*p", &a[ANGLES], &a[WEIGHTS], &a[OUT], &cosines_first))
        return NULL;
    Py_ssize_t size = a[ANGLES].len / 8, count = a[WEIGHTS].len / 16;
    const char *error = unfit(a, size, count, 2 * count);
    if (!error) {
        Py_BEGIN_ALLOW_THREADS
        scaled(a[ANGLES].buf, a[WEIGHTS].buf, a[OUT].buf, size, (int)count, cosines_first);
        Py_END_ALLOW_THREADS
    }
    return ended(a, MOST_ARRAYS, error);
}

static PyMethodDef METHODS[] = {
    {"sums", sums_of, METH_VARARGS,
     "sums(angles, waves, weights, out, cosines_first): out (B,) = the sum over the harmonics of\n"
     "rint(weight * harmonic of the angle) * wave, for angles (B,), waves (2 K, B) and weights (2, K)."},
    {"scaled", scaled_of, METH_VARARGS,
     "scaled(angles, weights, out, cosines_first): out (2 K, B) = rint(weight * harmonic of the angle)."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "protocols.functions._wave_sums",
    .m_doc = "Sums of sines and cosines of ring elements, compiled: see protocols/functions/waves.py.",
    .m_size = 0,
    .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__wave_sums(void)
{
    return PyModuleDef_Init(&MODULE);
}
